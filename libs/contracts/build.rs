//! Compiles the contracts in `proto/` without a system `protoc`, and keeps the descriptor set for
//! gRPC reflection.

use std::{env, fs, path::PathBuf};

use prost::Message as _;

const FILES: [&str; 16] = [
    "tributary/access/v1/access.proto",
    "tributary/admin/v1/access.proto",
    "tributary/admin/v1/credentials.proto",
    "tributary/admin/v1/meetings.proto",
    "tributary/admin/v1/relays.proto",
    "tributary/admin/v1/users.proto",
    "tributary/credential/v1/credential.proto",
    "tributary/credential/v1/relays.proto",
    "tributary/event/v1/event.proto",
    "tributary/media/v1/media.proto",
    "tributary/notice/v1/notice.proto",
    "tributary/operation/v1/operation.proto",
    "tributary/registry/v1/registry.proto",
    "tributary/relay/v1/relay.proto",
    "tributary/relay/v1/uplink.proto",
    "tributary/terminal/v1/terminal.proto",
];

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let root = PathBuf::from(env::var("CARGO_MANIFEST_DIR")?).join("../../proto");
    println!("cargo:rerun-if-changed={}", root.display());
    let descriptors = protox::compile(FILES, [&root])?;
    let out = PathBuf::from(env::var("OUT_DIR")?);
    fs::write(out.join("contracts.bin"), descriptors.encode_to_vec())?;
    tonic_prost_build::configure()
        // Media payloads are slices of the message they came in: no copy per frame.
        .bytes(".tributary.media.v1")
        // What terminals say and hear is passed on as it is.
        .bytes(".tributary.relay.v1.LinkMessage")
        .bytes(".tributary.relay.v1.Deliver")
        .bytes(".tributary.relay.v1.FetchRequest")
        .bytes(".tributary.relay.v1.FetchResponse")
        .compile_fds(descriptors)?;
    Ok(())
}
