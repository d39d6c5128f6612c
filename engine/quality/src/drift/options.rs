//! What is compared, by which distances, and from when on it is an alarm.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use sluice_core::options::{OptionsError, Range, quoted};
use sluice_core::statistics::{ColumnStatistics, DatasetStatistics};
use sluice_core::{Diagnostic, ErrorKind, Result};

use super::domain::DomainClassifierOptions;
use super::measure::{Comparison, Measure};
use super::role::ColumnRole;
use crate::QualityError;
use crate::statistics::SliceSpec;

/// How drift is looked for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DriftOptions {
    /// The share of false alarms among all alarms that is allowed; where nothing changed at all, the probability of any
    /// alarm.
    pub level: f64,
    /// The columns that are compared; all unless some are named.
    pub columns: Vec<String>,
    /// Columns that are not.
    pub exclude: Vec<String>,
    /// Columns of numbers that are names: codes, areas, classes.
    pub categorical: Vec<String>,
    /// The distances of columns of numbers.
    pub numbers: Vec<Measure>,
    /// The distances of columns of text, booleans and numbers that are names.
    pub labels: Vec<Measure>,
    /// Columns that a model shall predict.
    pub label_columns: Vec<String>,
    /// Columns that a model predicts.
    pub prediction_columns: Vec<String>,
    /// How rows are told apart by all columns at once; not at all without.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub domain_classifier: Option<DomainClassifierOptions>,
    /// Thresholds in place of the usual ones.
    pub thresholds: BTreeMap<Measure, f64>,
    /// The column by which rows count; statistics must have been made with it.
    pub weight: Option<String>,
    /// Parts of the rows that are compared as well, each with the same part of the other side.
    pub slices: Vec<SliceSpec>,
    /// The distances and thresholds of columns by what they are to the model: distances named here take the place of
    /// those above for the columns that they fit.
    pub of_role: BTreeMap<ColumnRole, BTreeMap<Measure, f64>>,
    /// The distances and thresholds of single columns: distances named here take the place of all others.
    pub of_column: BTreeMap<String, BTreeMap<Measure, f64>>,
}

impl Default for DriftOptions {
    fn default() -> Self {
        Self {
            level: 0.05,
            columns: Vec::new(),
            exclude: Vec::new(),
            categorical: Vec::new(),
            numbers: vec![Measure::KolmogorovSmirnov, Measure::Wasserstein],
            labels: vec![Measure::TotalVariation],
            label_columns: Vec::new(),
            prediction_columns: Vec::new(),
            domain_classifier: None,
            thresholds: BTreeMap::new(),
            weight: None,
            slices: Vec::new(),
            of_role: BTreeMap::new(),
            of_column: BTreeMap::new(),
        }
    }
}

/// Options that do not fit what is compared.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DriftError {
    /// A distance of something else.
    #[error("`{measure}` is no distance of {comparison}{}", of_column(column))]
    DistanceDoesNotFit {
        /// The distance.
        measure: Measure,
        /// What was to be compared.
        comparison: &'static str,
        /// The column; none where all columns of that sort are meant.
        column: Option<String>,
        /// The distances that do.
        available: Vec<&'static str>,
    },
    /// Nothing to measure was named.
    #[error("`{option}` names no distance")]
    NoDistance {
        /// The option.
        option: &'static str,
    },
    /// A threshold of what nothing asks to be measured.
    #[error("`{measure}` has a threshold, but is not measured")]
    NotMeasured {
        /// The measure.
        measure: Measure,
    },
    /// A threshold for single columns of what all of them have together.
    #[error("`{measure}` is of all columns together, not of `{of}`")]
    OfAllColumns {
        /// The measure.
        measure: Measure,
        /// The column or the role.
        of: String,
    },
    /// A distance for columns of a role, none of which it fits.
    #[error("`{measure}` fits no {role} column")]
    FitsNoColumnOfRole {
        /// The distance.
        measure: Measure,
        /// The role.
        role: ColumnRole,
    },
    /// A column of two roles.
    #[error("column `{column}` is named as label and as prediction")]
    TwoRoles {
        /// The column.
        column: String,
    },
    /// The options leave no column.
    #[error("no column is left to compare")]
    NoColumns,
    /// Statistics that were made without the weight, or with another one.
    #[error("rows should count by `{weight}`, but statistics have {}", found.as_ref().map_or_else(|| "no weight".to_owned(), |it| format!("the weight `{it}`")))]
    NotWeighted {
        /// The weight that is asked for.
        weight: String,
        /// The one of the statistics.
        found: Option<String>,
    },
    /// Statistics without the slices.
    #[error("{side} statistics have no slice `{slice}`")]
    NoSlices {
        /// Which side.
        side: &'static str,
        /// What was asked for.
        slice: String,
        /// What there is, as it was asked for.
        available: Vec<String>,
    },
    /// Too few good batches to learn from.
    #[error("{found} comparisons of good batches are too few to learn from, {needed} are the least")]
    TooFewComparisons {
        /// Comparisons there are.
        found: usize,
        /// The least.
        needed: usize,
    },
    /// None of the wanted measures was measured.
    #[error("nothing was measured that has a threshold")]
    NothingToCalibrate,
    /// A batch whose time is needed and not known.
    #[error("the time of batch `{batch}` is not known{}", reason.as_ref().map_or_else(String::new, |it| format!(": {it}")))]
    TimeUnknown {
        /// The batch.
        batch: String,
        /// Why, where a column should say it.
        reason: Option<String>,
    },
}

