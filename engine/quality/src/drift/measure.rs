//! What can be measured of a column, with the word for it, what it applies to, and the threshold it has unless told.
//!
//! The thresholds are effects that matter, whatever the number of rows. Those of distances come from references, or from
//! what they say of a normal column that is shifted by d deviations and of a label whose share moves; `docs/drift.md` has the
//! sources, and how often each gives a false alarm and misses a change on real data (`benches/drift/pairs.py`).

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use sluice_core::column::ColumnKind;
use sluice_core::options::OptionsError;

/// What the values of a column are compared as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Comparison {
    /// As numbers, by their order and how far apart they are.
    Numbers,
    /// As names, one by one.
    Labels,
    /// Not at all: dates and times move by nature, nested values have no order.
    Nothing,
}

impl Comparison {
    /// How values of a kind are compared.
    #[must_use]
    pub fn of(kind: &ColumnKind, is_categorical: bool) -> Self {
        match kind {
            ColumnKind::Boolean | ColumnKind::Text | ColumnKind::Binary => Self::Labels,
            kind if kind.is_number() && !is_categorical => Self::Numbers,
            kind if kind.is_number() => Self::Labels,
            _ => Self::Nothing,
        }
    }

    /// In words.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::Numbers => "numbers",
            Self::Labels => "labels",
            Self::Nothing => "no distribution",
        }
    }
}

/// Defines the measures and their table in one place, so that none can lack a row.
macro_rules! measures {
    ($($(#[doc = $doc:literal])+ $name:ident = $word:literal, $threshold:literal, $numbers:literal, $labels:literal;)+) => {
        /// What is measured of a column.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        #[non_exhaustive]
        pub enum Measure {
            $($(#[doc = $doc])+ $name,)+
        }

        impl Measure {
            /// All there are.
            pub const ALL: &'static [Self] = &[$(Self::$name,)+];

            fn row(self) -> (&'static str, f64, bool, bool) {
                match self {
                    $(Self::$name => ($word, $threshold, $numbers, $labels),)+
                }
            }
        }
    };
}

measures! {
    /// The Kolmogorov-Smirnov distance. 0.1: a tenth of the rows, d = 0.25.
    KolmogorovSmirnov = "kolmogorov_smirnov", 0.1, true, false;
    /// The mean distance of the quantiles 1 % to 99 %, in standard deviations of the reference between these.
    /// 0.2: a small effect (Cohen, "Statistical Power Analysis for the Behavioral Sciences", 1988), d = 0.19.
    Wasserstein = "wasserstein", 0.2, true, false;
    /// The energy distance, normalized to 0 … 1. 0.1: d / 2 of small shifts, so that it is Cohen's small effect, d = 0.2.
    Energy = "energy", 0.1, true, false;
    /// The population stability index. 0.1: from there on a shift of scorecards is looked into (Lewis, "An Introduction to
    /// Credit Scoring", 1994; Siddiqi, "Credit Risk Scorecards", 2006), d = 0.32.
    PopulationStabilityIndex = "population_stability_index", 0.1, true, true;
    /// The Jensen-Shannon divergence in bits, as TFDV aligns histograms and labels. 0.01: by our trials, d = 0.24; of numbers
    /// beyond the noise floor.
    JensenShannon = "jensen_shannon", 0.01, true, true;
    /// The Hellinger distance. 0.1: of small changes the root of an eighth of the index, d = 0.29.
    Hellinger = "hellinger", 0.1, true, true;
    /// Half of the sum of the differences of shares. 0.1: a tenth of the rows, d = 0.25.
    TotalVariation = "total_variation", 0.1, true, true;
    /// Cramér's V of the chi-square test. 0.1: Cohen's small effect w, d = 0.2.
    CramersV = "cramers_v", 0.1, true, true;
    /// TFDV's greatest difference of the share of one label. 0.1: a tenth of the rows.
    InfinityNorm = "infinity_norm", 0.1, false, true;
    /// TFDV's greatest difference of the count of one label, as a share of all. 0.05: a tenth of the rows where both sides
    /// are as large.
    NormalizedAbsoluteDifference = "normalized_absolute_difference", 0.05, false, true;
    /// The column is on one side only.
    Presence = "presence", 0.0, false, false;
    /// The values are of another type.
    Type = "type", 0.0, false, false;
    /// The change of the share of rows without a value.
    MissingRate = "missing_rate", 0.05, false, false;
    /// The change of the share of values that are NaN.
    NanRate = "nan_rate", 0.01, false, false;
    /// The change of the share of values that are infinite.
    InfiniteRate = "infinite_rate", 0.01, false, false;
    /// The share of values outside of the range of the reference.
    OutOfRange = "out_of_range", 0.01, false, false;
    /// The share of values that the reference does not have.
    NewCategories = "new_categories", 0.01, false, false;
    /// The change of the number of different values, as a share of what was to be expected of so many rows.
    Cardinality = "cardinality", 0.2, false, false;
    /// The change of the mean length of texts or lists, as a share of what it was.
    Length = "length", 0.2, false, false;
    /// The area under the ROC curve of a model that tells the rows of both sides apart. 0.55: Φ(d / √2) of d = 0.18.
    DomainClassifier = "domain_classifier", 0.55, false, false;
}

impl Measure {
    /// Its word in options and JSON.
    #[must_use]
    pub fn word(self) -> &'static str {
        self.row().0
    }

    /// The greatest value that raises no alarm, unless told.
    #[must_use]
    pub fn threshold(self) -> f64 {
        self.row().1
    }

    /// The greatest value that it can have; none where there is no such bound.
    #[must_use]
    pub fn greatest(self) -> Option<f64> {
        let is_open = matches!(
            self,
            Self::Wasserstein | Self::PopulationStabilityIndex | Self::Cardinality | Self::Length
        );
        (!is_open).then_some(1.0)
    }

    /// Whether it is a distance of two distributions, which is asked for by name.
    #[must_use]
    pub fn is_distance(self) -> bool {
        self.row().2 || self.row().3
    }

    /// Whether TFDV has it, and a schema a threshold for it.
    #[must_use]
    pub fn is_of_tfdv(self) -> bool {
        matches!(self, Self::InfinityNorm | Self::JensenShannon | Self::NormalizedAbsoluteDifference)
    }

    /// Whether a distance means anything for values compared so.
    #[must_use]
    pub fn fits(self, comparison: Comparison) -> bool {
        match comparison {
            Comparison::Numbers => self.row().2,
            Comparison::Labels => self.row().3,
            Comparison::Nothing => false,
        }
    }
}

impl fmt::Display for Measure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.word())
    }
}

impl FromStr for Measure {
    type Err = OptionsError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.iter().copied().find(|measure| measure.word() == text).ok_or_else(|| {
            OptionsError::NoSuchChoice {
                name: "measure".into(),
                value: text.into(),
                choices: Self::ALL.iter().map(|measure| measure.word().to_owned()).collect(),
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_those_of_json() {
        for measure in Measure::ALL {
            assert_eq!(serde_json::to_value(measure).unwrap(), measure.word());
            assert_eq!(measure.word().parse::<Measure>().unwrap(), *measure);
        }
        assert!("ks".parse::<Measure>().is_err());
    }
}
