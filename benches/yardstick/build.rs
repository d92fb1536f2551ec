//! Generates prost's types and pbjson's readers and printers for the codec's benchmark schema.

use prost::Message as _;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo::rerun-if-changed=../codec.proto");
    let set = protox::compile(["codec.proto"], [".."])?;
    let descriptors = std::path::PathBuf::from(std::env::var("OUT_DIR")?).join("codec.bin");
    std::fs::write(&descriptors, set.encode_to_vec())?;
    prost_build::Config::new()
        .compile_well_known_types()
        .extern_path(".google.protobuf", "::pbjson_types")
        .compile_fds(set)?;
    pbjson_build::Builder::new()
        .register_descriptors(&std::fs::read(descriptors)?)?
        .extern_path(".google.protobuf", "::pbjson_types")
        .build(&[".bench"])?;
    Ok(())
}
