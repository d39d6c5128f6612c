//! What can be wrong with spans.

use sluice_core::error::{Diagnostic, ErrorKind};

/// What is wrong with spans.
#[derive(Debug, thiserror::Error)]
pub enum SpanError {
    /// A selection that cannot be read.
    #[error("`{text}` does not say which spans to read")]
    Selection {
        /// The text.
        text: String,
    },
    /// A range that ends before it begins.
    #[error("the spans `{text}` end before they begin")]
    Backwards {
        /// The text.
        text: String,
    },
    /// A pattern that cannot be used.
    #[error("`{location}`: {problem}")]
    Pattern {
        /// The pattern.
        location: String,
        /// What is wrong with it.
        problem: String,
    },
    /// Spans are chosen of an input that has none.
    #[error("spans are chosen, but no input has `{{SPAN}}` or a date in its path")]
    NoPattern,
    /// There is not a single one.
    #[error("no span matches `{location}`")]
    Nothing {
        /// The pattern.
        location: String,
    },
    /// Some of those that were asked for are not there.
    #[error("span {missing} of `{location}` is missing")]
    Missing {
        /// The pattern.
        location: String,
        /// Those that are missing.
        missing: String,
        /// Those that are there.
        found: String,
    },
    /// Two paths claim to be the same span.
    #[error("`{first}` and `{second}` are both span {span}")]
    Twice {
        /// The span.
        span: String,
        /// One of them.
        first: String,
        /// The other.
        second: String,
    },
    /// Inputs whose latest spans are not the same.
    #[error("the latest span of input `{first}` is {first_span}, but that of `{second}` is {second_span}")]
    Disagree {
        /// An input.
        first: String,
        /// Its latest span.
        first_span: String,
        /// Another input.
        second: String,
        /// Its latest span.
        second_span: String,
    },
}

impl Diagnostic for SpanError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Selection { .. } | Self::Backwards { .. } | Self::Pattern { .. } | Self::NoPattern => {
                ErrorKind::Usage
            }
            Self::Nothing { .. } | Self::Missing { .. } | Self::Disagree { .. } => ErrorKind::Unavailable,
            Self::Twice { .. } => ErrorKind::Malformed,
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Selection { .. } | Self::Backwards { .. } => {
                "write `latest`, a span such as `3` or `2014-05-31`, a range such as `3..5`, `last 7`, or \
                 `last 7 with gaps`"
                    .into()
            }
            Self::Pattern { .. } => {
                "for example `data/span-{SPAN}/*.parquet`, `data/{SPAN:4}/v{VERSION}/*.csv` or \
                 `data/{YYYY}-{MM}-{DD}/*.parquet`"
                    .into()
            }
            Self::NoPattern => "for example `inputs: {trips: \"data/span-{SPAN}/*.parquet\"}`".into(),
            Self::Nothing { .. } => "check the path before the number, and that the data have arrived".into(),
            Self::Missing { found, .. } => format!(
                "there is {found}; wait for it, choose other spans, or read what is there: `last 7 with gaps`"
            ),
            Self::Twice { .. } => "keep one of them, or number deliveries of a span with `{VERSION}`".into(),
            Self::Disagree { .. } => "wait for the missing one, or choose the spans: `spans: 3`".into(),
        })
    }
}
