//! Which penalty predicts best on rows that it was not fitted on, from the sums of each fold.
//!
//! The sums of a training part are those of the other folds, joined in the order of the folds; nothing is
//! subtracted. The squared error on the fold left out follows from its own sums, in double-double, so one
//! scan is enough for all penalties and folds. The chosen penalty is then fitted on all rows.

use serde::{Deserialize, Serialize};

use sluice_core::double_double::DoubleDouble;
use sluice_core::error::{CommonError, Result};
use sluice_core::execution::Execution;
use sluice_core::fold::in_order;

use super::is_trusted;
use super::options::{Candidate, LinearOptions};
use super::penalty::{Penalty, Rule};
use crate::data::TrainingData;
use crate::design::{WholeRows, exact_sums, join};
use crate::error::{SolveError, TrainingError};
use crate::solve::{Normal, Trials, minimise};

/// How a penalty was chosen.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CrossValidation {
    /// Parts that the rows were cut into.
    pub folds: u32,
    /// The rows of each.
    pub fold_rows: Vec<u64>,
    /// Every penalty that was tried, ascending, one mixture after the other.
    pub alphas: Vec<AlphaScore>,
    /// The one that the rule chooses.
    pub chosen: f64,
    /// The mixture that is chosen, of an elastic net.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chosen_l1_ratio: Option<f64>,
    /// The rule.
    #[serde(default, skip_serializing_if = "Rule::is_best")]
    pub rule: Rule,
    /// What to know about the choice.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// How well one penalty predicts rows that it was not fitted on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AlphaScore {
    /// The penalty.
    pub alpha: f64,
    /// The share of the magnitudes in it, of an elastic net.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub l1_ratio: Option<f64>,
    /// How many coefficients are not 0 where it is fitted on all rows; absent where the family sets none to 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nonzero: Option<usize>,
    /// The weighted mean of the squared errors over all rows, each predicted without its fold.
    pub mean_squared_error: f64,
    /// The standard error of the mean of `per_fold`: its standard deviation (divisor folds - 1) over the root
    /// of the number of folds.
    pub standard_error: f64,
    /// The weighted mean squared error of each fold.
    pub per_fold: Vec<f64>,
}

/// The centred problem of each fold, from all rows of `columns` features and labels.
pub(super) fn sums_of_rows(
    rows: &WholeRows,
    fold_of_row: &[u32],
    columns: usize,
    folds: u32,
    execution: &Execution,
) -> Result<Vec<Option<Normal>>> {
    let numbers: Vec<u32> = (0..folds).collect();
    let all = rows.block();
    let sums_of = |number: &u32| {
        let mut own = WholeRows::default();
        for (row, _) in fold_of_row.iter().enumerate().filter(|(_, fold_of_row)| *fold_of_row == number) {
            own.push(all.row(row, columns));
        }
        if own.cells.is_empty() {
            return Ok(None);
        }
        exact_sums(own.block(), columns).map(Some)
    };
    in_parallel(&numbers, execution, sums_of)
}

/// The folds, each of which must have rows.
pub(super) fn complete(
    sums: Vec<Option<Normal>>,
    data: TrainingData<'_>,
) -> Result<Vec<Normal>, TrainingError> {
    let folds = u32::try_from(sums.len()).unwrap_or(u32::MAX);
    let rows = sums.iter().flatten().map(|normal| normal.rows).sum();
    if rows == 0 {
        return Err(data.no_rows());
    }
    let complete =
        (1..).zip(sums).map(|(fold, normal)| normal.ok_or(TrainingError::FoldEmpty { fold, folds, rows }));
    complete.collect()
}

/// Does `work` on each item and gives the results in order.
fn in_parallel<I: Sync, T: Send>(
    items: &[I],
    execution: &Execution,
    work: impl Fn(&I) -> Result<T> + Sync,
) -> Result<Vec<T>> {
    let mut results = Vec::with_capacity(items.len());
    in_order(items, execution, work, |_, result| {
        results.push(result);
        Ok(())
    })?;
    Ok(results)
}

/// The sums of each fold for one label, and the penalties to try.
pub(super) struct Folds<'a> {
    data: TrainingData<'a>,
    options: &'a LinearOptions,
    sums: Vec<Normal>,
    /// The sums of all of them, joined in order.
    all: Normal,
    /// The weighted means of the label and of the columns.
    means: (f64, Vec<f64>),
    /// At least one; ascending, one mixture after the other.
    candidates: Vec<Candidate>,
}

impl<'a> Folds<'a> {
    /// Of the sums over all labels, what concerns one of them.
    pub(super) fn new(
        data: TrainingData<'a>,
        options: &'a LinearOptions,
        sums: &[Normal],
        (width, target): (usize, usize),
    ) -> Result<Self> {
        let sums: Vec<Normal> = sums.iter().map(|sums| sums.clone().target(width, target)).collect();
        let all = joined(&sums, None)?;
        let means = (all.label_mean.to_f64(), all.column_means());
        let all = if options.intercept { all } else { all.through_origin() };
        let candidates = candidates(options, &all);
        Ok(Self { data, options, sums, all, means, candidates })
    }

