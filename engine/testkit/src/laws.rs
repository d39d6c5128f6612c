//! The laws that every accumulator keeps.

use serde::Serialize;
use serde::de::DeserializeOwned;

use sluice_core::accumulator::Input;
use sluice_core::batch::Inputs;
use sluice_core::execution::Execution;
use sluice_core::fold::{Partial, fold, fold_splits};
use sluice_core::group::GroupMap;
use sluice_core::seam::BatchSource;
use sluice_core::spill::Scratch;
use sluice_core::{Accumulator, MemoryLimit, Result};

/// The bytes of the state after the whole source.
///
/// # Panics
/// When folding fails.
pub fn state_bytes<A>(source: &dyn BatchSource, accumulator: &A, threads: usize) -> Vec<u8>
where
    A: Accumulator + Serialize + Sync,
{
    let state = fold(source, accumulator, &Execution::with_threads(threads)).unwrap();
    let mut bytes = serialized(&state.groups);
    bytes.extend(serialized(&state.accumulator));
    bytes
}

fn serialized<T: Serialize>(value: &T) -> Vec<u8> {
    postcard::to_stdvec(value).unwrap()
}

/// Checks on one source that: threads (1, 2, 7) change nothing; shards (1, 2, 5), each serialised and
/// restored, merge to the same bytes; an empty state is neutral on both sides; rows add up; a limit of memory changes
/// nothing, or is an error; what is put on disk after every batch changes nothing.
///
/// # Panics
/// When a law is broken, naming it.
pub fn check<A>(source: &dyn BatchSource, accumulator: &A)
where
    A: Accumulator + Serialize + DeserializeOwned + Sync,
{
    let expected = state_bytes(source, accumulator, 1);
    for threads in [2, 7] {
        assert_eq!(state_bytes(source, accumulator, threads), expected, "{threads} threads change the state");
    }
    let plan = source.plan();
    let execution = Execution::with_threads(2);
    for shards in [1, 2, 5] {
        let mut whole: Option<Partial<A>> = None;
        for shard in 1..=shards {
            let partial = fold_splits(source, plan.shard(shard, shards), accumulator, &execution).unwrap();
            let bytes = partial.to_bytes("law", 1).unwrap();
            let restored = Partial::<A>::from_bytes(&bytes, "law", 1).unwrap();
            assert_eq!(restored.to_bytes("law", 1).unwrap(), bytes, "a restored state has other bytes");
            match &mut whole {
                None => whole = Some(restored),
                Some(whole) => whole.merge(restored).unwrap(),
            }
        }
        let state = whole.unwrap().finish().unwrap();
        assert_eq!(state.rows, plan.rows(), "rows are lost in {shards} shards");
        let mut bytes = serialized(&state.groups);
        bytes.extend(serialized(&state.accumulator));
        assert_eq!(bytes, expected, "{shards} shards change the state");
    }
    neutral(source, accumulator, &expected);
    within_limits(source, accumulator, &expected);
    let scratch = Scratch::in_folder(std::env::temp_dir());
    let shedding = Shedding { accumulator: accumulator.empty(), scratch };
    for threads in [1, 7] {
        let bytes = state_bytes(source, &shedding, threads);
        assert_eq!(bytes, expected, "what is put on disk changes the state");
    }
}

/// Keeps nothing in memory that can be on disk.
struct Shedding<A> {
    accumulator: A,
    scratch: Scratch,
}

impl<A: Serialize> Serialize for Shedding<A> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.accumulator.serialize(serializer)
    }
}

impl<A: Accumulator> Accumulator for Shedding<A> {
    type Output = A::Output;

    fn inputs(&self) -> Inputs {
        self.accumulator.inputs()
    }

    fn empty(&self) -> Self {
        Self { accumulator: self.accumulator.empty(), scratch: self.scratch.clone() }
    }

    fn update(&mut self, input: Input<'_>) -> Result<()> {
        self.accumulator.update(input)?;
        self.accumulator.shed(0, &self.scratch)
    }

    fn merge(&mut self, later: Self, groups: &GroupMap) -> Result<()> {
        self.accumulator.merge(later.accumulator, groups)
    }

    fn finish(self) -> A::Output {
        self.accumulator.finish()
    }

    fn size_bytes(&self) -> usize {
        self.accumulator.size_bytes()
    }
}

/// The least limits that suffice change nothing; one that nothing fits in is an error.
fn within_limits<A>(source: &dyn BatchSource, accumulator: &A, expected: &[u8])
where
    A: Accumulator + Serialize + Sync,
{
    let mut sufficed = 0;
    for limit in (0..).map(|power| 1_u64 << power) {
        let execution = Execution::with_threads(7).within(MemoryLimit::bytes(limit));
        match fold(source, accumulator, &execution) {
            Ok(state) => {
                let mut bytes = serialized(&state.groups);
                bytes.extend(serialized(&state.accumulator));
                assert_eq!(bytes, expected, "a limit of {limit} bytes changes the state");
                sufficed += 1;
            }
            Err(error) => assert!(error.to_string().contains("memory limit"), "{error}"),
        }
        // Where two suffice, splits were put off in the first and perhaps in the second.
        if sufficed == 2 {
            break;
        }
    }
    let is_something = accumulator.size_bytes() > 1 && !source.plan().splits.is_empty();
    if is_something {
        let execution = Execution::with_threads(7).within(MemoryLimit::bytes(1));
        let refused = fold(source, accumulator, &execution).is_err();
        assert!(refused, "a state of more than a byte fits in one");
    }
}

/// An empty state joined before or after changes nothing.
fn neutral<A>(source: &dyn BatchSource, accumulator: &A, expected: &[u8])
where
    A: Accumulator + Serialize + DeserializeOwned + Sync,
{
    let execution = Execution::with_threads(1);
    let state = fold(source, accumulator, &execution).unwrap();
    let groupings: Vec<_> = accumulator.inputs().groupings.into_iter().collect();
    let no_groups = sluice_core::group::GroupTables::new(&groupings);

    let mut groups = state.groups.clone();
    let map = groups.merge(&no_groups);
    let mut after = state.accumulator;
    after.merge(accumulator.empty(), &map).unwrap();
    let mut bytes = serialized(&groups);
    bytes.extend(serialized(&after));
    assert_eq!(bytes, expected, "an empty state after it is not neutral");

    let mut groups = no_groups;
    let map = groups.merge(&state.groups);
    let mut before = accumulator.empty();
    before.merge(after, &map).unwrap();
    let mut bytes = serialized(&groups);
    bytes.extend(serialized(&before));
    assert_eq!(bytes, expected, "an empty state before it is not neutral");
}
