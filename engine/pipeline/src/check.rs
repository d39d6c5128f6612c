//! Checks a pipeline file against the header of its data, without reading the rows.

use serde::Serialize;

use sluice_core::error::{CommonError, Result};

use crate::spec::PipelineFile;
use crate::step;

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

/// Checks that every column that the file names is in the data, and that the schema can be read.
///
/// # Errors
/// What is wrong with the file, the header of the data or the schema.
pub fn check(file: &PipelineFile) -> Result<CheckReport> {
    let columns = sluice_source::header(file.input(), file.base(), &file.source_options())?;
    let spec = &file.spec;
    let require = |column: &str, place: &str| -> Result<()> {
        if columns.iter().any(|known| known == column) {
            return Ok(());
        }
        Err(CommonError::ColumnMissing {
            column: column.into(),
            place: format!("the data, but `{place}` names it"),
            available: columns.clone(),
        }
        .into())
    };
    for column in spec.data.roles.columns() {
        require(column, "data.roles")?;
    }
    if let Some(column) = spec.data.subsets.column() {
        require(column, "data.subsets.by")?;
    }
    let mut features: Vec<String> = Vec::new();
    for operation in &spec.transform.0 {
        for column in operation.columns() {
            require(column, operation.name())?;
            if !features.contains(column) {
                features.push(column.clone());
            }
        }
    }
    for slice in &spec.evaluate.options.slices {
        for column in &slice.0 {
            require(column, "evaluate.slices")?;
        }
    }
    for requirement in &spec.evaluate.options.require {
        for column in requirement.every.iter().flat_map(|columns| &columns.0) {
            require(column, "evaluate.require.every")?;
        }
    }
    if let Some(path) = &spec.schema {
        step::schema::read(&file.resolve(path))?;
    }
    Ok(CheckReport { pipeline: spec.pipeline.clone(), columns, features })
}
