//! Stored spans: the states of parts, whose columns may differ, merge to the state of one pass over all of them.

use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, RecordBatch, StringArray};
use proptest::prelude::*;
use sluice_core::Result;
use sluice_core::column::ColumnKind;
use sluice_core::execution::Execution;
use sluice_core::fold::{Partial, fold, fold_splits};
use sluice_core::plan::{Piece, Plan, PlanOptions, PlannedColumn, PlannedFile, PlannedSpan, Split};
use sluice_core::seam::{BatchSource, Delivery, Request};
use sluice_core::statistics::DatasetStatistics;

use super::{Statistics, StatisticsOptions, finish};

/// Spans of which some lack the last column; alone such a span does not even list it.
struct Spans {
    plan: Plan,
    spans: Vec<RecordBatch>,
}

impl Spans {
    fn new(spans: &[(u64, RecordBatch)], split_rows: u64) -> Self {
        let names = |batch: &RecordBatch| -> Vec<String> {
            batch.schema().fields().iter().map(|field| field.name().clone()).collect()
        };
        let widest = spans.iter().map(|(_, batch)| names(batch)).max_by_key(Vec::len).unwrap();
        let kind = |name: &str| if name == "text" { ColumnKind::Text } else { ColumnKind::Float };
        let columns =
            widest.iter().map(|name| PlannedColumn { name: name.clone(), kind: kind(name) }).collect();
        let file = |(span, batch): &(u64, RecordBatch)| PlannedFile {
            path: format!("span {span}"),
            size_bytes: 0,
            rows: batch.num_rows() as u64,
            fingerprint: format!("{span}"),
        };
        let planned = spans.iter().enumerate().map(|(first_file, (span, _))| PlannedSpan {
            span: *span,
            version: None,
            first_file,
        });
        let pieces = spans.iter().enumerate().flat_map(|(file, (_, batch))| {
            let rows = batch.num_rows() as u64;
            (0..rows.div_ceil(split_rows)).map(move |number| {
                let first_row = number * split_rows;
                Piece { file, first_row, rows: std::cmp::min(split_rows, rows - first_row), bytes: None }
            })
        });
        let options = PlanOptions { split_rows };
        let files = spans.iter().map(file).collect();
        let plan = Plan::with_spans(files, columns, planned.collect(), pieces, options);
        Self { plan, spans: spans.iter().map(|(_, batch)| batch.clone()).collect() }
    }
}

impl BatchSource for Spans {
    fn plan(&self) -> &Plan {
        &self.plan
    }

    fn name(&self) -> String {
        "spans".into()
    }

    fn read(
        &self,
        split: &Split,
        request: &Request,
        sink: &mut dyn FnMut(Delivery) -> Result<()>,
    ) -> Result<()> {
        for piece in &split.pieces {
            let batch = &self.spans[piece.file];
            let there: Vec<usize> =
                request.rows.iter().copied().filter(|column| *column < batch.num_columns()).collect();
            let (first, rows) = (usize::try_from(piece.first_row), usize::try_from(piece.rows));
            sink(Delivery::Rows(batch.project(&there).unwrap().slice(first.unwrap(), rows.unwrap())))?;
        }
        Ok(())
    }
}

fn table(rows: usize, seed: usize, has_last: bool) -> RecordBatch {
    let noise = |n: usize| ((n + 31 * seed) * 2_654_435_761) >> 5;
    let y: Float64Array = (0..rows).map(|n| (noise(n) % 7 != 0).then(|| (noise(n) % 3) as f64)).collect();
    let text: StringArray = (0..rows).map(|n| Some(format!("level {}", noise(n) % 5))).collect();
    let x: Float64Array =
        (0..rows).map(|n| (noise(n) % 11 != 3).then(|| (noise(n) % 1009) as f64 / 8.0)).collect();
    let text = arrow::compute::cast(&text, &arrow::datatypes::DataType::Utf8View).unwrap();
    let mut columns = vec![("y", Arc::new(y) as ArrayRef), ("text", text), ("x", Arc::new(x))];
    columns.truncate(if has_last { 3 } else { 2 });
    RecordBatch::try_from_iter(columns).unwrap()
}

fn options() -> StatisticsOptions {
    StatisticsOptions {
        label: Some("y".into()),
        slices: vec!["text".parse().unwrap()],
        ..StatisticsOptions::default()
    }
}

fn stored(source: &Spans) -> Vec<u8> {
    let statistics = Statistics::new(&options(), &source.plan.columns).unwrap();
    let splits = 0..source.plan.splits.len() as u64;
    let partial = fold_splits(source, splits, &statistics, &Execution::with_threads(2)).unwrap();
    partial.to_bytes("statistics", 1).unwrap()
}

fn merged(states: &[Vec<u8>]) -> DatasetStatistics {
    let read = |bytes: &Vec<u8>| Partial::<Statistics>::from_bytes(bytes, "statistics", 1).unwrap();
    let mut whole = read(&states[0]);
    for state in &states[1..] {
        whole.merge(read(state)).unwrap();
    }
    finish("all", whole.finish().unwrap())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    /// statistics(all) = merge(statistics(spans)), in any order, where the later spans may lack a column.
    #[test]
    fn spans_merge_to_one_pass(
        rows in proptest::collection::vec(0_usize..120, 2..4),
        lacking in 0_usize..4,
        split_rows in 5_u64..60,
        is_reversed in any::<bool>(),
    ) {
        let spans: Vec<(u64, RecordBatch)> = rows
            .iter()
            .enumerate()
            .map(|(number, rows)| (number as u64 + 1, table(*rows, number, number == 0 || number != lacking)))
            .collect();
        let window = Spans::new(&spans, split_rows);
        let statistics = Statistics::new(&options(), &window.plan.columns).unwrap();
        let state = fold(&window, &statistics, &Execution::with_threads(3)).unwrap();
        let expected = finish("all", state);
        let mut states: Vec<Vec<u8>> =
            spans.iter().map(|span| stored(&Spans::new(std::slice::from_ref(span), split_rows))).collect();
        if is_reversed {
            states.reverse();
        }
        let found = merged(&states);
        prop_assert_eq!(serde_json::to_string(&found).unwrap(), serde_json::to_string(&expected).unwrap());
        if let Some(lacking) = rows.get(lacking).filter(|_| lacking > 0) {
            prop_assert_eq!(found.column("x").unwrap().presence.num_absent, *lacking as u64);
        }
    }
}

#[test]
fn a_column_that_begins_later_was_absent_before() {
    let spans = [(1, table(40, 1, false)), (2, table(50, 2, true))];
    let states = spans.map(|span| stored(&Spans::new(&[span], 16)));
    let found = merged(&states);
    let x = found.column("x").unwrap();
    assert_eq!((x.presence.num_rows, x.presence.num_absent), (90, 40));
    assert_eq!(found.num_rows, 90);
    let of = |slice: &DatasetStatistics| slice.column("x").unwrap().presence;
    assert!(found.slices.iter().all(|slice| of(slice).num_rows == slice.num_rows));
    assert_eq!(found.slices.iter().map(|slice| of(slice).num_absent).sum::<u64>(), 40);
}
