//! One column as a side of a comparison sees it: counted by rows, or by weights.
//!
//! Weights say how much a row stands for, not how much is known: rows of unequal weights know as little as
//! (Σ w)² / Σ w² rows of equal ones (Kish, "Survey Sampling", 1965). So weights are counted in units of Σ w² / Σ w; their
//! shares are those of the weights, and their total is the effective number of rows, which noise and tests go by.
//! What has no weighted figure (NaN, infinities, lengths) is counted by rows and scaled to the effective number.

use sluice_core::statistics::{
    ColumnStatistics, DatasetStatistics, Histogram, Histograms, Quantiles, WeightedStatistics,
};

use super::options::DriftError;

/// How the rows of a side count.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Counting {
    /// Effective rows of a unit of weight; none where every row counts once.
    per_weight: Option<f64>,
    /// Effective rows of a row.
    per_row: f64,
}

impl Counting {
    /// Every row counts once.
    pub(super) const ROWS: Self = Self { per_weight: None, per_row: 1.0 };

    /// By the weights of the statistics; whether the sum of their squares is known, else rows are taken for rows of
    /// equal weight.
    ///
    /// # Errors
    /// [`DriftError::NotWeighted`] where the statistics have other weights, or none.
    pub(super) fn by(weight: &str, statistics: &DatasetStatistics) -> Result<(Self, bool), DriftError> {
        let of = statistics.weight.as_ref();
        // TFDV does not say which column it was.
        let of = of.filter(|it| it.column == weight || it.column.is_empty());
        let Some(of) = of else {
            let found = statistics.weight.as_ref().map(|it| it.column.clone());
            return Err(DriftError::NotWeighted { weight: weight.to_owned(), found });
        };
        let rows = statistics.num_rows as f64;
        let effective = of.effective_rows();
        let per_weight = |effective: f64| if of.sum > 0.0 { effective / of.sum } else { 0.0 };
        let number = effective.unwrap_or(rows);
        let per_row = if rows > 0.0 { number / rows } else { 0.0 };
        Ok((Self { per_weight: Some(per_weight(number)), per_row }, effective.is_some()))
    }

    /// The effective number of rows.
    pub(super) fn rows(&self, statistics: &DatasetStatistics) -> f64 {
        statistics.num_rows as f64 * self.per_row
    }
}

/// A column with the way in which its rows count.
#[derive(Clone, Copy, Debug)]
pub(super) struct View<'a> {
    pub(super) column: &'a ColumnStatistics,
    counting: Counting,
}

/// The labels of a column.
#[derive(Clone, Debug)]
pub(super) struct ListedLabels<'a> {
    /// Each with its effective number of rows.
    pub(super) values: Vec<(&'a str, f64)>,
    /// By how much a number may be too low.
    pub(super) max_error: f64,
    /// Whether these are all.
    pub(super) is_complete: bool,
    /// The rows that have one, listed or not.
    pub(super) total: f64,
}

impl<'a> View<'a> {
    pub(super) fn new(column: &'a ColumnStatistics, counting: Counting) -> Self {
        Self { column, counting }
    }

    fn weighted(&self) -> Option<(&'a WeightedStatistics, f64)> {
        Some((self.column.weighted.as_ref()?, self.counting.per_weight?))
    }

    /// Whether the values count by weights.
    pub(super) fn is_weighted(&self) -> bool {
        self.weighted().is_some()
    }

    /// A number of rows or values that has no weighted figure.
    fn scaled(&self, count: u64) -> f64 {
        count as f64 * self.counting.per_row
    }

    /// Rows.
    pub(super) fn rows(&self) -> f64 {
        match self.weighted() {
            Some((weighted, unit)) => (weighted.num_present + weighted.num_missing) * unit,
            None => self.scaled(self.column.presence.num_rows),
        }
    }

    /// Rows without a value.
    pub(super) fn missing(&self) -> f64 {
        match self.weighted() {
            Some((weighted, unit)) => weighted.num_missing * unit,
            None => {
                let presence = &self.column.presence;
                self.scaled(presence.num_rows.saturating_sub(presence.num_present()))
            }
        }
    }