    /// The weighted means of the label and of the columns.
    pub(super) fn means(&self) -> (f64, Vec<f64>) {
        self.means.clone()
    }

    /// The sums of all folds.
    pub(super) fn all(&self) -> &Normal {
        &self.all
    }

    /// The penalty that is chosen, and how where there was a choice.
    pub(super) fn choose(&self, execution: &Execution) -> Result<(Candidate, Option<CrossValidation>)> {
        let (Penalty::Searched(search), true) = (&self.options.alpha, self.sums.len() > 1) else {
            return Ok((self.candidates[0], None));
        };
        let fold_rows = self.sums.iter().map(|sums| sums.rows).collect();
        let weights = self.sums.iter().map(|sums| sums.weight_sum).collect();
        let (errors, counts) = (self.errors(execution)?, self.counts(execution)?);
        let record = record(&self.candidates, &errors, &counts, (fold_rows, weights), search.rule);
        let chosen = Candidate { alpha: record.chosen, l1_ratio: record.chosen_l1_ratio };
        Ok((chosen, Some(record)))
    }

    fn for_each_fold<T: Send>(
        &self,
        execution: &Execution,
        work: impl Fn(usize) -> Result<T> + Sync,
    ) -> Result<Vec<T>> {
        let folds: Vec<usize> = (0..self.sums.len()).collect();
        in_parallel(&folds, execution, |fold| work(*fold))
    }

    /// The sums of the rows that are not in a fold.
    fn without(&self, fold: usize) -> Result<Normal> {
        let joined = joined(&self.sums, Some(fold))?;
        Ok(if self.options.intercept { joined } else { joined.through_origin() })
    }

    /// Whether the sums are exact enough for the smallest penalty of each mixture, hence for all.
    pub(super) fn are_trusted(&self, execution: &Execution) -> Result<bool> {
        let mut least: Vec<Candidate> = Vec::new();
        for candidate in &self.candidates {
            if least.last().is_none_or(|last| last.l1_ratio != candidate.l1_ratio) {
                least.push(*candidate);
            }
        }
        let are_trusted = |training: &Normal| {
            least.iter().all(|candidate| {
                let objective = self.options.objective(*candidate, training.weight_sum);
                minimise(training, &objective).is_ok_and(|found| is_trusted(self.data, &found))
            })
        };
        if self.sums.len() == 1 {
            return Ok(are_trusted(&self.all));
        }
        let trusted = self.for_each_fold(execution, |fold| Ok(are_trusted(&self.without(fold)?)))?;
        Ok(trusted.into_iter().all(|trusted| trusted) && are_trusted(&self.all))
    }

    /// What comes of each penalty on some sums, in the order of the penalties.
    fn along_the_path<T>(
        &self,
        training: &Normal,
        execution: &Execution,
        mut visit: impl FnMut(&Candidate, crate::solve::Trial) -> Result<T>,
    ) -> Result<Vec<T>> {
        let mut trials = Trials::new(training).map_err(|error| self.data.failed(error))?;
        // From the largest penalty down: each starts where the one before ended, with a few coefficients more.
        let mut results = Vec::with_capacity(self.candidates.len());
        for candidate in self.candidates.iter().rev() {
            execution.cancel.check()?;
            let objective = self.options.objective(*candidate, training.weight_sum);
            let trial = trials.solve(&objective).map_err(|error| self.data.failed(error))?;
            results.push(visit(candidate, trial)?);
        }
        results.reverse();
        Ok(results)
    }

    /// The sum of squared errors of each fold under each penalty.
    fn errors(&self, execution: &Execution) -> Result<Vec<Vec<DoubleDouble>>> {
        self.for_each_fold(execution, |fold| {
            let own = if self.options.intercept {
                self.sums[fold].clone()
            } else {
                self.sums[fold].clone().through_origin()
            };
            self.along_the_path(&self.without(fold)?, execution, |candidate, trial| {
                let square = own.squared_error(&trial.coefficients, trial.intercept);
                if square.is_finite() {
                    return Ok(square);
                }
                Err(self.data.failed(SolveError::ErrorNotFinite { alpha: candidate.alpha }).into())
            })
        })
    }

    /// How many coefficients each penalty leaves on all rows; empty where the family sets none to 0.
    fn counts(&self, execution: &Execution) -> Result<Vec<usize>> {
        let selects = |candidate: &Candidate| self.options.objective(*candidate, 1.0).selects();
        if !self.candidates.iter().any(selects) {
            return Ok(Vec::new());
        }
        self.along_the_path(&self.all, execution, |_, trial| Ok(trial.nonzero()))
    }
}