fn of_column(column: &Option<String>) -> String {
    column.as_ref().map_or_else(String::new, |column| format!(", as column `{column}` is compared"))
}

impl Diagnostic for DriftError {
    fn kind(&self) -> ErrorKind {
        ErrorKind::Usage
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::DistanceDoesNotFit { available, .. } if available.is_empty() => Some(
                "dates, times and nested values have no distance; rates and types are compared always".into(),
            ),
            Self::DistanceDoesNotFit { available, .. } => {
                let names: Vec<String> = available.iter().map(|name| format!("`{name}`")).collect();
                let more = "; name the column in `categorical` to compare numbers as names";
                Some(format!("choose {}{more}", names.join(", ")))
            }
            Self::NoDistance { .. } => Some("leave it out for the usual distances".into()),
            Self::NotMeasured { measure: Measure::DomainClassifier } => {
                Some("ask for it with `--domain-classifier`, or leave the threshold out".into())
            }
            Self::NotMeasured { measure } => {
                let options: Vec<&str> = [("`numbers`", Comparison::Numbers), ("`labels`", Comparison::Labels)]
                    .into_iter()
                    .filter(|(_, comparison)| measure.fits(*comparison))
                    .map(|(option, _)| option)
                    .collect();
                Some(format!("name it in {}, or leave the threshold out", options.join(" or ")))
            }
            Self::OfAllColumns { .. } => Some("name it in `thresholds`".into()),
            Self::FitsNoColumnOfRole { role, .. } => Some(format!(
                "name the columns in `{}`, or leave the distance out of `of_role`",
                match role {
                    ColumnRole::Feature => "columns",
                    ColumnRole::Label => "label_columns",
                    ColumnRole::Prediction => "prediction_columns",
                }
            )),
            Self::TwoRoles { .. } => Some("leave one of the two out".into()),
            Self::NoColumns => Some("leave `columns` or `exclude` out".into()),
            Self::NotWeighted { weight, .. } => Some(format!(
                "make them again with `sluice statistics --weight {weight}`, or compare the rows themselves"
            )),
            Self::NoSlices { slice, available, .. } if available.is_empty() => Some(format!(
                "make them again with `sluice statistics --slice '{slice}'`, or compare the rows themselves"
            )),
            Self::NoSlices { available, .. } => {
                Some(format!("there is {}", quoted(available.iter().map(String::as_str))))
            }
            Self::TooFewComparisons { .. } => Some(
                "give more batches: without a reference the first is compared with none, with a season the first of \
                 each season"
                    .into(),
            ),
            Self::NothingToCalibrate => Some("name columns that have values".into()),
            Self::TimeUnknown { .. } => Some(
                "name the column of times with `--time`, or write the date into the batch's name: `2026-01-31`, \
                 `2026-01-31T05` for an hour"
                    .into(),
            ),
        }
    }
}

