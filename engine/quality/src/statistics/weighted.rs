//! Statistics in which every row counts by its weight.
//!
//! A value in a list counts by the weight of its row, a field of a struct by the weight of the row of its struct.
//! Presence and numbers of values are exact sums of weights; moments are in double-double; quantiles and most
//! frequent values state their bounds. NaN and infinities are values but enter no figure; rows of weight 0 change
//! nothing. The weight itself must be a finite number from 0 to [`HEAVIEST`] in every row.

use arrow::array::{Array, ArrayRef, AsArray, UInt32Array};
use arrow::compute::take;
use arrow::datatypes::DataType;
use serde::{Deserialize, Serialize};

use sluice_core::column::{Column, ColumnKind, numbers};
use sluice_core::double_double::DoubleDouble;
use sluice_core::error::{CommonError, Result};
use sluice_core::statistics::{
    Bucket, ColumnStatistics, Histogram, Histograms, MAX_TOP_VALUES, Quantiles, WeightedNumericStatistics,
    WeightedStatistics,
};
use sluice_summaries::{
    ExactSum, WeightedBar, WeightedFrequencies, WeightedMoments, WeightedQuantiles, WeightedRanks,
};

use super::few_values::FewValues;
use super::options::StatisticsError;
use super::profile::QUANTILES;

/// The greatest weight, so that sums over any number of rows stay in the range of `f64`.
pub(super) const HEAVIEST: f64 = 1e100;
/// Buckets of the histograms, as TFDV has them unless told otherwise.
const BUCKETS: u32 = 10;

/// The weights of the rows of a batch.
///
/// # Errors
/// [`StatisticsError::WeightMalformed`] at the first row without a weight.
pub(super) fn weights_of(column: &str, values: &ArrayRef) -> Result<Vec<f64>> {
    let weights = numbers(column, values, "`weight`")?;
    let malformed = |row: usize, found: String| {
        sluice_core::Error::from(StatisticsError::WeightMalformed { column: column.into(), found })
            .at_row(row)
    };
    for (row, weight) in weights.iter().enumerate() {
        match weight {
            None => return Err(malformed(row, "null".into())),
            Some(weight) if !(0.0..=HEAVIEST).contains(&weight) => {
                return Err(malformed(row, weight.to_string()));
            }
            Some(_) => {}
        }
    }
    Ok(weights.values().to_vec())
}

/// The weighted summary of a column, of what its lists hold, or of a field of its structs.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct WeightedColumn {
    name: String,
    num_present: ExactSum,
    num_missing: ExactSum,
    num_values: ExactSum,
    values: Values,
    /// Of a struct.
    fields: Vec<Self>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
enum Values {
    Nothing,
    Numbers {
        moments: WeightedMoments,
        quantiles: WeightedQuantiles,
        categories: Option<WeightedFrequencies>,
    },
    Texts(WeightedFrequencies),
}

impl WeightedColumn {
    /// The summary of a column of this kind; of `categories` the values are counted as those of text are.
    pub(super) fn new(name: &str, kind: &ColumnKind, is_category: bool) -> Self {
        let innermost = kind.innermost();
        let values = match innermost {
            ColumnKind::Text => Values::Texts(WeightedFrequencies::new()),
            kind if kind.is_number() => Values::Numbers {
                moments: WeightedMoments::new(),
                quantiles: WeightedQuantiles::new(),
                categories: is_category.then(WeightedFrequencies::new),
            },
            _ => Values::Nothing,
        };
        let fields = match innermost {
            ColumnKind::Struct(fields) => {
                fields.iter().map(|(name, kind)| Self::new(name, kind, false)).collect()
            }
            _ => Vec::new(),
        };
        Self {
            name: name.into(),
            num_present: ExactSum::new(),
            num_missing: ExactSum::new(),
            num_values: ExactSum::new(),
            values,
            fields,
        }
    }

