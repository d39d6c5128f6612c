//! How a step runs, as opposed to what it computes: threads, memory, cancelling, progress. None of it can change a
//! result.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};

use crate::error::{CommonError, Result};
use crate::memory::MemoryLimit;
use crate::plan::{Plan, Split};
use crate::spill::Scratch;

/// How much there is to do, as far as it is known beforehand.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Extent {
    /// Rows.
    pub rows: Option<u64>,
    /// Bytes of the files.
    pub bytes: Option<u64>,
}

/// Told how far the work is; must be cheap and may be called from any thread.
pub trait Progress: Send + Sync {
    /// A step of a pipeline begins; what follows is part of it.
    fn step(&self, _name: &str) {}
    /// A scan or another long phase begins, in place of the one before.
    fn begin(&self, what: &str, total: Extent);
    /// So many more rows, and bytes of the files that they come from, are done.
    fn advance(&self, rows: u64, bytes: u64);
    /// The phase is over.
    fn end(&self);
}

/// Says nothing.
#[derive(Clone, Copy, Debug)]
pub struct Silent;

impl Progress for Silent {
    fn begin(&self, _what: &str, _total: Extent) {}
    fn advance(&self, _rows: u64, _bytes: u64) {}
    fn end(&self) {}
}

/// A flag that a signal handler sets and every long loop looks at.
#[derive(Clone, Debug, Default)]
pub struct Cancel(Arc<AtomicI32>);

impl Cancel {
    /// Asks everything that holds this flag to stop because of `signal`.
    pub fn cancel(&self, signal: i32) {
        self.0.store(signal, Ordering::SeqCst);
    }

    /// # Errors
    /// [`CommonError::Interrupted`] once [`Cancel::cancel`] was called.
    pub fn check(&self) -> Result<()> {
        match self.0.load(Ordering::Relaxed) {
            0 => Ok(()),
            signal => Err(CommonError::Interrupted { signal }.into()),
        }
    }
}

/// Threads, memory, cancelling and progress of a step.
#[derive(Clone)]
pub struct Execution {
    /// How many splits are read at a time.
    pub threads: NonZeroUsize,
    /// What the states of a scan and the rows in work may take; without it, what they want.
    pub memory: Option<MemoryLimit>,
    /// Where states put what exceeds the limit of memory; without it, that is an error.
    pub scratch: Option<Scratch>,
    /// Looked at once per batch.
    pub cancel: Cancel,
    /// Told how far the work is.
    pub progress: Arc<dyn Progress>,
}

impl std::fmt::Debug for Execution {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { threads, memory, scratch, cancel: _, progress: _ } = self;
        formatter
            .debug_struct("Execution")
            .field("threads", threads)
            .field("memory", memory)
            .field("scratch", scratch)
            .finish_non_exhaustive()
    }
}

impl Default for Execution {
    /// All cores, no limit of memory, silent.
    fn default() -> Self {
        let threads = std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
        Self { threads, memory: None, scratch: None, cancel: Cancel::default(), progress: Arc::new(Silent) }
    }
}

impl Execution {
    /// So many threads, silent; zero counts as one.
    #[must_use]
    pub fn with_threads(threads: usize) -> Self {
        Self { threads: NonZeroUsize::new(threads).unwrap_or(NonZeroUsize::MIN), ..Self::default() }
    }

    /// The same within a limit of memory.
    #[must_use]
    pub fn within(self, memory: MemoryLimit) -> Self {
        Self { memory: Some(memory), ..self }
    }

    /// The same with a place for what exceeds the limit of memory.
    #[must_use]
    pub fn with_scratch(self, scratch: Scratch) -> Self {
        Self { scratch: Some(scratch), ..self }
    }

    /// Tells that `rows` rows of a split are done, from `first_row` on, with their share of its bytes.
    pub fn advance(&self, plan: &Plan, split: &Split, first_row: u64, rows: u64) {
        let until = |row: u64| {
            let share = u128::from(plan.bytes_of(split)) * u128::from(row);
            u64::try_from(share / u128::from(std::cmp::max(split.rows(), 1))).unwrap_or(u64::MAX)
        };
        self.progress.advance(rows, until(first_row + rows).saturating_sub(until(first_row)));
    }
}
