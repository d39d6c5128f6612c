//! Checks a pipeline file against the header of its data, without reading the rows.

use serde::Serialize;

use sluice_core::error::{CommonError, Result};
use sluice_core::role::Roles;

use crate::spec::{PipelineFile, PreviousSpec, SpecError};
use crate::step;
use crate::step::statistics::StatisticsRecord;

/// What a check looked at.
#[derive(Clone, Debug, Serialize)]
pub struct CheckReport {
    /// The pipeline.
    pub pipeline: String,
    /// Columns of the data.
    pub columns: Vec<String>,
    /// Columns that become features.
    pub features: Vec<String>,
}

/// Checks that every column that the file names is in the data, also in rules, and that the schema can be read.
///
/// # Errors
/// What is wrong with the file, the header of the data or the schema.
pub fn check(file: &PipelineFile) -> Result<CheckReport> {
    let spec = &file.spec;
    let outline = step::ingest::outline(&file.inputs(), &spec.data.roles.key)?;
    // Where an expression of a query has no name, only its answer tells the columns.
    let known = outline.is_some();
    let (columns, lineage) = outline.unwrap_or_default();
    let require = |column: &str, place: &str| -> Result<()> {
        if !known || columns.iter().any(|known| known == column) {
            return Ok(());
        }
        Err(CommonError::ColumnMissing {
            column: column.into(),
            place: format!("the data, but `{place}` names it"),
            available: columns.clone(),
        }
        .into())
    };
    let roles = &spec.data.roles;
    for (role, column) in named(roles) {
        require(column, &format!("data.roles.{role}"))?;
    }
    if let Some(column) = spec.data.subsets.column() {
        require(column, "data.subsets.by")?;
    }
    let mut features: Vec<String> = Vec::new();
    // `ingest` takes the column that names the subsets out of the data.
    let subset_column = spec.data.subsets.column();
    let outlives_ingest = |column: &str, place: &str| -> Result<()> {
        if subset_column != Some(column) {
            return require(column, place);
        }
        Err(SpecError::SubsetColumn { column: column.into(), place: place.into() }.into())
    };
    for operation in &spec.transform.0 {
        for column in operation.columns() {
            outlives_ingest(column, operation.name())?;
            sluice_transform::check_role(operation, column, roles)?;
            sluice_transform::check_lineage(column, roles, &lineage)?;
            if !features.contains(column) {
                features.push(column.clone());
            }
        }
    }
    for (key, column) in spec.statistics.named() {
        outlives_ingest(column, &format!("statistics.{key}"))?;
    }
    check_rules(file, known.then_some(columns.as_slice()))?;
    for slice in &spec.evaluate.options.slices {
        for column in &slice.0 {
            outlives_ingest(column, "evaluate.slices")?;
        }
    }
    for requirement in &spec.evaluate.options.require {
        for column in requirement.every.iter().flat_map(|columns| &columns.0) {
            outlives_ingest(column, "evaluate.require.every")?;
        }
    }
    if let Some(path) = &spec.schema {
        let schema = step::schema::read(&file.resolve(path))?;
        spec.validate.options.check(schema.schema())?;
    }
    if let PreviousSpec::Path(path) = &spec.validate.previous {
        StatisticsRecord::open(&file.resolve(path)).map_err(|error| error.in_place("`validate.previous`"))?;
    }
    Ok(CheckReport { pipeline: spec.pipeline.clone(), columns, features })
}

/// Whether rules and keys name columns that outlive `ingest`; without columns only their syntax is looked at.
fn check_rules(file: &PipelineFile, columns: Option<&[String]>) -> Result<()> {
    let subset_column = file.spec.data.subsets.column();
    let kept = |columns: &[String]| -> Vec<String> {
        columns.iter().filter(|column| Some(column.as_str()) != subset_column).cloned().collect()
    };
    let names = columns.map(kept);
    file.spec.validate.rows.check_names(names.as_deref()).map_err(|error| error.in_place("`validate`"))
}

/// Every column that the roles name, with the role's key.
fn named(roles: &Roles) -> impl Iterator<Item = (&'static str, &String)> {
    let of = |role: &'static str| move |column| (role, column);
    let single = roles.label.iter().map(of("label")).chain(roles.time.iter().map(of("time")));
    let lists = [("key", &roles.key), ("ignored", &roles.ignored), ("allow", &roles.allow)];
    single.chain(lists.into_iter().flat_map(move |(role, columns)| columns.iter().map(of(role))))
}
