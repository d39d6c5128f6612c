//! How the columns of the sparse and weighted features of a schema fit together: values with their positions, or with
//! their weights, in lists of equal length.
//!
//! All figures are exact counts over the rows in which one of the columns has a list, which may be empty, as TFDV has
//! it; a column that the data lack has none. Differences are the positions (weights) less the values of a row, where a
//! missing list counts as an empty one; they are 0 where there is no such row. A column that is no list has one value
//! in each row that has any. For fields of structs a row is one present struct. Deprecated features are counted too.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::compute::{filter, is_not_null};
use serde::{Deserialize, Serialize};

use sluice_core::accumulator::{Accumulator, Input};
use sluice_core::batch::{Batch, Inputs};
use sluice_core::error::Result;
use sluice_core::group::GroupMap;
use sluice_core::plan::PlannedColumn;
use sluice_core::schema::Schema;
use sluice_core::statistics::{ComposedStatistics, CustomStatistic};

use super::options::StatisticsError;
use super::profile::{internal, list_elements};

/// A sparse or weighted feature of a schema.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ComposedFeature {
    /// Its name.
    pub name: String,
    /// What goes with the values.
    pub kind: ComposedKind,
    /// The steps to the values.
    pub value: Vec<String>,
    /// The steps to what goes with them: each column of positions, or the weights.
    pub partners: Vec<Vec<String>>,
}

/// What goes with the values of a composed feature.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ComposedKind {
    /// Their positions.
    Sparse,
    /// Their weights.
    Weighted,
}

impl ComposedFeature {
    /// The features of a schema that consist of several columns.
    ///
    /// # Errors
    /// [`StatisticsError::ComposedApart`] where the columns of one lie in different structs, so that they have no rows
    /// in common.
    pub fn of_schema(schema: &Schema) -> Result<Vec<Self>> {
        let sparse = schema.sparse_features.iter().map(|feature| {
            let mut positions = feature.index_columns.clone();
            positions.sort();
            positions.dedup();
            Self {
                name: feature.name.clone(),
                kind: ComposedKind::Sparse,
                value: vec![feature.value_column.clone()],
                partners: positions.into_iter().map(|column| vec![column]).collect(),
            }
        });
        let weighted = schema.weighted_features.iter().map(|feature| Self {
            name: feature.name.clone(),
            kind: ComposedKind::Weighted,
            value: feature.value_path.clone(),
            partners: vec![feature.weight_path.clone()],
        });
        let features: Vec<Self> = sparse.chain(weighted).collect();
        for feature in &features {
            let above = |steps: &Vec<String>| steps.split_last().map(|(_, above)| above.to_vec());
            if let Some(partner) = feature.partners.iter().find(|one| above(one) != above(&feature.value)) {
                return Err(StatisticsError::ComposedApart {
                    feature: feature.name.clone(),
                    value: feature.value.join("."),
                    partner: partner.join("."),
                }
                .into());
            }
        }
        Ok(features)
    }

    fn paths(&self) -> impl Iterator<Item = &[String]> {
        std::iter::once(&self.value).chain(&self.partners).map(Vec::as_slice)
    }
}

/// The figures of all composed features of a schema.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct ComposedFeatures {
    features: Vec<Counts>,
    /// Those of their columns that the data have.
    columns: Vec<String>,
}

/// What was counted of one feature.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Counts {
    feature: ComposedFeature,
    missing_value: u64,
    /// In the order of [`ComposedFeature::partners`].
    partners: Vec<Partner>,
}

/// What was counted of the positions or weights of a feature.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Partner {
    missing: u64,
    /// The least and greatest difference of lengths, where there was a row.
    differences: Option<(i64, i64)>,
}

impl Partner {
    fn widen(&mut self, (low, high): (i64, i64)) {
        let (least, greatest) = self.differences.unwrap_or((low, high));
        self.differences = Some((least.min(low), greatest.max(high)));
    }
}

impl ComposedFeatures {
    /// Nothing counted yet.
    pub(super) fn new(features: &[ComposedFeature], columns: &[PlannedColumn]) -> Self {
        let first = |path: &[String]| path.first().cloned();
        let mut wanted: Vec<String> =
            features.iter().flat_map(ComposedFeature::paths).filter_map(first).collect();
        wanted.retain(|name| columns.iter().any(|column| column.name == *name));
        wanted.sort_unstable();
        wanted.dedup();
        Self { features: features.iter().cloned().map(Counts::new).collect(), columns: wanted }
    }
}

impl Counts {
    fn new(feature: ComposedFeature) -> Self {
        Self { missing_value: 0, partners: vec![Partner::default(); feature.partners.len()], feature }
    }

    fn rows(&mut self, batch: &Batch) -> Result<()> {
        let lengths: Vec<Option<Vec<Option<i64>>>> =
            self.feature.paths().map(|path| lengths(batch, path)).collect::<Result<_>>()?;
        // Where the data lack a column, its lists are missing; where they lack all of them, there is nothing to count.
        let Some(rows) = lengths.iter().flatten().map(Vec::len).next() else { return Ok(()) };
        let of = |column: usize, row: usize| lengths[column].as_ref().and_then(|lengths| lengths[row]);
        for row in 0..rows {
            if (0..lengths.len()).all(|column| of(column, row).is_none()) {
                continue;
            }
            let value = of(0, row);
            self.missing_value += u64::from(value.is_none());
            for (column, partner) in self.partners.iter_mut().enumerate() {
                let theirs = of(column + 1, row);
                partner.missing += u64::from(theirs.is_none());
                let difference = theirs.unwrap_or(0) - value.unwrap_or(0);
                partner.widen((difference, difference));
            }
        }
        Ok(())
    }

