//! How pairs of numeric columns vary together, over the rows in which both hold one finite number.
//!
//! Covariance (divided by n) and Pearson's correlation by `summaries::co_moments`, over all rows; TFDV takes a tenth of
//! them unless told otherwise. A row with null, NaN or an infinity in one of the two is left out of the pair: TFDV leaves
//! out NaN but not infinities, which make its figures NaN. A list counts as its one element if it has exactly one, as in
//! TFDV; other rows of list columns are left out. Booleans are 0 and 1. A pair without a row has the covariance 0;
//! where the covariance is beyond the range of f64, the largest f64 stands for it and there is no correlation. One state
//! of 100 bytes a pair; some 10 ns a row and pair.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Float64Array, Int32Array};
use serde::{Deserialize, Serialize};

use sluice_core::accumulator::{Accumulator, Input};
use sluice_core::batch::Inputs;
use sluice_core::column::{ColumnKind, numbers};
use sluice_core::error::{CommonError, Result};
use sluice_core::group::GroupMap;
use sluice_core::options::OptionsError;
use sluice_core::plan::PlannedColumn;
use sluice_core::statistics::CrossStatistics;
use sluice_summaries::CoMoments;

use super::options::CrossSpec;

/// Numeric columns of which every pair may be asked for at once: 780 pairs.
pub const MAX_CROSS_COLUMNS: usize = 40;

/// How pairs of columns vary together.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CrossFeatures {
    pairs: Vec<Pair>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Pair {
    x: String,
    y: String,
    moments: CoMoments,
}

/// Whether a column can be one of a pair: numbers, and lists of them.
pub(super) fn takes(kind: &ColumnKind) -> bool {
    match kind {
        ColumnKind::List(item) => item.is_number(),
        kind => kind.is_number(),
    }
}

impl CrossFeatures {
    /// The pairs that are asked for, each once, in the order of the question; those of `all` in byte order of the names
    /// among the `described` columns.
    ///
    /// # Errors
    /// [`OptionsError`] when `all` means too many pairs.
    pub fn new<'a>(specs: &[CrossSpec], described: impl Iterator<Item = &'a PlannedColumn>) -> Result<Self> {
        let numeric = described.filter(|column| column.kind.is_number()).map(|column| column.name.as_str());
        let mut numeric: Vec<&str> = numeric.collect();
        numeric.sort_unstable();
        let mut pairs: Vec<(&str, &str)> = Vec::new();
        for spec in specs {
            match spec {
                CrossSpec::Pair(x, y) => pairs.push((x, y)),
                CrossSpec::All if numeric.len() > MAX_CROSS_COLUMNS => {
                    return Err(OptionsError::Conflict {
                        name: "crosses".into(),
                        problem: format!(
                            "asks for all pairs of {} numeric columns; there may be {MAX_CROSS_COLUMNS}",
                            numeric.len()
                        ),
                        hint: Some("name the pairs, or leave columns out with `exclude`".into()),
                    }
                    .into());
                }
                CrossSpec::All => {
                    for (at, x) in numeric.iter().enumerate() {
                        pairs.extend(numeric[at + 1..].iter().map(|y| (*x, *y)));
                    }
                }
            }
        }
        let mut unique: Vec<Pair> = Vec::new();
        for (x, y) in pairs {
            if !unique.iter().any(|pair| (pair.x == x && pair.y == y) || (pair.x == y && pair.y == x)) {
                unique.push(Pair { x: x.into(), y: y.into(), moments: CoMoments::new() });
            }
        }
        Ok(Self { pairs: unique })
    }

    fn columns(&self) -> Vec<&str> {
        let mut columns: Vec<&str> = self.pairs.iter().flat_map(|pair| [&*pair.x, &*pair.y]).collect();
        columns.sort_unstable();
        columns.dedup();
        columns
    }
}

/// The number of each row, null where there is not exactly one.
fn single_numbers(name: &str, values: &ArrayRef) -> Result<Float64Array> {
    let purpose = "a cross with another column";
    let Some(lists) = values.as_list_opt::<i32>() else { return numbers(name, values, purpose) };
    let single = |row: usize| {
        (!lists.is_null(row) && lists.value_length(row) == 1).then(|| lists.value_offsets()[row])
    };
    let rows: Int32Array = (0..lists.len()).map(single).collect();
    let taken = arrow::compute::take(lists.values(), &rows, None)
        .map_err(|error| CommonError::Internal(format!("column `{name}`: {error}")))?;
    numbers(name, &taken, purpose)
}

impl Accumulator for CrossFeatures {
    type Output = Vec<CrossStatistics>;

    fn inputs(&self) -> Inputs {
        self.columns().into_iter().fold(Inputs::default(), Inputs::with_column)
    }

    fn empty(&self) -> Self {
        let pair = |pair: &Pair| Pair { x: pair.x.clone(), y: pair.y.clone(), moments: CoMoments::new() };
        Self { pairs: self.pairs.iter().map(pair).collect() }
    }

    fn update(&mut self, input: Input<'_>) -> Result<()> {
        let Input::Rows(batch) = input else { return Ok(()) };
        let mut columns: Vec<(String, Arc<Float64Array>)> = Vec::new();
        for name in self.columns() {
            // A part of the data without the column has no pair of it.
            if let Some(values) = batch.column(name) {
                columns.push((name.into(), Arc::new(single_numbers(name, values)?)));
            }
        }
        let of = |name: &str| columns.iter().find(|(mine, _)| mine == name).map(|(_, values)| values);
        let finite = |value: &f64| value.is_finite();
        let (mut x, mut y) = (Vec::new(), Vec::new());
        for pair in &mut self.pairs {
            let Some((all_x, all_y)) = of(&pair.x).zip(of(&pair.y)) else { continue };
            x.clear();
            y.clear();
            for both in all_x.iter().zip(all_y.iter()) {
                if let (Some(one), Some(other)) = (both.0.filter(finite), both.1.filter(finite)) {
                    x.push(one);
                    y.push(other);
                }
            }
            pair.moments.update(&x, &y);
        }
        Ok(())
    }

