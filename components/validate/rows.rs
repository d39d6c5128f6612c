//! The options of `validate` that read rows: `--data`, rules, keys, examples.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::Args;
use sluice_core::Result;
use sluice_core::error::CommonError;
use sluice_core::plan::PlanOptions;
use sluice_core::seam::BatchSource;
use sluice_pipeline::spec::from_yaml;
use sluice_pipeline::step::statistics::{StatisticsRecord, with_schema};
use sluice_pipeline::step::together::{Beside, Together, together, together_of_source};
use sluice_pipeline::step::validate::{Rows, RowsError, ValidationRecord};
use sluice_quality::QualityError;
use sluice_quality::rules::{RowChecks, RowCounts, Rule, UniqueKey};
use sluice_quality::schema::SchemaFile;
use sluice_quality::statistics::StatisticsOptions;
use sluice_quality::validation::ValidateOptions;
use sluice_source::FileSource;

use crate::arguments::SourceArguments;
use crate::data::Data;
use crate::failure::ArgumentError;
use crate::session::Session;

/// What is checked row by row.
#[derive(Debug, Args)]
#[command(next_help_heading = "Checking rows")]
pub(super) struct RowArguments {
    /// The rows behind the statistics: a data set made by `ingest`, or a file, a glob or a folder of files, here or in
    /// a bucket. They are read once, and only the columns concerned: for rules, keys, and for rows and exact counts
    /// behind findings. Without STATISTICS these are computed in the same reading.
    #[arg(long, value_name = "INPUT")]
    data: Option<String>,
    /// A SQL expression that should be true in each row, such as `fare <= trip_total`; may be given several times.
    #[arg(long, value_name = "EXPRESSION")]
    rule: Vec<String>,
    /// A YAML file with `rules`, `unique` and `examples`, as in the section `validate` of a pipeline file.
    #[arg(long, value_name = "FILE")]
    rules: Option<PathBuf>,
    /// Columns, with commas between, that no two rows of a subset share; may be given several times.
    #[arg(long, value_name = "A,B", value_parser = unique_key)]
    unique: Vec<UniqueKey>,
    /// Rows shown with each finding, the first in the data; 5 unless given, 0 for none.
    #[arg(long, value_name = "N")]
    examples: Option<usize>,
    /// A column that is shown with each row; the key of the data set unless given.
    #[arg(long, value_name = "COLUMN")]
    key: Vec<String>,
    #[command(flatten)]
    source: SourceArguments,
}

fn unique_key(text: &str) -> Result<UniqueKey, String> {
    let columns: Vec<String> = text.split(',').map(|column| column.trim().to_owned()).collect();
    if columns.iter().any(String::is_empty) {
        return Err("name columns with commas between: `--unique trip_id`, `--unique taxi_id,day`".into());
    }
    Ok(UniqueKey(columns))
}

impl RowArguments {
    fn checks(&self) -> Result<RowChecks> {
        let mut checks = match &self.rules {
            Some(path) => {
                let text = fs_err::read_to_string(path).map_err(CommonError::on("read", path))?;
                from_yaml(&text, &path.display().to_string())?
            }
            None => RowChecks::default(),
        };
        checks.rules.extend(self.rule.iter().map(Rule::new));
        checks.unique.extend(self.unique.iter().cloned());
        checks.examples = self.examples.unwrap_or(checks.examples);
        checks.check()?;
        Ok(checks)
    }

    /// Refuses options that would have no effect.
    fn refuse_without_data(&self) -> Result<()> {
        let given = [
            (!self.rule.is_empty(), "--rule"),
            (self.rules.is_some(), "--rules"),
            (!self.unique.is_empty(), "--unique"),
            (self.examples.is_some(), "--examples"),
            (!self.key.is_empty(), "--key"),
            (self.source.are_given(), "options for reading files"),
        ];
        match given.into_iter().find(|(is_given, _)| *is_given) {
            Some((_, option)) => {
                let message = format!("{option}: statistics have no rows to look at");
                Err(ArgumentError::new(message, "add `--data INPUT`, the data behind the statistics").into())
            }
            None => Ok(()),
        }
    }

    /// Opens the data; `None` without.
    pub(super) fn open(&self, session: &Session) -> Result<Option<RowData>> {
        let Some(location) = &self.data else {
            self.refuse_without_data()?;
            return Ok(None);
        };
        let checks = self.checks()?;
        let (data, key, digest) = match Data::open(location, &self.source, session)? {
            Data::Dataset(dataset) => {
                let key = dataset.record().key.clone();
                let digest = dataset.artifact().digest().to_owned();
                (Data::Dataset(dataset), key, digest)
            }
            Data::Files(files) => {
                let digest = files.plan().digest.clone();
                (Data::Files(files), Vec::new(), digest)
            }
        };
        let key = if self.key.is_empty() { key } else { self.key.clone() };
        Ok(Some(RowData { data: RefCell::new(Some(data)), key, checks, digest, counted: BTreeMap::new() }))
    }
}

