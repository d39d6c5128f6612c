//! How much memory a scan may take: a size as people write it, and what the machine has.
//!
//! A limit decides how many splits are worked on at a time and whether a scan can be done at all, never a figure.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use fs_err as fs;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::error::{Diagnostic, ErrorKind};

/// The share of the machine's memory that a scan takes unless told otherwise, in quarters: what decodes and what
/// answers wants some as well.
const DEFAULT_QUARTERS: u64 = 3;

/// The bytes that the states of a scan and the rows in work may take together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct MemoryLimit(u64);

/// A size that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SizeError {
    /// Not a number with a unit.
    #[error("`{text}` is not a size")]
    NotASize {
        /// What was given.
        text: String,
    },
    /// A number without a unit.
    #[error("`{text}` has no unit")]
    NoUnit {
        /// What was given.
        text: String,
    },
    /// Nothing could be read in so little, or no machine has so much.
    #[error("`{text}` is not a size between 1 MB and 16 EB")]
    OutOfRange {
        /// What was given.
        text: String,
    },
}

impl Diagnostic for SizeError {
    fn kind(&self) -> ErrorKind {
        ErrorKind::Usage
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::NotASize { .. } | Self::OutOfRange { .. } => {
                Some("write a number and a unit, for example `500MB` or `2GiB`".into())
            }
            Self::NoUnit { text } => {
                Some(format!("write `{text}MB`, `{text}GB` or another unit; `{text}B` are bytes"))
            }
        }
    }
}

impl MemoryLimit {
    /// Less than this no scan gets by with.
    const LEAST: u64 = 1_000_000;

    /// So many bytes.
    #[must_use]
    pub const fn bytes(bytes: u64) -> Self {
        Self(bytes)
    }

    /// In bytes.
    #[must_use]
    pub const fn in_bytes(self) -> u64 {
        self.0
    }

    /// Three quarters of what this process may have: the memory of the machine or, where that is less, of the
    /// container (control groups of Linux, either version). Nothing where neither can be read.
    #[must_use]
    pub fn of_machine() -> Option<Self> {
        let groups = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
        let limits = limit_files(&groups);
        let read = |path: PathBuf| fs::read_to_string(path).ok()?.trim().parse::<u64>().ok();
        let machine = fs::read_to_string("/proc/meminfo").ok().and_then(|text| total_memory(&text));
        let allowed = limits.into_iter().filter_map(read).chain(machine).min()?;
        Some(Self(allowed / 4 * DEFAULT_QUARTERS))
    }
}

/// The files that limit the groups of a process, from `/proc/self/cgroup`: its own and those around it.
fn limit_files(groups: &str) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for line in groups.lines() {
        let mut parts = line.splitn(3, ':').skip(1);
        let (Some(controllers), Some(path)) = (parts.next(), parts.next()) else { continue };
        let (root, file) = if controllers.is_empty() {
            ("/sys/fs/cgroup", "memory.max")
        } else if controllers.split(',').any(|controller| controller == "memory") {
            ("/sys/fs/cgroup/memory", "memory.limit_in_bytes")
        } else {
            continue;
        };
        let inside = Path::new(path.trim_start_matches('/'));
        files.extend(inside.ancestors().map(|group| Path::new(root).join(group).join(file)));
    }
    files
}

/// What `/proc/meminfo` says that the machine has.
fn total_memory(text: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kibibytes.checked_mul(1024)
}

/// The bytes of a unit: `kB`, `MB`, … are powers of 1000, `KiB`, `MiB`, … of 1024; `M` is `MB`, and `Mi` is `MiB`, as
/// Kubernetes writes them.
fn unit(name: &str) -> Option<f64> {
    let lowered = name.to_ascii_lowercase();
    let prefix = lowered.strip_suffix('b').unwrap_or(&lowered);
    let (prefix, base) = match prefix.strip_suffix('i') {
        Some(prefix) => (prefix, 1024.0_f64),
        None => (prefix, 1000.0),
    };
    let power = match prefix {
        "" if lowered == "b" => 0,
        "k" => 1,
        "m" => 2,
        "g" => 3,
        "t" => 4,
        _ => return None,
    };
    Some(base.powi(power))
}

impl FromStr for MemoryLimit {
    type Err = SizeError;