    /// The same column, no rows.
    pub(super) fn empty(&self) -> Self {
        let values = match &self.values {
            Values::Nothing => Values::Nothing,
            Values::Numbers { categories, .. } => Values::Numbers {
                moments: WeightedMoments::new(),
                quantiles: WeightedQuantiles::new(),
                categories: categories.as_ref().map(|_| WeightedFrequencies::new()),
            },
            Values::Texts(_) => Values::Texts(WeightedFrequencies::new()),
        };
        Self {
            name: self.name.clone(),
            num_present: ExactSum::new(),
            num_missing: ExactSum::new(),
            num_values: ExactSum::new(),
            values,
            fields: self.fields.iter().map(Self::empty).collect(),
        }
    }

    /// Adds rows in which the column does not exist.
    pub(super) fn absent(&mut self, weights: &[f64]) {
        self.num_missing.add_slice(weights);
    }

    /// The same of rows whose weights are known only as their sum.
    pub(super) fn absent_together(&mut self, weight: &ExactSum) {
        self.num_missing.merge(*weight);
    }

    /// Adds rows, each with its weight.
    pub(super) fn rows(&mut self, array: &ArrayRef, weights: &[f64]) -> Result<()> {
        let nulls = array.logical_nulls().filter(|nulls| nulls.null_count() > 0);
        let mut present = ExactSum::new();
        match &nulls {
            None => present.add_slice(weights),
            Some(nulls) => {
                let (mut valid, mut missing) = (Vec::with_capacity(weights.len()), Vec::new());
                for (is_valid, weight) in nulls.iter().zip(weights) {
                    if is_valid { &mut valid } else { &mut missing }.push(*weight);
                }
                present.add_slice(&valid);
                self.num_missing.add_slice(&missing);
            }
        }
        self.num_present.merge(present);
        if let DataType::List(_) | DataType::Struct(_) = array.data_type() {
            return self.elements(array, weights);
        }
        // What is present is the value.
        self.num_values.merge(present);
        self.values.add(&self.name, array, weights)
    }

    /// Adds values; those in lists with the weights of their rows.
    fn elements(&mut self, array: &ArrayRef, weights: &[f64]) -> Result<()> {
        if let DataType::List(_) = array.data_type() {
            let lists = array.as_list::<i32>();
            let offsets = lists.value_offsets();
            let (mut elements, mut theirs) = (Vec::new(), Vec::new());
            for row in (0..lists.len()).filter(|row| lists.is_valid(*row)) {
                for element in offsets[row]..offsets[row + 1] {
                    elements.push(element.cast_unsigned());
                    theirs.push(weights[row]);
                }
            }
            return self.elements(&taken(lists.values(), elements)?, &theirs);
        }
        let nulls = array.logical_nulls();
        let is_valid = |row: &usize| nulls.as_ref().is_none_or(|nulls| nulls.is_valid(*row));
        let valid = (0..array.len()).filter(is_valid);
        if let DataType::Struct(_) = array.data_type() {
            let structs = array.as_struct();
            let rows: Vec<u32> = valid.filter_map(|row| u32::try_from(row).ok()).collect();
            let theirs: Vec<f64> = rows.iter().map(|row| weights[*row as usize]).collect();
            self.num_values.add_slice(&theirs);
            for (field, column) in self.fields.iter_mut().zip(structs.columns()) {
                field.rows(&taken(column, rows.clone())?, &theirs)?;
            }
            return Ok(());
        }
        self.num_values.add_slice(&valid.map(|row| weights[row]).collect::<Vec<_>>());
        self.values.add(&self.name, array, weights)
    }

