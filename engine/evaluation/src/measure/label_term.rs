//! Numbers per row of sets of labels: what metrics of several labels take the mean of.

use serde::{Deserialize, Serialize};

use super::term::LEAST_PROBABILITY;

/// Which labels a number is about.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum Scope {
    /// All of them together.
    All,
    /// Each of them by itself; stands for as many numbers as there are labels.
    Each,
    /// The one that is named; stands for its place.
    Named,
    /// The one at a place.
    One(usize),
}

impl Scope {
    /// The columns of its labels.
    fn part<'a, 'b>(self, columns: &'a [&'b [f64]]) -> &'a [&'b [f64]] {
        match self {
            Self::One(label) => columns.get(label..=label).unwrap_or_default(),
            Self::All | Self::Each | Self::Named => columns,
        }
    }
}

/// A number per row; a label is predicted where its probability is above the threshold.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum LabelTerm {
    /// How many labels are there and predicted.
    Hits(Scope, f64),
    /// How many labels are there.
    Labels(Scope),
    /// How many labels are predicted.
    Predicted(Scope, f64),
    /// The share of predicted labels that are there; 0 where none is predicted.
    Precision(f64),
    /// The share of labels that are predicted; 0 where there is none.
    Recall(f64),
    /// Twice the hits by labels and predictions together; 0 where there is neither.
    F1(f64),
    /// The share of labels that are there or predicted that are both; 0 where there is neither.
    Jaccard(f64),
    /// Whether the labels are predicted, all of them and no other.
    Exact(f64),
    /// The share of labels that are predicted wrongly.
    Hamming(f64),
    /// The mean over labels of −ln of the probability that was given to what came.
    LogLoss,
    /// How many of the most probable labels hold all that are there; labels that are as probable count. 0 without any.
    Coverage,
    /// The share of pairs of a label that is there and one that is not in which the first is not more probable; 0 where
    /// there is no such pair.
    RankingLoss,
    /// The mean over the labels that are there of the share of labels at least as probable that are there; 1 where no label
    /// is there, or all are (G. Tsoumakas, I. Katakis and I. Vlahavas, "Mining multi-label data", 2010).
    RankingPrecision,
}

/// The labels of one row.
struct Row<'a> {
    truths: &'a [&'a [f64]],
    scores: &'a [&'a [f64]],
    row: usize,
}

impl Row<'_> {
    fn labels(&self) -> impl Iterator<Item = (bool, f64)> {
        let both = self.truths.iter().zip(self.scores);
        both.map(|(truth, score)| (truth[self.row] > 0.5, score[self.row]))
    }

    fn count(&self, is_of: impl Fn(bool, f64) -> bool) -> f64 {
        self.labels().filter(|(truth, score)| is_of(*truth, *score)).count() as f64
    }

    /// Hits, labels and predictions.
    fn counts(&self, threshold: f64) -> [f64; 3] {
        let hits = self.count(|truth, score| truth && score > threshold);
        [hits, self.count(|truth, _| truth), self.count(|_, score| score > threshold)]
    }

    fn ranking_precision(&self) -> f64 {
        let labels = self.count(|truth, _| truth);
        if !(labels > 0.0 && labels < self.truths.len() as f64) {
            return 1.0;
        }
        let share = |score: f64| {
            let above = self.count(|_, other| other >= score);
            self.count(|truth, other| truth && other >= score) / above
        };
        let shares = self.labels().filter(|(truth, _)| *truth).map(|(_, score)| share(score));
        shares.sum::<f64>() / labels
    }

    fn ranking_loss(&self) -> f64 {
        let labels = self.count(|truth, _| truth);
        let pairs = labels * (self.truths.len() as f64 - labels);
        let wrong = |score: f64| self.count(|truth, other| !truth && other >= score);
        let wrong: f64 = self.labels().filter(|(truth, _)| *truth).map(|(_, score)| wrong(score)).sum();
        share(wrong, pairs)
    }

    fn coverage(&self) -> f64 {
        let there = self.labels().filter(|(truth, _)| *truth).map(|(_, score)| score);
        let least = there.fold(f64::INFINITY, |least, score| if score < least { score } else { least });
        self.count(|_, score| score >= least)
    }

    fn log_loss(&self) -> f64 {
        let loss = |(truth, p): (bool, f64)| {
            let p = p.clamp(LEAST_PROBABILITY, 1.0 - LEAST_PROBABILITY);
            if truth { -p.ln() } else { -(-p).ln_1p() }
        };
        self.labels().map(loss).sum::<f64>() / self.truths.len() as f64
    }
}

