//! What an artifact is, what it holds, and what it was made from.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The manifest's file name.
pub const MANIFEST_FILE: &str = "manifest.json";

/// A file of an artifact.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileRecord {
    /// SHA-256, in hex.
    pub sha256: String,
    /// Length.
    pub size_bytes: u64,
}

/// What made the artifact; the same bits are promised for the same values of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EngineRecord {
    /// The version of sluice.
    pub version: String,
    /// The processor's feature level, such as `x86-64-v3`.
    pub cpu_level: String,
}

impl EngineRecord {
    /// This program on this machine.
    #[must_use]
    pub fn current() -> Self {
        Self { version: env!("CARGO_PKG_VERSION").into(), cpu_level: cpu_level().into() }
    }
}

/// The psABI level of the processor that arithmetic libraries choose their kernels by.
fn cpu_level() -> &'static str {
    #[cfg(target_arch = "x86_64")]
    {
        if std::arch::is_x86_feature_detected!("avx512f") && std::arch::is_x86_feature_detected!("avx512vl") {
            "x86-64-v4"
        } else if std::arch::is_x86_feature_detected!("avx2") && std::arch::is_x86_feature_detected!("fma") {
            "x86-64-v3"
        } else {
            "x86-64"
        }
    }
    #[cfg(not(target_arch = "x86_64"))]
    {
        std::env::consts::ARCH
    }
}

/// The manifest of an artifact.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// What it is: `dataset`, `statistics`, `model`, …
    pub kind: String,
    /// The version of that kind's format.
    pub format_version: u32,
    /// What made it.
    pub engine: EngineRecord,
    /// What it was made from: names of inputs and options, with their digests.
    pub made_from: BTreeMap<String, String>,
    /// Its files, by path relative to its folder with `/` between parts.
    pub files: BTreeMap<String, FileRecord>,
}