impl DriftOptions {
    /// Checks what needs no data.
    ///
    /// # Errors
    /// [`OptionsError`], [`DriftError`].
    pub fn check(&self) -> Result<()> {
        Range::open(0.0, 1.0).check("level", self.level)?;
        let of_columns = self.of_column.values().chain(self.of_role.values()).flatten();
        for (measure, threshold) in self.thresholds.iter().chain(of_columns) {
            Range::at_least(0.0).check(measure.word(), *threshold)?;
        }
        let of_roles = self.of_role.iter().map(|(role, own)| (role.to_string(), own));
        let of_columns = self.of_column.iter().map(|(column, own)| (column.clone(), own));
        for (of, own) in of_columns.chain(of_roles) {
            if own.contains_key(&Measure::DomainClassifier) {
                return Err(DriftError::OfAllColumns { measure: Measure::DomainClassifier, of }.into());
            }
        }
        self.domain_classifier.map_or(Ok(()), |options| options.check())?;
        if let Some(column) = self.label_columns.iter().find(|name| self.prediction_columns.contains(name)) {
            return Err(DriftError::TwoRoles { column: column.clone() }.into());
        }
        for (option, measures, comparison) in
            [("numbers", &self.numbers, Comparison::Numbers), ("labels", &self.labels, Comparison::Labels)]
        {
            if measures.is_empty() {
                return Err(DriftError::NoDistance { option }.into());
            }
            measures.iter().try_for_each(|measure| fits(*measure, comparison, None))?;
        }
        Ok(())
    }

    /// Checks that nothing has a threshold that nobody asks to be measured. Distances are asked for by name, and so is
    /// what tells rows apart; all else is measured always.
    ///
    /// # Errors
    /// [`DriftError::NotMeasured`].
    pub fn check_thresholds(&self) -> Result<(), DriftError> {
        let of_columns = self.of_column.values().chain(self.of_role.values()).flat_map(BTreeMap::keys);
        let asked: BTreeSet<&Measure> = self.numbers.iter().chain(&self.labels).chain(of_columns).collect();
        let is_measured = |measure: Measure| match measure {
            Measure::DomainClassifier => self.domain_classifier.is_some(),
            measure => !measure.is_distance() || asked.contains(&measure),
        };
        match self.thresholds.keys().find(|measure| !is_measured(**measure)) {
            Some(measure) => Err(DriftError::NotMeasured { measure: *measure }),
            None => Ok(()),
        }
    }

    /// Checks the options against the columns of both sides.
    ///
    /// # Errors
    /// As [`DriftOptions::check`]; columns that neither side has.
    pub fn check_columns(&self, sides: [&DatasetStatistics; 2]) -> Result<()> {
        self.check()?;
        let all = || sides.into_iter().flat_map(|side| &side.columns);
        let available: BTreeSet<&str> = all().map(|column| column.name.as_str()).collect();
        let named = self.columns.iter().chain(&self.exclude).chain(&self.categorical);
        let named = named.chain(&self.label_columns).chain(&self.prediction_columns);
        for column in named.chain(self.of_column.keys()) {
            if !available.contains(column.as_str()) {
                let available = available.into_iter().map(str::to_owned).collect();
                return Err(QualityError::ColumnUnknown { column: column.clone(), available }.into());
            }
        }
        for column in all() {
            let Some(measures) = self.of_column.get(&column.name) else { continue };
            for measure in measures.keys().filter(|measure| measure.is_distance()) {
                if column.num_values() > 0 {
                    fits(*measure, self.comparison(column), Some(&column.name))?;
                }
            }
        }
        for (role, measures) in &self.of_role {
            for measure in measures.keys().filter(|measure| measure.is_distance()) {
                let mut of_role = all().filter(|column| self.role(&column.name) == *role);
                if !of_role.any(|column| measure.fits(self.comparison(column))) {
                    return Err(DriftError::FitsNoColumnOfRole { measure: *measure, role: *role }.into());
                }
            }
        }
        if available.iter().any(|name| self.compares(name)) {
            Ok(())
        } else {
            Err(DriftError::NoColumns.into())
        }
    }

    /// Checks that the statistics of a side have the slices that are asked for.
    ///
    /// # Errors
    /// [`DriftError::NoSlices`].
    pub fn check_slices(&self, side: &DatasetStatistics, name: &'static str) -> Result<(), DriftError> {
        for spec in &self.slices {
            let text = spec.to_string();
            let is_there = side.slices.iter().any(|slice| spec.covers(&slice.conditions))
                // Asked for, but no row is in it.
                || side.slicings.iter().any(|slicing| slicing.slice == text);
            if !is_there {
                let available = side.slicings.iter().map(|slicing| slicing.slice.clone()).collect();
                return Err(DriftError::NoSlices { side: name, slice: text, available });
            }
        }
        Ok(())
    }

