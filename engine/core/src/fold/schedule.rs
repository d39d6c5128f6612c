//! Work on all threads with results in order: of several failures, the first in the data is answered.
//!
//! What is in flight is weighed against the limit of memory: what is being worked on, results that wait for their turn
//! and what the consumer keeps. Nothing is begun that would pass the limit if it grew as large as the largest before
//! it. Where the limit is passed all the same, the last in the data gives up and is done again later, from then on with
//! less in flight; only what comes first, which nothing can be won by putting off, fails. So the limit costs time, and
//! never changes a result.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use super::FoldError;
use crate::error::{Error, Result};
use crate::execution::Execution;
use crate::memory::MemoryLimit;
use crate::plan::{Plan, Split};

/// Why an item cannot go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Full {
    /// It is to be done again later.
    GiveUp,
    /// It and what is kept of those before it pass the limit.
    Above {
        /// What it holds.
        own: u64,
        /// What is kept of those before it.
        kept: u64,
        /// The limit.
        limit: MemoryLimit,
    },
}

impl From<Full> for Error {
    fn from(full: Full) -> Self {
        match full {
            Full::GiveUp => FoldError::PutOff.into(),
            Full::Above { own, kept, limit } => FoldError::Memory { own, kept, limit, heaviest: None }.into(),
        }
    }
}

/// An item in work, which tells what it holds.
pub struct Task<'a> {
    weigh: &'a dyn Fn(u64) -> Result<(), Full>,
    /// Rows of which progress was told, in an earlier attempt too.
    told: Cell<u64>,
}

impl std::fmt::Debug for Task<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Task").field("told", &self.told).finish_non_exhaustive()
    }
}

impl Task<'_> {
    /// Tells how many bytes it holds by now, in place of what it told before.
    ///
    /// # Errors
    /// When it must stop, which is to be passed on.
    pub fn holds(&self, bytes: usize) -> Result<(), Full> {
        (self.weigh)(bytes as u64)
    }

    /// As [`Execution::advance`], but once for rows that come again.
    pub fn advance(&self, execution: &Execution, plan: &Plan, split: &Split, first_row: u64, rows: u64) {
        let (from, end) = (std::cmp::max(first_row, self.told.get()), first_row + rows);
        if end > from {
            execution.advance(plan, split, from, end - from);
            self.told.set(end);
        }
    }
}

/// An item that a thread works on.
#[derive(Clone, Copy, Debug, Default)]
struct Working {
    bytes: u64,
    gives_up: bool,
}

struct Schedule<T> {
    next: usize,
    /// Given up, with the rows of which progress was told.
    again: BTreeMap<usize, u64>,
    consumed: usize,
    working: BTreeMap<usize, Working>,
    ready: BTreeMap<usize, (T, u64)>,
    /// The size of the one that is being consumed.
    consuming: Option<u64>,
    /// What the consumer keeps.
    kept: u64,
    /// The most that an item took.
    largest: u64,
    /// How many may be in flight.
    window: usize,
    limit: Option<MemoryLimit>,
    failed: Option<(usize, Error)>,
}

impl<T> Schedule<T> {
    fn new(window: usize, limit: Option<MemoryLimit>) -> Self {
        Self {
            next: 0,
            again: BTreeMap::new(),
            consumed: 0,
            working: BTreeMap::new(),
            ready: BTreeMap::new(),
            consuming: None,
            kept: 0,
            largest: 0,
            window,
            limit,
            failed: None,
        }
    }

    /// What is held, without that of items that are about to give up.
    fn total(&self) -> u64 {
        let working = self.working.values().filter(|working| !working.gives_up);
        self.kept
            + self.consuming.unwrap_or(0)
            + working.map(|working| working.bytes).sum::<u64>()
            + self.ready.values().map(|(_, bytes)| bytes).sum::<u64>()
    }

    fn gives_up(&self, number: usize) -> bool {
        self.working.get(&number).is_some_and(|working| working.gives_up)
    }

    /// What items hold that are about to give up.
    fn given_up(&self) -> u64 {
        self.working.values().filter(|working| working.gives_up).map(|working| working.bytes).sum()
    }

    /// Whether an item must wait until those that give up have done so; they never wait themselves.
    fn awaits_room(&self, number: usize) -> bool {
        let given_up = self.given_up();
        let is_over = |limit: MemoryLimit| self.total().saturating_add(given_up) > limit.in_bytes();
        !self.gives_up(number) && given_up > 0 && self.limit.is_some_and(is_over)
    }

