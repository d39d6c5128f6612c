//! Drift and skew: how far a column is from what it was before, or from what is served.

use serde::{Deserialize, Serialize};
use sluice_core::schema::Comparator;
use sluice_core::statistics::{ColumnStatistics, DatasetStatistics, Histogram};

use super::code::FindingCode;
use super::finding::{Finding, Words};
use super::subject::Subject;
use super::words::general;
use crate::drift::{
    Distribution, LargestDifference, infinity_norm, jensen_shannon_of_histograms, jensen_shannon_of_labels,
    normalized_absolute_difference,
};

/// What a data set is compared with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Against {
    /// The span before: drift.
    Previous,
    /// Data at serving: skew.
    Serving,
}

/// How a distance is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Distance {
    /// The greatest difference between the shares of one value.
    InfinityNorm,
    /// Jensen-Shannon divergence in bits.
    JensenShannonDivergence,
    /// The greatest difference between the counts of one value, as a share of all.
    NormalizedAbsoluteDifference,
}

/// One distance that the schema bounds, also where it is within bounds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Measurement {
    /// The slice of the data; none where it concerns all of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slice: Option<String>,
    /// The steps to the column.
    pub path: Vec<String>,
    /// What it was compared with.
    pub against: Against,
    /// How.
    pub distance: Distance,
    /// The distance.
    pub value: f64,
    /// The greatest that is allowed.
    pub threshold: f64,
}

impl Against {
    /// The field of the schema, what the two sides are called, and how the other is.
    fn words(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Self::Previous => ("drift_comparator", "current and previous", "previous"),
            Self::Serving => ("skew_comparator", "training and serving", "serving"),
        }
    }
}

impl Distance {
    /// The code, the field of the schema, and TFDV's words.
    fn words(self) -> (FindingCode, &'static str, &'static str) {
        match self {
            Self::InfinityNorm => (FindingCode::InfinityNormHigh, "infinity_norm", "Linfty distance"),
            Self::JensenShannonDivergence => (
                FindingCode::JensenShannonHigh,
                "jensen_shannon_divergence",
                "approximate Jensen-Shannon divergence",
            ),
            Self::NormalizedAbsoluteDifference => (
                FindingCode::AbsoluteDifferenceHigh,
                "normalized_abs_difference",
                "normalized absolute difference",
            ),
        }
    }

    /// The field of the schema that bounds it.
    pub(crate) fn rule(self, against: Against) -> &'static str {
        match (against, self) {
            (Against::Previous, Self::InfinityNorm) => "drift_comparator.infinity_norm",
            (Against::Previous, Self::JensenShannonDivergence) => {
                "drift_comparator.jensen_shannon_divergence"
            }
            (Against::Previous, Self::NormalizedAbsoluteDifference) => {
                "drift_comparator.normalized_abs_difference"
            }
            (Against::Serving, Self::InfinityNorm) => "skew_comparator.infinity_norm",
            (Against::Serving, Self::JensenShannonDivergence) => "skew_comparator.jensen_shannon_divergence",
            (Against::Serving, Self::NormalizedAbsoluteDifference) => {
                "skew_comparator.normalized_abs_difference"
            }
        }
    }
}

/// The bounds of a comparator that are set.
pub(crate) fn thresholds(comparator: &Comparator) -> impl Iterator<Item = (Distance, f64)> {
    [
        (Distance::InfinityNorm, comparator.infinity_norm),
        (Distance::JensenShannonDivergence, comparator.jensen_shannon_divergence),
        (Distance::NormalizedAbsoluteDifference, comparator.normalized_absolute_difference),
    ]
    .into_iter()
    .filter_map(|(distance, threshold)| Some((distance, threshold?)))
}

/// The rule of each bound of a comparator.
pub(crate) fn rules(comparator: &Comparator, against: Against) -> impl Iterator<Item = &'static str> {
    thresholds(comparator).map(move |(distance, _)| distance.rule(against))
}

/// Measures every distance that the schema bounds.
pub(crate) fn check(
    subject: &Subject<'_>,
    against: Against,
    control: &DatasetStatistics,
    findings: &mut Vec<Finding>,
    measurements: &mut Vec<Measurement>,
) {
    let feature = subject.feature;
    let comparator = if against == Against::Previous { &feature.drift } else { &feature.skew };
    let Some(comparator) = comparator else { return };
    if thresholds(comparator).next().is_none() {
        return;
    }
    let Some(control) = control.at(subject.place.steps()) else {
        findings.push(control_missing(subject, against));
        return;
    };
    let is_by_weight = subject.weighted.is_some();
    let sides = [Side::of(subject.column, is_by_weight), Side::of(control, is_by_weight)];
    for (distance, threshold) in thresholds(comparator) {
        let measured = measure(distance, &sides, comparator.on_quantiles);
        if !sides.iter().all(|side| side.can(distance)) {
            findings.push(subject.undecided(distance.rule(against)));
        }
        let Some(LargestDifference { value, label }) = measured else { continue };
        let path = subject.place.steps().to_vec();
        measurements.push(Measurement { slice: None, path, against, distance, value, threshold });
        if value > threshold {
            findings.push(too_far(subject, (against, distance), (value, threshold), label.as_deref()));
        }
    }
}

