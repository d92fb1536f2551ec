//! Every source of schemas from the outside: files, descriptor sets, rules and a real reflection
//! server, merged and compiled into one schema.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a failing test may panic, and its patience has an end"
)]

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use sidegate::app::{Gateway, Outputs, Running};
use sidegate::call::{Call, Code, Fault, LocalFuture, Reply};
use sidegate::config;
use sidegate::life::task::{self, Task};
use sidegate::schema::compile::{Input, Services, compile};
use sidegate::schema::problem::Problem;
use sidegate::schema::{Schema, binding::Origin};
use sidegate::source::merge::{Merged, merge};
use sidegate::source::reflection::{self, Reflected, Version};
use sidegate::source::{Loaded, descriptor_set, proto_dir, service_yaml};
use sidegate::upstream::{Params, Target, Upstreams};
use tokio::net::TcpListener;
use tokio_stream::wrappers::TcpListenerStream;
use tower::Service as _;

/// The bookstore's descriptors as the build made them.
const BOOKSTORE: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/services.binpb"));

fn proto(paths: &[PathBuf]) -> Loaded {
    proto_dir::load(&proto_dir::Params {
        protos: paths.to_vec(),
        includes: Vec::new(),
        tools: Vec::new(),
    })
}

fn own_protos() -> Loaded {
    proto(&[PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/proto"))])
}

fn told(problems: &[Problem]) -> String {
    let problems = problems.iter().map(ToString::to_string);
    problems.collect::<Vec<_>>().join("\n")
}

fn compiled(merged: Merged, input: Input) -> Schema {
    assert_eq!(told(&merged.problems), "");
    let (schema, problems) = compile(&Input {
        files: merged.files,
        ..input
    });
    assert_eq!(told(&problems), "");
    schema
}

fn methods(schema: &Schema) -> Vec<&str> {
    schema.methods.iter().map(|method| &*method.path).collect()
}

#[test]
fn a_directory_and_a_descriptor_set_give_the_same_methods_and_routes() {
    let directory = compiled(merge([own_protos()]), Input::default());
    // The set has the imports in it; google's own service files are none of them.
    let set = descriptor_set::read_set(&BOOKSTORE.into(), &Arc::from("services.binpb"));
    let set = compiled(merge([set]), Input::default());
    assert!(!methods(&directory).is_empty());
    assert_eq!(methods(&directory), methods(&set));
    assert_eq!(directory.bindings.len(), set.bindings.len());
    let annotated = |schema: &Schema| {
        let bindings = schema.bindings.iter();
        bindings
            .filter(|binding| binding.origin == Origin::Annotation)
            .count()
    };
    assert!(annotated(&directory) > 10);
    assert_eq!(annotated(&directory), annotated(&set));
}

#[test]
fn rules_from_yaml_replace_annotations() {
    let folder = tempfile::TempDir::new().unwrap();
    let path = folder.path().join("rules.yaml");
    let rule =
        "http:\n  rules:\n  - selector: bookstore.v1.Bookstore.GetShelf\n    get: /x/{name=**}\n";
    fs::write(&path, rule).unwrap();
    let (rules, problems) = service_yaml::load(&path);
    assert_eq!(told(&problems), "");
    let schema = compiled(
        merge([own_protos()]),
        Input {
            rules: vec![rules],
            ..Input::default()
        },
    );
    let method = schema.find("/bookstore.v1.Bookstore/GetShelf").unwrap();
    let bindings = schema
        .bindings
        .iter()
        .filter(|binding| binding.method == method);
    let bindings = bindings.map(|binding| (binding.origin, binding.declared.to_string()));
    assert_eq!(
        bindings.collect::<Vec<_>>(),
        [(Origin::Rule, format!("{}:3:5", path.display()))]
    );
}

#[test]
fn services_that_are_only_imported_are_not_served() {
    let folder = tempfile::TempDir::new().unwrap();
    let text = "syntax = \"proto3\"; package a; import \"google/longrunning/operations.proto\";\n\
                message M { google.longrunning.Operation o = 1; }\n\
                service S { rpc R(M) returns (M); }";
    fs::write(folder.path().join("a.proto"), text).unwrap();
    let schema = compiled(
        merge([proto(&[folder.path().to_owned()])]),
        Input::default(),
    );
    assert_eq!(methods(&schema), ["/a.S/R"]);
}

/// A server of `version` that describes the bookstore and itself.
async fn app(version: Version) -> (SocketAddr, Task<()>) {
    let builder = tonic_reflection::server::Builder::configure()
        .register_encoded_file_descriptor_set(BOOKSTORE);
    let mut server = tonic::transport::Server::builder();
    let router = match version {
        Version::V1 => server.add_service(builder.build_v1().expect("descriptors")),
        Version::V1Alpha => server.add_service(builder.build_v1alpha().expect("descriptors")),
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let served = async move {
        router
            .serve_with_incoming(TcpListenerStream::new(listener))
            .await
            .expect("it serves");
    };
    (address, task::spawn("app", served))
}

async fn ask(address: SocketAddr) -> Result<Reflected, Fault> {
    let target = Target::parse(&format!("http://{address}")).expect("a target");
    let mut upstreams = Upstreams::new(Params::new(target));
    let mut send = move |call: Call| -> LocalFuture<Result<Reply, Fault>> { upstreams.call(call) };
    reflection::fetch(&mut send, &reflection::Params::default()).await
}

#[test]
fn a_real_server_of_either_version_gives_the_schema_of_its_files() {
    let from_files = compiled(merge([own_protos()]), Input::default());
    for version in [Version::V1, Version::V1Alpha] {
        let runtime = task::local_runtime().unwrap();
        let reflected = runtime.block_on(async {
            let (address, _serving) = app(version).await;
            let (first, second) = (ask(address).await.unwrap(), ask(address).await.unwrap());
            assert_eq!(first.digest, second.digest);
            first
        });
        assert_eq!(reflected.version, version);
        assert_eq!(told(&reflected.problems), "");
        let offered = reflected
            .files
            .iter()
            .all(|file| matches!(file.services, Services::Only(_)));
        assert!(offered);
        let loaded = Loaded {
            files: reflected.files,
            problems: reflected.problems,
        };
        let schema = compiled(merge([loaded.clone()]), Input::default());
        let of_store = |schema: &Schema| -> Vec<String> {
            let paths = methods(schema).into_iter();
            let paths = paths.filter(|path| path.starts_with("/bookstore."));
            paths.map(str::to_owned).collect()
        };
        assert_eq!(of_store(&schema), of_store(&from_files));
        // The http rules came along: this server strips no options.
        let annotated = schema.bindings.iter();
        let annotated = annotated.filter(|binding| binding.origin == Origin::Annotation);
        assert!(annotated.count() > 10);
        // Local files on top of it change nothing but who is named as their origin.
        let both = compiled(merge([own_protos(), loaded]), Input::default());
        assert_eq!(methods(&both), methods(&schema));
    }
}

#[test]
fn an_app_that_is_not_there_is_unavailable() {
    let runtime = task::local_runtime().unwrap();
    let fault = runtime.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        drop(listener);
        ask(address).await.unwrap_err()
    });
    assert_eq!(fault.code(), Code::Unavailable);
}

/// The status of an answer, asked in the simplest way.
fn status(gateway: SocketAddr, path: &str) -> String {
    let mut stream = TcpStream::connect(gateway).unwrap();
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer.split(' ').nth(1).unwrap_or_default().to_owned()
}

/// A gateway that knows its application by reflection alone, and remembers it in `cache`.
fn gateway(app: SocketAddr, cache: &Path) -> Running {
    let file = cache.with_file_name("sidegate.yaml");
    let text = format!(
        "schema: {{reflection: on, proto: [], cache: {}}}\n",
        cache.display()
    );
    fs::write(&file, text).unwrap();
    let flag = |name, value: String| (name, vec![value]);
    let input = config::Input {
        file: Some(file),
        flags: vec![
            flag("--listen", "127.0.0.1:0".to_owned()),
            flag("--admin", "off".to_owned()),
            flag("--upstream", format!("http://{app}")),
        ],
        ..config::Input::default()
    };
    let (config, problems) = config::load(&input);
    let config = config.unwrap_or_else(|| panic!("{}", told(&problems)));
    Gateway::bind(config, &Outputs::default())
        .unwrap()
        .start()
        .unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn what_an_app_said_is_known_before_it_is_there_again() {
    let folder = tempfile::tempdir().unwrap();
    let cache = folder.path().join("schema.binpb");
    let patience = Duration::from_secs(60);
    let (address, serving) = app(Version::V1).await;
    let first = gateway(address, &cache);
    let until = tokio::time::Instant::now() + patience;
    while !first.ready().is_ready() || !cache.exists() {
        assert!(tokio::time::Instant::now() < until, "it is never kept");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let kept = descriptor_set::load(&cache);
    assert_eq!(told(&kept.problems), "");
    assert!(compiled(merge([kept]), Input::default()).methods.len() > 10);
    drop((first, serving));

    // Nobody answers any more, and the routes are those of before.
    let (known, nowhere) = ("/v1/shelves/scifi", "/nowhere");
    let second = gateway(address, &cache);
    let told = |path| status(second.addresses().listen, path);
    assert_eq!(
        (told(known), told(nowhere)),
        ("503".to_owned(), "404".to_owned())
    );
    drop(second);

    // Without it nobody knows, and what is no schema is not taken for one.
    for text in [None, Some("no schema")] {
        fs::remove_file(&cache).unwrap();
        if let Some(text) = text {
            fs::write(&cache, text).unwrap();
        }
        let third = gateway(address, &cache);
        assert_eq!(status(third.addresses().listen, nowhere), "503");
        fs::write(&cache, "").unwrap();
    }
}
