//! Progress: a bar on a terminal, or a line of the JSON log every few seconds.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressState, ProgressStyle};
use sluice_core::execution::{Extent, Progress};
use sluice_report::Pace;

use crate::log::{self, Event};

/// Between two lines of the log about one phase, at least.
const BETWEEN_LINES: Duration = Duration::from_secs(5);

/// Between two drawings of a bar about which nothing is told: the clock and the rates go on.
const BETWEEN_TICKS: Duration = Duration::from_millis(200);

/// What is done of a phase.
#[derive(Debug)]
struct Phase {
    name: String,
    pace: Pace,
    started: Instant,
    told: Instant,
}

impl Phase {
    fn new(name: &str, total: Extent) -> Self {
        let pace = Pace { rows_total: total.rows, bytes_total: total.bytes, ..Pace::default() };
        let now = Instant::now();
        Self { name: name.to_owned(), pace, started: now, told: now }
    }

    fn advance(&mut self, rows: u64, bytes: u64) {
        self.pace.rows += rows;
        self.pace.bytes += bytes;
    }

    fn pace(&self) -> Pace {
        Pace { elapsed: self.started.elapsed(), ..self.pace }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A progress bar on a terminal: rows or bytes, their rates, and the time left.
#[derive(Debug, Default)]
pub(crate) struct Bar(Mutex<Option<(ProgressBar, Arc<Mutex<Phase>>)>>);

impl Progress for Bar {
    fn begin(&self, what: &str, total: Extent) {
        let phase = Phase::new(what, total);
        let length = phase.pace.position().map(|(_, total)| total);
        let phase = Arc::new(Mutex::new(phase));
        let bar = length.map_or_else(ProgressBar::new_spinner, ProgressBar::new);
        let template = match length {
            Some(_) => "{msg:>14} {wide_bar} {figures}  {left}",
            None => "{msg:>14} {spinner} {figures}  {elapsed}",
        };
        // A bar that cannot be drawn is no reason to stop.
        if let Ok(style) = ProgressStyle::with_template(template) {
            let (of_figures, of_left) = (Arc::clone(&phase), Arc::clone(&phase));
            let style = style
                .with_key("figures", move |_: &ProgressState, writer: &mut dyn std::fmt::Write| {
                    let _ = writer.write_str(&lock(&of_figures).pace().figures());
                })
                .with_key("left", move |_: &ProgressState, writer: &mut dyn std::fmt::Write| {
                    let _ = writer.write_str(&lock(&of_left).pace().left_in_words());
                });
            bar.set_style(style);
        }
        bar.set_message(what.to_owned());
        bar.enable_steady_tick(BETWEEN_TICKS);
        self.end();
        *lock(&self.0) = Some((bar, phase));
    }

    fn advance(&self, rows: u64, bytes: u64) {
        let current = lock(&self.0);
        let Some((bar, phase)) = &*current else { return };
        let position = {
            let mut phase = lock(phase);
            phase.advance(rows, bytes);
            phase.pace.position()
        };
        // Drawing asks for the figures, so the phase is let go before.
        if let Some((done, _)) = position {
            bar.set_position(done);
        }
    }

    fn end(&self) {
        let current = lock(&self.0).take();
        if let Some((bar, _)) = current {
            bar.finish_and_clear();
        }
    }
}

/// Progress in the JSON log; when quiet it only keeps in mind which step it is, for errors.
#[derive(Debug)]
pub(crate) struct Lines {
    quiet: bool,
    current: Mutex<Option<Phase>>,
}

impl Lines {
    pub(crate) fn new(quiet: bool) -> Self {
        Self { quiet, current: Mutex::new(None) }
    }
}

impl Progress for Lines {
    fn step(&self, name: &str) {
        log::enter_step(name);
        if !self.quiet {
            Event { name: "step_begun", message: name, ..Event::default() }.write();
        }
    }

    fn begin(&self, what: &str, total: Extent) {
        *lock(&self.current) = (!self.quiet).then(|| Phase::new(what, total));
    }

    fn advance(&self, rows: u64, bytes: u64) {
        let mut current = lock(&self.current);
        let Some(phase) = &mut *current else { return };
        phase.advance(rows, bytes);
        if phase.told.elapsed() < BETWEEN_LINES {
            return;
        }
        phase.told = Instant::now();
        let pace = phase.pace();
        Event {
            name: "progress",
            message: &phase.name,
            rows: (pace.rows > 0 || pace.rows_total.is_some()).then_some(pace.rows),
            rows_total: pace.rows_total,
            bytes: (pace.bytes > 0 || pace.bytes_total.is_some()).then_some(pace.bytes),
            bytes_total: pace.bytes_total,
            seconds: Some(pace.elapsed.as_secs_f64()),
            seconds_left: pace.left().map(|left| left.as_secs_f64()),
            ..Event::default()
        }
        .write();
    }

    fn end(&self) {
        *lock(&self.current) = None;
    }
}
