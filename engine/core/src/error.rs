//! Errors at the seams between crates: what went wrong, whose move it is, where, and what to do.
//!
//! Each crate has its own typed enum that implements [`Diagnostic`]; what crosses a crate boundary is
//! [`Error`], which any of them converts into with `?`. `Display` is the message alone; the places it
//! happened in and the hint are kept apart, so that a terminal, JSON and a report can each set them.

use std::fmt;

/// The class of an error, which decides the exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// Arguments, options or artifacts that do not fit together; running again does not help.
    Usage,
    /// Input or output could not be reached, read or written; a retry may help.
    Unavailable,
    /// Input or a model is not what it claims to be; running again does not help.
    Malformed,
    /// Interrupted by a signal of this number; nothing half written.
    Interrupted(i32),
    /// A broken invariant of this program.
    Internal,
}

impl ErrorKind {
    /// The process exit code (design decision 15): 2, 3, 4, 128 + signal, 101.
    #[must_use]
    pub fn exit_code(self) -> u8 {
        match self {
            Self::Usage => 2,
            Self::Unavailable => 3,
            Self::Malformed => 4,
            Self::Interrupted(signal) => u8::try_from(128 + signal).unwrap_or(130),
            Self::Internal => 101,
        }
    }

    /// The name used in JSON.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Usage => "usage",
            Self::Unavailable => "unavailable",
            Self::Malformed => "malformed",
            Self::Interrupted(_) => "interrupted",
            Self::Internal => "internal",
        }
    }
}

/// What every error of this engine answers beyond its message.
pub trait Diagnostic: std::error::Error + Send + Sync + 'static {
    /// The class, which decides the exit code.
    fn kind(&self) -> ErrorKind;

    /// What the reader can do about it.
    fn hint(&self) -> Option<String> {
        None
    }
}

/// An error on its way to the person who meets it.
pub struct Error(Box<Inner>);

struct Inner {
    diagnostic: Box<dyn Diagnostic>,
    row: Option<u64>,
    places: Vec<String>,
}

/// The result of what crosses a crate boundary.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl<D: Diagnostic> From<D> for Error {
    fn from(diagnostic: D) -> Self {
        Self(Box::new(Inner { diagnostic: Box::new(diagnostic), row: None, places: Vec::new() }))
    }
}

impl Error {
    /// The class, which decides the exit code.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.0.diagnostic.kind()
    }

    /// What the reader can do about it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        self.0.diagnostic.hint().or_else(|| {
            // A full disk comes through the writers of other crates as well.
            let mut cause = self.0.diagnostic.source();
            while let Some(error) = cause {
                let hint = error.downcast_ref::<std::io::Error>().and_then(|error| hint_of(error.kind()));
                if hint.is_some() {
                    return hint;
                }
                cause = error.source();
            }
            None
        })
    }

    /// Where it happened, innermost first.
    #[must_use]
    pub fn places(&self) -> &[String] {
        &self.0.places
    }

    /// Adds a place around the ones there are, such as "`trips.csv`, row 17".
    #[must_use]
    pub fn in_place(mut self, place: impl Into<String>) -> Self {
        self.0.places.push(place.into());
        self
    }

    /// Notes the row within the batch; `fold` turns it into file and row.
    #[must_use]
    pub fn at_row(mut self, row_in_batch: usize) -> Self {
        self.0.row = Some(row_in_batch as u64);
        self
    }

    /// Takes the row noted by [`Error::at_row`].
    pub fn take_row(&mut self) -> Option<u64> {
        self.0.row.take()
    }

    /// The typed error behind it, if it is a `D`.
    #[must_use]
    pub fn downcast_ref<D: Diagnostic>(&self) -> Option<&D> {
        let any: &(dyn std::error::Error + 'static) = self.0.diagnostic.as_ref();
        any.downcast_ref::<D>()
    }

    /// The messages of the causes, outermost first; one that only repeats what the one before ends with is left
    /// out.
    #[must_use]
    pub fn causes(&self) -> Vec<String> {
        let mut causes: Vec<String> = Vec::new();
        let mut cause = self.0.diagnostic.source();
        while let Some(error) = cause {
            let text = error.to_string();
            if !causes.last().is_some_and(|last| last.ends_with(&text)) {
                causes.push(text);
            }
            cause = error.source();
        }
        causes
    }
}

impl fmt::Display for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.diagnostic.fmt(formatter)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}", self.0.diagnostic)?;
        for place in &self.0.places {
            write!(formatter, "\n  in {place}")?;
        }
        for cause in self.causes() {
            write!(formatter, "\n  caused by: {cause}")?;
        }
        if let Some(hint) = self.hint() {
            write!(formatter, "\nhint: {hint}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.diagnostic.source()
    }
}

