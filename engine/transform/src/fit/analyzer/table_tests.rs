//! The laws of a table of counts: what is on disk counts as what is held.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

fn content<T: Tally>(table: &Table<T>) -> Vec<(Vec<u8>, T)> {
    let mut pairs = Vec::new();
    let is_whole = table.each(|key, tally| {
        pairs.push((key.to_vec(), tally));
        Ok(())
    });
    assert!(is_whole.unwrap());
    pairs
}

fn scratch() -> Scratch {
    Scratch::in_folder(std::env::temp_dir())
}

/// A step of a test.
#[derive(Clone, Debug)]
enum Step {
    Add(String, u64),
    Shed,
    /// Goes on with an empty table that is joined before or after at the end.
    Next(bool),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        20 => ("[ab]{0,3}|common prefix [a-d]{0,9}", 1_u64..5).prop_map(|(key, count)| Step::Add(key, count)),
        3 => Just(Step::Shed),
        2 => any::<bool>().prop_map(Step::Next),
    ]
}

proptest! {
    #[test]
    fn what_lies_on_disk_does_not_show(steps in prop::collection::vec(step(), 0..120)) {
        let (scratch, mut expected) = (scratch(), BTreeMap::new());
        let empty: Table<u64> = Table::new(Keys::Text, 1000);
        let (mut table, mut in_memory, mut earlier) = (empty.empty(), empty.empty(), Vec::new());
        for step in steps {
            match step {
                Step::Add(key, count) => {
                    *table.tally(key.as_bytes()) += count;
                    *in_memory.tally(key.as_bytes()) += count;
                    *expected.entry(key.into_bytes()).or_insert(0) += count;
                }
                Step::Shed => table.shed(0, &scratch).unwrap(),
                Step::Next(is_before) => earlier.push((is_before, std::mem::replace(&mut table, empty.empty()))),
            }
        }
        for (is_before, mut other) in earlier {
            if is_before {
                other.merge(table).unwrap();
                table = other;
            } else {
                table.merge(other).unwrap();
            }
        }
        let expected: Vec<(Vec<u8>, u64)> = expected.into_iter().collect();
        prop_assert_eq!(&content(&table), &expected);
        prop_assert_eq!(&content(&in_memory), &expected);
        prop_assert_eq!(table.count().unwrap(), Some(expected.len()));
        let of = |table: &Table<u64>| serde_json::to_string(table).unwrap();
        prop_assert_eq!(of(&table), of(&in_memory));
        prop_assert!(table == in_memory);
    }
}

#[test]
fn a_limit_is_passed_wherever_the_keys_lie() {
    let scratch = scratch();
    for (keys, is_within) in [(5_u8, true), (6, false)] {
        let mut table: Table<u64> = Table::new(Keys::Text, 5);
        let mut in_memory = table.empty();
        for key in 0..keys {
            for _ in 0..3 {
                *table.tally(&[b'a' + key]) += 1;
                *in_memory.tally(&[b'a' + key]) += 1;
                table.bound();
                table.shed(0, &scratch).unwrap();
            }
        }
        in_memory.bound();
        let mut seen = 0;
        let found = table.each(|_, _| {
            seen += 1;
            Ok(())
        });
        assert_eq!((found.unwrap(), seen), (is_within, 5));
        assert_eq!(table.count().unwrap(), is_within.then_some(5));
        assert_eq!(serde_json::to_string(&table).unwrap(), serde_json::to_string(&in_memory).unwrap());
    }
}

#[test]
fn sums_join_and_keys_can_change() {
    let scratch = scratch();
    let mut table: Table<ExactSum> = Table::new(Keys::Number, 100);
    for round in 0..10_u64 {
        table.tally(&(round % 4).to_be_bytes()).add(0.1);
        table.tally(&7_u64.to_be_bytes()).add(1e100);
        table.shed(0, &scratch).unwrap();
    }
    let halved = |key: &[u8]| {
        let mut bytes = [0; 8];
        bytes.copy_from_slice(key);
        (u64::from_be_bytes(bytes) / 2).to_be_bytes()
    };
    let table = table.map_keys(Keys::Number, halved).unwrap();
    let sums: Vec<f64> = content(&table).into_iter().map(|(_, sum)| sum.to_f64()).collect();
    let times = |count: u64| {
        let mut sum = ExactSum::default();
        sum.add_counted(0.1, count);
        sum.to_f64()
    };
    assert_eq!(sums, [times(6), times(4), 1e101]);
}

#[test]
fn small_tables_stay_and_memory_is_given_back() {
    let scratch = scratch();
    let mut table: Table<u64> = Table::new(Keys::Text, usize::MAX);
    for number in 0..10_000 {
        *table.tally(format!("{number:08}").as_bytes()) += 1;
    }
    let held = table.size_bytes();
    assert!(held > 10_000 * 24, "{held}");
    table.shed(held + 1, &scratch).unwrap();
    assert_eq!((table.size_bytes(), scratch.held()), (held, 0));
    table.shed(held, &scratch).unwrap();
    assert!(table.size_bytes() < 1000 && scratch.held() > 100_000);
    let copy = table.clone();
    drop(table);
    assert_eq!(copy.count().unwrap(), Some(10_000));
    drop(copy);
    assert_eq!(scratch.held(), 0);
}

#[test]
fn a_stored_key_of_another_kind_is_refused() {
    let mut table: Table<u64> = Table::new(Keys::Number, 10);
    *table.tally(&[0; 8]) += 1;
    let text = serde_json::to_string(&table).unwrap();
    assert!(serde_json::from_str::<Table<u64>>(&text).unwrap() == table);
    let text = text.replace("[0,0,0,0,0,0,0,0]", "[0,0]");
    let error = serde_json::from_str::<Table<u64>>(&text).unwrap_err();
    assert!(error.to_string().contains("none of its table"), "{error}");
}
