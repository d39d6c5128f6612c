//! Batches in their order, each compared with a reference and with the batch before it that is like it.

use std::collections::BTreeMap;

use serde_json::Value;
use sluice_core::error::{CommonError, Diagnostic, Error, ErrorKind, Result};
use sluice_quality::drift::{Compared, DriftOptions, DriftReport, Season};

use crate::spec::to_yaml;
use crate::step::drift::{DriftInput, DriftRecord};

/// What batches are compared with.
#[derive(Clone, Copy, Debug)]
pub struct Neighbours<'a> {
    /// The same for all of them, and its name.
    pub reference: Option<(&'a str, &'a DriftInput)>,
    /// Whether each is also compared with the one before.
    pub before: bool,
    /// The one before is the latest of the same season.
    pub season: Option<Season>,
    /// The column that tells the time of a batch; without, its name does.
    pub time: Option<&'a str>,
}

/// What a batch was found to be.
#[derive(Clone, Debug)]
pub struct Met {
    /// Its name.
    pub batch: String,
    /// Rows of all subsets.
    pub num_rows: u64,
    /// Against the reference; none without one.
    pub reference: Option<Compared>,
    /// Against the one before; none for the first of its season.
    pub before: Option<Compared>,
}

/// Two batches of many that the options do not fit.
#[derive(Debug, thiserror::Error)]
#[error("{batch} against {against}: {cause}")]
pub struct NotComparable {
    batch: String,
    against: String,
    cause: Error,
}

impl NotComparable {
    fn new(batch: &str, against: &str, cause: Error) -> Self {
        Self { batch: batch.to_owned(), against: against.to_owned(), cause }
    }
}

impl Diagnostic for NotComparable {
    fn kind(&self) -> ErrorKind {
        self.cause.kind()
    }

    fn hint(&self) -> Option<String> {
        self.cause.hint()
    }
}

/// Compares batches in their order. `open` reads one; those that no later batch needs are let go. The counts behind the
/// distances are left out of the reports.
///
/// # Errors
/// What opening meets, [`NotComparable`] with options that do not fit, a batch without a time where its season is asked for.
pub fn compare_batches(
    names: &[String],
    neighbours: Neighbours<'_>,
    options: &DriftOptions,
    open: &mut dyn FnMut(&str) -> Result<DriftInput>,
) -> Result<Vec<Met>> {
    let Neighbours { reference, before, season, time } = neighbours;
    let mut latest: BTreeMap<Option<u8>, (&String, DriftInput)> = BTreeMap::new();
    let mut found = Vec::new();
    for name in names {
        let batch = open(name)?;
        let of = |against: &str, other: &DriftInput| -> Result<Compared> {
            let record = DriftRecord::new(&batch, other, options);
            let reports = record.map_err(|cause| NotComparable::new(name, against, cause))?.subsets;
            let reports = reports.into_iter().map(without_bins).collect();
            Ok(Compared { batch: name.clone(), against: against.to_owned(), reports })
        };
        let with_reference = reference.map(|(against, other)| of(against, other)).transpose()?;
        let season = match season {
            Some(season) => {
                batch.statistics.subsets.first().map(|subset| season.of(name, subset, time)).transpose()?
            }
            None => None,
        };
        let with_before =
            latest.get(&season).filter(|_| before).map(|(against, other)| of(against, other)).transpose()?;
        let num_rows = batch.statistics.subsets.iter().map(|subset| subset.num_rows).sum();
        found.push(Met { batch: name.clone(), num_rows, reference: with_reference, before: with_before });
        if before {
            let _ = latest.insert(season, (name, batch));
        }
    }
    Ok(found)
}

fn without_bins(mut report: DriftReport) -> DriftReport {
    for column in &mut report.columns {
        column.bins.clear();
    }
    report
}

/// What differs from the usual options, as a file of settings.
///
/// # Errors
/// `CommonError::Internal` where options cannot be written.
pub fn settings_text(options: &DriftOptions) -> Result<String> {
    let value = |options: &DriftOptions| {
        serde_json::to_value(options).map_err(|error| CommonError::Internal(format!("settings: {error}")))
    };
    let (mut own, usual) = (value(options)?, value(&DriftOptions::default())?);
    if let Value::Object(keys) = &mut own {
        keys.retain(|key, value| usual.get(key) != Some(value));
    }
    to_yaml(&own)
}
