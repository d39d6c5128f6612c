//! What steps did, in a few words.

use sluice_delivery::{Model, ModelPackage, NetworkRecord};
use sluice_ingest::Dataset;
use sluice_report::{count, significant};
use sluice_training::{LinearModel, Rule};

/// What became of the rows.
pub(super) fn dataset_summary(dataset: &Dataset) -> String {
    let record = dataset.record();
    let subsets: Vec<String> =
        record.subsets.iter().map(|(name, rows)| format!("{name} {}", count(*rows))).collect();
    let mut summary = format!("{}: {}", sluice_report::rows(record.rows_read), subsets.join(", "));
    if record.left_out > 0 {
        summary.push_str(&format!(", left out {}", count(record.left_out)));
    }
    match record.spans.as_slice() {
        [] => {}
        [span] => summary.push_str(&format!("; span {}", span.span)),
        [first, .., last] => summary.push_str(&format!("; spans {} to {}", first.span, last.span)),
    }
    summary
}

/// Which model came out.
pub(super) fn train_summary(model: &ModelPackage) -> String {
    match model.model() {
        Model::Linear(model) => linear_summary(model),
        Model::Network(network) => network_summary(&network.record),
    }
}

fn network_summary(record: &NetworkRecord) -> String {
    let training = &record.training;
    let stopped = if training.stopped_early { ", stopped early" } else { "" };
    let mut summary = format!(
        "network, {} numbers learned in {} epochs{stopped}",
        count(training.parameters),
        training.epochs.len()
    );
    if let Some(best) = training.epochs.iter().find(|epoch| epoch.epoch == training.best_epoch) {
        let (what, loss) = match best.validation_loss {
            Some(loss) => ("validation", loss),
            None => ("training", best.training_loss),
        };
        summary.push_str(&format!(", {what} loss {} after epoch {}", significant(loss), best.epoch));
    }
    summary
}

fn linear_summary(model: &LinearModel) -> String {
    let output = model.label_output();
    let family = &model.family;
    let ratio =
        output.l1_ratio.map_or_else(String::new, |ratio| format!(", l1 ratio {}", significant(ratio)));
    let mut summary = format!(
        "{family}, alpha {}{ratio}, {} of {} coefficients {}",
        significant(output.alpha),
        output.diagnostics.rank,
        output.coefficients.len(),
        if ["lasso", "elastic_net"].contains(&family.as_str()) { "not 0" } else { "determined" }
    );
    if let Some(search) = &output.cross_validation {
        let rule = match search.rule {
            Rule::Best => "the best",
            Rule::OneStandardError => "the largest within one standard error",
        };
        summary.push_str(&format!(", {rule} of {} over {} folds", search.alphas.len(), search.folds));
        if let Some(note) = &search.note {
            summary.push_str(&format!(" ({note})"));
        }
    }
    if let Some(glm) = &model.glm {
        let steps = glm.convergence.iterations;
        summary.push_str(&format!(
            ", {steps} steps, deviance {} of {}",
            significant(glm.deviance),
            significant(glm.null_deviance)
        ));
    }
    if model.method == "exact" {
        summary.push_str(", ill-conditioned: read once more in double-double");
    }
    summary
}