/// Opened rows, and what is checked in them.
pub(super) struct RowData {
    /// Files are given away when they are read: they are one subset.
    data: RefCell<Option<Data>>,
    key: Vec<String>,
    checks: RowChecks,
    pub(super) digest: String,
    /// Rules and keys of subsets whose rows were read with the statistics.
    counted: BTreeMap<String, RowCounts>,
}

impl RowData {
    /// Holds the data and the options against statistics that were computed before.
    pub(super) fn fit(&self, statistics: &StatisticsRecord, session: &Session) -> Result<()> {
        if let (Some(Data::Files(files)), [_, second, ..]) =
            (&*self.data.borrow(), statistics.subsets.as_slice())
        {
            let message =
                format!("{} is not a data set, so it has no subset `{}`", files.name(), second.name);
            let hint = "name the data set that `ingest` wrote and the statistics are of";
            return Err(ArgumentError::new(message, hint).into());
        }
        for subset in &statistics.subsets {
            self.check(&subset.name, session, |source| {
                Ok(RowsError::unless_same(&subset.name, subset.num_rows, source)?)
            })?;
        }
        Ok(())
    }

    /// The statistics of the data as `sluice statistics --schema` computes them, and the digest of what they are of;
    /// the rows are read once for these, for rules and for keys.
    pub(super) fn statistics(&mut self, schema: &SchemaFile, session: &Session) -> Result<StatisticsRecord> {
        let rows = (!self.checks.is_empty()).then_some((&self.checks, self.key.as_slice()));
        let beside = Beside { transform: None, rows };
        let (options, execution) = (StatisticsOptions::default(), &session.execution);
        let Together { statistics, rows, .. } = match &*self.data.borrow() {
            Some(Data::Dataset(dataset)) => {
                for subset in dataset.record().subsets.keys() {
                    self.check(subset, session, |_| Ok(()))?;
                }
                let options = with_schema(options, schema.schema(), dataset, execution)?;
                together(dataset, &options, beside, execution)?
            }
            Some(Data::Files(files)) => {
                self.check("all", session, |_| Ok(()))?;
                let options = options.with_schema(schema.schema(), &files.plan().columns)?;
                together_of_source(files.as_ref(), &options, beside, execution)?
            }
            None => return Err(CommonError::Internal("there are no rows to compute from".into()).into()),
        };
        self.counted = rows;
        Ok(statistics)
    }

    /// Whether a subset is there and has the columns that rules, keys and `--key` name, and what else it should.
    fn check(&self, subset: &str, session: &Session, also: impl Fn(&FileSource) -> Result<()>) -> Result<()> {
        let fits = |source: &FileSource| {
            also(source)?;
            self.checks.check_plan(source.plan())?;
            let available = source.plan().column_names();
            match self.key.iter().find(|column| !available.contains(column)) {
                Some(column) => {
                    let column = column.clone();
                    let error: sluice_core::Error = QualityError::ColumnUnknown { column, available }.into();
                    Err(error.in_place("`--key`"))
                }
                None => Ok(()),
            }
        };
        match &*self.data.borrow() {
            Some(Data::Dataset(dataset)) => {
                fits(&dataset.subset(subset, PlanOptions::default(), &session.execution)?)
            }
            Some(Data::Files(files)) => fits(files),
            None => Ok(()),
        }
    }

    fn rows(&self, subset: &str, session: &Session) -> Result<FileSource> {
        let mut data = self.data.borrow_mut();
        match data.take() {
            Some(Data::Dataset(dataset)) => {
                let rows = dataset.subset(subset, PlanOptions::default(), &session.execution);
                *data = Some(Data::Dataset(dataset));
                rows
            }
            Some(Data::Files(files)) => Ok(*files),
            None => Err(CommonError::Internal(format!("the rows of `{subset}` are asked for twice")).into()),
        }
    }

    /// Looks at the rows of each subset; whether any were read.
    pub(super) fn look(
        &self,
        validation: &mut ValidationRecord,
        schema: &SchemaFile,
        options: &ValidateOptions,
        session: &Session,
    ) -> Result<bool> {
        let open = |subset: &str| self.rows(subset, session);
        let rows = Rows { open: &open, key: &self.key, checks: &self.checks };
        validation.look_at_rows(schema, options, &rows, self.counted.clone(), &session.execution)
    }
}