    /// The item to be done next, if any is left: of those given up, the first.
    fn candidate(&self, items: usize) -> Option<usize> {
        let again = self.again.keys().next().copied();
        match &self.failed {
            // What comes before the failure may fail too, and is then the one to tell.
            Some((failed, _)) => again.filter(|number| number < failed),
            None => again.or((self.next < items).then_some(self.next)),
        }
    }

    fn admits(&self, number: usize) -> bool {
        let held = self.total().saturating_add(self.given_up());
        let has_room = |limit: MemoryLimit| held.saturating_add(self.largest) <= limit.in_bytes();
        number < self.consumed + self.window && (number == self.consumed || self.limit.is_none_or(has_room))
    }

    /// Begins an item; answers the rows of it of which progress was told.
    fn begin(&mut self, number: usize) -> u64 {
        self.working.insert(number, Working::default());
        match self.again.remove(&number) {
            Some(told) => told,
            None => {
                self.next = number + 1;
                0
            }
        }
    }

    /// Notes what an item holds; makes room where that is too much.
    fn weigh(&mut self, number: usize, bytes: u64) -> Result<(), Full> {
        let Some(limit) = self.limit else { return Ok(()) };
        let working = self.working.entry(number).or_default();
        working.bytes = bytes;
        self.largest = std::cmp::max(self.largest, bytes);
        self.make_room(limit);
        if self.gives_up(number) {
            return Err(Full::GiveUp);
        }
        let is_first = number == self.consumed && self.consuming.is_none();
        if is_first && self.kept.saturating_add(bytes) > limit.in_bytes() {
            return Err(Full::Above { own: bytes, kept: self.kept, limit });
        }
        Ok(())
    }

    /// Puts off the last ones in the data, but not the first, until the rest is within the limit.
    fn make_room(&mut self, limit: MemoryLimit) {
        while self.total() > limit.in_bytes() {
            let is_later = |number: &usize| *number > self.consumed;
            let ready = self.ready.keys().next_back().copied().filter(is_later);
            let mut working = self.working.iter().rev();
            let working =
                working.find(|(_, working)| !working.gives_up).map(|(number, _)| *number).filter(is_later);
            let Some(last) = std::cmp::max(ready, working) else { return };
            if ready == Some(last) {
                self.ready.remove(&last);
                self.again.insert(last, u64::MAX);
            } else if let Some(working) = self.working.get_mut(&last) {
                working.gives_up = true;
            }
            self.window = std::cmp::min(self.window, last - self.consumed);
        }
    }

    fn fail(&mut self, number: usize, error: Error) {
        if self.failed.as_ref().is_none_or(|(first, _)| number < *first) {
            self.failed = Some((number, error));
        }
    }
}

/// Does `work` on each item on all threads and hands the results to `consume` in order. At most 2 x threads
/// items are in flight. Of several failures, that of the first item is answered.
///
/// # Errors
/// What `work` and `consume` answer; interrupted when cancelled.
pub fn in_order<I: Sync, T: Send>(
    items: &[I],
    execution: &Execution,
    work: impl Fn(&I) -> Result<T> + Sync,
    mut consume: impl FnMut(&I, T) -> Result<()> + Send,
) -> Result<()> {
    let consume = |item: &I, result| consume(item, result).map(|()| 0);
    in_order_weighed(items, execution, |_| 0, |item, _| work(item), consume)
}

/// As [`in_order`], within the limit of memory of `execution`: `size_of` answers what a result takes, `work` tells
/// its [`Task`] what it holds, and `consume` answers what it keeps by then.
///
/// # Errors
/// As [`in_order`], and [`FoldError::Memory`] where an item with what is kept of those before it passes the limit.
pub fn in_order_weighed<I: Sync, T: Send>(
    items: &[I],
    execution: &Execution,
    size_of: impl Fn(&T) -> usize + Sync,
    work: impl Fn(&I, &Task<'_>) -> Result<T> + Sync,
    consume: impl FnMut(&I, T) -> Result<usize> + Send,
) -> Result<()> {
    let threads = std::cmp::min(execution.threads.get(), std::cmp::max(items.len(), 1));
    let schedule = Mutex::new(Schedule::new(2 * threads, execution.memory));
    let turn = Condvar::new();
    let consume = Mutex::new(consume);
    let worker = || {
        let mut state = lock(&schedule);
        loop {
            let Some(number) = state.candidate(items.len()) else { return };
            if !state.admits(number) {
                state = turn.wait(state).unwrap_or_else(PoisonError::into_inner);
                continue;
            }
            let told = Cell::new(state.begin(number));
            drop(state);
            let weigh = |bytes| weigh(&schedule, &turn, number, bytes);
            let task = Task { weigh: &weigh, told };
            let result = execution.cancel.check().and_then(|()| {
                let result = work(&items[number], &task)?;
                let bytes = size_of(&result);
                task.holds(bytes)?;
                Ok((result, bytes as u64))
            });
            state = lock(&schedule);
            let working = state.working.remove(&number).unwrap_or_default();
            match result {
                Ok(_) | Err(_) if working.gives_up => {
                    state.again.insert(number, task.told.get());
                }
                Ok(result) => {
                    state.ready.insert(number, result);
                }
                Err(error) => state.fail(number, error),
            }
            state = drain(state, &schedule, items, &consume);
            turn.notify_all();
        }
    };
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(threads)
        .build()
        .map_err(|source| FoldError::Threads { threads, source })?;
    pool.scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|_| worker());
        }
    });
    match schedule.into_inner().unwrap_or_else(PoisonError::into_inner).failed {
        Some((_, error)) => Err(error),
        None => Ok(()),
    }
}

