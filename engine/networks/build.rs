//! Compiles the kernels for NVIDIA cards, with `--features cuda` only: `src/gpu/kernels.cu` becomes `kernels.ptx`, which the
//! driver of a card makes its own code of.

use std::env;
use std::error::Error;
use std::path::PathBuf;
use std::process::Command;

/// The oldest cards that CUDA 13 knows (Turing); the driver makes code for newer ones of the same.
const ARCHITECTURE: &str = "compute_75";

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=src/gpu/kernels.cu");
    for variable in ["NVCC", "CUDA_HOME", "CUDA_PATH"] {
        println!("cargo::rerun-if-env-changed={variable}");
    }
    if env::var_os("CARGO_FEATURE_CUDA").is_none() {
        return Ok(());
    }
    let home = || env::var_os("CUDA_HOME").or_else(|| env::var_os("CUDA_PATH"));
    let compiler = match (env::var_os("NVCC"), home()) {
        (Some(compiler), _) => PathBuf::from(compiler),
        (None, Some(home)) => PathBuf::from(home).join("bin/nvcc"),
        (None, None) => PathBuf::from("nvcc"),
    };
    let source = PathBuf::from(env::var("CARGO_MANIFEST_DIR")?).join("src/gpu/kernels.cu");
    let target = PathBuf::from(env::var("OUT_DIR")?).join("kernels.ptx");
    let mut command = Command::new(&compiler);
    command.arg("--ptx").arg(format!("-arch={ARCHITECTURE}")).arg("-o").arg(target).arg(source);
    let status = command.status().map_err(|error| {
        format!("`{}`: {error}; set CUDA_HOME to CUDA's folder, or see benches/gpu.sh", compiler.display())
    })?;
    if status.success() { Ok(()) } else { Err(format!("{command:?}: {status}").into()) }
}