/// Errors that no single crate owns.
#[derive(Debug, thiserror::Error)]
pub enum CommonError {
    /// A file or folder could not be read or written.
    #[error("cannot {action} `{path}`")]
    File {
        /// What was tried: "read", "create", …
        action: &'static str,
        /// The path as the user knows it.
        path: String,
        /// The system's answer.
        source: std::io::Error,
    },
    /// A step was stopped by a signal.
    #[error("interrupted; nothing was left half written")]
    Interrupted {
        /// The signal's number.
        signal: i32,
    },
    /// A column that is needed is not there.
    #[error("column `{column}` is not in {place}")]
    ColumnMissing {
        /// The name asked for.
        column: String,
        /// What was searched, such as "the data".
        place: String,
        /// The names there are.
        available: Vec<String>,
    },
    /// A column has a type that the operation cannot take.
    #[error("column `{column}` is {found}, {purpose} needs {expected}")]
    ColumnKind {
        /// The column.
        column: String,
        /// What it holds.
        found: String,
        /// What would do.
        expected: &'static str,
        /// Who asks.
        purpose: String,
    },
    /// An invariant of this program does not hold.
    #[error("internal error: {0}")]
    Internal(String),
}

impl CommonError {
    /// A file error with its path. Of errors that name the path themselves (`fs_err`) only the system's part is
    /// kept.
    #[must_use]
    pub fn file(action: &'static str, path: impl AsRef<std::path::Path>, error: std::io::Error) -> Self {
        let inner = error.get_ref().and_then(|inner| inner.source()?.downcast_ref::<std::io::Error>());
        let number = error.raw_os_error().or_else(|| inner?.raw_os_error());
        let source = match number {
            Some(number) => std::io::Error::from_raw_os_error(number),
            None if error.get_ref().is_some() => std::io::Error::from(error.kind()),
            None => error,
        };
        Self::File { action, path: path.as_ref().display().to_string(), source }
    }

    /// For `map_err`: [`CommonError::file`] of what was tried and where.
    pub fn on(
        action: &'static str,
        path: impl AsRef<std::path::Path>,
    ) -> impl FnOnce(std::io::Error) -> Self {
        move |error| Self::file(action, path, error)
    }
}

/// What can be done about an answer of the system.
fn hint_of(kind: std::io::ErrorKind) -> Option<String> {
    use std::io::ErrorKind as Kind;
    let hint = match kind {
        Kind::NotFound => "check the path",
        Kind::PermissionDenied => "check the permissions of the file and its folder",
        Kind::NotADirectory | Kind::AlreadyExists => {
            "a part of the path is a file, not a folder; choose another place"
        }
        Kind::StorageFull => {
            "the disk is full: free some space, then run again; nothing was left half written"
        }
        Kind::QuotaExceeded => "the quota is used up: free some space, then run again",
        Kind::FileTooLarge => {
            "raise the limit of file sizes (`ulimit -f`), or choose a file system that holds such files"
        }
        Kind::ReadOnlyFilesystem => "choose a place that can be written",
        _ => return None,
    };
    Some(hint.into())
}

impl Diagnostic for CommonError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::File { .. } => ErrorKind::Unavailable,
            Self::Interrupted { signal } => ErrorKind::Interrupted(*signal),
            Self::ColumnMissing { .. } | Self::ColumnKind { .. } => ErrorKind::Usage,
            Self::Internal(_) => ErrorKind::Internal,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::File { source, .. } => hint_of(source.kind()),
            Self::ColumnMissing { column, available, .. } => {
                crate::options::suggest(column, available.iter().map(String::as_str))
            }
            Self::Internal(_) => Some("this is a bug in sluice; please report it with the log".into()),
            Self::ColumnKind { .. } => Some(
                "name another column; `sluice statistics` shows what each holds, and in CSV one cell that is no number \
                 makes a column text"
                    .into(),
            ),
            Self::Interrupted { .. } => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_follow_the_documented_table() {
        assert_eq!(ErrorKind::Usage.exit_code(), 2);
        assert_eq!(ErrorKind::Unavailable.exit_code(), 3);
        assert_eq!(ErrorKind::Malformed.exit_code(), 4);
        assert_eq!(ErrorKind::Interrupted(2).exit_code(), 130);
        assert_eq!(ErrorKind::Interrupted(15).exit_code(), 143);
        assert_eq!(ErrorKind::Internal.exit_code(), 101);
    }

    #[test]
    fn a_full_disk_is_known_behind_another_writer() {
        #[derive(Debug, thiserror::Error)]
        #[error("cannot write")]
        struct Outer(#[source] std::io::Error);
        impl Diagnostic for Outer {
            fn kind(&self) -> ErrorKind {
                ErrorKind::Unavailable
            }
        }
        let full = std::io::Error::from_raw_os_error(28);
        let shown = std::io::Error::new(full.kind(), "cannot write `a`");
        assert!(Error::from(Outer(shown)).hint().unwrap().contains("the disk is full"));
        assert_eq!(Error::from(Outer(std::io::Error::other("else"))).hint(), None);
    }

    #[test]
    fn the_nearest_column_is_suggested() {
        let error = Error::from(CommonError::ColumnMissing {
            column: "trip_mile".into(),
            place: "the data".into(),
            available: vec!["fare".into(), "trip_miles".into()],
        });
        assert_eq!(error.hint().unwrap(), "did you mean `trip_miles`?");
        let shown = format!("{:?}", error.in_place("`trips.csv`"));
        assert!(shown.contains("in `trips.csv`"), "{shown}");
    }
}
