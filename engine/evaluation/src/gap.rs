//! Slices by how much worse a metric is there: what a reader should see first.
//!
//! With a baseline the gap is the harm of the change: by how much the candidate is worse than the baseline on the same
//! rows. Without, it is by how much the slice is worse than all rows. Of metrics that are best at 0 or 1 the distance
//! from there counts, of those that are no merit the size of the difference.
//!
//! "Proven" means that Holm's p-value over the slices of one slicing is at most alpha for "worse at all". The gate
//! decides by the margins of its own requirements; this orders a report.

use std::collections::BTreeMap;

use crate::comparison::holm;
use crate::evaluation::{Evaluation, MetricName, SliceMetrics};
use crate::metric::Direction;

/// How much worse a metric is in one slice.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Gap {
    /// The place of the slice in [`Evaluation::slices`].
    pub slice: usize,
    /// How much worse; below 0: better. None where a figure is missing.
    pub harm: Option<f64>,
    /// The one-sided p-value of "worse at all", by Holm's correction over the slices of its slicing.
    pub p_adjusted: Option<f64>,
    /// Whether harm is proven.
    pub is_proven: bool,
}

impl Evaluation {
    /// The slices by their gaps in a metric: all rows, then proven harm, then slices that have rows enough, then those
    /// of few rows, whose gaps are mostly chance; each by its size.
    #[must_use]
    pub fn by_gap(&self, metric: &MetricName) -> Vec<Gap> {
        let overall = self.slices.iter().find(|slice| slice.slice.is_overall());
        let harms = self.slices.iter().map(|slice| harm(slice, overall, metric));
        let mut gaps: Vec<Gap> = harms
            .enumerate()
            .map(|(slice, harm)| Gap { slice, harm, p_adjusted: None, is_proven: false })
            .collect();
        for places in self.slicings().into_values() {
            let tested: Vec<(usize, f64)> = places
                .into_iter()
                .filter_map(|place| Some((place, self.slices[place].p_worse(metric)?)))
                .collect();
            let p_values: Vec<f64> = tested.iter().map(|(_, p)| *p).collect();
            for ((place, _), adjusted) in tested.iter().zip(holm(&p_values)) {
                gaps[*place].p_adjusted = Some(adjusted);
                gaps[*place].is_proven = adjusted <= self.verdict.alpha;
            }
        }
        let rank = |gap: &Gap| {
            let slice = &self.slices[gap.slice];
            (!slice.slice.is_overall(), !gap.is_proven, gap.harm.is_none(), slice.few_rows)
        };
        gaps.sort_by(|a, b| {
            let by_harm = b.harm.unwrap_or_default().total_cmp(&a.harm.unwrap_or_default());
            rank(a).cmp(&rank(b)).then(by_harm).then(a.slice.cmp(&b.slice))
        });
        gaps
    }

    /// The places of the slices by the columns that make them.
    fn slicings(&self) -> BTreeMap<Vec<&str>, Vec<usize>> {
        let mut slicings: BTreeMap<Vec<&str>, Vec<usize>> = BTreeMap::new();
        for (place, slice) in self.slices.iter().enumerate() {
            let columns = slice.slice.parts.iter().map(|part| part.column.as_str()).collect();
            slicings.entry(columns).or_default().push(place);
        }
        slicings
    }
}

impl SliceMetrics {
    fn p_worse(&self, metric: &MetricName) -> Option<f64> {
        self.changes.as_ref()?.get(&metric.name)?.p_worse
    }
}