fn control_missing(subject: &Subject<'_>, against: Against) -> Finding {
    let (rule, _, other) = against.words();
    let words = Words {
        rule,
        expected: format!("the column in the {other} data too"),
        observed: "no such column there".into(),
        message: format!("column `{}` is not in the {other} data, it cannot be compared", subject.name()),
        suggestion: format!("in feature `{}`, remove `{rule}`", subject.name()),
    };
    let finding = subject.finding(FindingCode::ControlDataMissing, words);
    finding.in_short(format!("{other} data missing")).saying(format!("{other} data is missing."))
}

fn too_far(
    subject: &Subject<'_>,
    (against, distance): (Against, Distance),
    (value, threshold): (f64, f64),
    label: Option<&str>,
) -> Finding {
    let (comparator, sides, other) = against.words();
    let (code, field, name) = distance.words();
    let (shown, bound) = (general(value), general(threshold));
    let most = label.map_or_else(String::new, |label| format!("; {label:?} differs most"));
    let words = Words {
        rule: distance.rule(against),
        expected: format!("at most {bound} from the {other} data"),
        observed: format!("{shown}{most}"),
        message: format!(
            "the {name} of column `{}` from the {other} data is {shown}, {bound} is allowed",
            subject.name()
        ),
        suggestion: subject.change(&format!("{comparator} {{ {field} {{ threshold: {value} }} }}")),
    };
    let with_label = label
        .map_or_else(String::new, |label| format!(" The feature value with maximum difference is: {label}"));
    let finding = subject.finding(code, words).in_short(format!("High {name} between {sides}"));
    finding.saying(format!(
        "The {name} between {sides} is {shown} (up to six significant digits), above the threshold \
         {bound}.{with_label}"
    ))
}

/// What is known of one side.
struct Side<'a> {
    labels: Option<Vec<(&'a str, f64)>>,
    /// Of equal width and of equal depth.
    histograms: Option<(&'a Histogram, &'a Histogram)>,
    num_nan: f64,
    num_infinite: f64,
}

impl<'a> Side<'a> {
    fn of(column: &'a ColumnStatistics, is_by_weight: bool) -> Self {
        let weighted = column.weighted.as_ref().filter(|_| is_by_weight);
        let labels = match weighted.filter(|weighted| !weighted.top_values.is_empty()) {
            Some(weighted) => {
                Some(weighted.top_values.iter().map(|(label, weight)| (label.as_str(), *weight)).collect())
            }
            None => column
                .top_values
                .as_ref()
                .map(|top| top.values.iter().map(|(label, count)| (label.as_str(), *count as f64)).collect()),
        };
        let of_weights = weighted.and_then(|weighted| weighted.numeric.as_ref()?.histograms.as_ref());
        let histograms =
            of_weights.or_else(|| column.numeric.as_ref().and_then(|numeric| numeric.histograms.as_ref()));
        let presence = &column.presence;
        Self {
            labels,
            histograms: histograms.map(|both| (&both.equal_width, &both.equal_depth)),
            num_nan: presence.num_nan as f64,
            num_infinite: (presence.num_negative_infinity + presence.num_positive_infinity) as f64,
        }
    }

    /// Whether the distance means anything for it; of values without labels TFDV says that it is 0.
    fn can(&self, distance: Distance) -> bool {
        self.labels.is_some() || (distance == Distance::JensenShannonDivergence && self.histograms.is_some())
    }

    fn distribution(&self, on_quantiles: bool) -> Option<Distribution<'a>> {
        let (equal_width, equal_depth) = self.histograms?;
        let histogram = if on_quantiles { equal_depth } else { equal_width };
        Some(Distribution { histogram, num_infinite: self.num_infinite, num_nan: self.num_nan })
    }
}

fn measure(
    distance: Distance,
    [current, control]: &[Side<'_>; 2],
    on_quantiles: bool,
) -> Option<LargestDifference> {
    let labels = current.labels.as_deref().zip(control.labels.as_deref());
    let nothing = LargestDifference { value: 0.0, label: None };
    match distance {
        Distance::InfinityNorm => Some(labels.map_or(nothing, |(x, y)| infinity_norm(x, y))),
        Distance::NormalizedAbsoluteDifference => {
            Some(labels.map_or(nothing, |(x, y)| normalized_absolute_difference(x, y)))
        }
        Distance::JensenShannonDivergence => {
            let histograms = current.distribution(on_quantiles).zip(control.distribution(on_quantiles));
            let value = match (histograms, labels) {
                (Some((x, y)), _) => jensen_shannon_of_histograms(x, y),
                (None, Some((x, y))) => jensen_shannon_of_labels(x, y),
                (None, None) => None,
            };
            Some(LargestDifference { value: value?, label: None })
        }
    }
}