    fn merge(&mut self, later: Self, _: &GroupMap) -> Result<()> {
        for pair in later.pairs {
            match self.pairs.iter_mut().find(|mine| mine.x == pair.x && mine.y == pair.y) {
                Some(mine) => mine.moments.merge(pair.moments),
                None => self.pairs.push(pair),
            }
        }
        Ok(())
    }

    fn finish(self) -> Self::Output {
        let statistics = |pair: Pair| {
            let has_rows = pair.moments.count() > 0;
            CrossStatistics {
                num_rows: pair.moments.count(),
                covariance: pair.moments.covariance().unwrap_or(if has_rows { f64::MAX } else { 0.0 }),
                correlation: pair.moments.correlation(),
                x: pair.x,
                y: pair.y,
            }
        };
        self.pairs.into_iter().map(statistics).collect()
    }

    fn size_bytes(&self) -> usize {
        let names: usize = self.pairs.iter().map(|pair| pair.x.capacity() + pair.y.capacity()).sum();
        self.pairs.capacity() * size_of::<Pair>() + names
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::{Int64Array, ListArray, RecordBatch};
    use arrow::datatypes::{Float64Type, Int64Type};
    use proptest::prelude::*;
    use sluice_core::BatchSource;
    use sluice_core::execution::Execution;
    use sluice_core::fold::fold;
    use sluice_testkit::{MemorySource, assert_relative, laws};

    use super::*;

    fn crosses(table: &RecordBatch, specs: &[CrossSpec], split_rows: u64) -> Vec<CrossStatistics> {
        let source = MemorySource::new(table, split_rows);
        let crosses = CrossFeatures::new(specs, source.plan().columns.iter()).unwrap();
        fold(&source, &crosses, &Execution::with_threads(2)).unwrap().accumulator.finish()
    }

    #[test]
    fn rows_with_one_value_each_count_as_in_tfdv() {
        // stat-031 of the golden cases: a row with two values of `a` is left out.
        let a = [Some(vec![Some(1), Some(2)]), Some(vec![Some(1)]), Some(vec![Some(3)]), Some(vec![Some(5)])];
        let a = a.into_iter().chain([Some(vec![Some(6)]), Some(vec![Some(10)]), None, Some(vec![])]);
        let a = ListArray::from_iter_primitive::<Int64Type, _, _>(a);
        let b = [3.9, 2.0, 4.0, 6.0, 14.0, 16.0, 1.0, 1.0].map(|value| Some(vec![Some(value)]));
        let b = ListArray::from_iter_primitive::<Float64Type, _, _>(b);
        let table = RecordBatch::try_from_iter([("a", Arc::new(a) as ArrayRef), ("b", Arc::new(b))]).unwrap();
        let found = crosses(&table, &["a,b".parse().unwrap()], 3).remove(0);
        assert_eq!((found.x.as_str(), found.y.as_str(), found.num_rows), ("a", "b", 5));
        assert_relative(found.covariance, 15.6, 1e-15);
        assert_relative(found.correlation.unwrap(), 0.923_145, 1e-6);
    }

    #[test]
    fn all_means_every_pair_of_numbers_once() {
        let number = |values: [f64; 3]| Arc::new(Float64Array::from(values.to_vec())) as ArrayRef;
        let table = RecordBatch::try_from_iter([
            ("z", number([1.0, 2.0, f64::INFINITY])),
            ("k", Arc::new(Int64Array::from(vec![Some(5), Some(7), None])) as ArrayRef),
            ("t", Arc::new(arrow::array::StringArray::from(vec!["a", "b", "c"])) as ArrayRef),
            ("a", number([2.0, f64::NAN, 4.0])),
        ])
        .unwrap();
        let specs = ["z,a".parse().unwrap(), CrossSpec::All];
        let found = crosses(&table, &specs, 2);
        let rows: Vec<(&str, &str, u64)> =
            found.iter().map(|cross| (cross.x.as_str(), cross.y.as_str(), cross.num_rows)).collect();
        assert_eq!(rows, [("z", "a", 1), ("a", "k", 1), ("k", "z", 2)]);
        assert_eq!(found[2].correlation, Some(1.0));
        let many: Vec<PlannedColumn> =
            (0..41).map(|n| PlannedColumn { name: format!("c{n}"), kind: ColumnKind::Float }).collect();
        let error = CrossFeatures::new(&[CrossSpec::All], many.iter()).unwrap_err();
        assert!(error.to_string().contains("all pairs of 41 numeric columns"), "{error}");
        assert_eq!(CrossFeatures::new(&[CrossSpec::All], many[1..].iter()).unwrap().pairs.len(), 780);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(12))]
        #[test]
        fn the_laws_hold(rows in 0_usize..300, split_rows in 1_u64..90) {
            let column = |step: usize, missing: usize| -> ArrayRef {
                let value = |n: usize| (n % missing != 1).then(|| ((n * step) % 101) as f64 / 3.0 - 5.0);
                Arc::new((0..rows).map(value).collect::<Float64Array>())
            };
            let table =
                RecordBatch::try_from_iter([("a", column(7, 5)), ("b", column(13, 9)), ("c", column(29, 4))]).unwrap();
            let source = MemorySource::new(&table, split_rows).with_batch_rows(16);
            laws::check(&source, &CrossFeatures::new(&[CrossSpec::All], source.plan().columns.iter()).unwrap());
        }
    }
}