    /// Values, NaN and infinities included.
    pub(super) fn values(&self) -> f64 {
        match self.weighted() {
            Some((weighted, unit)) => weighted.num_values * unit,
            None => self.scaled(self.column.num_values()),
        }
    }

    /// NaN, among as many values as [`View::values_by_rows`].
    pub(super) fn nan(&self) -> f64 {
        self.scaled(self.column.presence.num_nan)
    }

    /// Infinities, likewise.
    pub(super) fn infinite(&self) -> f64 {
        let presence = &self.column.presence;
        self.scaled(presence.num_positive_infinity + presence.num_negative_infinity)
    }

    /// Values counted by rows, whatever they weigh.
    pub(super) fn values_by_rows(&self) -> f64 {
        self.scaled(self.column.num_values())
    }

    /// Finite numbers.
    pub(super) fn finite(&self) -> f64 {
        let Some(numeric) = &self.column.numeric else { return 0.0 };
        match self.weighted() {
            Some((weighted, unit)) => {
                let values = self.column.num_values();
                let share = if values > 0 { numeric.num_finite as f64 / values as f64 } else { 0.0 };
                weighted.num_values * unit * share
            }
            None => self.scaled(numeric.num_finite),
        }
    }

    /// The labels; none where the statistics list none.
    pub(super) fn labels(&self) -> Option<ListedLabels<'a>> {
        if let Some((weighted, unit)) = self.weighted() {
            let top = weighted.top_values.iter();
            let listed: f64 = weighted.top_values.iter().map(|(_, weight)| weight).sum();
            let short = sluice_core::statistics::MAX_TOP_VALUES;
            return (!weighted.top_values.is_empty()).then(|| ListedLabels {
                values: top.map(|(label, weight)| (label.as_str(), weight * unit)).collect(),
                max_error: weighted.top_values_max_error * unit,
                is_complete: weighted.top_values.len() < short
                    && listed >= weighted.num_values * (1.0 - 1e-9)
                    && !(weighted.top_values_max_error > 0.0),
                total: self.values(),
            });
        }
        let top = self.column.top_values.as_ref()?;
        let values = top.values.iter().map(|(label, count)| (label.as_str(), self.scaled(*count)));
        let total = self.column.num_values().saturating_sub(self.column.presence.num_nan);
        Some(ListedLabels {
            values: values.collect(),
            max_error: self.scaled(top.max_error),
            is_complete: top.is_complete && top.max_error == 0,
            total: self.scaled(total),
        })
    }

    /// The quantiles of the finite numbers.
    pub(super) fn quantiles(&self) -> Option<&'a Quantiles> {
        match self.weighted() {
            Some((weighted, _)) => weighted.numeric.as_ref()?.quantiles.as_ref(),
            None => self.column.numeric.as_ref()?.quantiles.as_ref(),
        }
    }

    /// Their histograms.
    pub(super) fn histograms(&self) -> Option<&'a Histograms> {
        match self.weighted() {
            Some((weighted, _)) => weighted.numeric.as_ref()?.histograms.as_ref(),
            None => self.column.numeric.as_ref()?.histograms.as_ref(),
        }
    }

    /// The histogram of equal width with the infinities and NaN beside it, in the unit of its counts.
    pub(super) fn equal_width(&self) -> Option<(&'a Histogram, f64, f64)> {
        let histogram = &self.histograms()?.equal_width;
        let unit = match self.weighted() {
            // As many rows of a mean weight.
            Some((_, unit)) if unit > 0.0 => self.counting.per_row / unit,
            Some(_) => 0.0,
            None => 1.0,
        };
        let presence = &self.column.presence;
        let infinite = presence.num_positive_infinity + presence.num_negative_infinity;
        Some((histogram, infinite as f64 * unit, presence.num_nan as f64 * unit))
    }
}
