//! The only place that prints: results to stdout, messages and errors to stderr.

use std::io::{IsTerminal, Write};

use serde::Serialize;
use serde_json::json;
use sluice_core::Error;

/// What is printed, and how.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Printer {
    json: bool,
    quiet: bool,
    color: bool,
}

impl Printer {
    pub(crate) fn new(json: bool, quiet: bool) -> Self {
        let color = std::io::stderr().is_terminal()
            && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
            && std::env::var_os("TERM").is_none_or(|term| term != "dumb");
        Self { json, quiet, color }
    }

    /// Whether progress may be shown.
    pub(crate) fn shows_progress(self) -> bool {
        !self.quiet && std::io::stderr().is_terminal() && std::env::var_os("CI").is_none()
    }

    /// Prints the result: as JSON when asked for, else as text.
    pub(crate) fn result<T: Serialize>(self, value: &T, text: impl FnOnce() -> String) {
        let mut output = if self.json {
            serde_json::to_string_pretty(value).unwrap_or_else(|error| error.to_string())
        } else {
            text()
        };
        if !output.ends_with('\n') {
            output.push('\n');
        }
        // A closed pipe is the reader's choice, not an error.
        let _ = std::io::stdout().lock().write_all(output.as_bytes());
    }

    /// Prints a message, unless quiet.
    pub(crate) fn message(self, text: &str) {
        if !self.quiet {
            let _ = writeln!(std::io::stderr().lock(), "{text}");
        }
    }

    fn paint(self, code: &str, text: &str) -> String {
        if self.color { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
    }

    /// A word of success or failure.
    pub(crate) fn verdict(self, passed: bool, text: &str) -> String {
        self.paint(if passed { "1;32" } else { "1;31" }, text)
    }

    /// Prints an error with where it happened, why, and what to do; as JSON too when results are JSON.
    pub(crate) fn error(self, error: &Error) {
        let mut text = format!("{} {error}\n", self.paint("1;31", "error:"));
        for place in error.places() {
            text.push_str(&format!("  in {place}\n"));
        }
        for cause in error.causes() {
            text.push_str(&format!("  caused by: {cause}\n"));
        }
        if let Some(hint) = error.hint() {
            text.push_str(&format!("{} {hint}\n", self.paint("1", "hint:")));
        }
        let _ = std::io::stderr().lock().write_all(text.as_bytes());
        if self.json {
            let value = json!({"error": {
                "kind": error.kind().name(),
                "exit_code": error.kind().exit_code(),
                "message": error.to_string(),
                "places": error.places(),
                "causes": error.causes(),
                "hint": error.hint(),
            }});
            let _ = writeln!(std::io::stdout().lock(), "{value:#}");
        }
    }
}
