//! Errors of the command line itself.

use sluice_core::error::{Diagnostic, ErrorKind};

/// Arguments that do not fit together.
#[derive(Debug)]
pub(crate) struct ArgumentError {
    message: String,
    hint: Option<String>,
}

impl ArgumentError {
    pub(crate) fn new(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { message: message.into(), hint: Some(hint.into()) }
    }
}

impl std::fmt::Display for ArgumentError {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&self.message)
    }
}

impl std::error::Error for ArgumentError {}

impl Diagnostic for ArgumentError {
    fn kind(&self) -> ErrorKind {
        ErrorKind::Usage
    }

    fn hint(&self) -> Option<String> {
        self.hint.clone()
    }
}