/// By how much the slice is worse: than under the baseline, or without one than all rows.
fn harm(slice: &SliceMetrics, overall: Option<&SliceMetrics>, metric: &MetricName) -> Option<f64> {
    let value = |slice: &SliceMetrics| slice.candidate.get(&metric.name).copied().flatten();
    let candidate = value(slice)?;
    let reference = match &slice.baseline {
        Some(baseline) => baseline.get(&metric.name).copied().flatten()?,
        None => value(overall?)?,
    };
    let change = slice.changes.as_ref().and_then(|changes| changes.get(&metric.name)?.difference);
    let difference = change.unwrap_or(candidate - reference);
    Some(match metric.direction {
        Direction::ZeroIsBest => candidate.abs() - reference.abs(),
        Direction::OneIsBest => (candidate - 1.0).abs() - (reference - 1.0).abs(),
        direction => direction.harm(difference).unwrap_or_else(|| difference.abs()),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};
    use sluice_testkit::close::assert_relative;

    use super::*;

    fn slice(key: &[(&str, &str)], candidate: f64, baseline: Option<f64>, p_worse: f64) -> Value {
        let part = |(column, value): &(&str, &str)| json!({"column": column, "value": value});
        let change = |baseline: f64| json!({"m": {"difference": candidate - baseline, "p_worse": p_worse}});
        json!({
            "slice": key.iter().map(part).collect::<Vec<_>>(),
            "rows": 500,
            "few_rows": false,
            "candidate": {"m": candidate},
            "baseline": baseline.map(|baseline| json!({"m": baseline})),
            "changes": baseline.map(change),
        })
    }

    fn order(slices: &[Value], direction: Direction) -> Vec<Gap> {
        let metric = MetricName { name: "m".into(), direction };
        let evaluation: Evaluation = serde_json::from_value(json!({
            "label": "y",
            "label_shift": 0.0,
            "metrics": [metric],
            "slices": slices,
            "verdict": {
                "outcome": "pass", "comparison": "compared", "candidate_digest": "", "baseline_digest": null,
                "alpha": 0.05, "rows": 500, "forced": null, "reasons": [],
            },
        }))
        .unwrap();
        evaluation.by_gap(&metric)
    }

    #[test]
    fn proven_harm_comes_first_and_holm_counts_one_slicing() {
        let slices = vec![
            slice(&[], 1.0, Some(1.5), 0.99),
            slice(&[("pay", "a")], 1.0, Some(0.0), 0.03),
            slice(&[("pay", "b")], 3.0, Some(2.5), 0.01),
            slice(&[("pay", "c")], 1.0, Some(2.0), 0.9),
            slice(&[("hour", "7")], 1.0, Some(0.9), 0.04),
        ];
        let gaps = order(&slices, Direction::LowerIsBetter);
        assert_eq!(gaps.iter().map(|gap| gap.slice).collect::<Vec<_>>(), [0, 2, 4, 1, 3]);
        assert_eq!(
            gaps.iter().map(|gap| gap.is_proven).collect::<Vec<_>>(),
            [false, true, true, false, false]
        );
        // Three slices by `pay`: 3 · 0.01, then 2 · 0.03; one by `hour`.
        for (place, p) in [(1, 0.03), (2, 0.04), (3, 0.06)] {
            assert_relative(gaps[place].p_adjusted.unwrap(), p, 1e-15);
        }
        // A gap of few rows says little, however great it is.
        let mut few = slices.clone();
        few[1]["few_rows"] = json!(true);
        let gaps = order(&few, Direction::LowerIsBetter);
        assert_eq!(gaps.iter().map(|gap| gap.slice).collect::<Vec<_>>(), [0, 2, 4, 3, 1]);
        // The other direction turns the harm around.
        let gaps = order(&slices, Direction::HigherIsBetter);
        assert_eq!(gaps.last().map(|gap| gap.slice), Some(1));
    }

    #[test]
    fn without_a_baseline_slices_are_held_against_all_rows() {
        let mut slices = vec![
            slice(&[], 0.5, None, 0.0),
            slice(&[("pay", "a")], -0.9, None, 0.0),
            slice(&[("pay", "b")], 0.7, None, 0.0),
            slice(&[("pay", "c")], 0.0, None, 0.0),
        ];
        slices[3]["candidate"] = json!({});
        let of = |direction| {
            let gaps = order(&slices, direction);
            gaps.into_iter().map(|gap| gap.slice).collect::<Vec<_>>()
        };
        assert_eq!(of(Direction::LowerIsBetter), [0, 2, 1, 3]);
        assert_eq!(of(Direction::HigherIsBetter), [0, 1, 2, 3]);
        assert_eq!(of(Direction::ZeroIsBest), [0, 1, 2, 3]);
        assert_eq!(of(Direction::OneIsBest), [0, 1, 2, 3]);
        assert_eq!(of(Direction::None), [0, 1, 2, 3]);
    }
}
