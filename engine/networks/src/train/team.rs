//! Threads that take the parts of one task together, task after task.
//!
//! A step of training is a few tasks of some hundred microseconds, so a thread that waits first looks again and again, 2,000
//! times, and then sleeps: longer looking takes the time of whoever else works on the machine (measured: half of the
//! speed beside one busy process), immediate sleep costs a wake-up per task.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// How often a thread looks before it sleeps.
const LOOKS: u32 = 2000;

/// Threads that work on one task at a time.
#[derive(Debug)]
pub(crate) struct Team<T> {
    task: Mutex<Option<T>>,
    /// Counts tasks; a change is the start of one.
    number: AtomicU64,
    /// Members that are not done.
    busy: AtomicUsize,
    members: usize,
    failed: AtomicBool,
    start: Condvar,
    finish: Condvar,
    /// Of those who sleep until the finish.
    finishing: Mutex<()>,
}

/// A lock, whoever panicked with it: what it guards is overwritten before it is read again.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Says that a member is done, also when it panics.
struct Done<'a, T: Copy>(&'a Team<T>);

impl<T: Copy> Drop for Done<'_, T> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.failed.store(true, Ordering::SeqCst);
        }
        if self.0.busy.fetch_sub(1, Ordering::AcqRel) == 1 {
            let _guard = lock(&self.0.finishing);
            self.0.finish.notify_one();
        }
    }
}

impl<T: Copy> Team<T> {
    /// A team of its leader and so many members.
    pub(crate) fn new(members: usize) -> Self {
        Self {
            task: Mutex::new(None),
            number: AtomicU64::new(0),
            busy: AtomicUsize::new(0),
            members,
            failed: AtomicBool::new(false),
            start: Condvar::new(),
            finish: Condvar::new(),
            finishing: Mutex::new(()),
        }
    }

    /// What a member does until the team is dismissed: `work` on every task.
    pub(crate) fn serve(&self, work: impl Fn(T)) {
        let mut seen = 0;
        loop {
            let mut looks = 0;
            while self.number.load(Ordering::Acquire) == seen && looks < LOOKS {
                std::hint::spin_loop();
                looks += 1;
            }
            let mut task = lock(&self.task);
            while self.number.load(Ordering::Acquire) == seen {
                task = self.start.wait(task).unwrap_or_else(PoisonError::into_inner);
            }
            seen = self.number.load(Ordering::Acquire);
            let current = *task;
            drop(task);
            let Some(current) = current else { return };
            let _done = Done(self);
            work(current);
        }
    }

    /// Has everyone do `work` on `task`, the leader too, and waits for all.
    ///
    /// # Panics
    /// If a member panicked.
    pub(crate) fn run(&self, task: T, work: impl Fn(T)) {
        self.busy.store(self.members, Ordering::Release);
        self.announce(Some(task));
        work(task);
        let mut looks = 0;
        while self.busy.load(Ordering::Acquire) > 0 && looks < LOOKS {
            std::hint::spin_loop();
            looks += 1;
        }
        let mut guard = lock(&self.finishing);
        while self.busy.load(Ordering::Acquire) > 0 {
            guard = self.finish.wait(guard).unwrap_or_else(PoisonError::into_inner);
        }
        drop(guard);
        assert!(!self.failed.load(Ordering::SeqCst), "a thread of the training panicked");
    }

    fn announce(&self, task: Option<T>) {
        if self.members == 0 {
            return;
        }
        let mut current = lock(&self.task);
        *current = task;
        self.number.fetch_add(1, Ordering::AcqRel);
        drop(current);
        self.start.notify_all();
    }

    /// Sends the members home when it goes out of scope, also when the leader panics or fails.
    pub(crate) fn dismissal(&self) -> Dismissal<'_, T> {
        Dismissal(self)
    }
}

/// See [`Team::dismissal`].
#[derive(Debug)]
pub(crate) struct Dismissal<'a, T: Copy>(&'a Team<T>);

impl<T: Copy> Drop for Dismissal<'_, T> {
    fn drop(&mut self) {
        self.0.announce(None);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::Team;

    #[test]
    fn everyone_works_on_every_task() {
        for members in [0, 1, 6] {
            let team = Team::new(members);
            let next = AtomicUsize::new(0);
            let sum = AtomicUsize::new(0);
            let work = |task: usize| {
                loop {
                    let part = next.fetch_add(1, Ordering::Relaxed);
                    if part >= 100 {
                        return;
                    }
                    sum.fetch_add(task * part, Ordering::Relaxed);
                }
            };
            std::thread::scope(|scope| {
                let _dismissal = team.dismissal();
                for _ in 0..members {
                    scope.spawn(|| team.serve(work));
                }
                for task in 1..300 {
                    next.store(0, Ordering::Relaxed);
                    sum.store(0, Ordering::Relaxed);
                    team.run(task, work);
                    assert_eq!(sum.load(Ordering::Relaxed), task * 4950);
                }
            });
        }
    }
}
