//! Statistics of classifiers in replicates, along falling scores.

use super::states::{Follower, Step};
use crate::measure::ranked::figures::RankedPlan;
use crate::measure::ranked::totals::POSITIVE;
use crate::metric::{self, Effect, Statistic, StepStatistic};

/// The area under the ROC curve, and statistics of steps.
pub(in super::super) struct ScoreFollower {
    places: Vec<usize>,
    statistics: Vec<Statistic>,
    /// Their numbers come after that of the area, if it is asked for.
    steps: Vec<StepStatistic>,
    has_area: bool,
    start: Vec<f64>,
}

impl ScoreFollower {
    /// Of all statistics of scores.
    pub(in super::super) fn new(plan: &RankedPlan) -> Self {
        let is_of_scores = |statistic: &Statistic| {
            matches!(statistic, Statistic::Auc | Statistic::Gini | Statistic::Steps(_))
        };
        let (places, statistics): (Vec<usize>, Vec<Statistic>) =
            plan.statistics().filter(|(_, statistic)| is_of_scores(statistic)).unzip();
        let has_area = statistics.iter().any(|statistic| !matches!(statistic, Statistic::Steps(_)));
        let steps: Vec<StepStatistic> = statistics
            .iter()
            .filter_map(|statistic| match statistic {
                Statistic::Steps(steps) => Some(*steps),
                _ => None,
            })
            .collect();
        let unknown = |steps: &StepStatistic| match steps {
            StepStatistic::ThresholdAtRecall(_) => f64::NAN,
            _ => 0.0,
        };
        let start = has_area.then_some(0.0).into_iter().chain(steps.iter().map(unknown)).collect();
        Self { places, statistics, steps, has_area, start }
    }
}

impl Follower for ScoreFollower {
    fn places(&self) -> &[usize] {
        &self.places
    }

    fn start(&self) -> &[f64] {
        &self.start
    }

    fn needs_totals(&self) -> bool {
        !self.steps.is_empty()
    }

    fn step(&self, step: &Step<'_>, own: &mut [f64]) {
        let width = step.within[0].len();
        let mut lists = own.chunks_exact_mut(width);
        if self.has_area
            && let Some(area) = lists.next()
        {
            add_area(step, area);
        }
        for (statistic, list) in self.steps.iter().zip(lists) {
            for (lane, number) in list.iter_mut().enumerate() {
                let [negative, positive] = step.within.map(|within| within[lane]);
                if positive + negative > 0.0 {
                    let whole = metric::Step {
                        score: step.number,
                        positive,
                        negative,
                        true_positives: step.passed[POSITIVE][lane] + positive,
                        false_positives: step.passed[0][lane] + negative,
                    };
                    take(number, statistic.effect(&whole, step.total[POSITIVE][lane], step.total[0][lane]));
                }
            }
        }
    }

    fn value(&self, statistic: usize, own: &[f64], [negative, positive]: [f64; 2]) -> f64 {
        if !(negative > 0.0 && positive > 0.0) {
            return f64::NAN;
        }
        let area = || own[0] / positive / negative;
        match self.statistics[statistic] {
            Statistic::Auc => area(),
            Statistic::Gini => 2.0 * area() - 1.0,
            Statistic::Steps(steps) => {
                let before = self.statistics[..statistic].iter();
                let place = before.filter(|statistic| matches!(statistic, Statistic::Steps(_))).count();
                steps.of_number(own[usize::from(self.has_area) + place], positive)
            }
            Statistic::ErrorQuantile(_) | Statistic::Spearman => f64::NAN,
        }
    }
}

/// Each negative row is below the positive rows of higher scores, and half below those of its own.
fn add_area(step: &Step<'_>, area: &mut [f64]) {
    let [negative, tied] = step.within;
    let above = step.passed[POSITIVE];
    match step.has {
        [true, true] => {
            for (lane, area) in area.iter_mut().enumerate() {
                *area += negative[lane] * (above[lane] + 0.5 * tied[lane]);
            }
        }
        [true, false] => {
            for ((area, negative), above) in area.iter_mut().zip(negative).zip(above) {
                *area += negative * above;
            }
        }
        [false, _] => {}
    }
}

#[inline]
fn take(number: &mut f64, effect: Effect) {
    match effect {
        Effect::None => {}
        Effect::Add(value) => *number += value,
        Effect::Rise(value) => *number = if value > *number { value } else { *number },
        Effect::Set(value) => *number = value,
        Effect::First(value) => *number = if number.is_nan() { value } else { *number },
    }
}
