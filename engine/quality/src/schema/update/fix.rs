//! The change of the schema that settles one finding, by what TFDV calls it.
//!
//! Where the statistics are at hand the new rule is computed from them; without, the change is the one that the
//! finding itself proposes, where its suggestion is a piece of a schema.

use sluice_core::schema::{Feature, Lifecycle, Shape};
use sluice_core::statistics::{ColumnStatistics, DatasetStatistics};

use super::{Update, domain, relax, repair, suggestion};
use crate::error::QualityError;
use crate::schema::infer::{InferOptions, fill_semantic};
use crate::schema::path::{serialized_path, serialized_steps};
use crate::schema::text::SchemaFile;
use crate::validation::Finding;

/// What is known beside the finding.
#[derive(Clone, Copy, Debug)]
pub struct Known<'a> {
    /// The statistics in which it was found.
    pub statistics: Option<&'a DatasetStatistics>,
    /// How new columns are inferred.
    pub options: &'a InferOptions,
}

/// Changes the schema so that the finding does not come back for the same data.
///
/// # Errors
/// [`QualityError::NotFixable`] where no change of the schema settles it (a data set without rows), or where that
/// needs statistics that are not there; [`QualityError::ColumnUnknown`] where the schema has no such column.
pub fn apply_fix(file: &mut SchemaFile, finding: &Finding, known: Known<'_>) -> Result<(), QualityError> {
    let code = finding.tfdv.name.as_str();
    if matches!(code, "NO_DATA_IN_SPAN" | "UNKNOWN_TYPE") || is_undecided(finding) {
        return Err(not_fixable(finding, "look at the data, or at how their statistics were computed"));
    }
    let empty = DatasetStatistics::default();
    let mut update = Update::new(file, known.statistics.unwrap_or(&empty), known.options);
    let is_settled = match &finding.column {
        None => fix_dataset(&mut update, code, known.statistics),
        Some(column) if code.starts_with("SPARSE_FEATURE_") || code.starts_with("WEIGHTED_FEATURE_") => {
            deprecate_composed(&mut update, column)
        }
        Some(column) => fix_column(&mut update, code, column, known.statistics)?,
    };
    if is_settled {
        let schema = update.schema;
        file.replace(schema);
        if let Some(statistics) = known.statistics {
            fill_semantic(file.message_mut(), statistics);
        }
        return Ok(());
    }
    if suggestion::apply(file, &finding.suggestion)? {
        return Ok(());
    }
    let hint = match known.statistics {
        None => "give the statistics in which it was found: `--statistics STATISTICS`",
        Some(_) => "change the schema by hand, as the finding says",
    };
    Err(not_fixable(finding, hint))
}

fn not_fixable(finding: &Finding, hint: &str) -> QualityError {
    QualityError::NotFixable {
        code: finding.tfdv.name.clone(),
        column: finding.column.clone(),
        hint: hint.into(),
    }
}

/// What the statistics could not decide is no statement about the data.
fn is_undecided(finding: &Finding) -> bool {
    finding.code == crate::validation::FindingCode::Undecided
}

fn fix_dataset(update: &mut Update, code: &str, statistics: Option<&DatasetStatistics>) -> bool {
    let Some(statistics) = statistics else { return false };
    let rows = i64::try_from(statistics.num_rows).unwrap_or(i64::MAX);
    match code {
        "DATASET_LOW_NUM_EXAMPLES" => update.schema.min_rows = Some(rows),
        "DATASET_HIGH_NUM_EXAMPLES" => update.schema.max_rows = Some(rows),
        _ => return false,
    }
    true
}

fn deprecate_composed(update: &mut Update, name: &str) -> bool {
    let sparse = update.schema.sparse_features.iter_mut().filter(|one| one.name == name);
    let stages: Vec<&mut Lifecycle> = sparse.map(|one| &mut one.lifecycle).collect();
    let weighted = update.schema.weighted_features.iter_mut().filter(|one| one.name == name);
    let stages: Vec<&mut Lifecycle> =
        stages.into_iter().chain(weighted.map(|one| &mut one.lifecycle)).collect();
    let is_there = !stages.is_empty();
    stages.into_iter().for_each(|stage| *stage = Lifecycle::Deprecated);
    is_there
}

