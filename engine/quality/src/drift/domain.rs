//! What a domain classifier found: a model that tells current rows from those of the reference, by all columns at once.
//!
//! How well it does on rows that it was not fitted on is the area under its ROC curve (AUC): the probability that it
//! takes the current one of a pair of rows for the current one, ½ where nothing changed. It is fitted where models are
//! (`sluice-pipeline`); here stands what is kept of it, and what makes it an alarm.

use serde::{Deserialize, Serialize};
use sluice_core::options::{OptionsError, Range};

use super::measure::Measure;
use super::report::{DriftReport, Signal, decide_all};

/// How rows are told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DomainClassifierOptions {
    /// Rows that are taken of each side, at most.
    pub rows: u64,
    /// Parts of the rows, each of which is judged by a model of the others.
    pub folds: u32,
    /// Another number, other rows and other folds.
    pub seed: u64,
}

impl Default for DomainClassifierOptions {
    fn default() -> Self {
        Self { rows: 20_000, folds: 5, seed: 0 }
    }
}

impl DomainClassifierOptions {
    /// The numbers of rows that are allowed.
    pub const ROWS: Range = Range::closed(100.0, 1_000_000.0);
    /// The numbers of folds that are allowed.
    pub const FOLDS: Range = Range::closed(2.0, 20.0);

    /// Checks the ranges.
    ///
    /// # Errors
    /// [`OptionsError::OutOfRange`].
    pub fn check(&self) -> Result<(), OptionsError> {
        Self::ROWS.check("domain_classifier.rows", self.rows as f64)?;
        Self::FOLDS.check("domain_classifier.folds", f64::from(self.folds)).map(drop)
    }
}

/// How well rows are told apart.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DomainClassifier {
    /// The AUC with its interval (at level 1 − alpha, as `at_least` and `at_most`), its threshold and its test.
    pub signal: Signal,
    /// Rows of the current side that were used.
    pub num_rows: u64,
    /// Rows of the reference that were used.
    pub num_reference_rows: u64,
    /// How.
    pub options: DomainClassifierOptions,
    /// What each column has to do with it, the most telling first; `a × b` is what two columns tell together beyond each alone.
    pub columns: Vec<TellingColumn>,
    /// What was left out, and why.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

/// What a column has to do with telling rows apart.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TellingColumn {
    /// The column, or two of them.
    pub column: String,
    /// The AUC by what the column adds to the score alone, on rows that the model was not fitted on.
    pub alone: f64,
    /// By how much the AUC falls where the column adds nothing; 0 and less where others tell the same.
    pub drop: f64,
}

impl TellingColumn {
    /// What it tells beyond ½, alone or together with others: the greater of `alone` − ½ and `drop`. Columns of which each
    /// takes back what the other says have an area of ½ alone and are missed all the same.
    #[must_use]
    pub fn telling(&self) -> f64 {
        (self.alone - 0.5).max(self.drop)
    }
}

/// Adds what a domain classifier found of all rows, whose report is the first; the others are those of slices. Its test
/// joins all of theirs, whose q change with it.
pub fn add_domain_classifier(reports: &mut [DriftReport], mut found: DomainClassifier) {
    let Some(level) = reports.first().map(|report| report.level) else { return };
    let tails = found.signal.p;
    let q = decide_all(reports, level, tails.as_slice());
    let signal = &mut found.signal;
    signal.q = q.first().copied();
    let is_beyond_chance = signal.q.is_some_and(|q| q <= level) && signal.value > signal.noise_floor;
    signal.alarm = signal.value > signal.threshold && is_beyond_chance;
    reports[0].domain_classifier = Some(found);
}

impl DriftReport {
    /// The alarm of the domain classifier, if it raises one.
    #[must_use]
    pub fn domain_alarm(&self) -> Option<&DomainClassifier> {
        self.domain_classifier.as_ref().filter(|found| found.signal.alarm)
    }
}

impl DomainClassifier {
    /// What the signal says of the columns: those that tell the most.
    #[must_use]
    pub fn detail(columns: &[TellingColumn]) -> String {
        let told = |one: &TellingColumn| match one {
            TellingColumn { column, alone, drop } if *drop > alone - 0.5 => {
                format!("`{column}` {drop:.3} with others")
            }
            TellingColumn { column, alone, .. } => format!("`{column}` {alone:.3} alone"),
        };
        let most: Vec<String> = columns.iter().take(3).map(told).collect();
        if most.is_empty() { "no column tells anything".into() } else { most.join(", ") }
    }

    /// The measure.
    pub const MEASURE: Measure = Measure::DomainClassifier;
}