/// Notes what an item holds, and waits for what others are about to give up.
fn weigh<T>(schedule: &Mutex<Schedule<T>>, turn: &Condvar, number: usize, bytes: u64) -> Result<(), Full> {
    let mut state = lock(schedule);
    state.weigh(number, bytes)?;
    while state.awaits_room(number) {
        state = turn.wait(state).unwrap_or_else(PoisonError::into_inner);
    }
    if state.gives_up(number) { Err(Full::GiveUp) } else { Ok(()) }
}

/// Consumes what is ready and next in order, one thread at a time, without holding the lock meanwhile.
fn drain<'a, I, T>(
    mut state: MutexGuard<'a, Schedule<T>>,
    schedule: &'a Mutex<Schedule<T>>,
    items: &[I],
    consume: &Mutex<impl FnMut(&I, T) -> Result<usize>>,
) -> MutexGuard<'a, Schedule<T>> {
    if state.consuming.is_some() {
        return state;
    }
    loop {
        let number = state.consumed;
        let before_failure = state.failed.as_ref().is_none_or(|(first, _)| number < *first);
        let ready = before_failure.then(|| state.ready.remove(&number)).flatten();
        let Some((value, bytes)) = ready else { break };
        state.consuming = Some(bytes);
        drop(state);
        let result = (lock(consume))(&items[number], value);
        state = lock(schedule);
        state.consuming = None;
        state.consumed = number + 1;
        match result {
            Ok(kept) => state.kept = kept as u64,
            Err(error) => state.fail(number, error),
        }
    }
    state
}

