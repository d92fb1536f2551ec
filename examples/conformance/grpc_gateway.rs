//! grpc-gateway for a file of cases: what its generator is given, and the options of the program
//! in `grpcgateway/` that serves what it generates.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::peer::{Cannot, Start, identifier, leaves};

/// The name of the file that says why nothing could be generated.
const FAILED: &str = "failed";

/// Writes what the generator needs: the proto file, the options of the generator, and a file in Go
/// that makes the handlers known to the program.
pub(crate) fn write(folder: &Path, start: &Start<'_>) -> Result<(), Cannot> {
    let name = identifier(start.name);
    let mut generator = vec![
        "generate_unbound_methods=true".to_owned(),
        "allow_delete_body=true".to_owned(),
    ];
    match settings(start) {
        Ok((_, more)) => generator.extend(more),
        Err(Cannot::BeExpressed(reason)) => {
            write_file(folder, FAILED, &reason)?;
            return Err(Cannot::BeExpressed(reason));
        }
        Err(other) => return Err(other),
    }
    write_file(folder, &format!("{name}.proto"), &start.schema.text)?;
    write_file(folder, "generator", &generator.join(","))?;
    for (file, text) in &start.file.files {
        write_file(folder, file, text)?;
    }
    let handlers: String = start
        .schema
        .services()
        .iter()
        .map(|service| {
            let service = service.rsplit('.').next().unwrap_or(service);
            format!(", Register{service}HandlerFromEndpoint")
        })
        .collect();
    let register = format!(
        "// Makes the handlers of one file of cases known by name.\npackage {name}\n\n\
         import (\n\t\"conformance/registry\"\n\n\
         \t\"google.golang.org/protobuf/reflect/protoreflect\"\n)\n\n\
         func init() {{\n\
         \tfile := func() protoreflect.FileDescriptor {{ return File_{name}_proto }}\n\
         \tregistry.Add(\"{name}\", file{handlers})\n}}\n"
    );
    Ok(write_file(folder, "register.go", &register)?)
}

fn write_file(folder: &Path, name: &str, text: &str) -> Result<(), String> {
    let path = folder.join(name);
    std::fs::write(&path, text).map_err(|error| format!("{}: {error}", path.display()))
}

/// The program for a file.
pub(crate) fn command(
    built: &Path,
    start: &Start<'_>,
    listen: SocketAddr,
) -> Result<Command, Cannot> {
    let (settings, _) = settings(start)?;
    let name = identifier(start.name);
    let folder = built.join("cases").join(&name);
    if let Ok(reason) = std::fs::read_to_string(folder.join(FAILED)) {
        return Err(Cannot::BeExpressed(reason.trim().to_owned()));
    }
    if !folder.exists() {
        return Err(Cannot::Start(format!(
            "nothing was generated in {}",
            folder.display()
        )));
    }
    let mut command = Command::new(built.join("grpcgateway"));
    command
        .args([
            &name,
            &listen.to_string(),
            &start.upstream.to_string(),
            &settings.to_string(),
        ])
        // The files have types of the same names, and only one of them is served.
        .env("GOLANG_PROTOBUF_REGISTRATION_CONFLICT", "ignore");
    Ok(command)
}

/// The program's settings and more options for the generator.
fn settings(start: &Start<'_>) -> Result<(Value, Vec<String>), Cannot> {
    let mut settings = json!({"unescape": "spec"});
    let mut generator = Vec::new();
    for (path, value) in leaves(&start.file.config) {
        let word = value.as_str().unwrap_or_default();
        match (path.as_str(), word) {
            // As in `envoy`.
            ("rest.errors", "status") | ("rest.stream", "result") => {}
            ("rest.unescape", word) => settings["unescape"] = word.into(),
            ("rest.unknown_query", "ignore") => settings["ignoreQuery"] = true.into(),
            ("rest.conflicts", "last") => {}
            ("rest.metadata_prefix", prefix) => settings["metadataPrefix"] = prefix.into(),
            ("json.names", "proto") => settings["protoNames"] = true.into(),
            ("json.defaults", "emit") => settings["emitDefaults"] = true.into(),
            ("json.enums", "number") => settings["enumNumbers"] = true.into(),
            ("json.unknown_fields", "ignore") => settings["discardUnknown"] = true.into(),
            ("json.indent", _) => settings["indent"] = value,
            ("schema.http_rules", _) => match value.as_array().map(Vec::as_slice) {
                Some([Value::String(file)]) => {
                    generator.push(format!("grpc_api_configuration={file}"));
                }
                _ => return Err(Cannot::BeExpressed("several files of rules".to_owned())),
            },
            _ => return Err(Cannot::BeExpressed(format!("`{path}: {value}`"))),
        }
    }
    Ok((settings, generator))
}