/// Whether the finding was settled; not where the statistics are missing, or the change is none of ours.
fn fix_column(
    update: &mut Update,
    code: &str,
    name: &str,
    statistics: Option<&DatasetStatistics>,
) -> Result<bool, QualityError> {
    let column = statistics.and_then(|statistics| column_named(statistics, name));
    let steps = match column {
        Some(column) => Some(column.steps().to_vec()),
        None => steps_named(&update.schema.features, &[], name),
    };
    let found = steps.as_ref().and_then(|steps| Some((steps.clone(), update.take(steps)?)));
    let Some((steps, mut feature)) = found else {
        return match column {
            Some(column) if code == "SCHEMA_NEW_COLUMN" => Ok(update.add(column)),
            _ if code == "SCHEMA_NEW_COLUMN" => Ok(false),
            _ => Err(QualityError::ColumnUnknown {
                column: name.to_owned(),
                available: update.schema.features.iter().map(|feature| feature.name.clone()).collect(),
            }),
        };
    };
    let mut drops_list = false;
    let is_settled = match code {
        "SCHEMA_MISSING_COLUMN" | "FEATURE_TYPE_NOT_PRESENT" | "UNEXPECTED_DATA_TYPE" => {
            feature.lifecycle = Lifecycle::Deprecated;
            true
        }
        "INVALID_FEATURE_SHAPE" => {
            feature.shape = Shape::Any;
            true
        }
        "DERIVED_FEATURE_BAD_LIFECYCLE" => {
            feature.lifecycle = Lifecycle::ValidationDerived;
            true
        }
        "INVALID_SCHEMA_SPECIFICATION" | "INVALID_DOMAIN_SPECIFICATION" | "FEATURE_MISSING_TYPE" => {
            let before = feature.clone();
            repair::repair(&mut feature);
            feature != before
        }
        "DOMAIN_INVALID_FOR_TYPE" | "STATS_NOT_AVAILABLE" => feature.domain.take().is_some(),
        _ => match column {
            Some(column) => {
                let view = update.view(column);
                relax_by_code(&mut feature, code, view, &mut drops_list)
            }
            None => false,
        },
    };
    if is_settled {
        update.put(&steps, feature, drops_list);
    }
    Ok(is_settled)
}

fn relax_by_code(
    feature: &mut Feature,
    code: &str,
    view: crate::schema::view::View<'_>,
    drops_list: &mut bool,
) -> bool {
    let before = feature.clone();
    match code {
        "FEATURE_TYPE_LOW_FRACTION_PRESENT" | "FEATURE_TYPE_LOW_NUMBER_PRESENT" => {
            relax::presence(feature, view);
        }
        "FEATURE_TYPE_HIGH_NUMBER_VALUES"
        | "FEATURE_TYPE_LOW_NUMBER_VALUES"
        | "VALUE_NESTEDNESS_MISMATCH" => {
            relax::value_counts(feature, view);
        }
        "FEATURE_TYPE_HIGH_UNIQUE" | "FEATURE_TYPE_LOW_UNIQUE" | "FEATURE_TYPE_NO_UNIQUE" => {
            relax::unique(feature, view);
        }
        _ if ["ENUM_TYPE_", "BOOL_TYPE_", "INT_TYPE_", "FLOAT_TYPE_", "SEMANTIC_DOMAIN_"]
            .iter()
            .any(|prefix| code.starts_with(prefix)) =>
        {
            *drops_list = domain::relax(feature, view);
        }
        _ => return false,
    }
    *feature != before
}

/// A column as a finding names it: by its name, or its path as TFDV writes it.
fn column_named<'a>(statistics: &'a DatasetStatistics, name: &str) -> Option<&'a ColumnStatistics> {
    let is_named =
        |column: &&ColumnStatistics| column.name == name || serialized_steps(column.steps()) == name;
    statistics.columns.iter().find(is_named)
}

fn steps_named(features: &[Feature], above: &[String], name: &str) -> Option<Vec<String>> {
    for feature in features {
        let mut steps = above.to_vec();
        steps.push(feature.name.clone());
        let path = serialized_steps(&steps);
        if path == name
            || steps.join(".") == name
            || (above.is_empty() && serialized_path(&feature.name) == name)
        {
            return Some(steps);
        }
        if let Some(found) = steps_named(&feature.fields, &steps, name) {
            return Some(found);
        }
    }
    None
}
