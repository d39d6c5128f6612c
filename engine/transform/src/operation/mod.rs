//! The operations, one file each: options, what must be known of the training rows, the fitted constants, and
//! what they do to null, NaN, infinities and unseen values.
//!
//! An operation goes through three forms. As **options** ([`Plan`]) it stands in the pipeline file; `plan` binds it to
//! columns, checks their kinds and adds steps to the graph. As a **fitting** ([`Fitting`]) it names the analyzers it
//! needs and turns their answers into constants. As a **mapper** ([`Map`], one variant of [`Mapper`]) it is data and
//! maps values to values wherever the model runs. To add one: a file here; a variant in
//! [`crate::spec::Operation`] and, if it leaves constants, in [`Mapper`]; the compiler shows the rest.

pub(crate) mod bucketize;
pub(crate) mod cross;
pub(crate) mod cyclic;
pub(crate) mod date_parts;
pub(crate) mod derive;
pub(crate) mod frequency;
pub(crate) mod gaussian;
pub(crate) mod hash_buckets;
pub(crate) mod haversine;
pub(crate) mod impute;
pub(crate) mod information;
pub(crate) mod interpolate;
pub(crate) mod keys;
pub(crate) mod levels;
pub(crate) mod lists;
pub(crate) mod math;
pub(crate) mod one_hot;
pub(crate) mod ordinal;
pub(crate) mod pca;
pub(crate) mod per_key;
pub(crate) mod polynomial;
pub(crate) mod power;
pub(crate) mod quantile;
pub(crate) mod scale;
pub(crate) mod sparse;
pub(crate) mod standardize;
pub(crate) mod text;

#[cfg(test)]
mod agreement;
pub(crate) mod target_mean;
pub(crate) mod texts;
pub(crate) mod vocabulary;

use arrow::array::Float64Array;
use arrow::datatypes::Float64Type;
use serde::{Deserialize, Serialize};

use sluice_core::affine::AffineMap;
use sluice_core::error::Result;
use sluice_core::options::OptionsError;

use crate::fit::Builder;
use crate::fit::analyzer::{Analyzer, Wanted};
use crate::graph::{Cell, CellInputs};
use crate::value::Value;

/// An operation as the user wrote it.
pub(crate) trait Plan {
    /// Checks what does not need the data.
    fn check(&self) -> Result<(), OptionsError> {
        Ok(())
    }

    /// Reads values from the graph, checks their kinds, and adds steps.
    fn plan(&self, graph: &mut Builder<'_>) -> Result<()>;
}

/// A planned operation that may have to learn.
pub(crate) trait Fitting: std::fmt::Debug + Send + Sync {
    /// What it must know of the training rows; nothing if empty. Asked once per scan.
    fn wanted(&self) -> Vec<Wanted>;

    /// Whether [`Fitted::Again`] may come of it, so that only the rows tell how many scans it takes.
    fn is_iterated(&self) -> bool {
        false
    }

    /// What the analyzers, in the order of [`Fitting::wanted`], tell.
    fn fit(self: Box<Self>, answers: Vec<Analyzer>) -> Result<Fitted>;
}

/// What comes of fitting.
#[derive(Debug)]
pub(crate) enum Fitted {
    /// The constants.
    Done(Mapper),
    /// Another scan is needed, with what this one told.
    Again(Box<dyn Fitting>),
}

/// An operation that has nothing to learn.
#[derive(Debug)]
pub(crate) struct Known(pub(crate) Mapper);

impl Fitting for Known {
    fn wanted(&self) -> Vec<Wanted> {
        Vec::new()
    }

    fn fit(self: Box<Self>, _: Vec<Analyzer>) -> Result<Fitted> {
        Ok(Fitted::Done(self.0))
    }
}

/// A fitted operation: values in, values out, row by row, without state.
pub(crate) trait Map {
    /// The outputs, as many rows each as the inputs have.
    fn apply(&self, inputs: &Inputs<'_>) -> Result<Vec<Value>>;

    /// The same for one row: pushes one cell per output. Must give the bits of [`Map::apply`].
    fn apply_row<'a>(&self, inputs: &CellInputs<'_, 'a>, outputs: &mut Vec<Cell<'a>>) -> Result<()> {
        self.apply_column_of_one(inputs, outputs)
    }

