//! Compiles the crate's own protos. The lists are explicit: a file that a user drops into `proto/`
//! never takes part in the build, and no protoc does.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::{env, fs};

/// Where the files of [`MESSAGES`] and their imports are.
const BUILTIN: &str = "src/schema/builtin";

/// Messages that the library itself speaks: included by `schema/builtin/pb.rs`, without services,
/// so that the library does not depend on tonic.
const MESSAGES: &[&str] = &[
    "google/rpc/error_details.proto",
    "google/rpc/status.proto",
    "grpc/health/v1/health.proto",
    "grpc/reflection/v1/reflection.proto",
    "grpc/reflection/v1alpha/reflection.proto",
];

/// Where the files of [`SERVICES`] are.
const PROTO: &str = "proto";

/// Services of the examples and tests, with tonic clients and servers: a target that wants one
/// says `tonic::include_proto!("package")`.
const SERVICES: &[&str] = &["bookstore/v1/bookstore.proto"];

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed=build.rs");
    let out = PathBuf::from(env::var_os("OUT_DIR").ok_or("OUT_DIR is not set")?);

    let messages = compile(&[BUILTIN], MESSAGES)?;
    let own = out.join("own");
    fs::create_dir_all(&own)?;
    fs::write(
        own.join("descriptors.binpb"),
        messages.encode_file_descriptor_set(),
    )?;
    generate(&messages, &own, false)?;

    if !SERVICES.is_empty() {
        let services = compile(&[PROTO, BUILTIN], SERVICES)?;
        fs::write(
            out.join("services.binpb"),
            services.encode_file_descriptor_set(),
        )?;
        generate(&services, &out, true)?;
    }
    Ok(())
}

/// Links `files`, found below `roots`, and names every file that took part to cargo.
fn compile(roots: &[&str], files: &[&str]) -> Result<protox::Compiler, Box<dyn Error>> {
    let mut compiler = protox::Compiler::new(roots)?;
    compiler.include_imports(true).include_source_info(true);
    for file in files {
        compiler.open_file(file)?;
    }
    for path in compiler.files().filter_map(|file| file.path()) {
        println!("cargo:rerun-if-changed={}", path.display());
    }
    Ok(compiler)
}

/// Writes the Rust of what was linked.
fn generate(linked: &protox::Compiler, out: &Path, services: bool) -> Result<(), Box<dyn Error>> {
    tonic_prost_build::configure()
        .build_client(services)
        .build_server(services)
        .out_dir(out)
        .compile_fds(linked.file_descriptor_set())?;
    Ok(())
}
