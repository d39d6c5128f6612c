use proptest::prelude::*;

use super::*;
use crate::accumulator::Input;
use crate::batch::Inputs;
use crate::error::ErrorKind;
use crate::group::GroupMap;

/// Writes down how states were joined.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Joins(String);

impl Accumulator for Joins {
    type Output = String;
    fn inputs(&self) -> Inputs {
        Inputs::default()
    }
    fn empty(&self) -> Self {
        Self::default()
    }
    fn update(&mut self, _: Input<'_>) -> Result<()> {
        Ok(())
    }
    fn merge(&mut self, later: Self, _: &GroupMap) -> Result<()> {
        if !later.0.is_empty() {
            self.0 = if self.0.is_empty() { later.0 } else { format!("({} {})", self.0, later.0) };
        }
        Ok(())
    }
    fn finish(self) -> String {
        self.0
    }
    fn size_bytes(&self) -> usize {
        self.0.capacity()
    }
}

fn state(name: &str) -> State<Joins> {
    State {
        groups: GroupTables::new(&[]),
        rows: u64::from(!name.is_empty()),
        accumulator: Joins(name.into()),
    }
}

/// Spans of so many splits each, numbered from 1; one part without spans.
fn window(first_span: u64, splits: &[u64]) -> Vec<Section> {
    let mut start = 0;
    let section = |(number, count): (usize, &u64)| {
        let span = first_span + number as u64;
        let splits = start..start + count;
        start += count;
        Section { span: Some(span), splits, digest: format!("digest {span} {count}") }
    };
    splits.iter().enumerate().map(section).collect()
}

/// The state of splits `range` of a window.
fn partial(sections: &[Section], range: Range<u64>) -> Partial<Joins> {
    let mut partial = Partial::new(sections, || state(""));
    for split in range {
        let number = sections.partition_point(|section| section.splits.end <= split);
        let index = split - sections[number].splits.start;
        let name = format!("{}.{index}", sections[number].span.unwrap_or(0));
        partial.insert(number, Tree { level: 0, index, state: state(&name) }).unwrap();
    }
    partial
}

fn joined(parts: Vec<Partial<Joins>>) -> Result<String> {
    let mut parts = parts.into_iter();
    let mut whole = parts.next().unwrap();
    parts.try_for_each(|part| whole.merge(part))?;
    Ok(whole.finish()?.accumulator.0)
}

#[test]
fn every_span_has_a_tree_of_its_own() {
    let sections = window(1, &[3, 0, 2]);
    let whole = joined(vec![partial(&sections, 0..5)]).unwrap();
    assert_eq!(whole, "(((1.0 1.1) 1.2) (3.0 3.1))");
    let one = vec![Section { span: None, splits: 0..5, digest: "all".into() }];
    assert_eq!(joined(vec![partial(&one, 0..5)]).unwrap(), "(((0.0 0.1) (0.2 0.3)) 0.4)");
}

#[test]
fn stored_spans_make_any_window() {
    let day = |number, splits: u64| partial(&window(number, &[splits]), 0..splits);
    let days = vec![day(3, 2), day(1, 3), day(2, 1)];
    assert_eq!(joined(days).unwrap(), joined(vec![partial(&window(1, &[3, 1, 2]), 0..6)]).unwrap());
    assert_eq!(joined(vec![partial(&window(2, &[1, 2]), 0..3)]).unwrap(), "(2.0 (3.0 3.1))");
}

#[test]
fn what_is_missing_twice_or_foreign_is_named() {
    let sections = window(7, &[4, 2]);
    let message = |parts| joined(parts).unwrap_err();
    let missing = message(vec![partial(&sections, 0..1), partial(&sections, 3..6)]);
    assert_eq!(missing.to_string(), "no state holds splits 2 to 3 of span 7, which has 4");
    assert_eq!(missing.kind(), ErrorKind::Usage);
    let end = message(vec![partial(&sections, 0..5)]);
    assert_eq!(end.to_string(), "no state holds splits 2 to 2 of span 8, which has 2");
    let twice = message(vec![partial(&sections, 0..2), partial(&sections, 1..6)]);
    assert_eq!(twice.to_string(), "two states hold split 2 of span 7");
    let before = message(vec![partial(&sections, 2..6), partial(&sections, 0..3)]);
    assert_eq!(before.to_string(), "two states hold split 3 of span 7");
    let other = message(vec![partial(&sections, 0..2), partial(&window(7, &[5]), 2..4)]);
    assert_eq!(
        other.to_string(),
        "cannot join a state of span 7 (digest 7 5) with a state of span 7 (digest 7 4)"
    );
    let one = vec![Section { span: None, splits: 0..2, digest: "files".into() }];
    let mixed = message(vec![partial(&sections, 0..6), partial(&one, 0..2)]);
    assert_eq!(
        mixed.to_string(),
        "cannot join a state of the source (files) with a state of span 7 (digest 7 4)"
    );
}

#[test]
fn damaged_bytes_are_refused_and_never_panic() {
    let whole = partial(&window(1, &[5, 3]), 0..7);
    let bytes = whole.to_bytes("joins", 1).unwrap();
    assert_eq!(Partial::<Joins>::from_bytes(&bytes, "joins", 1).unwrap().rows(), 7);
    let of_other = |kind, version| Partial::<Joins>::from_bytes(&bytes, kind, version).unwrap_err();
    assert_eq!(
        of_other("joins", 2).to_string(),
        "cannot join a state of joins version 1 with a state of joins version 2"
    );
    assert_eq!(of_other("sums", 1).kind(), ErrorKind::Usage);
    for end in 0..bytes.len() {
        assert!(Partial::<Joins>::from_bytes(&bytes[..end], "joins", 1).is_err(), "cut after {end} bytes");
    }
    for at in 0..bytes.len() {
        for value in [0, 1, 0x7f, 0x80, 0xff] {
            let mut damaged = bytes.clone();
            damaged[at] = value;
            if let Ok(partial) = Partial::<Joins>::from_bytes(&damaged, "joins", 1) {
                let _ = partial.finish();
            }
        }
    }
}

proptest! {
    /// Shards of any cut, in any order, serialised on the way, are joined as one pass joins.
    #[test]
    fn any_cut_in_any_order_is_one_pass(
        splits in proptest::collection::vec(0_u64..9, 1..4),
        cuts in proptest::collection::vec(0_u64..28, 0..5),
        order in any::<u64>(),
    ) {
        let sections = window(1, &splits);
        let total: u64 = splits.iter().sum();
        let mut bounds: Vec<u64> = cuts.into_iter().map(|cut| cut % (total + 1)).chain([0, total]).collect();
        bounds.sort_unstable();
        let mut parts: Vec<Partial<Joins>> = bounds
            .windows(2)
            .map(|pair| {
                let bytes = partial(&sections, pair[0]..pair[1]).to_bytes("joins", 1).unwrap();
                Partial::from_bytes(&bytes, "joins", 1).unwrap()
            })
            .collect();
        parts.sort_by_key(|part| part.rows().wrapping_mul(order) ^ order.rotate_left(7));
        let mut in_order = InOrder::new(sections.clone(), state(""));
        for split in 0..total {
            let number = sections.partition_point(|section| section.splits.end <= split);
            let index = split - sections[number].splits.start;
            in_order.push(split, state(&format!("{}.{index}", number + 1))).unwrap();
        }
        prop_assert_eq!(joined(parts).unwrap(), in_order.finish().unwrap().accumulator.0);
    }
}