    /// The row as columns of one row each.
    fn apply_column_of_one<'a>(
        &self,
        inputs: &CellInputs<'_, 'a>,
        outputs: &mut Vec<Cell<'a>>,
    ) -> Result<()> {
        let values: Vec<Value> = inputs.slots.iter().map(|slot| inputs.cells[*slot].to_value()).collect();
        let columns = Inputs {
            operation: inputs.operation,
            names: inputs.names.iter().map(String::as_str).collect(),
            values: values.iter().collect(),
            rows: 1,
            hashes: None,
        };
        for value in self.apply(&columns)? {
            outputs.push(Cell::of_value(&value));
        }
        Ok(())
    }

    /// Whether it rounds products that [`Map::remainders`] gives in full.
    fn rounds_products(&self) -> bool {
        false
    }

    /// What rounding took from each output of [`Map::apply`], where it rounds products; any number where there is a null.
    fn remainders(&self, inputs: &Inputs<'_>) -> Result<Vec<Vec<f64>>> {
        let _ = inputs;
        Ok(Vec::new())
    }

    /// The number that leads to this one, where one number comes of one and nothing is forgotten; NaN for what does
    /// not come of any.
    fn inverse(&self, value: f64) -> Option<f64> {
        let _ = value;
        None
    }

    /// What it does, where it only moves and stretches one number.
    fn affine(&self) -> Option<AffineMap> {
        None
    }

    /// Whether what it makes of a training row leaves out what it learnt from the fold of that row.
    fn leaves_out_folds(&self) -> bool {
        false
    }

    /// Whether its outputs are sparse rows, their labels terms.
    fn is_sparse(&self) -> bool {
        false
    }

    /// What the levels or terms of an output are called, where it has any.
    fn labels(&self, output: usize) -> Option<Vec<String>> {
        let _ = output;
        None
    }
}

/// The values that an operation reads.
#[derive(Debug)]
pub(crate) struct Inputs<'a> {
    /// The operation, for messages.
    pub(crate) operation: &'a str,
    /// What each value is called.
    pub(crate) names: Vec<&'a str>,
    /// The values.
    pub(crate) values: Vec<&'a Value>,
    /// Rows.
    pub(crate) rows: usize,
    /// The hashes of the rows, where they are those that the transform was fitted on.
    pub(crate) hashes: Option<&'a [u64]>,
}

impl Inputs<'_> {
    /// The numbers of an input.
    pub(crate) fn numbers(&self, index: usize) -> Result<Float64Array> {
        self.values[index].numbers(self.names[index], &format!("`{}`", self.operation))
    }

    /// A number made of each number of the first input; null stays null.
    pub(crate) fn map_numbers(&self, function: impl Fn(f64) -> f64) -> Result<Vec<Value>> {
        Ok(vec![Value::floats(self.numbers(0)?.unary::<_, Float64Type>(function))])
    }
}

