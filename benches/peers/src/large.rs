//! A large schema: 5,000 messages of 20 fields, 50 services of 50 methods, each with a route, and
//! the service of the yardstick, so that a gateway that has loaded it can answer a call.

use protox::file::{
    ChainFileResolver, File, FileResolver, GoogleFileResolver, IncludeFileResolver,
};

use crate::fixtures::includes;

const SERVICES: usize = 50;
const METHODS: usize = 50;
const FIELDS: usize = 20;
const FILES: usize = 50;

/// The schema and its services.
#[derive(Debug)]
pub struct Large {
    /// With everything that is imported.
    pub descriptor_set: Vec<u8>,
    /// Fully qualified, the yardstick's among them.
    pub services: Vec<String>,
}

/// Makes it: written as protos, compiled like any other.
pub fn schema() -> Large {
    let mut resolver = ChainFileResolver::new();
    resolver.add(GoogleFileResolver::new());
    for include in includes() {
        resolver.add(IncludeFileResolver::new(include));
    }
    resolver.add(Generated);
    let mut compiler = protox::Compiler::with_file_resolver(resolver);
    compiler.include_imports(true);
    compiler
        .open_file("yard/v1/yard.proto")
        .expect("the schema compiles");
    let mut services = vec!["yard.v1.Yard".to_owned()];
    for file in 0..FILES {
        compiler
            .open_file(name(file))
            .expect("the generated schema compiles");
        services.push(format!("large.v{file}.Service{file}"));
    }
    Large {
        descriptor_set: compiler.encode_file_descriptor_set(),
        services,
    }
}

fn name(file: usize) -> String {
    format!("large/v{file}.proto")
}

/// Writes a file when it is asked for.
struct Generated;

impl FileResolver for Generated {
    fn open_file(&self, name: &str) -> Result<File, protox::Error> {
        let number = (0..FILES).find(|file| self::name(*file) == name);
        match number {
            Some(number) => File::from_source(name, &source(number)),
            None => Err(protox::Error::file_not_found(name)),
        }
    }
}

fn source(file: usize) -> String {
    const KINDS: [&str; 8] = [
        "string",
        "int32",
        "int64",
        "double",
        "bool",
        "bytes",
        "uint32",
        "repeated string",
    ];
    let mut out = format!(
        "syntax = \"proto3\";\npackage large.v{file};\nimport \"google/api/annotations.proto\";\n"
    );
    let messages = SERVICES * METHODS * 2 / FILES;
    for message in 0..messages {
        out += &format!("message Message{message} {{\n");
        for field in 1..FIELDS {
            let kind = KINDS[(message + field) % KINDS.len()];
            out += &format!("  {kind} field_{field}_of_{message} = {field};\n");
        }
        // The last is another message, so that the types hang together.
        let other = (message + 1) % messages;
        out += &format!("  Message{other} next = {FIELDS};\n}}\n");
    }
    out += &format!("service Service{file} {{\n");
    for method in 0..METHODS {
        let (input, output) = (method * 2, method * 2 + 1);
        out += &format!(
            "  rpc Method{method}(Message{input}) returns (Message{output}) {{ option \
             (google.api.http) = {{ post: \"/large/v{file}/{method}\" body: \"*\" }}; }}\n"
        );
    }
    out + "}\n"
}