/// A worker that panicked takes the scope down with it; until then the others may still look.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;
    use crate::error::{CommonError, ErrorKind};

    #[test]
    fn results_come_in_order_and_the_first_failure_wins() {
        let items: Vec<u64> = (0..100).collect();
        for threads in [1, 2, 7] {
            let execution = Execution::with_threads(threads);
            let mut seen = Vec::new();
            in_order(
                &items,
                &execution,
                |item| Ok(item * 2),
                |item, value| {
                    seen.push((*item, value));
                    Ok(())
                },
            )
            .unwrap();
            assert!(
                seen.iter().enumerate().all(|(n, (item, value))| *item == n as u64 && *value == 2 * item)
            );
            let mut consumed = 0;
            let error = in_order(
                &items,
                &execution,
                |item| {
                    if *item % 30 == 17 {
                        Err(CommonError::Internal(item.to_string()).into())
                    } else {
                        Ok(*item)
                    }
                },
                |_, _| {
                    consumed += 1;
                    Ok(())
                },
            )
            .unwrap_err();
            assert_eq!(error.to_string(), "internal error: 17");
            assert!(consumed <= 17);
        }
    }

    #[test]
    fn cancelling_stops_with_the_signal() {
        let execution = Execution::with_threads(2);
        execution.cancel.cancel(2);
        let error = in_order(&[1, 2, 3], &execution, |_| Ok(()), |_, ()| Ok(())).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Interrupted(2));
    }

    /// Lets go of what it holds, whether it was consumed or given up.
    struct Held<'a>(&'a AtomicU64, u64);
    impl Drop for Held<'_> {
        fn drop(&mut self) {
            self.0.fetch_sub(self.1, Ordering::SeqCst);
        }
    }

    /// Works on `count` items that grow to `size` bytes each, of which `consume` keeps `kept`; answers the order in
    /// which they were consumed and the most that was held at once, as the items themselves count it.
    fn grown(
        count: usize,
        execution: &Execution,
        (size, kept): (u64, usize),
    ) -> (Vec<usize>, u64, Result<()>) {
        let items: Vec<usize> = (0..count).collect();
        let (held, most) = (AtomicU64::new(0), AtomicU64::new(0));
        let mut seen = Vec::new();
        let outcome = in_order_weighed(
            &items,
            execution,
            |result: &Held<'_>| usize::try_from(result.1).unwrap(),
            |_, task| {
                let mut own = Held(&held, 0);
                for _ in 0..10 {
                    own.1 += size / 10;
                    let now = held.fetch_add(size / 10, Ordering::SeqCst) + size / 10;
                    most.fetch_max(now, Ordering::SeqCst);
                    std::thread::yield_now();
                    task.holds(usize::try_from(own.1).unwrap())?;
                }
                Ok(own)
            },
            |item, result| {
                drop(result);
                if seen.is_empty() {
                    let now = held.fetch_add(kept as u64, Ordering::SeqCst) + kept as u64;
                    most.fetch_max(now, Ordering::SeqCst);
                }
                seen.push(*item);
                Ok(kept)
            },
        );
        (seen, most.into_inner(), outcome)
    }

    #[test]
    fn what_is_in_flight_keeps_to_the_limit() {
        const MB: u64 = 1_000_000;
        let all: Vec<usize> = (0..60).collect();
        for (limit, kept) in [(25 * MB, 0), (25 * MB, 12_000_000), (100 * MB, 0)] {
            for threads in [1, 2, 8] {
                let execution = Execution::with_threads(threads).within(MemoryLimit::bytes(limit));
                let (seen, most, outcome) = grown(60, &execution, (10 * MB, kept));
                outcome.unwrap();
                assert_eq!(seen, all);
                // Each thread may have grown by a tenth before it waits or gives up, and what is kept is more than was
                // consumed.
                let slack = threads as u64 * MB + (kept as u64).saturating_sub(10 * MB);
                assert!(most <= limit + slack, "{most} of {limit} with {threads} threads");
            }
        }
    }

    #[test]
    fn without_a_limit_all_threads_work() {
        let (seen, _, outcome) = grown(20, &Execution::with_threads(4), (10_000_000, 1 << 40));
        outcome.unwrap();
        assert_eq!(seen.len(), 20);
    }

    #[test]
    fn what_passes_the_limit_alone_is_refused() {
        for threads in [1, 4] {
            let execution = Execution::with_threads(threads).within(MemoryLimit::bytes(9_500_000));
            let (seen, _, outcome) = grown(20, &execution, (10_000_000, 0));
            let error = outcome.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Usage);
            assert!(error.to_string().contains("9.5 MB"), "{error}");
            assert!(error.hint().unwrap().contains("--memory"));
            assert!(seen.is_empty());
        }
        // With what is kept of the first.
        let execution = Execution::with_threads(4).within(MemoryLimit::bytes(15_000_000));
        let (seen, _, outcome) = grown(20, &execution, (10_000_000, 6_000_000));
        outcome.unwrap_err();
        assert_eq!(seen, [0]);
    }

    #[test]
    fn results_that_wait_are_put_off_before_work_that_comes_first() {
        let mut schedule: Schedule<()> = Schedule::new(4, Some(MemoryLimit::bytes(100)));
        (0..4).for_each(|number| assert_eq!(schedule.begin(number), 0));
        for number in [1, 3] {
            schedule.working.remove(&number);
            schedule.ready.insert(number, ((), 30));
        }
        schedule.weigh(0, 30).unwrap();
        // The last ones, until the rest fits; the first goes on.
        schedule.weigh(0, 45).unwrap();
        assert_eq!(schedule.again.keys().collect::<Vec<_>>(), [&3]);
        schedule.weigh(0, 75).unwrap();
        assert_eq!(schedule.again.keys().collect::<Vec<_>>(), [&1, &3]);
        assert!(schedule.working[&2].gives_up);
        assert_eq!(schedule.weigh(2, 1), Err(Full::GiveUp));
        assert_eq!((schedule.window, schedule.candidate(9), schedule.admits(1)), (1, Some(1), false));
        let refused = schedule.weigh(0, 101).unwrap_err();
        assert_eq!(refused, Full::Above { own: 101, kept: 0, limit: MemoryLimit::bytes(100) });
        // What was told of an item that is done again is not told twice.
        schedule.consumed = 1;
        assert_eq!(schedule.begin(1), u64::MAX);
    }
}
