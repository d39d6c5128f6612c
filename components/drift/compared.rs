//! What is compared and by which measures: options that every task of `sluice drift` has.

use std::path::{Path, PathBuf};

use clap::Args;
use sluice_core::error::CommonError;
use sluice_core::plan::PlanOptions;
use sluice_core::seam::BatchSource;
use sluice_core::{Diagnostic, Result};
use sluice_pipeline::domain_classifier::{DomainError, DomainSample, Side};
use sluice_pipeline::spec::from_yaml;
use sluice_pipeline::step::drift::DriftInput;
use sluice_pipeline::step::statistics::StatisticsRecord;
use sluice_quality::drift::{DriftOptions, Measure, compute_compared, parse_threshold};

use crate::arguments::SourceArguments;
use crate::data::Data;
use crate::failure::ArgumentError;
use crate::session::Session;
use crate::statistics::SliceArgument;

/// What is compared, and how.
#[derive(Debug, Args)]
pub(crate) struct ComparedArguments {
    /// The subset of both sides; without, each subset is compared with the one of its name. A side that has one only is
    /// taken whatever its name.
    #[arg(long, value_name = "NAME")]
    subset: Option<String>,
    /// A YAML file with `level`, `columns`, `exclude`, `categorical`, `numbers`, `labels`, `label_columns`,
    /// `prediction_columns`, `thresholds`, `of_role` and, for single columns, `of_column`; options given here take the
    /// place of its own.
    #[arg(long, value_name = "FILE")]
    settings: Option<PathBuf>,
    /// The share of false alarms that is allowed; 0.05 unless given.
    #[arg(long, value_name = "SHARE")]
    level: Option<f64>,
    /// A column that is compared; all unless given. May be given several times.
    #[arg(long, value_name = "COLUMN")]
    column: Vec<String>,
    /// A column that is not compared; may be given several times.
    #[arg(long, value_name = "COLUMN")]
    exclude: Vec<String>,
    /// A column whose numbers are names, so that it is compared label by label; may be given several times.
    #[arg(long, value_name = "COLUMN")]
    categorical: Vec<String>,
    /// A column that a model shall predict: its drift is told as the label's, and has thresholds of its own in the
    /// settings (`of_role`). May be given several times.
    #[arg(long, value_name = "COLUMN")]
    label_column: Vec<String>,
    /// A column that a model predicts, likewise. May be given several times.
    #[arg(long, value_name = "COLUMN")]
    prediction_column: Vec<String>,
    /// A distance for columns of numbers; `kolmogorov_smirnov` and `wasserstein` unless given. May be given several times.
    #[arg(long, value_name = "DISTANCE", value_parser = measure)]
    numbers: Vec<Measure>,
    /// A distance for columns of text and booleans; `total_variation` unless given. May be given several times.
    #[arg(long, value_name = "DISTANCE", value_parser = measure)]
    labels: Vec<Measure>,
    /// The greatest value of a measure that raises no alarm; may be given several times.
    #[arg(long, value_name = "MEASURE=VALUE", value_parser = threshold)]
    threshold: Vec<(Measure, f64)>,
    /// The column by which rows count: a number of 0 or more in every row. Saved statistics must have been made with it.
    /// Noise and tests go by the effective number of rows; numbers are known at their weighted quantiles.
    #[arg(long, value_name = "COLUMN")]
    weight: Option<String>,
    /// Compare parts of the rows as well, each with the same part of the other side: `COLUMN` for each of its values,
    /// `COLUMN=VALUE`, `A,B`, or an expression (`fare > 20`). Saved statistics must have them. One decision is for all of
    /// them together. May be given several times.
    #[arg(long, value_name = "SLICE")]
    slice: Vec<SliceArgument>,
    /// Keep all different values of the rows, so that distances are exact whatever there are of them; memory grows with
    /// their number. Without, they are exact up to 65,536 different values of a column.
    #[arg(long, conflicts_with = "weight")]
    exact: bool,
    #[command(flatten)]
    source: SourceArguments,
}

pub(super) fn told(error: &impl Diagnostic) -> String {
    error.hint().map_or_else(|| error.to_string(), |hint| format!("{error}; {hint}"))
}

fn measure(text: &str) -> Result<Measure, String> {
    text.parse().map_err(|error: sluice_core::options::OptionsError| told(&error))
}

fn threshold(text: &str) -> Result<(Measure, f64), String> {
    parse_threshold(text).map_err(|error| told(&error))
}

/// What a side was found to be.
#[derive(Clone, Debug)]
pub(super) struct Opened {
    name: String,
    digest: String,
    has_rows: bool,
    subsets: Vec<String>,
}

impl Opened {
    pub(super) fn new(name: impl Into<String>, (side, digest): (&DriftInput, &str)) -> Self {
        let subsets = side.statistics.subsets.iter().map(|subset| subset.name.clone()).collect();
        Self { name: name.into(), digest: digest.to_owned(), has_rows: side.tables.is_some(), subsets }
    }
}

/// Says which of many batches are the same data: between these nothing differs, which is no chance.
pub(super) fn tell_equal(opened: &[Opened], session: &Session) {
    for (index, one) in opened.iter().enumerate() {
        if let Some(first) = opened[..index].iter().find(|before| before.digest == one.digest) {
            session.printer.note(&format!("{} and {} are the same data", first.name, one.name));
        }
    }
}

