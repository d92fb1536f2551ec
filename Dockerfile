# A static binary in an empty image: no shell, no libraries, not root, and nothing is written, so that
# the root file system may be read-only.
#
#     docker build -t sidegate .
#     docker run --read-only --network host -v ./proto:/etc/sidegate/proto:ro sidegate --upstream http://127.0.0.1:50051

FROM rust:1.95-slim AS build
WORKDIR /src
COPY . .
# The target is named although it is the host's own: then the flags are for the program alone and
# not for build scripts, which cannot be linked statically where they are plugins of the compiler.
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/src/target \
    target="$(rustc -vV | sed -n 's/^host: //p')" \
    && RUSTFLAGS="-C target-feature=+crt-static" \
       cargo build --locked --profile dist --bin sidegate --target "$target" \
    && cp "target/$target/dist/sidegate" /sidegate

FROM scratch
COPY --from=build /sidegate /usr/bin/sidegate
# Whom the gateway believes when it speaks TLS to others and no `ca` is given.
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
# sidegate.yaml and proto/ are looked for here.
WORKDIR /etc/sidegate
USER 65532:65532
EXPOSE 8081
# Docker shows it; Kubernetes has probes of its own. It asks the admin address of the configuration:
# one that is given otherwise than by --config belongs into SIDEGATE_ADMIN, which both read.
HEALTHCHECK --interval=10s --timeout=4s --start-period=5s CMD ["/usr/bin/sidegate", "probe"]
ENTRYPOINT ["/usr/bin/sidegate"]
