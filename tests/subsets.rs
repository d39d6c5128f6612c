//! The Parquet files of a data set: every row once and in order, row groups that are neither tiny nor too large, the
//! same bytes for any number of threads, however small a subset is.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::Int64Type;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use sluice_core::execution::Execution;
use sluice_ingest::{DatasetFormat, IngestOptions, SubsetOptions, ingest};
use sluice_testkit::memory::MemorySource;

use crate::support::{Place, assert_same_files};
use crate::tables::noise;

const ROWS: u64 = 400_000;

/// Rows are numbered; 70 % are of a large subset, 26 % of a middle one, 4 % of a small one, and one subset has rows
/// at the very end only.
fn table() -> RecordBatch {
    let subset = |row: u64| match noise(row) {
        _ if row >= ROWS - 10 => "tail",
        share if share < 0.4 => "large",
        share if share < 0.92 => "middle",
        _ => "small",
    };
    let id: ArrayRef = Arc::new((0..ROWS).map(|row| i64::try_from(row).ok()).collect::<Int64Array>());
    let subset: ArrayRef = Arc::new((0..ROWS).map(|row| Some(subset(row))).collect::<StringArray>());
    RecordBatch::try_from_iter([("id", id), ("subset", subset)]).unwrap()
}

/// The rows of each row group, and the numbers of all rows.
fn content(path: &Path) -> (Vec<i64>, Vec<i64>) {
    let reader =
        ParquetRecordBatchReaderBuilder::try_new(fs_err::File::open(path).unwrap().into_parts().0).unwrap();
    let groups = reader.metadata().row_groups().iter().map(|group| group.num_rows()).collect();
    let numbers = reader
        .build()
        .unwrap()
        .flat_map(|batch| batch.unwrap().column(0).as_primitive::<Int64Type>().values().to_vec())
        .collect();
    (groups, numbers)
}

#[test]
fn row_groups_are_whole_and_the_same_for_any_number_of_threads() {
    let place = Place::new();
    let table = table();
    // Splits of 60,000 rows: of the large subset 42,000 rows each, of the others less than a group.
    let source = MemorySource::new(&table, 60_000).with_batch_rows(9_001);
    let subsets = SubsetOptions { by: "subset".into(), seed: None, shares: BTreeMap::new() };
    let options = IngestOptions {
        subsets,
        key: vec!["id".into()],
        required: Vec::new(),
        time: None,
        format: DatasetFormat::default(),
    };
    for threads in [1, 2, 7] {
        let target = place.path(&format!("dataset{threads}"));
        let execution = Execution::with_threads(threads);
        let dataset = ingest(&source, Vec::new(), &options, &target, &execution).unwrap();
        assert_same_files(&place.path("dataset1"), &target);
        assert_eq!(dataset.record().subsets.values().sum::<u64>(), ROWS);
    }
    let mut all = Vec::new();
    for (subset, least, most) in
        [("large", 25_000, 45_000), ("middle", 90_000, 110_000), ("small", 14_000, 18_000), ("tail", 10, 10)]
    {
        let (groups, numbers) = content(&place.path(&format!("dataset1/{subset}/part-00000.parquet")));
        assert!(numbers.is_sorted(), "{subset}");
        assert!(groups.iter().all(|rows| (least..=most).contains(rows)), "{subset}: {groups:?}");
        all.extend(numbers);
    }
    all.sort_unstable();
    assert!(all.iter().copied().eq(0..i64::try_from(ROWS).unwrap()));
}
