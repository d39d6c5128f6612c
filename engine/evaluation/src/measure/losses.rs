//! A number per row, from its label and the prediction of one model.

use sluice_core::batch::Batch;
use sluice_core::error::Result;
use sluice_core::seam::{Predictor, Task};

use super::scored::LabelRows;
use super::term::{Answers, Term};
use super::{Role, scored};

/// The numbers of the rows of a batch, which has the output of the model under the name of its role.
///
/// # Errors
/// A label or a prediction that is null, NaN or infinite, or no probability where it has to be one, with its row.
pub(crate) fn losses(batch: &Batch, model: &dyn Predictor, role: &Role, term: Term) -> Result<Vec<f64>> {
    let task = model.task();
    let labels = LabelRows::of(model, batch)?;
    let label = scored::finite(&labels.values, || format!("label `{}`", model.label()))?;
    let what = || format!("{role}'s prediction");
    let columns = scored::predictions(batch, role, task.outputs())?;
    let columns =
        columns.into_iter().map(|column| scored::finite(column, what)).collect::<Result<Vec<_>>>()?;
    if task != Task::Regression {
        scored::probabilities(&columns, what)?;
    }
    if matches!(task, Task::Binary { .. }) {
        scored::probabilities(&[label], || format!("label `{}`", model.label()))?;
    }
    Ok(term.values(Answers { label, predictions: &columns, truths: &labels.truths(), shift: 0.0 }))
}