/// Part of a whole; nothing of nothing is nothing.
fn share(part: f64, whole: f64) -> f64 {
    if whole > 0.0 { part / whole } else { 0.0 }
}

impl LabelTerm {
    /// Whether it is the same for every model.
    pub(crate) fn is_of_label(self) -> bool {
        matches!(self, Self::Labels(_))
    }

    /// Whether it is 0 or 1, so that its mean is a share of rows.
    pub(crate) fn is_of_share(self) -> bool {
        matches!(self, Self::Exact(_))
    }

    /// Those that it stands for, of so many labels, of which the one at `named` is meant.
    pub(crate) fn expanded(self, labels: usize, named: usize) -> Vec<Self> {
        let scoped = |scope: Scope, of: &dyn Fn(Scope) -> Self| match scope {
            Scope::All | Scope::One(_) => vec![self],
            Scope::Named => vec![of(Scope::One(named))],
            Scope::Each => (0..labels).map(|label| of(Scope::One(label))).collect(),
        };
        match self {
            Self::Hits(scope, threshold) => scoped(scope, &|scope| Self::Hits(scope, threshold)),
            Self::Labels(scope) => scoped(scope, &Self::Labels),
            Self::Predicted(scope, threshold) => scoped(scope, &|scope| Self::Predicted(scope, threshold)),
            term => vec![term],
        }
    }

    /// Whether it is about the label that is named.
    pub(crate) fn is_named(self) -> bool {
        let (Self::Hits(scope, _) | Self::Labels(scope) | Self::Predicted(scope, _)) = self else {
            return false;
        };
        scope == Scope::Named
    }

    /// Its numbers, from whether rows have each label and the probabilities that they have.
    pub(crate) fn values(self, truths: &[&[f64]], scores: &[&[f64]]) -> Vec<f64> {
        let rows = truths.first().map_or(0, |truths| truths.len());
        let each = |scope: Scope, of: &dyn Fn(&Row<'_>) -> f64| -> Vec<f64> {
            let (truths, scores) = (scope.part(truths), scope.part(scores));
            (0..rows).map(|row| of(&Row { truths, scores, row })).collect()
        };
        let rate =
            |threshold: f64, of: fn([f64; 3]) -> f64| each(Scope::All, &|row| of(row.counts(threshold)));
        match self {
            Self::Hits(scope, threshold) => {
                each(scope, &|row| row.count(|truth, score| truth && score > threshold))
            }
            Self::Labels(scope) => each(scope, &|row| row.count(|truth, _| truth)),
            Self::Predicted(scope, threshold) => each(scope, &|row| row.count(|_, score| score > threshold)),
            Self::Precision(threshold) => rate(threshold, |[hits, _, predicted]| share(hits, predicted)),
            Self::Recall(threshold) => rate(threshold, |[hits, labels, _]| share(hits, labels)),
            Self::F1(threshold) => {
                rate(threshold, |[hits, labels, predicted]| share(2.0 * hits, labels + predicted))
            }
            Self::Jaccard(threshold) => {
                rate(threshold, |[hits, labels, predicted]| share(hits, labels + predicted - hits))
            }
            Self::Exact(threshold) => each(Scope::All, &|row| {
                let wrong = row.count(|truth, score| truth != (score > threshold));
                f64::from(u8::from(wrong == 0.0))
            }),
            Self::Hamming(threshold) => each(Scope::All, &|row| {
                row.count(|truth, score| truth != (score > threshold)) / row.truths.len() as f64
            }),
            Self::LogLoss => each(Scope::All, &|row| row.log_loss()),
            Self::Coverage => each(Scope::All, &|row| row.coverage()),
            Self::RankingLoss => each(Scope::All, &|row| row.ranking_loss()),
            Self::RankingPrecision => each(Scope::All, &|row| row.ranking_precision()),
        }
    }
}
