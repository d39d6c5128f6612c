//! Compiles the protobuf definition of TensorFlow Model Analysis' configuration, without `protoc`.

use std::error::Error;
use std::path::{Path, PathBuf};

/// Relative to this crate.
const ROOT: &str = "../../schemas";
const FILES: [&str; 1] = ["tensorflow_model_analysis/proto/config.proto"];

fn main() -> Result<(), Box<dyn Error>> {
    // Asked when it runs: a target folder may be shared by clones in several places.
    let manifest = std::env::var_os("CARGO_MANIFEST_DIR").ok_or("cargo did not set CARGO_MANIFEST_DIR")?;
    let root = Path::new(&manifest).join(ROOT);
    let out = PathBuf::from(std::env::var_os("OUT_DIR").ok_or("cargo did not set OUT_DIR")?);
    let bytes =
        protox::Compiler::new([&root])?.include_imports(true).open_files(FILES)?.encode_file_descriptor_set();
    #[expect(clippy::disallowed_methods, reason = "cargo makes and discards this folder")]
    std::fs::write(out.join("tensorflow_model_analysis.binpb"), bytes)?;
    Ok(())
}