    /// Joins the summary of later rows.
    pub(super) fn merge(&mut self, later: Self) {
        self.num_present.merge(later.num_present);
        self.num_missing.merge(later.num_missing);
        self.num_values.merge(later.num_values);
        match (&mut self.values, later.values) {
            (
                Values::Numbers { moments, quantiles, categories },
                Values::Numbers { moments: m, quantiles: q, categories: c },
            ) => {
                moments.merge(m);
                quantiles.merge(q);
                if let (Some(mine), Some(theirs)) = (categories, c) {
                    mine.merge(theirs);
                }
            }
            (Values::Texts(mine), Values::Texts(theirs)) => mine.merge(theirs),
            // Two summaries of one plan have the same kind, so nothing else meets but nothing and nothing.
            _ => {}
        }
        self.fields.iter_mut().zip(later.fields).for_each(|(mine, theirs)| mine.merge(theirs));
    }

    /// Puts the figures of the column and its fields where they belong.
    pub(super) fn show(self, columns: &mut [ColumnStatistics]) {
        self.show_at(&mut Vec::new(), columns);
    }

    fn show_at(self, steps: &mut Vec<String>, columns: &mut [ColumnStatistics]) {
        steps.push(self.name);
        for field in self.fields {
            field.show_at(steps, columns);
        }
        if let Some(column) = columns.iter_mut().find(|column| column.steps() == steps.as_slice()) {
            let mut weighted = WeightedStatistics {
                num_present: self.num_present.to_f64(),
                num_missing: self.num_missing.to_f64(),
                num_values: self.num_values.to_f64(),
                numeric: None,
                top_values: Vec::new(),
                top_values_max_error: 0.0,
            };
            match self.values {
                Values::Nothing => {}
                Values::Numbers { moments, quantiles, categories } => {
                    weighted.numeric = numeric(&moments, &quantiles.ranks());
                    show_top(categories, &mut weighted);
                }
                Values::Texts(frequencies) => show_top(Some(frequencies), &mut weighted),
            }
            column.weighted = Some(weighted);
        }
        steps.pop();
    }

    /// Bytes held, capacity included.
    pub(super) fn size_bytes(&self) -> usize {
        let values = match &self.values {
            Values::Nothing => 0,
            Values::Numbers { quantiles, categories, .. } => {
                quantiles.size_bytes() + categories.as_ref().map_or(0, WeightedFrequencies::size_bytes)
            }
            Values::Texts(frequencies) => frequencies.size_bytes(),
        };
        let fields: usize = self.fields.iter().map(Self::size_bytes).sum();
        let sums = [&self.num_present, &self.num_missing, &self.num_values];
        size_of::<Self>() + values + fields + sums.iter().map(|sum| sum.size_bytes()).sum::<usize>()
    }
}

fn taken(array: &ArrayRef, rows: Vec<u32>) -> Result<ArrayRef> {
    take(array, &UInt32Array::from(rows), None)
        .map_err(|error| CommonError::Internal(format!("cannot take rows: {error}")).into())
}

impl Values {
    /// Adds what is not null.
    fn add(&mut self, name: &str, array: &ArrayRef, weights: &[f64]) -> Result<()> {
        match self {
            Self::Nothing => {}
            Self::Numbers { moments, quantiles, categories } => {
                let values = numbers(name, array, "statistics")?;
                if let Some(categories) = categories {
                    add_categories(categories, array, weights);
                }
                if let Some(few) = FewValues::of(array) {
                    add_few(moments, quantiles, &few, values.values(), weights);
                    return Ok(());
                }
                let pairs: Vec<(f64, f64)> = values
                    .iter()
                    .zip(weights)
                    .filter_map(|(value, weight)| Some((value.filter(|value| value.is_finite())?, *weight)))
                    .collect();
                moments.update(&pairs);
                quantiles.update(&pairs);
            }
            Self::Texts(frequencies) => add_texts(frequencies, array, weights),
        }
        Ok(())
    }
}

