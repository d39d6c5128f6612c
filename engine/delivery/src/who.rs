//! Who is at work, and on which machine: for the records of registries and runs.

/// Names the user where the login does not: in a container, say.
const USER_VARIABLE: &str = "SLUICE_USER";

/// The name of the user; `user-NUMBER` where nothing names one.
#[must_use]
pub fn user() -> String {
    let named = |variable: &str| std::env::var(variable).ok().map(|name| name.trim().to_owned());
    let mut names = [USER_VARIABLE, "USER", "LOGNAME"].into_iter().filter_map(named);
    let found = names.find(|name| !name.is_empty());
    found.unwrap_or_else(|| format!("user-{}", rustix::process::getuid().as_raw()))
}

/// The name of this machine.
#[must_use]
pub fn host() -> String {
    fs_err::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default().trim().to_owned()
}
