//! Work on all threads with results in order: of several failures, the first in the data is answered.

use std::collections::BTreeMap;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use super::FoldError;
use crate::error::{Error, Result};
use crate::execution::Execution;

struct Schedule<T> {
    next: usize,
    consumed: usize,
    ready: BTreeMap<usize, T>,
    consuming: bool,
    failed: Option<(usize, Error)>,
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
    consume: impl FnMut(&I, T) -> Result<()> + Send,
) -> Result<()> {
    let threads = std::cmp::min(execution.threads.get(), std::cmp::max(items.len(), 1));
    let window = 2 * threads;
    let schedule =
        Mutex::new(Schedule { next: 0, consumed: 0, ready: BTreeMap::new(), consuming: false, failed: None });
    let turn = Condvar::new();
    let consume = Mutex::new(consume);
    let worker = || {
        let mut state = lock(&schedule);
        loop {
            while state.failed.is_none() && state.next < items.len() && state.next >= state.consumed + window
            {
                state = turn.wait(state).unwrap_or_else(PoisonError::into_inner);
            }
            if state.failed.is_some() || state.next >= items.len() {
                return;
            }
            let number = state.next;
            state.next += 1;
            drop(state);
            let result = execution.cancel.check().and_then(|()| work(&items[number]));
            state = lock(&schedule);
            match result {
                Ok(value) => {
                    state.ready.insert(number, value);
                }
                Err(error) => fail(&mut state, number, error),
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

fn fail<T>(state: &mut Schedule<T>, number: usize, error: Error) {
    if state.failed.as_ref().is_none_or(|(first, _)| number < *first) {
        state.failed = Some((number, error));
    }
}

/// Consumes what is ready and next in order, one thread at a time, without holding the lock meanwhile.
fn drain<'a, I, T>(
    mut state: MutexGuard<'a, Schedule<T>>,
    schedule: &'a Mutex<Schedule<T>>,
    items: &[I],
    consume: &Mutex<impl FnMut(&I, T) -> Result<()>>,
) -> MutexGuard<'a, Schedule<T>> {
    if state.consuming {
        return state;
    }
    state.consuming = true;
    loop {
        let number = state.consumed;
        let before_failure = state.failed.as_ref().is_none_or(|(first, _)| number < *first);
        let Some(value) = before_failure.then(|| state.ready.remove(&number)).flatten() else { break };
        drop(state);
        let result = (lock(consume))(&items[number], value);
        state = lock(schedule);
        state.consumed = number + 1;
        if let Err(error) = result {
            fail(&mut state, number, error);
        }
    }
    state.consuming = false;
    state
}

/// A worker that panicked takes the scope down with it; until then the others may still look.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
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
}
