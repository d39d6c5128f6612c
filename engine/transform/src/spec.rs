//! What the user asks for, as in the section `transform:` of a pipeline file.

use std::marker::PhantomData;

use serde::de::value::MapAccessDeserializer;
use serde::de::{MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use sluice_core::options::OptionsError;

pub use crate::operation::bucketize::{Bucketize, BucketsBy, LevelOutput};
pub use crate::operation::cross::Cross;
pub use crate::operation::cyclic::Cyclic;
pub use crate::operation::date_parts::{DatePart, DateParts};
pub use crate::operation::derive::Derive;
pub use crate::operation::frequency::Frequency;
pub use crate::operation::gaussian::ScaleToGaussian;
pub use crate::operation::hash_buckets::HashBuckets;
pub use crate::operation::haversine::{Coordinate, Haversine, LengthUnit};
pub use crate::operation::impute::{Constant, Impute, ImputeWith};
pub use crate::operation::lists::multi_hot::MultiHot;
pub use crate::operation::lists::pad::{Pad, Side};
pub use crate::operation::lists::statistics::{ListStatistic, ListStatistics};
pub use crate::operation::math::{Clip, Function, Math};
pub use crate::operation::one_hot::{DropLevel, MAX_LEVELS, OneHot, Unseen};
pub use crate::operation::ordinal::Ordinal;
pub use crate::operation::pca::Pca;
pub use crate::operation::polynomial::Polynomial;
pub use crate::operation::power::{PowerMethod, PowerTransform};
pub use crate::operation::quantile::{Distribution, QuantileTransform};
pub use crate::operation::scale::{MaxAbsScale, RobustScale, ScaleToRange};
pub use crate::operation::standardize::StandardizeOptions;
pub use crate::operation::target_mean::TargetMean;
pub use crate::operation::text::bag_of_words::{BagOfWords, RowNorm, TfIdf};
pub use crate::operation::text::word_count::WordCount;
pub use crate::operation::text::words::Split;
pub use crate::operation::vocabulary::{AutoOr, Vocabulary, VocabularyBy};

use crate::operation::Plan;

/// Operations in order.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TransformSpec(pub Vec<Operation>);

/// One operation on one or several columns.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Operation {
    /// Mean 0 and standard deviation 1 over the training rows.
    Standardize(#[serde(deserialize_with = "listed")] StandardizeOptions),
    /// The smallest and the largest value of the training rows become the ends of a range.
    ScaleToRange(#[serde(deserialize_with = "listed")] ScaleToRange),
    /// Divided by the largest absolute value of the training rows.
    MaxAbsScale(#[serde(deserialize_with = "listed")] MaxAbsScale),
    /// Median 0, and the distance of two quantiles 1.
    RobustScale(#[serde(deserialize_with = "listed")] RobustScale),
    /// A function of a number.
    Math(Math),
    /// Held between two bounds.
    Clip(Clip),
    /// SQL expressions over columns.
    Derive(Derive),
    /// Numbers to buckets.
    Bucketize(Bucketize),
    /// One indicator column per level.
    OneHot(#[serde(deserialize_with = "listed")] OneHot),
    /// Replaces null and NaN.
    Impute(Impute),
    /// The column as it is.
    PassThrough(Vec<String>),
    /// Columns that were only steps on the way and shall not be features.
    Drop(Vec<String>),

    // Dates, places, text, lists.
    /// Parts of dates and times, a number each.
    DateParts(DateParts),
    /// Sine and cosine of what goes round.
    Cyclic(Cyclic),
    /// The distance between two places.
    Haversine(Haversine),
    /// How often each term occurs in a text.
    BagOfWords(#[serde(deserialize_with = "listed")] BagOfWords),
    /// How telling each term is in a text.
    TfIdf(#[serde(deserialize_with = "listed")] TfIdf),
    /// How many words a text has.
    WordCount(#[serde(deserialize_with = "listed")] WordCount),
    /// One indicator per item of lists.
    MultiHot(#[serde(deserialize_with = "listed")] MultiHot),
    /// Lists as a fixed number of columns.
    Pad(Pad),
    /// Lengths, means and the like of lists.
    ListStatistics(ListStatistics),
    // The family of numbers.
    /// As near to a normal distribution as a power brings it.
    PowerTransform(#[serde(deserialize_with = "listed")] PowerTransform),
    /// The share of the training rows below a value.
    QuantileTransform(#[serde(deserialize_with = "listed")] QuantileTransform),
    /// Products of columns.
    Polynomial(#[serde(deserialize_with = "listed")] Polynomial),
    /// Principal components.
    Pca(#[serde(deserialize_with = "listed")] Pca),
    /// As near to a normal distribution as drawing in its tails brings it.
    ScaleToGaussian(#[serde(deserialize_with = "listed")] ScaleToGaussian),
    // Categories.
    /// The place of each level among the sorted ones.
    Ordinal(#[serde(deserialize_with = "listed")] Ordinal),
    /// The most frequent, or the most telling, tokens.
    Vocabulary(#[serde(deserialize_with = "listed")] Vocabulary),
    /// A bucket by the hash of a value.
    HashBuckets(HashBuckets),
    /// The combinations of several columns.
    Cross(Cross),
    /// How often a value occurs in the training rows.
    Frequency(#[serde(deserialize_with = "listed")] Frequency),
    /// The mean of the label where a value occurs.
    TargetMean(#[serde(deserialize_with = "listed")] TargetMean),
}

impl Operation {
    /// Its name in the pipeline file.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Standardize(_) => "standardize",
            Self::ScaleToRange(_) => "scale_to_range",
            Self::MaxAbsScale(_) => "max_abs_scale",
            Self::RobustScale(_) => "robust_scale",
            Self::Math(_) => "math",
            Self::Clip(_) => "clip",
            Self::Derive(_) => "derive",
            Self::Bucketize(_) => "bucketize",
            Self::OneHot(_) => "one_hot",
            Self::Impute(_) => "impute",
            Self::PassThrough(_) => "pass_through",
            Self::Drop(_) => "drop",

            Self::DateParts(_) => "date_parts",
            Self::Cyclic(_) => "cyclic",
            Self::Haversine(_) => "haversine",
            Self::BagOfWords(_) => "bag_of_words",
            Self::TfIdf(_) => "tf_idf",
            Self::WordCount(_) => "word_count",
            Self::MultiHot(_) => "multi_hot",
            Self::Pad(_) => "pad",
            Self::ListStatistics(_) => "list_statistics",
            Self::PowerTransform(_) => "power_transform",
            Self::QuantileTransform(_) => "quantile_transform",
            Self::Polynomial(_) => "polynomial",
            Self::Pca(_) => "pca",
            Self::ScaleToGaussian(_) => "scale_to_gaussian",
            Self::Ordinal(_) => "ordinal",
            Self::Vocabulary(_) => "vocabulary",
            Self::HashBuckets(_) => "hash_buckets",
            Self::Cross(_) => "cross",
            Self::Frequency(_) => "frequency",
            Self::TargetMean(_) => "target_mean",
        }
    }

    /// Checks what does not need the data.
    ///
    /// # Errors
    /// [`OptionsError`] for an option outside its range.
    pub fn check(&self) -> Result<(), OptionsError> {
        self.as_plan().check()
    }

    pub(crate) fn as_plan(&self) -> &dyn Plan {
        match self {
            Self::Standardize(plan) => plan,
            Self::ScaleToRange(plan) => plan,
            Self::MaxAbsScale(plan) => plan,
            Self::RobustScale(plan) => plan,
            Self::Math(plan) => plan,
            Self::Clip(plan) => plan,
            Self::Derive(plan) => plan,
            Self::Bucketize(plan) => plan,
            Self::OneHot(plan) => plan,
            Self::Impute(plan) => plan,
            Self::PassThrough(_) | Self::Drop(_) => self,

            Self::DateParts(plan) => plan,
            Self::Cyclic(plan) => plan,
            Self::Haversine(plan) => plan,
            Self::BagOfWords(plan) => plan,
            Self::TfIdf(plan) => plan,
            Self::WordCount(plan) => plan,
            Self::MultiHot(plan) => plan,
            Self::Pad(plan) => plan,
            Self::ListStatistics(plan) => plan,
            Self::PowerTransform(plan) => plan,
            Self::QuantileTransform(plan) => plan,
            Self::Polynomial(plan) => plan,
            Self::Pca(plan) => plan,
            Self::ScaleToGaussian(plan) => plan,
            Self::Ordinal(plan) => plan,
            Self::Vocabulary(plan) => plan,
            Self::HashBuckets(plan) => plan,
            Self::Cross(plan) => plan,
            Self::Frequency(plan) => plan,
            Self::TargetMean(plan) => plan,
        }
    }
}

/// `pass_through` and `drop` only say which values are features.
impl Plan for Operation {
    fn plan(&self, graph: &mut crate::fit::Builder<'_>) -> sluice_core::Result<()> {
        match self {
            Self::PassThrough(columns) => columns.iter().try_for_each(|column| graph.keep(column)),
            Self::Drop(columns) => columns.iter().try_for_each(|column| graph.forget(column)),
            other => other.as_plan().plan(graph),
        }
    }
}

/// Options that are often nothing but columns.
pub(crate) trait OfColumns: Sized {
    /// These columns, all else by default.
    fn of_columns(columns: Vec<String>) -> Self;
}

/// Reads `[a, b]` as options of these columns, or `{columns: [a, b], …}`.
pub(crate) fn listed<'de, D, O>(deserializer: D) -> Result<O, D::Error>
where
    D: Deserializer<'de>,
    O: OfColumns + Deserialize<'de>,
{
    struct Listed<O>(PhantomData<O>);

    impl<'de, O: OfColumns + Deserialize<'de>> Visitor<'de> for Listed<O> {
        type Value = O;

        fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            formatter.write_str("a list of columns, or options: {columns: [...], ...}")
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<O, A::Error> {
            let mut columns = Vec::new();
            while let Some(column) = list.next_element()? {
                columns.push(column);
            }
            Ok(O::of_columns(columns))
        }

        fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<O, A::Error> {
            O::deserialize(MapAccessDeserializer::new(map))
        }
    }

    deserializer.deserialize_any(Listed(PhantomData))
}
