//! The models of the folds, and how well they tell rows apart that they were not fitted on.
//!
//! Where the levels of all columns are more than [`MAX_WIDTH`], the columns whose levels differ most between the sides,
//! by chi-square over its degrees of freedom among the rows that the model is fitted on, are taken until they are that
//! many. Products are features like any other.

use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, Int64Array, RecordBatch, UInt32Array, UInt64Array};
use sluice_core::batch::Batch;
use sluice_core::column::Column;
use sluice_core::error::{CommonError, Result};
use sluice_core::execution::{Execution, Silent};
use sluice_core::features::{FeatureBatch, FeatureColumn, FeatureKind, FeatureSpace, FeatureSpec};
use sluice_core::seam::BatchTransform;
use sluice_quality::drift::TellingColumn;
use sluice_training::interop::TableSource;
use sluice_training::{Distribution, GlmOptions, TrainingColumns, TrainingData, fit_glm};

use super::auc::Area;
use super::encode::{Encoded, MAX_WIDTH};
use super::{Folds, by_what_they_tell};

/// The penalty: scikit-learn's C = 1.
const ALPHA: f64 = 1.0;
const ROW: &str = "row";
const LABEL: &str = "is_current";

/// A feature of a fit: a column by its levels, or a pair.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Source {
    Column(usize),
    Pair(usize),
}

/// Features of rows by their numbers.
struct Features {
    encoded: Arc<Encoded>,
    sources: Vec<Source>,
    space: FeatureSpace,
}

impl Features {
    fn new(encoded: &Arc<Encoded>, sources: Vec<Source>) -> Self {
        let feature = |source: &Source| {
            let (name, kind) = match source {
                Source::Column(index) => {
                    let column = &encoded.columns[*index];
                    let levels = (0..column.num_levels).map(|level| level.to_string()).collect();
                    (&column.name, FeatureKind::OneHot { levels })
                }
                Source::Pair(index) => (&encoded.pairs[*index].name, FeatureKind::Number),
            };
            FeatureSpec { name: name.clone(), kind, sources: vec![ROW.into()] }
        };
        let space = FeatureSpace { features: sources.iter().map(feature).collect() };
        Self { encoded: Arc::clone(encoded), sources, space }
    }
}

impl BatchTransform for Features {
    fn inputs(&self) -> Vec<String> {
        vec![ROW.into()]
    }

    fn space(&self) -> &FeatureSpace {
        &self.space
    }

    fn apply(&self, batch: &Batch) -> Result<FeatureBatch> {
        let Column::Unsigned(rows) = Column::view(batch.require(ROW)?) else {
            return Err(CommonError::Internal("rows are numbered".into()).into());
        };
        let rows: Vec<usize> =
            rows.values().iter().map(|row| usize::try_from(*row).unwrap_or(usize::MAX)).collect();
        let column = |source: &Source| match source {
            Source::Column(index) => {
                let levels = &self.encoded.columns[*index].levels;
                FeatureColumn::Codes(UInt32Array::from_iter_values(rows.iter().map(|row| levels[*row])))
            }
            Source::Pair(index) => {
                let values = &self.encoded.pairs[*index].values;
                FeatureColumn::Numbers(Float64Array::from_iter_values(rows.iter().map(|row| values[*row])))
            }
        };
        Ok(FeatureBatch { rows: rows.len(), columns: self.sources.iter().map(column).collect() })
    }
}

/// The areas of the folds, and what each column tells.
pub(super) fn scored(
    encoded: &Arc<Encoded>,
    folds: &Folds,
    execution: &Execution,
) -> Result<(Vec<Area>, Vec<TellingColumn>)> {
    // The fits of a comparison are many and short.
    let execution = Execution { progress: Arc::new(Silent), ..execution.clone() };
    let names = names(encoded);
    let mut areas = Vec::new();
    let mut of_sources = vec![(Vec::new(), Vec::new()); names.len()];
    for fold in 0..folds.number {
        let (held, others): (Vec<usize>, Vec<usize>) =
            (0..folds.of_row.len()).partition(|row| folds.of_row[*row] == fold);
        let sources = chosen(encoded, &others);
        let parts = parts(encoded, sources.clone(), &others, &held, &execution)?;
        let is_current: Vec<bool> = held.iter().map(|row| encoded.is_current[*row]).collect();
        let mut scores = vec![0.0; held.len()];
        for part in &parts {
            scores.iter_mut().zip(part).for_each(|(score, part)| *score += part);
        }
        let area = Area::of(&scores, &is_current);
        areas.push(area);
        let nothing = Area::of(&vec![0.0; held.len()], &is_current);
        for (index, of_source) in of_sources.iter_mut().enumerate() {
            let part = sources.iter().position(|source| place(encoded, *source) == index);
            let (alone, without) = match part {
                Some(part) => {
                    let rest: Vec<f64> =
                        scores.iter().zip(&parts[part]).map(|(score, part)| score - part).collect();
                    (Area::of(&parts[part], &is_current), Area::of(&rest, &is_current))
                }
                None => (nothing, area),
            };
            of_source.0.push(alone);
            of_source.1.push(without);
        }
    }
    let together = Area::mean(&areas).value;
    let columns = names.into_iter().zip(of_sources).map(|(column, (alone, without))| TellingColumn {
        column,
        alone: Area::mean(&alone).value,
        drop: together - Area::mean(&without).value,
    });
    Ok((areas, by_what_they_tell(columns.collect())))
}