/// What is read of a side beside the columns that are compared.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Reading<'a> {
    /// Which side it is, where a domain classifier that is asked for can have a sample of its rows.
    pub(super) sampled: Option<Side>,
    /// The column of times that tells when it is from.
    pub(super) time: Option<&'a str>,
}

/// What is given takes the place of what the settings say.
fn given<T: Clone>(own: &mut Vec<T>, given: &[T]) {
    if !given.is_empty() {
        *own = given.to_vec();
    }
}

impl ComparedArguments {
    pub(super) fn options(&self) -> Result<DriftOptions> {
        let mut options = match &self.settings {
            Some(path) => {
                let text = fs_err::read_to_string(path).map_err(CommonError::on("read", path))?;
                from_yaml(&text, &path.display().to_string())?
            }
            None => DriftOptions::default(),
        };
        given(&mut options.columns, &self.column);
        given(&mut options.exclude, &self.exclude);
        given(&mut options.categorical, &self.categorical);
        given(&mut options.label_columns, &self.label_column);
        given(&mut options.prediction_columns, &self.prediction_column);
        given(&mut options.numbers, &self.numbers);
        given(&mut options.labels, &self.labels);
        if let Some(weight) = &self.weight {
            options.weight = Some(weight.clone());
        }
        if !self.slice.is_empty() {
            options.slices = self.slice.iter().map(|slice| slice.0.clone()).collect();
        }
        options.level = self.level.unwrap_or(options.level);
        options.thresholds.extend(self.threshold.iter().copied());
        options.check()?;
        Ok(options)
    }

    /// The options of many batches, of which each column is measured: what only tells the rows of two sides apart is
    /// refused.
    pub(super) fn options_of_batches(&self) -> Result<DriftOptions> {
        let options = self.options()?;
        if options.domain_classifier.is_some() || options.thresholds.contains_key(&Measure::DomainClassifier)
        {
            let message = "`domain_classifier` tells the rows of two sides apart, not those of many batches";
            let hint =
                "leave it out of the settings; `sluice drift --domain-classifier` asks for it beside them";
            return Err(ArgumentError::new(message, hint).into());
        }
        options.check_thresholds()?;
        Ok(options)
    }

    /// Refuses options that would have had no effect on any of the sides that were opened.
    pub(super) fn must_matter(&self, sides: &[Opened]) -> Result<()> {
        if self.exact && !sides.iter().any(|side| side.has_rows) {
            let message = "`--exact` is of rows, and all sides are statistics";
            return Err(ArgumentError::new(message, "leave it out, or name the data themselves").into());
        }
        match &self.subset {
            Some(name) if !sides.iter().any(|side| side.subsets.contains(name)) => {
                let message = format!("no side has a subset `{name}`");
                Err(ArgumentError::new(message, "leave `--subset` out: every side is a whole").into())
            }
            _ => Ok(()),
        }
    }

    /// One side, and the digest of what it is; of rows only the columns that are compared are read.
    pub(super) fn open(
        &self,
        path: &Path,
        reading: Reading<'_>,
        asked: &DriftOptions,
        session: &Session,
    ) -> Result<(DriftInput, String)> {
        let sampled = reading.sampled.filter(|_| asked.domain_classifier.is_some());
        if StatisticsRecord::are_at(path) {
            self.source.refuse_with_statistics(path)?;
            if sampled.is_some() {
                return Err(DomainError::NoRows { side: path.display().to_string() }.into());
            }
            let (statistics, origin) = StatisticsRecord::open(path)?;
            let input = DriftInput { statistics, ..DriftInput::default() }.only(self.subset.as_deref())?;
            return Ok((input, origin.digest().to_owned()));
        }
        let (mut subsets, mut tables, mut samples) = (Vec::new(), Vec::new(), Vec::new());
        let mut read = |name: &str, source: &dyn BatchSource| -> Result<()> {
            let wanted = (asked, reading.time);
            let (statistics, table) = compute_compared(name, source, wanted, self.exact, &session.execution)?;
            subsets.push(statistics);
            tables.push(table);
            if let Some(side) = sampled {
                samples.push(DomainSample::take(source, side, asked, &session.execution)?);
            }
            Ok(())
        };
        let digest = match Data::open(&path.to_string_lossy(), &self.source, session)? {
            Data::Dataset(dataset) => {
                for name in dataset.record().subsets.keys() {
                    if self.subset.as_ref().is_none_or(|only| only == name) {
                        read(name, &dataset.subset(name, PlanOptions::default(), &session.execution)?)?;
                    }
                }
                if let (Some(name), true) = (&self.subset, subsets.is_empty()) {
                    // Tells which subsets there are.
                    let _ = dataset.subset(name, PlanOptions::default(), &session.execution)?;
                }
                dataset.artifact().digest().to_owned()
            }
            Data::Files(files) => {
                read("all", files.as_ref())?;
                files.plan().digest.clone()
            }
        };
        let statistics = StatisticsRecord { subsets };
        let samples = sampled.map(|_| samples);
        Ok((DriftInput { statistics, tables: Some(tables), samples }, digest))
    }
}
