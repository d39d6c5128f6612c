use std::collections::BTreeMap;

use proptest::prelude::*;

use super::scratch::SLOT_BYTES;
use super::*;
use crate::error::{Diagnostic as _, ErrorKind};

fn add(mine: &mut u64, later: u64) {
    *mine += later;
}

fn run_of(scratch: &Scratch, counts: &BTreeMap<Vec<u8>, u64>) -> Run {
    let mut writer = RunWriter::new(scratch);
    counts.iter().for_each(|(key, count)| writer.push(key, count).unwrap());
    writer.finish().unwrap()
}

fn merged(runs: &Runs) -> Vec<(Vec<u8>, u64)> {
    let mut pairs = Vec::new();
    merge(runs.readers().collect(), add, |key, count| {
        pairs.push((key.to_vec(), count));
        Ok(true)
    })
    .unwrap();
    pairs
}

proptest! {
    #[test]
    fn runs_merge_to_the_counts_of_all(
        parts in prop::collection::vec(prop::collection::btree_map(
            prop::collection::vec(0_u8..4, 0..5), 1_u64..300, 0..20), 0..8)
    ) {
        let folder = tempfile::tempdir().unwrap();
        let scratch = Scratch::in_folder(folder.path());
        let (mut runs, mut expected) = (Runs::default(), BTreeMap::new());
        for part in &parts {
            runs.push(run_of(&scratch, part));
            part.iter().for_each(|(key, count)| *expected.entry(key.clone()).or_insert(0) += count);
        }
        prop_assert_eq!(merged(&runs), expected.into_iter().collect::<Vec<_>>());
    }
}

#[test]
fn keys_may_be_longer_than_a_slot_and_places_are_used_again() {
    let folder = tempfile::tempdir().unwrap();
    let scratch = Scratch::in_folder(folder.path().join("made/if/need/be"));
    let key = |length: usize| vec![b'k'; length];
    let lengths = [0, 1, 127, 128, SLOT_BYTES - 1, SLOT_BYTES, 3 * SLOT_BYTES + 5];
    let counts: BTreeMap<Vec<u8>, u64> = lengths.iter().map(|length| (key(*length), u64::MAX)).collect();
    let mut held = Vec::new();
    for _ in 0..3 {
        let mut runs = Runs::default();
        runs.push(run_of(&scratch, &counts));
        let copy = runs.clone();
        drop(runs);
        assert_eq!(merged(&copy), counts.clone().into_iter().collect::<Vec<_>>());
        held.push(scratch.held());
    }
    assert_eq!(held, [held[0]; 3]);
    assert_eq!(scratch.held(), 0);
    // Without a name there is nothing to clean up.
    assert_eq!(fs_err::read_dir(folder.path().join("made/if/need/be")).unwrap().count(), 0);
}

#[test]
fn too_many_runs_become_few() {
    let folder = tempfile::tempdir().unwrap();
    let scratch = Scratch::in_folder(folder.path());
    let mut runs = Runs::default();
    for number in 0..1000_u64 {
        let counts = [(vec![0], 1), (number.to_be_bytes().to_vec(), number)].into_iter().collect();
        let mut one = Runs::default();
        one.push(run_of(&scratch, &counts));
        runs.append(one, add).unwrap();
    }
    assert!(runs.len() <= 256, "{}", runs.len());
    let pairs = merged(&runs);
    assert_eq!(pairs.len(), 1001);
    assert!(pairs.contains(&(vec![0], 1000)));
    assert!(pairs.contains(&(999_u64.to_be_bytes().to_vec(), 999)));
}

#[test]
fn a_folder_that_takes_nothing_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs_err::write(&file, b"").unwrap();
    let scratch = Scratch::beside(&file.join("out/transform"));
    let mut writer = RunWriter::new(&scratch);
    writer.push(b"key", &1_u64).unwrap();
    let error = writer.finish().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(error.to_string().contains(&file.join("out").display().to_string()), "{error}");
    let full = std::io::ErrorKind::StorageFull.into();
    let full = SpillError::Write { folder: "there".into(), held: 3_000_000, source: full };
    assert_eq!(
        full.to_string(),
        "what exceeds the memory limit cannot be written to `there`, which holds 3 MB of it already"
    );
    assert!(full.hint().unwrap().starts_with("make room for more than 3 MB there"));
}