/// Each value once, with the weights of its rows together.
fn add_few(
    moments: &mut WeightedMoments,
    quantiles: &mut WeightedQuantiles,
    few: &FewValues,
    values: &[f64],
    weights: &[f64],
) {
    let mut of_code = vec![DoubleDouble::ZERO; few.firsts.len()];
    for (code, weight) in few.codes.iter().zip(weights) {
        // The code of null is past the end.
        if let Some(sum) = of_code.get_mut(*code as usize) {
            *sum = *sum + *weight;
        }
    }
    let values = few.firsts.iter().map(|row| values[*row as usize]);
    let sums: Vec<(f64, DoubleDouble)> = values.zip(of_code).filter(|(value, _)| value.is_finite()).collect();
    moments.update_summed(&sums);
    quantiles.update(&sums.iter().map(|(value, weight)| (*value, weight.to_f64())).collect::<Vec<_>>());
}

fn add_texts(frequencies: &mut WeightedFrequencies, array: &ArrayRef, weights: &[f64]) {
    let view = Column::view(array);
    if let Column::CodedText(codes, values) = view
        && values.len() <= array.len()
    {
        // Each code is looked up once, not once per row.
        let mut of_code = vec![DoubleDouble::ZERO; values.len()];
        for (code, weight) in codes.iter().zip(weights) {
            if let Some(code) = code.and_then(|code| usize::try_from(code).ok()) {
                of_code[code] = of_code[code] + *weight;
            }
        }
        for (code, weight) in of_code.into_iter().enumerate().filter(|(code, _)| values.is_valid(*code)) {
            frequencies.update(values.value(code), weight);
        }
        return;
    }
    for (row, weight) in weights.iter().enumerate() {
        if let Some(text) = view.text(row) {
            frequencies.update(text, *weight);
        }
    }
}

fn add_categories(frequencies: &mut WeightedFrequencies, array: &ArrayRef, weights: &[f64]) {
    let mut pairs: Vec<(i128, f64)> = match Column::view(array) {
        Column::Integer(values) => {
            let values = values.iter().zip(weights);
            values.filter_map(|(value, weight)| Some((i128::from(value?), *weight))).collect()
        }
        Column::Unsigned(values) => {
            let values = values.iter().zip(weights);
            values.filter_map(|(value, weight)| Some((i128::from(value?), *weight))).collect()
        }
        _ => Vec::new(),
    };
    // Sorted, so that a value is written as text once per batch.
    pairs.sort_by_key(|(value, _)| *value);
    for run in pairs.chunk_by(|a, b| a.0 == b.0) {
        let weight = run.iter().fold(DoubleDouble::ZERO, |sum, (_, weight)| sum + *weight);
        frequencies.update(&run[0].0.to_string(), weight);
    }
}

fn show_top(frequencies: Option<WeightedFrequencies>, weighted: &mut WeightedStatistics) {
    if let Some(frequencies) = frequencies {
        weighted.top_values = frequencies.top(MAX_TOP_VALUES);
        weighted.top_values_max_error = frequencies.undercount();
    }
}

/// The figures of finite numbers; none where nothing weighs, or where they leave the range of `f64`.
fn numeric(moments: &WeightedMoments, ranks: &WeightedRanks) -> Option<WeightedNumericStatistics> {
    let (mean, standard_deviation) = (moments.mean()?, moments.standard_deviation()?);
    let values = QUANTILES.iter().filter_map(|q| Some((*q, ranks.quantile(*q)?))).collect();
    let histogram = |bars: Vec<WeightedBar>| Histogram {
        buckets: bars
            .into_iter()
            .map(|WeightedBar { low, high, weight }| Bucket { low, high, count: weight })
            .collect(),
        max_error: ranks.bar_error(),
    };
    Some(WeightedNumericStatistics {
        mean,
        standard_deviation,
        quantiles: Some(Quantiles { values, rank_error_fraction: ranks.rank_error_fraction() }),
        histograms: Some(Histograms {
            equal_width: histogram(ranks.equi_width(BUCKETS)),
            equal_depth: histogram(ranks.equi_depth(BUCKETS)),
        }),
    })
}
