//! Messages as JSON: one object per line on stderr, with the keys that `docs/logging.md` lists.

use std::io::Write;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use clap::ValueEnum;
use serde::Serialize;
use serde_json::{Value, json};
use sluice_core::{Error, Result};
use sluice_report::timestamp;

use crate::failure::ArgumentError;
use crate::shown;

/// The variable that chooses the format where no option does.
const VARIABLE: &str = "SLUICE_LOG_FORMAT";

/// How messages on stderr are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object per line.
    Json,
}

impl LogFormat {
    /// The option, else the environment, else text.
    pub(crate) fn choose(option: Option<Self>) -> Result<Self> {
        match (option, std::env::var_os(VARIABLE)) {
            (Some(format), _) => Ok(format),
            (None, Some(text)) if !text.is_empty() => {
                let text = text.to_string_lossy();
                Self::from_str(&text, false).map_err(|_| {
                    let message = format!("`{VARIABLE}` is `{text}`, which is no format of messages");
                    ArgumentError::new(message, "choose `text` or `json`").into()
                })
            }
            (None, _) => Ok(Self::Text),
        }
    }

    /// As far as arguments show that cannot be parsed.
    pub(crate) fn guess(arguments: &[std::ffi::OsString]) -> Self {
        let name = "--log-format";
        let option = arguments.iter().enumerate().rev().find_map(|(index, argument)| {
            let argument = argument.to_str()?;
            let value = match argument.strip_prefix(name)? {
                "" => arguments.get(index + 1)?.to_str()?,
                rest => rest.strip_prefix('=')?,
            };
            Self::from_str(value, false).ok()
        });
        Self::choose(option).unwrap_or_default()
    }
}

/// How much a line matters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Level {
    /// All is well.
    #[default]
    Info,
    /// Data or model were turned down.
    Warning,
    /// It failed.
    Error,
}

/// What happened; what is not known is left out of the line.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Event<'a> {
    pub(crate) level: Level,
    #[serde(rename = "event")]
    pub(crate) name: &'a str,
    pub(crate) message: &'a str,
    /// The step that it is about, where it is not the one that runs.
    #[serde(skip)]
    pub(crate) step: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) state: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) reason: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) rows: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) rows_total: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) spans_read: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) spans_reused: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) bytes: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) bytes_total: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) seconds: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) seconds_left: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) exit_code: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) error: Option<Value>,
}

/// Where the program is, for the lines that it writes.
#[derive(Debug, Default)]
struct Context {
    command: String,
    step: Option<String>,
}

/// There is one program and one stderr; a panic is told from here too.
static CONTEXT: Mutex<Context> = Mutex::new(Context { command: String::new(), step: None });

fn context() -> MutexGuard<'static, Context> {
    CONTEXT.lock().unwrap_or_else(PoisonError::into_inner)
}

/// From here on lines are of this command; each but `run` and `check` is a step itself.
pub(crate) fn enter_command(name: &str) {
    let step = (!matches!(name, "run" | "check")).then(|| name.to_owned());
    *context() = Context { command: name.to_owned(), step };
}

/// From here on lines are of this step.
pub(crate) fn enter_step(name: &str) {
    context().step = Some(name.to_owned());
}

/// From here on lines are of no step, unless the command is one.
pub(crate) fn leave_step() {
    let command = std::mem::take(&mut context().command);
    enter_command(&command);
}

#[derive(Serialize)]
struct Line<'a> {
    time: String,
    #[serde(skip_serializing_if = "str::is_empty")]
    command: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    step: Option<&'a str>,
    #[serde(flatten)]
    event: &'a Event<'a>,
}

impl Event<'_> {
    /// Writes it as one line.
    pub(crate) fn write(&self) {
        let context = context();
        let line = Line {
            time: timestamp(SystemTime::now()),
            command: &context.command,
            step: self.step.or(context.step.as_deref()),
            event: self,
        };
        // Plain data of our own can be serialised; a closed stderr is the reader's choice.
        let Ok(mut text) = serde_json::to_string(&line) else { return };
        text.push('\n');
        let text = shown::json_as_given(&text);
        let _ = std::io::stderr().lock().write_all(text.as_bytes());
    }
}

/// An error as JSON, on stdout and in the log alike.
pub(crate) fn error_value(error: &Error) -> Value {
    json!({
        "kind": error.kind().name(),
        "exit_code": error.kind().exit_code(),
        "message": error.to_string(),
        "places": error.places(),
        "causes": error.causes(),
        "hint": error.hint(),
    })
}
