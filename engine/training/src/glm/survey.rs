//! The classes of a label, for models that are fitted elsewhere.

use sluice_core::accumulator::Accumulator as _;
use sluice_core::error::Result;
use sluice_core::execution::Execution;
use sluice_core::fold::fold;

use super::error::GlmError;
use super::family::Family;
use super::labels::{LabelReader, LabelSummary};
use super::record::ClassRows;
use crate::data::TrainingData;

/// The classes of the label in the rows with a weight above 0, ascending; one scan of label and weight.
///
/// # Errors
/// No rows, one class, more than [`super::MAX_CLASSES`], a label that is no class or a weight that is none, with its row.
pub fn survey_classes(data: TrainingData<'_>, execution: &Execution) -> Result<Vec<ClassRows>> {
    let label = data.columns.label.clone();
    let reader = LabelReader {
        label: label.clone(),
        family: Family::Logistic,
        distribution: "network".into(),
        classes: Vec::new(),
    };
    execution.progress.begin("train, label", data.source.plan().extent());
    let summary = LabelSummary::new(reader, data.columns.weight.clone());
    let summary = fold(data.source, &summary, execution)?.accumulator.finish();
    execution.progress.end();
    let classes = summary.classes.into_iter().map(|(class, (rows, weight))| ClassRows {
        class,
        rows,
        weight: weight.to_f64(),
    });
    let classes: Vec<ClassRows> = classes.collect();
    match classes.as_slice() {
        [] => Err(data.no_rows().into()),
        [only] => {
            let (class, rows) = (only.class.to_string(), only.rows);
            Err(GlmError::OneClass { label, class, rows }.into())
        }
        _ => Ok(classes),
    }
}
