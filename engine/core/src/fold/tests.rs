use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, RecordBatchOptions};
use arrow::datatypes::Schema;
use proptest::prelude::*;

use super::*;
use crate::accumulator::Input;
use crate::batch::{Delivered, Inputs};
use crate::column::ColumnKind;
use crate::error::ErrorKind;
use crate::execution::Execution;
use crate::fold::fold;
use crate::group::GroupMap;
use crate::plan::{Piece, Plan, PlanOptions, PlannedColumn, PlannedFile, Split};
use crate::seam::{BatchSource, Delivery, Request};

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
        partial.insert(number, Tree { level: 0, index, state: state(&name) }, None).unwrap();
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

/// Two columns of seven rows in splits of four, handed out one after another, three rows at a time; the last rows of `b`
/// may be lost.
struct Separable {
    plan: Plan,
    lost: i64,
}

impl Separable {
    fn new(lost: i64) -> Self {
        let file = PlannedFile { path: "memory".into(), size_bytes: 0, rows: 7, fingerprint: "seven".into() };
        let column = |name: &str| PlannedColumn { name: name.into(), kind: ColumnKind::Integer };
        let piece = |first_row, rows| Piece { file: 0, first_row, rows, bytes: None };
        let pieces = [piece(0, 4), piece(4, 3)].into_iter();
        let options = PlanOptions { split_rows: 4 };
        Self { plan: Plan::new(vec![file], vec![column("a"), column("b")], pieces, options), lost }
    }
}

impl BatchSource for Separable {
    fn plan(&self) -> &Plan {
        &self.plan
    }

    fn name(&self) -> String {
        "memory".into()
    }

    fn separable(&self) -> bool {
        true
    }

    fn read(
        &self,
        split: &Split,
        request: &Request,
        sink: &mut dyn FnMut(Delivery) -> Result<()>,
    ) -> Result<()> {
        let all = |lost: i64| {
            let first = split.pieces[0].first_row.cast_signed();
            (first..first + split.rows().cast_signed() - lost).collect::<Vec<i64>>()
        };
        for &column in &request.apart {
            for values in all(if column == 1 { self.lost } else { 0 }).chunks(3) {
                let values: ArrayRef = Arc::new(Int64Array::from(values.to_vec()));
                sink(Delivery::Apart { column, values })?;
            }
        }
        let arrays: Vec<ArrayRef> =
            request.rows.iter().map(|_| Arc::new(Int64Array::from(all(0))) as ArrayRef).collect();
        let fields: Vec<_> = request
            .rows
            .iter()
            .map(|&column| {
                let name = &self.plan.columns[column].name;
                arrow::datatypes::Field::new(name, arrow::datatypes::DataType::Int64, true)
            })
            .collect();
        let options = RecordBatchOptions::new().with_row_count(Some(all(0).len()));
        let batch = RecordBatch::try_new_with_options(Arc::new(Schema::new(fields)), arrays, &options);
        sink(Delivery::Rows(batch.unwrap()))
    }
}

/// Writes down what came of two columns that take counted views; one may be wanted in batches too.
#[derive(Clone, Debug)]
struct Came {
    in_batches: Option<&'static str>,
    seen: Vec<String>,
}

impl Accumulator for Came {
    type Output = Vec<String>;
    fn inputs(&self) -> Inputs {
        let inputs = Inputs::default().with_counted("a").with_counted("b");
        self.in_batches.map_or(inputs.clone(), |column| inputs.with_column(column))
    }
    fn empty(&self) -> Self {
        Self { in_batches: self.in_batches, seen: Vec::new() }
    }
    fn update(&mut self, input: Input<'_>) -> Result<()> {
        match input {
            Input::Apart(rows) => {
                let end = rows.first_row + rows.values.len() as u64;
                self.seen.push(format!("{} {}:{}..{end}", rows.column, rows.split, rows.first_row));
            }
            Input::Rows(batch) => {
                for column in ["a", "b"] {
                    if let Delivered::Rows(values) = batch.delivered(column) {
                        self.seen.push(format!("{column} {} of {}", values.len(), batch.split()));
                    }
                }
            }
            Input::Counted(_) => self.seen.push("counted".into()),
        }
        Ok(())
    }
    fn merge(&mut self, later: Self, _: &GroupMap) -> Result<()> {
        self.seen.extend(later.seen);
        Ok(())
    }
    fn finish(self) -> Vec<String> {
        self.seen
    }
    fn size_bytes(&self) -> usize {
        self.seen.capacity()
    }
}

#[test]
fn columns_come_apart_where_nobody_wants_them_beside_others() {
    let came = |in_batches, lost| {
        let accumulator = Came { in_batches, seen: Vec::new() };
        fold(&Separable::new(lost), &accumulator, &Execution::with_threads(2))
    };
    let apart = came(None, 0).unwrap();
    let expected = ["a 0:0..3", "a 0:3..4", "b 0:0..3", "b 0:3..4", "a 1:0..3", "b 1:0..3"];
    assert_eq!((apart.rows, apart.accumulator.seen), (7, expected.map(String::from).to_vec()));
    let both = came(Some("a"), 0).unwrap().accumulator.seen;
    assert_eq!(both, ["b 0:0..3", "b 0:3..4", "a 4 of 0", "b 1:0..3", "a 3 of 1"]);
    let lost = came(None, 1).unwrap_err();
    assert_eq!(lost.to_string(), "memory has 3 rows in split 0, its listing says 4");
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
        let mut in_order = InOrder::new(sections.clone(), state(""), None);
        for split in 0..total {
            let number = sections.partition_point(|section| section.splits.end <= split);
            let index = split - sections[number].splits.start;
            in_order.push(split, state(&format!("{}.{index}", number + 1))).unwrap();
        }
        prop_assert_eq!(joined(parts).unwrap(), in_order.finish().unwrap().accumulator.0);
    }
}