/// What came of the candidates: `errors` are the sums of squared errors of each fold, candidate by candidate, `counts`
/// how many coefficients each leaves.
pub(super) fn record(
    candidates: &[Candidate],
    errors: &[Vec<DoubleDouble>],
    counts: &[usize],
    (fold_rows, weights): (Vec<u64>, Vec<f64>),
    rule: Rule,
) -> CrossValidation {
    let scores = candidates.iter().enumerate().map(|(index, candidate)| {
        let of_folds: Vec<DoubleDouble> = errors.iter().map(|of_fold| of_fold[index]).collect();
        let score = score(*candidate, &of_folds, &weights);
        AlphaScore { nonzero: counts.get(index).copied(), ..score }
    });
    let alphas: Vec<AlphaScore> = scores.collect();
    let (chosen, note) = choose(&alphas, rule);
    let (chosen, chosen_l1_ratio) = (alphas[chosen].alpha, alphas[chosen].l1_ratio);
    let folds = u32::try_from(fold_rows.len()).unwrap_or(u32::MAX);
    CrossValidation { folds, fold_rows, alphas, chosen, chosen_l1_ratio, rule, note }
}

/// The sums of all folds but one, joined in order.
fn joined(sums: &[Normal], left_out: Option<usize>) -> Result<Normal> {
    let mut joined = None;
    for (fold, sums) in sums.iter().enumerate() {
        if Some(fold) != left_out {
            join(&mut joined, sums.clone());
        }
    }
    joined.ok_or_else(|| CommonError::Internal("a cross-validation has at least two folds".into()).into())
}

/// The penalties to try on some rows.
fn candidates(options: &LinearOptions, all: &Normal) -> Vec<Candidate> {
    let of_ratio = |l1_ratio: Option<f64>| {
        let alphas = options.alpha.alphas(|| least_of_no_coefficients(options, all, l1_ratio.unwrap_or(1.0)));
        alphas.into_iter().map(move |alpha| Candidate { alpha, l1_ratio })
    };
    if options.l1_ratios.is_empty() {
        return of_ratio(None).collect();
    }
    options.l1_ratios.iter().flat_map(|ratio| of_ratio(Some(*ratio))).collect()
}

/// The least penalty at which all coefficients are 0: the largest product of a feature with the label, by weight and
/// share of the magnitudes.
fn least_of_no_coefficients(options: &LinearOptions, all: &Normal, l1_ratio: f64) -> f64 {
    let products = (0..all.features()).filter(|&feature| !all.is_constant(feature)).map(|feature| {
        let product = all.label_cross[feature].to_f64();
        if options.non_negative { product } else { product.abs() }
    });
    let most = products.fold(0.0, |most, product| if product > most { product } else { most });
    most / (all.weight_sum * l1_ratio)
}

fn score(candidate: Candidate, errors: &[DoubleDouble], weights: &[f64]) -> AlphaScore {
    let add = |sum: DoubleDouble, square: &DoubleDouble| sum + *square;
    let weight = weights.iter().fold(DoubleDouble::ZERO, |sum, weight| sum + *weight);
    let mean_squared_error = (errors.iter().fold(DoubleDouble::ZERO, add) / weight).to_f64();
    let per_fold: Vec<f64> = errors
        .iter()
        .zip(weights)
        .map(|(square, &weight)| (*square / DoubleDouble::from(weight)).to_f64())
        .collect();
    let folds = per_fold.len() as f64;
    let mean = per_fold.iter().sum::<f64>() / folds;
    let spread: f64 = per_fold.iter().map(|error| (error - mean) * (error - mean)).sum();
    let standard_error = (spread / (folds - 1.0) / folds).sqrt();
    let Candidate { alpha, l1_ratio } = candidate;
    AlphaScore { alpha, l1_ratio, nonzero: None, mean_squared_error, standard_error, per_fold }
}

/// The place of the penalty that the rule chooses; and a note where the best may lie outside.
fn choose(scores: &[AlphaScore], rule: Rule) -> (usize, Option<String>) {
    // Of equal ones the last, which has the largest share of magnitudes and the largest penalty.
    let mut best = 0;
    for (index, score) in scores.iter().enumerate() {
        if score.mean_squared_error <= scores[best].mean_squared_error {
            best = index;
        }
    }
    let bound = scores[best].mean_squared_error + scores[best].standard_error;
    let alike = |score: &AlphaScore| score.l1_ratio == scores[best].l1_ratio;
    let within = |score: &AlphaScore| alike(score) && score.mean_squared_error <= bound;
    let chosen = match rule {
        Rule::Best => best,
        Rule::OneStandardError => scores.iter().rposition(within).unwrap_or(best),
    };
    let first = scores.iter().position(alike).unwrap_or(best);
    let last = scores.iter().rposition(alike).unwrap_or(best);
    let alpha = scores[best].alpha;
    let note = match best {
        _ if first == last => None,
        // There is nothing below 0.
        _ if best == first && alpha > 0.0 => {
            Some(format!("{alpha} is the smallest penalty of the grid; a smaller one may be better"))
        }
        // Where all coefficients are 0, a larger one changes nothing.
        _ if best == last && scores[last].nonzero != Some(0) => {
            Some(format!("{alpha} is the largest penalty of the grid; a larger one may be better"))
        }
        _ => None,
    };
    (chosen, note)
}