    fn merge(&mut self, later: Self) {
        self.missing_value += later.missing_value;
        for (mine, theirs) in self.partners.iter_mut().zip(later.partners) {
            mine.missing += theirs.missing;
            theirs.differences.into_iter().for_each(|differences| mine.widen(differences));
        }
    }

    fn finish(self) -> ComposedStatistics {
        let differences = |partner: &Partner| partner.differences.unwrap_or((0, 0));
        let mut figures = vec![("missing_value", CustomStatistic::Number(self.missing_value as f64))];
        match self.feature.kind {
            ComposedKind::Sparse => {
                let label = |path: &Vec<String>| path.last().cloned().unwrap_or_default();
                let labels: Vec<String> = self.feature.partners.iter().map(label).collect();
                let counts = |figure: &dyn Fn(&Partner) -> f64| {
                    CustomStatistic::Counts(
                        labels.iter().cloned().zip(self.partners.iter().map(figure)).collect(),
                    )
                };
                figures.extend([
                    ("missing_index", counts(&|partner| partner.missing as f64)),
                    ("min_length_diff", counts(&|partner| differences(partner).0 as f64)),
                    ("max_length_diff", counts(&|partner| differences(partner).1 as f64)),
                ]);
            }
            ComposedKind::Weighted => {
                for partner in &self.partners {
                    let (low, high) = differences(partner);
                    figures.extend([
                        ("missing_weight", CustomStatistic::Number(partner.missing as f64)),
                        ("min_weight_length_diff", CustomStatistic::Number(low as f64)),
                        ("max_weight_length_diff", CustomStatistic::Number(high as f64)),
                    ]);
                }
            }
        }
        let custom = figures.into_iter().map(|(name, figure)| (name.to_owned(), figure)).collect();
        ComposedStatistics { name: self.feature.name, custom }
    }
}

/// How many values each row has at these steps; none for the rows without a list, and in all where there is no such
/// column.
fn lengths(batch: &Batch, path: &[String]) -> Result<Option<Vec<Option<i64>>>> {
    let Some((column, fields)) = path.split_first() else { return Ok(None) };
    let Some(array) = batch.column(column) else { return Ok(None) };
    let mut array = Arc::clone(array);
    for name in fields {
        match field(&array, name)? {
            Some(inner) => array = inner,
            None => return Ok(None),
        }
    }
    let nulls = array.logical_nulls();
    let is_valid = |row: usize| nulls.as_ref().is_none_or(|nulls| nulls.is_valid(row));
    let lists = array.as_list_opt::<i32>();
    let length = |row: usize| lists.map_or(1, |lists| i64::from(lists.value_length(row)));
    Ok(Some((0..array.len()).map(|row| is_valid(row).then(|| length(row))).collect()))
}

/// The values of a field in the structs that are there, also in those that lists hold.
fn field(array: &ArrayRef, name: &str) -> Result<Option<ArrayRef>> {
    let mut array = Arc::clone(array);
    while let Some(lists) = array.as_list_opt::<i32>() {
        array = list_elements(lists)?;
    }
    let Some(structs) = array.as_struct_opt() else { return Ok(None) };
    let Some(values) = structs.column_by_name(name) else { return Ok(None) };
    if structs.null_count() == 0 {
        return Ok(Some(Arc::clone(values)));
    }
    let present = is_not_null(structs).map_err(internal)?;
    filter(values, &present).map(Some).map_err(internal)
}

impl Accumulator for ComposedFeatures {
    /// In the order of the schema.
    type Output = Vec<ComposedStatistics>;

    fn inputs(&self) -> Inputs {
        self.columns.iter().fold(Inputs::default(), Inputs::with_column)
    }

    fn empty(&self) -> Self {
        let features = self.features.iter().map(|counts| Counts::new(counts.feature.clone()));
        Self { features: features.collect(), columns: self.columns.clone() }
    }

    fn update(&mut self, input: Input<'_>) -> Result<()> {
        let Input::Rows(batch) = input else { return Ok(()) };
        self.features.iter_mut().try_for_each(|feature| feature.rows(batch))
    }

    fn merge(&mut self, later: Self, _: &GroupMap) -> Result<()> {
        self.features.iter_mut().zip(later.features).for_each(|(mine, theirs)| mine.merge(theirs));
        Ok(())
    }

    fn finish(self) -> Self::Output {
        self.features.into_iter().map(Counts::finish).collect()
    }

    fn size_bytes(&self) -> usize {
        let texts =
            |texts: &[String]| texts.iter().map(|text| text.capacity() + size_of::<String>()).sum::<usize>();
        let feature = |counts: &Counts| {
            let paths: usize = counts.feature.paths().map(texts).sum();
            size_of::<Counts>() + paths + counts.partners.capacity() * size_of::<Partner>()
        };
        self.features.iter().map(feature).sum::<usize>() + texts(&self.columns)
    }
}

#[cfg(test)]
mod tests;
