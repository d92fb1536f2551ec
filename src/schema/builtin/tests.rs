//! The built-in protos compile, and what they declare is what the world declares.

use prost::Message;
use prost_reflect::DescriptorPool;
use protox::file::{ChainFileResolver, File, FileResolver, GoogleFileResolver};

use super::{FILES, find, pb};

struct Builtin;

impl FileResolver for Builtin {
    fn open_file(&self, name: &str) -> Result<File, protox::Error> {
        let text = find(name).ok_or_else(|| protox::Error::file_not_found(name))?;
        File::from_source(name, text)
    }
}

fn compile() -> DescriptorPool {
    let mut chain = ChainFileResolver::new();
    chain.add(Builtin);
    chain.add(GoogleFileResolver::new());
    let mut compiler = protox::Compiler::with_file_resolver(chain);
    for file in FILES {
        if let Err(error) = compiler.open_file(file.name) {
            panic!("{error:?}");
        }
    }
    compiler.descriptor_pool()
}

#[test]
fn every_file_compiles_and_the_list_is_sorted_and_complete() {
    let pool = compile();
    for file in FILES {
        assert!(pool.get_file_by_name(file.name).is_some(), "{}", file.name);
    }
    assert!(FILES.is_sorted_by(|left, right| left.name < right.name));
    let mut on_disk = Vec::new();
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/src/schema/builtin");
    let mut folders = vec![std::path::PathBuf::from(root)];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path
                .extension()
                .is_some_and(|extension| extension == "proto")
            {
                let name = path.strip_prefix(root).unwrap();
                on_disk.push(name.to_str().unwrap().replace('\\', "/"));
            }
        }
    }
    on_disk.sort();
    assert!(on_disk.iter().eq(FILES.iter().map(|file| file.name)));
}

#[test]
fn aliases_lead_to_their_files() {
    assert_eq!(
        find("github.com/gogo/protobuf/gogoproto/gogo.proto"),
        find("gogoproto/gogo.proto")
    );
    assert_eq!(find("google/protobuf/any.proto"), None);
    assert_eq!(find(""), None);
}

#[test]
fn extensions_have_their_registered_numbers() {
    let pool = compile();
    let expected = [
        ("google.api.http", "MethodOptions", 72_295_728),
        ("google.api.method_signature", "MethodOptions", 1051),
        ("google.api.default_host", "ServiceOptions", 1049),
        ("google.api.oauth_scopes", "ServiceOptions", 1050),
        ("google.api.api_version", "ServiceOptions", 525_000_001),
        ("google.api.field_behavior", "FieldOptions", 1052),
        ("google.api.resource_reference", "FieldOptions", 1055),
        ("google.api.resource_definition", "FileOptions", 1053),
        ("google.api.resource", "MessageOptions", 1053),
        ("google.api.field_info", "FieldOptions", 291_403_980),
        ("google.api.routing", "MethodOptions", 72_295_729),
        ("google.api.method_visibility", "MethodOptions", 72_295_727),
        ("google.longrunning.operation_info", "MethodOptions", 1049),
        ("buf.validate.field", "FieldOptions", 1159),
        ("validate.rules", "FieldOptions", 1071),
        ("gogoproto.nullable", "FieldOptions", 65_001),
        ("gogoproto.goproto_getters_all", "FileOptions", 63_001),
        (
            "grpc.gateway.protoc_gen_openapiv2.options.openapiv2_operation",
            "MethodOptions",
            1042,
        ),
    ];
    for (name, extendee, number) in expected {
        let extension = pool.get_extension_by_name(name).unwrap();
        assert_eq!(extension.number(), number, "{name}");
        assert_eq!(extension.containing_message().name(), extendee, "{name}");
    }
}

/// `tonic-types` ships the published google/rpc descriptors: every field of ours is theirs.
#[test]
fn google_rpc_agrees_with_the_published_descriptors() {
    let ours = compile();
    for set in [
        tonic_types::pb::FILE_DESCRIPTOR_SET,
        tonic_reflection::pb::v1::FILE_DESCRIPTOR_SET,
        tonic_reflection::pb::v1alpha::FILE_DESCRIPTOR_SET,
        tonic_health::pb::FILE_DESCRIPTOR_SET,
    ] {
        let theirs = DescriptorPool::decode(set).unwrap();
        for message in theirs.all_messages() {
            let mine = ours.get_message_by_name(message.full_name()).unwrap();
            let fields = |message: &prost_reflect::MessageDescriptor| {
                let mut fields = message
                    .fields()
                    .map(|field| format!("{field:?} {:?}", field.cardinality()))
                    .collect::<Vec<_>>();
                fields.sort();
                fields
            };
            assert_eq!(fields(&mine), fields(&message), "{}", message.full_name());
        }
    }
}

#[test]
fn own_descriptors_name_what_is_generated() {
    let set = crate::schema::descriptor::FileDescriptorSet::decode(pb::DESCRIPTORS).unwrap();
    let names = set
        .file
        .iter()
        .filter_map(|file| file.name.as_deref())
        .collect::<Vec<_>>();
    for name in [
        "google/protobuf/any.proto",
        "google/rpc/status.proto",
        "grpc/health/v1/health.proto",
        "grpc/reflection/v1/reflection.proto",
        "grpc/reflection/v1alpha/reflection.proto",
    ] {
        assert!(names.contains(&name), "{name} in {names:?}");
    }
    let status = pb::rpc::Status {
        code: 5,
        message: String::from("gone"),
        details: Vec::new(),
    };
    assert_eq!(status.encode_to_vec(), b"\x08\x05\x12\x04gone");
}
