//! A classifier of domains: can a logistic regression tell current rows from those of the reference, by all columns at
//! once? (Lopez-Paz & Oquab, "Revisiting classifier two-sample tests", ICLR 2017, with the area under the ROC curve in
//! place of accuracy.) It sees what no column shows alone: many small changes, and pairs of numbers that go together
//! otherwise than before.
//!
//! 1. A sample of the rows of each side, chosen by their places (`sample`).
//! 2. Columns as levels: numbers by tenths of both sides together, labels by a vocabulary, what is missing as a level of
//!    its own; of few columns of numbers also the products of their normal scores (`encode`).
//! 3. Folds by the rows' keys. Of each fold, a ridge logistic regression of the others scores the rows (`fit`).
//! 4. The AUC is the mean over the folds, weighted by their pairs of rows, for the scores of different models do not
//!    compare; its error DeLong's within each fold (`LeDell`, Petersen & van der Laan, "Computationally efficient confidence
//!    intervals for cross-validated area under the ROC curve estimates", Electronic Journal of Statistics 9, 2015). Its
//!    probability is that of the Wilcoxon-Mann-Whitney test, one-sided, with ties (`auc`).
//!
//! Samples, folds and fits follow from the rows and the seed alone. Memory: the sample, its levels, and a matrix of at
//! most `encode::MAX_WIDTH` columns.

mod auc;
mod encode;
mod fit;
mod sample;
#[cfg(test)]
mod tests;

use sluice_core::distribution::normal;
use sluice_core::error::Result;
use sluice_core::execution::Execution;
use sluice_core::{Diagnostic, ErrorKind};
use sluice_evaluation::comparison::{Estimate, Interval};
use sluice_quality::drift::{
    DomainClassifier, DriftOptions, DriftReport, Signal, TellingColumn, add_domain_classifier,
};

use auc::Area;
use encode::Encoded;

pub use sample::{DomainSample, Side};

/// The level of the interval of the AUC is 1 − this.
const ALPHA: f64 = 0.05;

/// Rows that a classifier cannot work on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DomainError {
    /// Saved statistics have no rows.
    #[error("the domain classifier needs the rows of both sides, and `{side}` is statistics")]
    NoRows {
        /// The side.
        side: String,
    },
}

impl Diagnostic for DomainError {
    fn kind(&self) -> ErrorKind {
        ErrorKind::Usage
    }

    fn hint(&self) -> Option<String> {
        Some("name the data that the statistics are of, or leave the domain classifier out".into())
    }
}

/// Adds to the report of all rows, the first, what tells those of its sides apart; the others are of slices.
///
/// # Errors
/// What fitting meets.
pub fn classify(
    reports: &mut [DriftReport],
    [current, reference]: [&DomainSample; 2],
    options: &DriftOptions,
    execution: &Execution,
) -> Result<()> {
    let Some(how) = options.domain_classifier else { return Ok(()) };
    let (encoded, mut notes) = Encoded::new(current, reference, options)?;
    let encoded = std::sync::Arc::new(encoded);
    let folds = Folds::new(&encoded, how.folds);
    let (areas, columns) = match folds.problem() {
        Some(problem) => {
            notes.push(problem);
            (Vec::new(), Vec::new())
        }
        None if encoded.columns.is_empty() => {
            notes.push("no column varies that both sides have, so that rows cannot be told apart".into());
            (Vec::new(), Vec::new())
        }
        None => fit::scored(&encoded, &folds, execution)?,
    };
    let threshold = options.threshold("", DomainClassifier::MEASURE);
    let signal = signal(&areas, threshold, DomainClassifier::detail(&columns));
    let found = DomainClassifier {
        signal,
        num_rows: current.num_rows(),
        num_reference_rows: reference.num_rows(),
        options: how,
        columns,
        notes,
    };
    add_domain_classifier(reports, found);
    Ok(())
}

/// The rows of each fold.
struct Folds {
    of_row: Vec<u32>,
    number: u32,
    /// Rows of the reference and of the current side in each.
    sizes: Vec<[u64; 2]>,
}

impl Folds {
    fn new(encoded: &Encoded, number: u32) -> Self {
        let of_row: Vec<u32> =
            encoded.keys.iter().map(|key| sluice_core::folds::fold_of(*key, number)).collect();
        let mut sizes = vec![[0, 0]; number as usize];
        for (fold, is_current) in of_row.iter().zip(&encoded.is_current) {
            sizes[*fold as usize][usize::from(*is_current)] += 1;
        }
        Self { of_row, number, sizes }
    }

    /// Why there cannot be an AUC in each.
    fn problem(&self) -> Option<String> {
        let is_small = self.sizes.iter().flatten().any(|rows| *rows < 2);
        is_small.then(|| "a side has too few rows for so many folds".to_owned())
    }
}

/// Value, interval and test of the folds' areas together; ½ and no evidence where there are none.
fn signal(areas: &[Area], threshold: f64, detail: String) -> Signal {
    let area = Area::mean(areas);
    // Of no area nothing is known.
    let interval =
        Estimate::new(area.value, area.variance, area.least_rows - 1.0).map_or([0.0, 1.0], |estimate| {
            let interval = Interval::delong(&estimate, area.least_rows, ALPHA);
            [interval.low, interval.high]
        });
    // The scores of a fold follow from the rows of all others, so that what two folds have in common by chance counts in
    // the area of either: where nothing differs, the mean over folds varies up to twice as much as that of folds that
    // know nothing of one another (with e the chance difference of a fold, Σ e·Σ' e' holds each pair of folds twice).
    let error = (2.0 * area.null_variance).sqrt();
    let tail = if error > 0.0 { normal::upper_tail((area.value - 0.5) / error) } else { 1.0 };
    let noise_floor = 0.5 + (2.0 / std::f64::consts::PI).sqrt() * error;
    Signal {
        measure: DomainClassifier::MEASURE,
        value: area.value,
        at_least: interval[0],
        at_most: interval[1],
        threshold,
        noise_floor,
        effect: if area.value > noise_floor { area.value - noise_floor } else { 0.0 },
        p: Some(tail),
        p_is_upper_bound: true,
        q: None,
        alarm: false,
        detail,
    }
}

/// Most telling first, alone or with others; of equals by name.
fn by_what_they_tell(mut columns: Vec<TellingColumn>) -> Vec<TellingColumn> {
    columns.sort_by(|a, b| b.telling().total_cmp(&a.telling()).then_with(|| a.column.cmp(&b.column)));
    columns
}
