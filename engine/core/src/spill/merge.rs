//! Several sorted sources as one.

use std::cmp::Ordering;
use std::collections::BinaryHeap;
use std::collections::binary_heap::PeekMut;

use crate::error::Result;

/// Ascending keys, each once, with a state.
pub trait Sorted<S> {
    /// The next state, with its key put in place of what `key` holds; nothing at the end.
    ///
    /// # Errors
    /// What reading meets.
    fn next(&mut self, key: &mut Vec<u8>) -> Result<Option<S>>;
}

impl<S, T: Sorted<S> + ?Sized> Sorted<S> for Box<T> {
    fn next(&mut self, key: &mut Vec<u8>) -> Result<Option<S>> {
        (**self).next(key)
    }
}

/// What a source is at; the least key is the greatest of the heap.
struct Head<S, T> {
    key: Vec<u8>,
    state: S,
    source: T,
}

impl<S, T> PartialEq for Head<S, T> {
    fn eq(&self, other: &Self) -> bool {
        self.key == other.key
    }
}

impl<S, T> Eq for Head<S, T> {}

impl<S, T> PartialOrd for Head<S, T> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<S, T> Ord for Head<S, T> {
    fn cmp(&self, other: &Self) -> Ordering {
        other.key.cmp(&self.key)
    }
}

/// Hands each key to `visit` once, ascending, with the states of all sources joined, until `visit` answers that it has
/// seen enough. The order in which states are joined is not fixed.
///
/// # Errors
/// What reading and `visit` meet.
pub fn merge<S, T: Sorted<S>>(
    sources: Vec<T>,
    join: impl Fn(&mut S, S),
    mut visit: impl FnMut(&[u8], S) -> Result<bool>,
) -> Result<()> {
    let mut heap = BinaryHeap::with_capacity(sources.len());
    for mut source in sources {
        let mut key = Vec::new();
        if let Some(state) = source.next(&mut key)? {
            heap.push(Head { key, state, source });
        }
    }
    let mut key = Vec::new();
    while let Some(mut joined) = step(&mut heap, |least| {
        key.clear();
        key.extend_from_slice(least);
        true
    })? {
        while let Some(state) = step(&mut heap, |next| next == key)? {
            join(&mut joined, state);
        }
        if !visit(&key, joined)? {
            break;
        }
    }
    Ok(())
}

/// Takes the state of the least key, if `wanted` says so, and lets its source go on.
fn step<S, T: Sorted<S>>(
    heap: &mut BinaryHeap<Head<S, T>>,
    wanted: impl FnOnce(&[u8]) -> bool,
) -> Result<Option<S>> {
    let Some(mut head) = heap.peek_mut() else { return Ok(None) };
    if !wanted(&head.key) {
        return Ok(None);
    }
    let Head { key, source, .. } = &mut *head;
    Ok(Some(match source.next(key)? {
        Some(next) => std::mem::replace(&mut head.state, next),
        None => PeekMut::pop(head).state,
    }))
}
