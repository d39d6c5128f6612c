//! What every command has: a printer, threads, progress on a terminal, and signals that stop it cleanly.

use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, PoisonError};

use indicatif::{ProgressBar, ProgressState, ProgressStyle};
use signal_hook::consts::{SIGINT, SIGTERM};
use sluice_core::execution::{Cancel, Execution, Progress, Silent};

use crate::arguments::Common;
use crate::printer::Printer;

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
}

impl Session {
    pub(crate) fn new(common: &Common) -> Self {
        let printer = Printer::new(common.json, common.quiet);
        let cancel = Cancel::default();
        listen(&cancel);
        let progress: Arc<dyn Progress> =
            if printer.shows_progress() { Arc::new(Bar::default()) } else { Arc::new(Silent) };
        let default = Execution::default();
        let threads = common
            .threads
            .and_then(|threads| NonZeroUsize::new(usize::from(threads)))
            .unwrap_or(default.threads);
        Self { printer, execution: Execution { threads, cancel, progress } }
    }
}

/// The first signal asks everything to stop; the second ends the process.
fn listen(cancel: &Cancel) {
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

/// A progress bar on a terminal.
#[derive(Default)]
struct Bar(Mutex<Option<ProgressBar>>);

impl Bar {
    fn with(&self, act: impl FnOnce(&mut Option<ProgressBar>)) {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

impl Progress for Bar {
    fn begin(&self, what: &str, rows: u64) {
        let style = ProgressStyle::with_template(
            "{msg:>14} {wide_bar} {human_pos}/{human_len} rows {rate:>14} {eta:>4} left",
        )
        .map(|style| {
            style.with_key("rate", |state: &ProgressState, writer: &mut dyn std::fmt::Write| {
                // A bar that cannot be drawn is no reason to stop.
                let _ = writer.write_str(&sluice_report::rate(state.pos(), state.elapsed()));
            })
        });
        let bar = ProgressBar::new(rows).with_message(what.to_owned());
        if let Ok(style) = style {
            bar.set_style(style);
        }
        self.with(|current| *current = Some(bar));
    }

    fn advance(&self, rows: u64) {
        self.with(|current| {
            if let Some(bar) = current {
                bar.inc(rows);
            }
        });
    }

    fn end(&self) {
        self.with(|current| {
            if let Some(bar) = current.take() {
                bar.finish_and_clear();
            }
        });
    }
}