/// A fitted operation as data, in `transform.json` and in partial states.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mapper {
    /// Replaces null and NaN.
    Impute(impute::Fill),
    /// Says where null or NaN stands.
    IsMissing,
    /// Centres and scales.
    Standardize(standardize::Standardize),
    /// Scales to a range.
    ScaleToRange(scale::RangeScale),
    /// Divides by the largest absolute value.
    MaxAbsScale(scale::Affine),
    /// Centres by the median and scales by the distance of two quantiles.
    RobustScale(scale::Affine),
    /// A function of a number.
    Math(math::Function),
    /// Holds numbers between bounds.
    Clip(math::ClipBounds),
    /// An expression over columns.
    Derive(derive::Derived),
    /// Numbers to buckets.
    Bucketize(bucketize::Buckets),
    /// Codes for levels.
    OneHot(Box<levels::LevelTable>),

    // Dates, places, text, lists.
    /// Numbers to their place among edges.
    Interpolate(interpolate::Interpolation),
    /// Parts of dates.
    DateParts(date_parts::PartsOfDates),
    /// Sine and cosine of a number that goes round.
    Cyclic(cyclic::Angle),
    /// The distance between two places.
    Haversine(haversine::Distance),
    /// Terms of texts, counted.
    BagOfWords(text::term_table::TermTable),
    /// Terms of texts, weighed.
    TfIdf(text::term_table::TermTable),
    /// Words of texts, counted.
    WordCount(text::words::Words),
    /// Items of lists.
    MultiHot(lists::multi_hot::Indicators),
    /// The first or last items of lists.
    Pad(lists::pad::Padding),
    /// Lengths, means and the like of lists.
    ListStatistics(lists::statistics::Summary),
    // The family of numbers.
    /// A power, then centred and scaled.
    PowerTransform(power::Powered),
    /// The share of the training rows below a value.
    QuantileTransform(Box<quantile::QuantileTable>),
    /// Products of columns.
    Polynomial(polynomial::Products),
    /// Principal components.
    Pca(Box<pca::Components>),
    /// Draws in heavy tails.
    ScaleToGaussian(gaussian::Tails),
    // Categories.
    /// Codes for levels that every value must be one of.
    OneHotStrict(Box<one_hot::StrictLevels>),
    /// Numbers for levels.
    Ordinal(Box<ordinal::Ordinals>),
    /// Numbers or codes for tokens.
    Vocabulary(Box<vocabulary::Tokens>),
    /// Buckets of hashes.
    HashBuckets(hash_buckets::Hashing),
    /// Codes for combinations of values.
    Cross(Box<cross::Combinations>),
    /// Shares of levels.
    Frequency(Box<frequency::Shares>),
    /// Means of the label for levels.
    TargetMean(Box<target_mean::TargetMeans>),
    /// Centres and scales by key.
    StandardizePerKey(Box<per_key::PerKey<standardize::Standardize>>),
    /// Scales to a range by key.
    ScaleToRangePerKey(Box<per_key::PerKey<scale::RangeScale>>),
    /// Replaces null and NaN by key.
    ImputePerKey(Box<per_key::PerKey<impute::Fill>>),
}

impl Mapper {
    pub(crate) fn as_map(&self) -> &dyn Map {
        match self {
            Self::Impute(map) => map,
            Self::IsMissing => &impute::IsMissing,
            Self::Standardize(map) => map,
            Self::ScaleToRange(map) => map,
            Self::MaxAbsScale(map) | Self::RobustScale(map) => map,
            Self::Math(map) => map,
            Self::Clip(map) => map,
            Self::Derive(map) => map,
            Self::Bucketize(map) => map,
            Self::OneHot(map) => map.as_ref(),

            Self::Interpolate(map) => map,
            Self::DateParts(map) => map,
            Self::Cyclic(map) => map,
            Self::Haversine(map) => map,
            Self::BagOfWords(map) | Self::TfIdf(map) => map,
            Self::WordCount(map) => map,
            Self::MultiHot(map) => map,
            Self::Pad(map) => map,
            Self::ListStatistics(map) => map,
            Self::PowerTransform(map) => map,
            Self::QuantileTransform(map) => map.as_ref(),
            Self::Polynomial(map) => map,
            Self::Pca(map) => map.as_ref(),
            Self::ScaleToGaussian(map) => map,
            Self::OneHotStrict(map) => map.as_ref(),
            Self::Ordinal(map) => map.as_ref(),
            Self::Vocabulary(map) => map.as_ref(),
            Self::HashBuckets(map) => map,
            Self::Cross(map) => map.as_ref(),
            Self::Frequency(map) => map.as_ref(),
            Self::TargetMean(map) => map.as_ref(),
            Self::StandardizePerKey(map) => map.as_ref(),
            Self::ScaleToRangePerKey(map) => map.as_ref(),
            Self::ImputePerKey(map) => map.as_ref(),
        }
    }
}
