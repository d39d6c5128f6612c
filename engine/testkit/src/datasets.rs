//! Where test data are: in the repository, or outside it where a machine has them.

use std::path::PathBuf;

/// The environment variable that names the folder of data outside the repository.
pub const DATASETS_VARIABLE: &str = "SLUICE_DATASETS";

/// The root of the repository: the workspace of the package whose tests cargo runs, and not where this was compiled, which a
/// target folder that several clones share may have kept of another one.
///
/// # Panics
/// If there is none.
#[must_use]
pub fn repository() -> PathBuf {
    let package = std::env::var_os("CARGO_MANIFEST_DIR")
        .map_or_else(|| env!("CARGO_MANIFEST_DIR").into(), PathBuf::from);
    let root = package.ancestors().find(|folder| folder.join("Cargo.lock").exists());
    root.expect("a package of the repository").to_path_buf()
}

/// A path under the folder of data outside the repository, or `None` (said on stdout) where it is not there.
#[must_use]
pub fn external(path: &str) -> Option<PathBuf> {
    let folder = std::env::var_os(DATASETS_VARIABLE)
        .map_or_else(|| repository().join("../shared/datasets"), PathBuf::from);
    let found = folder.join(path);
    if found.exists() {
        return Some(found);
    }
    skipped(path);
    None
}

#[allow(clippy::print_stdout, reason = "a skipped check must be seen in the test's output")]
fn skipped(path: &str) {
    println!("skipped: `{path}` is not there; set {DATASETS_VARIABLE} to the folder that has it");
}