    /// `500MB`, `2GiB`, `1.5 GB`, `512Mi`.
    fn from_str(text: &str) -> Result<Self, SizeError> {
        let text = text.trim();
        let not_a_size = || SizeError::NotASize { text: text.into() };
        let is_digit = |char: char| char.is_ascii_digit() || char == '.';
        let end = text.find(|char| !is_digit(char)).unwrap_or(text.len());
        let number: f64 = text[..end].parse().map_err(|_| not_a_size())?;
        let name = text[end..].trim();
        if name.is_empty() {
            return Err(SizeError::NoUnit { text: text.into() });
        }
        let bytes = (number * unit(name).ok_or_else(not_a_size)?).floor();
        if !(bytes >= Self::LEAST as f64 && bytes < u64::MAX as f64) {
            return Err(SizeError::OutOfRange { text: text.into() });
        }
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "within the bounds")]
        Ok(Self(bytes as u64))
    }
}

impl Serialize for MemoryLimit {
    /// In bytes, so that it is read again as it was.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{}B", self.0))
    }
}

impl<'de> Deserialize<'de> for MemoryLimit {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(|error: SizeError| match error.hint() {
            Some(hint) => serde::de::Error::custom(format_args!("{error}; {hint}")),
            None => serde::de::Error::custom(error),
        })
    }
}

impl fmt::Display for MemoryLimit {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&size(self.0))
    }
}

/// A number of bytes as people read it, to three digits: `1.25 GB`.
#[must_use]
pub fn size(bytes: u64) -> String {
    let units = ["B", "kB", "MB", "GB", "TB", "PB", "EB"];
    let mut value = bytes as f64;
    let mut unit = 0;
    // 999.5 would be shown as 1000.
    while value >= 999.5 && unit + 1 < units.len() {
        value /= 1000.0;
        unit += 1;
    }
    let decimals = match value {
        _ if unit == 0 => 0,
        value if value < 9.995 => 2,
        value if value < 99.95 => 1,
        _ => 0,
    };
    let shown = format!("{value:.decimals$}");
    let shown = if decimals > 0 { shown.trim_end_matches('0').trim_end_matches('.') } else { &shown };
    format!("{shown} {}", units[unit])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_with_their_units() {
        for (text, bytes) in [
            ("500MB", 500_000_000),
            ("500 mb", 500_000_000),
            ("500M", 500_000_000),
            ("2GiB", 2 << 30),
            ("2Gi", 2 << 30),
            ("1.5GB", 1_500_000_000),
            ("4096KiB", 4 << 20),
            ("1000000B", 1_000_000),
            ("1TB", 1_000_000_000_000),
        ] {
            assert_eq!(text.parse::<MemoryLimit>(), Ok(MemoryLimit(bytes)), "{text}");
        }
    }

    #[test]
    fn what_is_no_size_is_refused_with_a_hint() {
        for text in ["", "MB", "-1GB", "1.2.3GB", "12XB", "12iB", "500MB per scan", "nan GB", "inf"] {
            assert_eq!(text.parse::<MemoryLimit>(), Err(SizeError::NotASize { text: text.into() }), "{text}");
        }
        let error = "500".parse::<MemoryLimit>().unwrap_err();
        assert_eq!(error, SizeError::NoUnit { text: "500".into() });
        assert!(error.hint().unwrap().contains("`500MB`"));
        for text in ["0GB", "999kB", "99999999TB"] {
            let error = text.parse::<MemoryLimit>().unwrap_err();
            assert_eq!(error, SizeError::OutOfRange { text: text.into() });
        }
    }

    #[test]
    fn sizes_are_shown_to_three_digits() {
        let shown = [(0, "0 B"), (999, "999 B"), (1000, "1 kB"), (1_250_000, "1.25 MB"), (999_700, "1 MB")];
        for (bytes, text) in shown {
            assert_eq!(size(bytes), text);
        }
        assert_eq!(size(812_345_678), "812 MB");
        assert_eq!(MemoryLimit(u64::MAX).to_string(), "18.4 EB");
    }

    #[test]
    fn the_limits_of_a_process_are_those_of_its_groups() {
        let text = "12:pids:/a\n9:cpu,memory:/docker/x\n0::/user.slice/one\n";
        let files = limit_files(text);
        let expected = [
            "/sys/fs/cgroup/memory/docker/x/memory.limit_in_bytes",
            "/sys/fs/cgroup/memory/docker/memory.limit_in_bytes",
            "/sys/fs/cgroup/memory/memory.limit_in_bytes",
            "/sys/fs/cgroup/user.slice/one/memory.max",
            "/sys/fs/cgroup/user.slice/memory.max",
            "/sys/fs/cgroup/memory.max",
        ];
        assert_eq!(files, expected.map(PathBuf::from));
        assert_eq!(total_memory("MemFree: 1 kB\nMemTotal:       2048 kB\n"), Some(2 << 20));
        assert_eq!(total_memory("nothing"), None);
    }
}
