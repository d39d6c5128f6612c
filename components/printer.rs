//! The only place that prints: results to stdout, messages and errors to stderr, as text or as JSON lines.

use std::io::{IsTerminal, Write};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::Serialize;
use serde_json::json;
use sluice_core::Error;

use crate::log::{self, Event, Level, LogFormat};
use crate::shown;

/// Results that are not printed yet.
static HELD: Mutex<Option<String>> = Mutex::new(None);

fn held() -> MutexGuard<'static, Option<String>> {
    HELD.lock().unwrap_or_else(PoisonError::into_inner)
}

fn write_result(output: &str) {
    // A closed pipe is the reader's choice, not an error.
    let _ = std::io::stdout().lock().write_all(output.as_bytes());
}

/// From now on results wait: what they tell of is not yet where they say.
pub(crate) fn hold_results() {
    *held() = Some(String::new());
}

/// Prints the results that have waited, if what they tell of is there.
pub(crate) fn release_results(are_true: bool) {
    if let Some(output) = held().take().filter(|_| are_true) {
        write_result(&output);
    }
}

/// What is printed, and how.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Printer {
    json: bool,
    quiet: bool,
    color: bool,
    format: LogFormat,
}

impl Printer {
    pub(crate) fn new(json: bool, quiet: bool, format: LogFormat) -> Self {
        let color = std::io::stderr().is_terminal()
            && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
            && std::env::var_os("TERM").is_none_or(|term| term != "dumb");
        Self { json, quiet, color, format }
    }

    /// The same, with results as JSON.
    pub(crate) fn as_json(self) -> Self {
        Self { json: true, ..self }
    }

    /// Whether a bar may be shown.
    pub(crate) fn shows_bar(self) -> bool {
        !self.quiet
            && self.format == LogFormat::Text
            && std::io::stderr().is_terminal()
            && std::env::var_os("CI").is_none_or(|value| value.is_empty())
    }

    /// Whether messages are lines of JSON.
    pub(crate) fn logs_json(self) -> bool {
        self.format == LogFormat::Json
    }

    /// Prints the result: as JSON when asked for, else as text.
    pub(crate) fn result<T: Serialize>(self, value: &T, text: impl FnOnce() -> String) {
        let mut output = if self.json {
            let json = serde_json::to_string_pretty(value).unwrap_or_else(|error| error.to_string());
            shown::json_as_given(&json).into_owned()
        } else {
            shown::as_given(&text()).into_owned()
        };
        if !output.ends_with('\n') {
            output.push('\n');
        }
        match &mut *held() {
            Some(held) => held.push_str(&output),
            None => write_result(&output),
        }
    }

    /// Prints a message, unless quiet.
    pub(crate) fn message(self, text: &str) {
        self.event(&Event { name: "message", message: text, ..Event::default() }, text);
    }

    /// Prints what the reader of results should know, unless quiet.
    pub(crate) fn note(self, text: &str) {
        self.event(&Event { name: "note", message: text, ..Event::default() }, &format!("note: {text}"));
    }

    /// Prints an event, unless quiet: as `text`, or as a line of JSON.
    pub(crate) fn event(self, event: &Event<'_>, text: &str) {
        match self.format {
            _ if self.quiet => {}
            LogFormat::Json => event.write(),
            LogFormat::Text => {
                let _ = writeln!(std::io::stderr().lock(), "{}", shown::as_given(text));
            }
        }
    }

    /// Notes the beginning of the command in the log.
    pub(crate) fn begun(self, command: &str) {
        log::enter_command(command);
        if self.logs_json() && !self.quiet {
            let message = format!("sluice {} {command}", env!("CARGO_PKG_VERSION"));
            Event { name: "command_begun", message: &message, ..Event::default() }.write();
        }
    }

    /// Notes the end of the command in the log.
    pub(crate) fn finished(self, exit_code: u8, duration: Duration) {
        if !self.logs_json() || self.quiet {
            return;
        }
        log::leave_step();
        let (level, message) = match exit_code {
            0 => (Level::Info, "done"),
            1 => (Level::Warning, "rejected: data or model failed a check"),
            _ => (Level::Error, "failed"),
        };
        let (exit_code, seconds) = (Some(exit_code), Some(duration.as_secs_f64()));
        Event { level, name: "command_finished", message, exit_code, seconds, ..Event::default() }.write();
    }

    fn paint(self, code: &str, text: &str) -> String {
        if self.color { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
    }

    /// A word of success or failure.
    pub(crate) fn verdict(self, passed: bool, text: &str) -> String {
        self.paint(if passed { "1;32" } else { "1;31" }, text)
    }

    /// Prints an error with where it happened, why, and what to do; as JSON on stdout too when results are JSON.
    pub(crate) fn error(self, error: &Error) {
        match self.format {
            LogFormat::Json => {
                let message = error.to_string();
                let event =
                    Event { level: Level::Error, name: "error", message: &message, ..Event::default() };
                Event { error: Some(log::error_value(error)), ..event }.write();
            }
            LogFormat::Text => self.error_text(error),
        }
        if self.json {
            let value = json!({"error": log::error_value(error)});
            let text = format!("{value:#}\n");
            let _ = std::io::stdout().lock().write_all(shown::json_as_given(&text).as_bytes());
        }
    }

    fn error_text(self, error: &Error) {
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
        let _ = std::io::stderr().lock().write_all(shown::as_given(&text).as_bytes());
    }
}
