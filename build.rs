//! Compiles `proto/` with protox, so no protoc is needed on the machine.

use std::{error::Error, fs, path::PathBuf};

const PROTO_ROOT: &str = "proto";
/// Refusals carry what google/rpc has, though no message of ours names it: clients find it by reflection.
const PACKAGES: [&str; 3] = ["dintorni/v1", "dintorni/state/v1", "google/rpc"];

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed={PROTO_ROOT}");
    let mut compiler = protox::Compiler::new([PROTO_ROOT])?;
    compiler.include_imports(true).include_source_info(true);
    for file in proto_files()? {
        compiler.open_file(file)?;
    }
    // Server reflection hands these bytes to clients, with the comments.
    let out = PathBuf::from(std::env::var("OUT_DIR")?);
    fs::write(out.join("descriptors.bin"), compiler.encode_file_descriptor_set())?;
    // Bytes that do not decode are the caller's fault: see that file.
    let services = tonic_prost_build::configure()
        .codec_path("crate::grpc::codec::Protobuf")
        // An empty variant is two bytes: a message of them shall not become a hundred times as large when it is read.
        .boxed("dintorni.v1.Variant.content")
        // A persona is much larger than a name.
        .boxed("dintorni.v1.ExplainCampaignRequest.whom.persona")
        // What refusals are made of elsewhere.
        .extern_path(".google.rpc", "::tonic_types::pb");
    services.compile_fds(compiler.file_descriptor_set())?;
    Ok(())
}

/// Every .proto file, relative to [`PROTO_ROOT`], sorted so that builds repeat.
fn proto_files() -> Result<Vec<PathBuf>, Box<dyn Error>> {
    let mut files = Vec::new();
    for folder in PACKAGES.map(|package| PathBuf::from(PROTO_ROOT).join(package)) {
        if !folder.exists() {
            continue;
        }
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            if path.extension().is_some_and(|extension| extension == "proto") {
                files.push(path.strip_prefix(PROTO_ROOT)?.to_owned());
            }
        }
    }
    files.sort();
    Ok(files)
}
