//! Who runs a pipeline, and where.

use std::os::unix::fs::MetadataExt;

/// Who, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Who {
    /// The name of the user; the number where the environment does not name one.
    pub(super) user: String,
    /// The name of the machine.
    pub(super) host: String,
}

impl Who {
    /// This process.
    pub(super) fn is_running() -> Self {
        let mut named = ["USER", "LOGNAME"].into_iter().filter_map(|name| std::env::var(name).ok());
        let number = || fs_err::metadata("/proc/self").map(|process| format!("uid {}", process.uid()));
        let user = named.find(|name| !name.is_empty());
        Self { user: user.or_else(|| number().ok()).unwrap_or_default(), host: host() }
    }
}

/// The name of this machine.
pub(super) fn host() -> String {
    fs_err::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default().trim().to_owned()
}
