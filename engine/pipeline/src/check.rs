//! Checks a pipeline file against the header of its data, without reading the rows.

use serde::Serialize;

use sluice_core::column::ColumnKind;
use sluice_core::error::{CommonError, Result};
use sluice_core::plan::PlannedColumn;
use sluice_core::role::Roles;
use sluice_transform::Fitter;

use crate::spec::{PipelineFile, PreviousSpec, SpecError};
use crate::step;
use crate::step::ingest::Outline;
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
    /// What is sound, and yet will not do what a run is for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}

/// Checks that every column that the file names is in the data, that rules and slices fit the kinds of their columns
/// where the header tells these, and that the schema can be read.
///
/// # Errors
/// What is wrong with the file, the header of the data or the schema.
pub fn check(file: &PipelineFile) -> Result<CheckReport> {
    let spec = &file.spec;
    let outline = step::ingest::outline(&file.inputs(), &spec.data.roles.key)?;
    // Where an expression of a query has no name, only its answer tells the columns.
    let known = outline.is_some();
    let Outline { names: columns, lineage, columns: kinds } = outline.unwrap_or_default();
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
    spec.train.targets().iter().try_for_each(|target| require(target, "train"))?;
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
    if known {
        // Where headers do not tell kinds: a column of nothing is one that every operation takes.
        let named = |name: &String| PlannedColumn { name: name.clone(), kind: ColumnKind::Null };
        let mut planned = kinds.clone().unwrap_or_else(|| columns.iter().map(named).collect());
        planned.retain(|column| subset_column != Some(column.name.as_str()));
        let fitter =
            Fitter::new(&spec.transform, &planned, roles).map_err(|error| error.in_place("`transform`"))?;
        fitter.check_lineage(roles, &lineage)?;
        let made = fitter.features();
        let sources = made.iter().map(|feature| (feature.name.as_str(), feature.sources.as_slice()));
        step::train::check_targets(spec.train.targets(), sources, roles, Some(&lineage))?;
        features.extend(made.into_iter().map(|feature| feature.name));
    }
    for (key, column) in spec.statistics.named() {
        outlives_ingest(column, &format!("statistics.{key}"))?;
    }
    check_expressions(file, known.then_some(columns.as_slice()), kinds)?;
    for (place, column) in spec.evaluate.options.slice_columns() {
        outlives_ingest(column, place)?;
    }
    check_files(file)?;
    let mut warnings = Vec::new();
    if spec.evaluate.options.lets_nothing_pass() {
        warnings.push(
            "nothing is required under `evaluate`, so no model will pass: set `require`, `block_regressions`, or \
             `accept_any: true` to let any model pass"
                .into(),
        );
    }
    Ok(CheckReport { pipeline: spec.pipeline.clone(), columns, features, warnings })
}

/// The columns that outlive `ingest`, as the header of the data tells them; `None` where only the rows do. A column
/// whose kind the header does not tell is one of nothing, which every operation takes.
pub(crate) fn planned_columns(file: &PipelineFile) -> Result<Option<Vec<PlannedColumn>>> {
    let data = &file.spec.data;
    let Some(outline) = step::ingest::outline(&file.inputs(), &data.roles.key)? else { return Ok(None) };
    let named = |name: &String| PlannedColumn { name: name.clone(), kind: ColumnKind::Null };
    let mut columns = outline.columns.unwrap_or_else(|| outline.names.iter().map(named).collect());
    columns.retain(|column| data.subsets.column() != Some(column.name.as_str()));
    Ok(Some(columns))
}

/// Whether the files that validation reads can be read.
fn check_files(file: &PipelineFile) -> Result<()> {
    let spec = &file.spec;
    if let Some(path) = &spec.schema {
        let schema = step::schema::read(&file.resolve(path))?;
        spec.validate.options.check(schema.schema())?;
    }
    if let PreviousSpec::Path(path) = &spec.validate.previous {
        StatisticsRecord::open(&file.resolve(path)).map_err(|error| error.in_place("`validate.previous`"))?;
    }
    Ok(())
}

/// Whether the statistics, rules and keys fit the columns that outlive `ingest`: with their kinds, where these are
/// known; else rules and keys by name, and without names by their syntax. What the headers do not tell is found out
/// when the data are there.
fn check_expressions(
    file: &PipelineFile,
    names: Option<&[String]>,
    kinds: Option<Vec<PlannedColumn>>,
) -> Result<()> {
    let (statistics, rules) = (&file.spec.statistics, &file.spec.validate.rows);
    let is_kept = |name: &str| file.spec.data.subsets.column() != Some(name);
    if let Some(mut kinds) = kinds {
        kinds.retain(|column| is_kept(&column.name));
        statistics.check_columns(&kinds).map_err(|error| error.in_place("`statistics`"))?;
        return rules.check_columns(&kinds).map_err(|error| error.in_place("`validate`"));
    }
    let names = names.map(|names| -> Vec<String> {
        names.iter().filter(|name| is_kept(name.as_str())).cloned().collect()
    });
    rules.check_names(names.as_deref()).map_err(|error| error.in_place("`validate`"))
}

/// Every column that the roles name, with the role's key.
fn named(roles: &Roles) -> impl Iterator<Item = (&'static str, &String)> {
    let of = |role: &'static str| move |column| (role, column);
    let single = [("label", &roles.label), ("weight", &roles.weight), ("time", &roles.time)];
    let single = single.into_iter().flat_map(move |(role, column)| column.iter().map(of(role)));
    let lists = [("key", &roles.key), ("ignored", &roles.ignored), ("allow", &roles.allow)];
    single.chain(lists.into_iter().flat_map(move |(role, columns)| columns.iter().map(of(role))))
}
