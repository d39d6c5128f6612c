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
        size(*own), size(*kept), told(heaviest.as_ref())
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
            Self::Memory { heaviest, .. } => {
                let advice = heaviest.as_ref().and_then(|heaviest| heaviest.advice.as_deref());
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

fn told(heaviest: Option<&Heaviest>) -> String {
    match heaviest {
        Some(Heaviest { what, bytes, .. }) => format!("; {what} alone takes {}", size(*bytes as u64)),
        None => String::new(),
    }
}
