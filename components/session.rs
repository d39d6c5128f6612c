//! What every command has: a printer, threads, a limit of memory, progress on a terminal, and signals that stop it cleanly.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use signal_hook::consts::{SIGINT, SIGTERM, SIGXFSZ};
use sluice_core::execution::{Cancel, Execution, Progress, Silent};
use sluice_core::{MemoryLimit, Result};

use crate::arguments::Common;
use crate::log::LogFormat;
use crate::printer::Printer;
use crate::progress::{Bar, Lines};

/// How a command ended, when it did not fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Done.
    Done,
    /// The data or the model were turned down.
    Rejected,
}

/// What every command has.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) printer: Printer,
    pub(crate) execution: Execution,
    /// Whether an orchestrator started it, which keeps its own record.
    pub(crate) is_task: bool,
}

impl Session {
    /// Begins the command of this name, within a limit of memory.
    ///
    /// # Errors
    /// When the environment names a format of messages that there is not.
    pub(crate) fn new(common: &Common, memory: Option<MemoryLimit>, command: &str) -> Result<Self> {
        let printer = Printer::new(common.json, common.quiet, LogFormat::choose(common.log_format)?);
        printer.begun(command);
        let cancel = Cancel::default();
        listen(&cancel);
        let progress: Arc<dyn Progress> = if printer.logs_json() {
            Arc::new(Lines::new(common.quiet))
        } else if printer.shows_bar() {
            Arc::new(Bar::default())
        } else {
            Arc::new(Silent)
        };
        let default = Execution::default();
        let threads = common
            .threads
            .and_then(|threads| NonZeroUsize::new(usize::from(threads)))
            .unwrap_or(default.threads);
        let execution = Execution { threads, memory, scratch: None, cancel, progress };
        Ok(Self { printer, execution, is_task: false })
    }
}

/// The first signal asks everything to stop; the second ends the process.
fn listen(cancel: &Cancel) {
    // A file beyond the limit of the process (`ulimit -f`) is then an error of the write, not the end; without the
    // handler the signal would end the process.
    let _ = signal_hook::flag::register(SIGXFSZ, Arc::new(AtomicBool::new(false)));
    let cancel = cancel.clone();
    let Ok(mut signals) = signal_hook::iterator::Signals::new([SIGINT, SIGTERM]) else { return };
    // Without the thread a signal would be lost, but nothing else; there is no one to tell.
    let _ = std::thread::Builder::new().name("signals".into()).spawn(move || {
        for (count, signal) in signals.forever().enumerate() {
            if count > 0 {
                signal_hook::low_level::exit(128 + signal);
            }
            cancel.cancel(signal);
        }
    });
}