fn names(encoded: &Encoded) -> Vec<String> {
    let columns = encoded.columns.iter().map(|column| column.name.clone());
    columns.chain(encoded.pairs.iter().map(|pair| pair.name.clone())).collect()
}

/// The index of a source among all.
fn place(encoded: &Encoded, source: Source) -> usize {
    match source {
        Source::Column(index) => index,
        Source::Pair(index) => encoded.columns.len() + index,
    }
}

/// The columns that a model takes, all that there is room for, and the pairs.
fn chosen(encoded: &Encoded, rows: &[usize]) -> Vec<Source> {
    let width: usize = encoded.columns.iter().map(|column| column.num_levels).sum();
    let pairs = (0..encoded.pairs.len()).map(Source::Pair);
    let all = 0..encoded.columns.len();
    if width + encoded.pairs.len() <= MAX_WIDTH {
        return all.map(Source::Column).chain(pairs).collect();
    }
    let mut ranked: Vec<(f64, usize)> = all.map(|index| (difference(encoded, index, rows), index)).collect();
    ranked.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
    let mut left = MAX_WIDTH.saturating_sub(encoded.pairs.len());
    let mut kept = Vec::new();
    for (_, index) in ranked {
        let levels = encoded.columns[index].num_levels;
        if levels > left {
            break;
        }
        left -= levels;
        kept.push(index);
    }
    kept.sort_unstable();
    kept.into_iter().map(Source::Column).chain(pairs).collect()
}

/// Pearson's statistic of the levels of a column by side, over its degrees of freedom.
fn difference(encoded: &Encoded, index: usize, rows: &[usize]) -> f64 {
    let column = &encoded.columns[index];
    let mut counts = vec![(0.0, 0.0); column.num_levels];
    for row in rows {
        let count = &mut counts[column.levels[*row] as usize];
        if encoded.is_current[*row] {
            count.0 += 1.0;
        } else {
            count.1 += 1.0;
        }
    }
    sluice_quality::drift::shares::chi_square(&counts)
        .map_or(0.0, |(statistic, freedom)| if freedom > 0.0 { statistic / freedom } else { 0.0 })
}

/// What each feature adds to the score of the rows that are held back, by a model of the others.
fn parts(
    encoded: &Arc<Encoded>,
    sources: Vec<Source>,
    others: &[usize],
    held: &[usize],
    execution: &Execution,
) -> Result<Vec<Vec<f64>>> {
    let features = Features::new(encoded, sources.clone());
    let number = |row: &usize| *row as u64;
    let rows: ArrayRef = Arc::new(UInt64Array::from_iter_values(others.iter().map(number)));
    let labels = others.iter().map(|row| i64::from(encoded.is_current[*row]));
    let labels: ArrayRef = Arc::new(Int64Array::from_iter_values(labels));
    let table = RecordBatch::try_from_iter([(ROW, rows), (LABEL, labels)])
        .map_err(|error| CommonError::Internal(error.to_string()))?;
    let source = TableSource::new(table)?;
    let transform: Arc<dyn BatchTransform> = Arc::new(features);
    let columns = TrainingColumns::from(LABEL);
    let data = TrainingData { source: &source, transform: &transform, columns: &columns };
    let model = fit_glm(data, Distribution::Logistic, &GlmOptions::from(ALPHA), None, execution)?;
    let coefficients: Vec<f64> =
        model.label_output().coefficients.iter().map(|coefficient| coefficient.value).collect();
    let mut first = 0;
    let mut parts = Vec::new();
    for source in sources {
        parts.push(match source {
            Source::Column(index) => {
                let column = &encoded.columns[index];
                let own = &coefficients[first..first + column.num_levels];
                first += column.num_levels;
                held.iter().map(|row| own[column.levels[*row] as usize]).collect()
            }
            Source::Pair(index) => {
                let own = coefficients[first];
                first += 1;
                held.iter().map(|row| own * encoded.pairs[index].values[*row]).collect()
            }
        });
    }
    Ok(parts)
}
