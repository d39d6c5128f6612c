//! What can go wrong with states, as opposed to what an accumulator meets.

use crate::accumulator::Heaviest;
use crate::error::{Diagnostic, ErrorKind};
use crate::memory::{MemoryLimit, size};

/// What can go wrong with states, as opposed to what an accumulator meets.
#[derive(Debug, thiserror::Error)]
pub enum FoldError {
    /// A file does not hold the rows that its listing promises.
    #[error("{source_name} has {found} rows in split {split}, its listing says {expected}")]
    RowsLost {
        /// The source.
        source_name: String,
        /// Which split.
        split: u64,
        /// What the plan says.
        expected: u64,
        /// What was read.
        found: u64,
    },
    /// States of different sources, or of other options.
    #[error("cannot join a state of {found} with a state of {expected}")]
    OtherSource {
        /// Digest or kind of this one.
        expected: String,
        /// Digest or kind of the other.
        found: String,
    },
    /// Two states of the same rows.
    #[error("two states hold split {split} of {part}")]
    Overlapping {
        /// The span, or the source.
        part: String,
        /// The first split that both hold, counted from 1.
        split: u64,
    },
    /// Partial states that do not cover the source.
    #[error("no state holds splits {start} to {end} of {part}, which has {splits}")]
    Incomplete {
        /// The span, or the source.
        part: String,
        /// The first split that is missing, counted from 1.
        start: u64,
        /// The last one.
        end: u64,
        /// How many there are.
        splits: u64,
    },
    /// A state file that cannot be read.
    #[error("this is not a state of kind `{kind}` that this version can read")]
    Unreadable {
        /// The kind that was expected.
        kind: String,
        /// What the decoder said.
        #[source]
        source: postcard::Error,
    },
    /// A state whose splits contradict one another.
    #[error("the splits of this state contradict one another ({part})")]
    Contradictory {
        /// The span, or the source.
        part: String,
    },
    /// One split alone, with what is kept of those before it, passes the limit of memory.
    #[error(
        "one split needs {} beside {} for what was read before it, but the memory limit is {limit}{}",
        size(*own), size(*kept), told(*own, heaviest.as_ref())
    )]
    Memory {
        /// What its state and the rows in work hold.
        own: u64,
        /// What the states of earlier splits hold.
        kept: u64,
        /// The limit.
        limit: MemoryLimit,
        /// The part of the state that holds the most.
        heaviest: Option<Heaviest>,
    },
    /// A split is done again later; never seen outside the schedule.
    #[error("a split was put off")]
    PutOff,
    /// The thread pool could not be made.
    #[error("cannot start {threads} threads")]
    Threads {
        /// How many were wanted.
        threads: usize,
        /// What the system said.
        source: rayon::ThreadPoolBuildError,
    },
}

impl Diagnostic for FoldError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::RowsLost { .. } | Self::Unreadable { .. } | Self::Contradictory { .. } => {
                ErrorKind::Malformed
            }
            Self::OtherSource { .. }
            | Self::Overlapping { .. }
            | Self::Incomplete { .. }
            | Self::Memory { .. } => ErrorKind::Usage,
            Self::PutOff => ErrorKind::Internal,
            Self::Threads { .. } => ErrorKind::Unavailable,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::RowsLost { .. } => {
                Some("the file changed while it was read, or is damaged; write it again".into())
            }
            Self::OtherSource { .. } => {
                Some("merge states of the same files, made with the same options".into())
            }
            Self::Overlapping { .. } => Some("give every shard and every span once".into()),
            Self::Incomplete { .. } => Some("give every shard, from 1 to n of the same n".into()),
            Self::Unreadable { .. } | Self::Contradictory { .. } => {
                Some("make the state again with this version".into())
            }
            Self::Memory { own, heaviest, .. } => {
                let advice = match (worth_naming(*own, heaviest.as_ref()), heaviest) {
                    (Some(named), _) => named.advice.as_deref(),
                    (None, Some(_)) => Some("read fewer columns at a time"),
                    (None, None) => None,
                };
                Some(match advice {
                    Some(advice) => format!("raise `--memory`, or {advice}"),
                    None => "raise `--memory`".into(),
                })
            }
            Self::PutOff => None,
            Self::Threads { .. } => Some("lower `--threads`".into()),
        }
    }
}

/// The heaviest part, where it is at least a tenth of all; of thousands of columns none is.
fn worth_naming(own: u64, heaviest: Option<&Heaviest>) -> Option<&Heaviest> {
    heaviest.filter(|heaviest| heaviest.bytes as u64 >= own / 10)
}

fn told(own: u64, heaviest: Option<&Heaviest>) -> String {
    match worth_naming(own, heaviest) {
        Some(Heaviest { what, bytes, .. }) => format!("; {what} alone takes {}", size(*bytes as u64)),
        None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_heaviest_part_is_named_where_it_matters() {
        let refused = |bytes| {
            let advice = Some("leave the column out with `--exclude id`".to_owned());
            let heaviest = Some(Heaviest { what: "column `id`".into(), bytes, advice });
            FoldError::Memory { own: 20_000_000, kept: 0, limit: MemoryLimit::bytes(5_000_000), heaviest }
        };
        let error = refused(9_000_000);
        let message = "one split needs 20 MB beside 0 B for what was read before it, but the memory limit is 5 MB; \
                       column `id` alone takes 9 MB";
        assert_eq!(error.to_string(), message);
        let hint = "raise `--memory`, or leave the column out with `--exclude id`";
        assert_eq!(error.hint().as_deref(), Some(hint));
        let error = refused(1_000);
        assert!(error.to_string().ends_with("the memory limit is 5 MB"), "{error}");
        assert_eq!(error.hint().as_deref(), Some("raise `--memory`, or read fewer columns at a time"));
    }
}
