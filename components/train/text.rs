//! A fitted model as the terminal shows it.

use sluice_delivery::{Model, NetworkRecord};
use sluice_networks::EpochRecord;
use sluice_pipeline::step::training_report;
use sluice_report::{Table, significant};
use sluice_training::inference::CoefficientTest;
use sluice_training::{CrossValidation, GlmRecord, LinearModel, Output};

/// The last epochs of a network, so many at most.
const SHOWN_EPOCHS: usize = 10;

/// What is to be said of a model.
pub(super) fn text(model: &Model) -> String {
    match model {
        Model::Linear(model) => linear_text(model),
        Model::Network(network) => network_text(&network.record),
    }
}

/// The figures of a network, one a line, and its last epochs.
fn network_text(record: &NetworkRecord) -> String {
    let mut text = String::new();
    for (name, value) in training_report::network_figures(record) {
        text.push_str(&format!("{name}: {value}\n"));
    }
    let mut table = Table::new(&[">epoch", ">training loss", ">validation loss", ">learning rate", ""]);
    let training = &record.training;
    let first_shown = training.epochs.len().saturating_sub(SHOWN_EPOCHS);
    let is_best = |epoch: &EpochRecord| epoch.epoch == training.best_epoch;
    let shown = training.epochs.iter().enumerate().filter(|(at, epoch)| *at >= first_shown || is_best(epoch));
    for (_, epoch) in shown {
        table.push([
            epoch.epoch.to_string(),
            significant(epoch.training_loss),
            epoch.validation_loss.map_or_else(|| "-".to_owned(), significant),
            significant(epoch.learning_rate),
            if is_best(epoch) { "kept" } else { "" }.to_owned(),
        ]);
    }
    text.push_str(&table.to_text());
    if let [_, positive] = record.classes.as_slice() {
        text.push_str(&format!("prediction: the probability of `{}`\n", positive.class));
    }
    text
}

/// Coefficients, figures, penalties and notes of each output.
fn linear_text(model: &LinearModel) -> String {
    let outputs = model.outputs.iter().map(|output| output_text(output, model.outputs.len() > 1));
    outputs.chain(model.glm.iter().map(|glm| glm_text(glm))).collect()
}

/// The figures of a generalised linear model, one a line.
fn glm_text(glm: &GlmRecord) -> String {
    let mut table = Table::new(&["figure", ">value"]);
    let mut row = |name: &str, value: Option<f64>| {
        table.push([name.to_owned(), value.map_or_else(|| "-".to_owned(), significant)]);
    };
    row("deviance", Some(glm.deviance));
    row("null deviance", Some(glm.null_deviance));
    row("pseudo-R²", glm.pseudo_r_squared);
    row("log-likelihood", glm.log_likelihood);
    row("AIC", glm.aic);
    row("BIC", glm.bic);
    row("dispersion", glm.dispersion);
    row("steps", Some(f64::from(glm.convergence.iterations)));
    let mut text = table.to_text();
    if let Some(positive) = &glm.positive {
        text.push_str(&format!("prediction: the probability of `{positive}`\n"));
    }
    text.extend(glm.notes.iter().map(|note| format!("note: {note}\n")));
    text
}

fn output_text(output: &Output, is_named: bool) -> String {
    let mut text = if is_named { format!("{}:\n", output.target) } else { String::new() };
    text.push_str(&coefficients(output).to_text());
    for (name, value) in training_report::figures(output) {
        text.push_str(&format!("{name}: {value}\n"));
    }
    if let Some(residuals) = output.inference.as_ref().and_then(|inference| inference.residuals.as_ref()) {
        for (name, value) in training_report::residual_figures(residuals) {
            text.push_str(&format!("residuals, {name}: {value}\n"));
        }
    }
    if let Some(search) = &output.cross_validation {
        text.push_str(&penalties(search).to_text());
    }
    text.extend(training_report::notes(output).iter().map(|note| format!("note: {note}\n")));
    text
}

fn coefficients(output: &Output) -> Table {
    let inference = output.inference.as_ref();
    let level = inference.map_or(0.95, |inference| inference.confidence) * 100.0;
    let interval = format!(">{}% interval", significant(level));
    let mut table = Table::new(&["column", ">coefficient", ">standard error", ">t", ">p", &interval]);
    let mut push = |name: &str, value: f64, test: Option<CoefficientTest>| {
        let cells = test.map_or_else(
            || ["-"; 4].map(str::to_owned),
            |test| {
                let (low, high) = test.interval;
                [
                    significant(test.standard_error),
                    significant(test.statistic),
                    training_report::p_value(test.p_value),
                    format!("{} to {}", significant(low), significant(high)),
                ]
            },
        );
        table.push([name.to_owned(), significant(value)].into_iter().chain(cells));
    };
    push("(intercept)", output.intercept, inference.and_then(|inference| inference.intercept));
    for (index, coefficient) in output.coefficients.iter().enumerate() {
        let test = inference.and_then(|inference| *inference.coefficients.get(index)?);
        push(&coefficient.column, coefficient.value, test);
    }
    table
}

/// Every penalty that was tried; columns that no score fills are left out.
fn penalties(search: &CrossValidation) -> Table {
    let has_ratios = search.chosen_l1_ratio.is_some();
    let has_counts = search.alphas.iter().any(|score| score.nonzero.is_some());
    let mut header = vec![">alpha"];
    header.extend(has_ratios.then_some(">l1 ratio"));
    header.extend(has_counts.then_some(">not 0"));
    header.extend([">mean squared error", ">standard error", ""]);
    let mut table = Table::new(&header);
    for score in &search.alphas {
        let is_chosen = score.alpha.to_bits() == search.chosen.to_bits()
            && score.l1_ratio.map(f64::to_bits) == search.chosen_l1_ratio.map(f64::to_bits);
        let mut row = vec![significant(score.alpha)];
        row.extend(has_ratios.then(|| score.l1_ratio.map_or_else(String::new, significant)));
        row.extend(has_counts.then(|| score.nonzero.map_or_else(String::new, |count| count.to_string())));
        row.extend([significant(score.mean_squared_error), significant(score.standard_error)]);
        row.push(if is_chosen { "chosen" } else { "" }.to_owned());
        table.push(row);
    }
    table
}