    /// Whether a column is compared.
    #[must_use]
    pub fn compares(&self, name: &str) -> bool {
        (self.columns.is_empty() || self.columns.iter().any(|mine| mine == name))
            && !self.exclude.iter().any(|mine| mine == name)
    }

    /// What a column is to the model.
    #[must_use]
    pub fn role(&self, name: &str) -> ColumnRole {
        let is_among = |columns: &[String]| columns.iter().any(|mine| mine == name);
        if is_among(&self.label_columns) {
            ColumnRole::Label
        } else if is_among(&self.prediction_columns) {
            ColumnRole::Prediction
        } else {
            ColumnRole::Feature
        }
    }

    /// How the values of a column are compared.
    #[must_use]
    pub fn comparison(&self, column: &ColumnStatistics) -> Comparison {
        Comparison::of(&column.kind, self.categorical.contains(&column.name))
    }

    /// The distances of a column.
    #[must_use]
    pub fn distances(&self, name: &str, comparison: Comparison) -> Vec<Measure> {
        let fitting = |measures: Option<&BTreeMap<Measure, f64>>| -> Vec<Measure> {
            let all = measures.into_iter().flat_map(BTreeMap::keys);
            all.copied().filter(|measure| measure.fits(comparison)).collect()
        };
        let own = [self.of_column.get(name), self.of_role.get(&self.role(name))].map(fitting);
        match comparison {
            _ if !own[0].is_empty() => own[0].clone(),
            _ if !own[1].is_empty() => own[1].clone(),
            Comparison::Numbers => self.numbers.clone(),
            Comparison::Labels => self.labels.clone(),
            Comparison::Nothing => Vec::new(),
        }
    }

    /// The same with a distance of TFDV for every column: Jensen-Shannon of numbers, the infinity norm of labels. One test
    /// decides per column whatever is measured, so that this raises no more alarms.
    #[must_use]
    pub fn with_distances_of_tfdv(&self) -> Self {
        let mut options = self.clone();
        for (own, more) in
            [(&mut options.numbers, Measure::JensenShannon), (&mut options.labels, Measure::InfinityNorm)]
        {
            if !own.contains(&more) {
                own.push(more);
            }
        }
        for own in
            options.of_column.values_mut().filter(|own| own.keys().any(|measure| measure.is_distance()))
        {
            // The one that fits numbers and labels alike.
            let threshold = Measure::JensenShannon.threshold();
            let _ = own.entry(Measure::JensenShannon).or_insert(threshold);
        }
        options
    }

    /// The threshold of a measure of a column.
    #[must_use]
    pub fn threshold(&self, name: &str, measure: Measure) -> f64 {
        let own = self.of_column.get(name).and_then(|measures| measures.get(&measure));
        let of_role = || self.of_role.get(&self.role(name)).and_then(|measures| measures.get(&measure));
        own.or_else(of_role).or_else(|| self.thresholds.get(&measure)).copied().unwrap_or(measure.threshold())
    }
}

/// Whether a distance means anything for what is compared so.
fn fits(measure: Measure, comparison: Comparison, column: Option<&str>) -> Result<(), DriftError> {
    if measure.fits(comparison) {
        return Ok(());
    }
    let available = Measure::ALL.iter().filter(|measure| measure.fits(comparison));
    Err(DriftError::DistanceDoesNotFit {
        measure,
        comparison: comparison.words(),
        column: column.map(str::to_owned),
        available: available.map(|measure| measure.word()).collect(),
    })
}

/// Parses `MEASURE=VALUE`.
///
/// # Errors
/// What there is no measure of, and what is no number.
pub fn parse_threshold(text: &str) -> Result<(Measure, f64), OptionsError> {
    let (measure, value) = text.split_once('=').unwrap_or((text, ""));
    let out_of_range = |_| OptionsError::OutOfRange {
        name: measure.to_owned(),
        value: value.to_owned(),
        range: "a number of at least 0".into(),
    };
    Ok((measure.parse()?, value.parse().map_err(out_of_range)?))
}
