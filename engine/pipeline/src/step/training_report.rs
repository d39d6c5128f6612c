//! A fitted model as people read it: the figures of the fit, and what a page holds.

use sluice_delivery::Model;
use sluice_delivery::network::{NetworkRecord, TrainingRecord};
use sluice_networks::Architecture;
use sluice_report::html::{
    NetworkPage, PageModel, PagePenalty, PageResiduals, PageRow, PageTerm, PageTest, TrainingPage,
    network_page, training_page,
};
use sluice_report::{count, significant};
use sluice_training::inference::{
    CoefficientTest, FitStatistics, InfluentialRow, Reference, ResidualDiagnostics, RowFigures,
};
use sluice_training::{LinearModel, Output};

/// The condition of the scaled columns from which rounding of the data shows in the coefficients.
const ILL_CONDITIONED: f64 = 1e6;
/// Columns that a note names.
const NAMED: usize = 5;

/// The page of a model.
#[must_use]
pub fn page(model: &Model) -> String {
    match model {
        Model::Linear(model) => linear_page(model),
        Model::Network(network) => {
            let title = format!("Model of {}", network.record.label);
            network_page(&title, &page_network(&network.record))
        }
    }
}

fn page_network(record: &NetworkRecord) -> NetworkPage {
    let TrainingRecord { epochs, best_epoch, .. } = &record.training;
    NetworkPage {
        rows: record.rows,
        figures: network_figures(record),
        training_loss: epochs.iter().map(|epoch| epoch.training_loss).collect(),
        validation_loss: epochs.iter().filter_map(|epoch| epoch.validation_loss).collect(),
        best_epoch: *best_epoch,
    }
}

/// What a network is and how it was fitted, each figure with its name.
#[must_use]
pub fn network_figures(record: &NetworkRecord) -> Vec<(String, String)> {
    let TrainingRecord { spec, device, parameters, validation_rows, epochs, best_epoch, stopped_early } =
        &record.training;
    let mut figures: Vec<(String, String)> = Vec::new();
    let mut push = |name: &str, value: String| figures.push((name.to_owned(), value));
    push("architecture", architecture(&spec.architecture));
    push("numbers learned", count(*parameters));
    push("loss", record.network.loss.name().to_owned());
    let optimizer = &spec.optimizer;
    push(
        "optimizer",
        format!("{}, learning rate {}", optimizer.name(), significant(optimizer.learning_rate())),
    );
    push("rows per step", count(u64::from(spec.batch_size)));
    let stopped = if *stopped_early { ", stopped early" } else { "" };
    push("epochs", format!("{} of {}{stopped}", epochs.len(), spec.epochs));
    push("epoch of the weights", best_epoch.to_string());
    if let Some(rows) = validation_rows {
        push("validation rows", count(*rows));
    }
    let at_best = epochs.iter().find(|epoch| epoch.epoch == *best_epoch);
    if let Some(epoch) = at_best {
        push("training loss", significant(epoch.training_loss));
        if let Some(loss) = epoch.validation_loss {
            push("validation loss", significant(loss));
        }
    }
    push("device", device.clone());
    figures
}

/// The layers in a few words.
fn architecture(architecture: &Architecture) -> String {
    let widths = |hidden: &[u32]| hidden.iter().map(u32::to_string).collect::<Vec<_>>().join(", ");
    let layers = |hidden: &[u32]| match hidden {
        [] => "no hidden layer".to_owned(),
        some => format!("hidden layers of {}", widths(some)),
    };
    match architecture {
        Architecture::Mlp { hidden } => format!("multilayer perceptron, {}", layers(hidden)),
        Architecture::WideAndDeep { hidden } => format!("wide and deep, {}", layers(hidden)),
        Architecture::Residual { width, blocks, .. } => {
            format!("residual, {blocks} blocks of width {width}")
        }
        Architecture::Interactions { dimension, hidden, .. } => {
            format!("interactions of vectors of {dimension}, {}", layers(hidden))
        }
    }
}

fn linear_page(model: &LinearModel) -> String {
    let shown = TrainingPage {
        family: model.family.replace('_', " "),
        rows: model.rows,
        models: model.outputs.iter().map(page_model).collect(),
    };
    training_page(&format!("Model of {}", model.label), &shown)
}

fn page_model(output: &Output) -> PageModel {
    let inference = output.inference.as_ref();
    let intercept = PageTerm {
        name: "(intercept)".into(),
        value: output.intercept,
        test: inference.and_then(|it| it.intercept).map(page_test),
        inflation: None,
        is_intercept: true,
    };
    let of_columns = output.coefficients.iter().enumerate().map(|(index, coefficient)| PageTerm {
        name: coefficient.column.clone(),
        value: coefficient.value,
        test: inference.and_then(|it| *it.coefficients.get(index)?).map(page_test),
        inflation: inference.and_then(|it| *it.variance_inflation.get(index)?),
        is_intercept: false,
    });
    let scores = output.cross_validation.iter().flat_map(|search| &search.alphas);
    PageModel {
        target: output.target.clone(),
        figures: figures(output),
        confidence: inference.map_or(0.95, |it| it.confidence),
        standard_errors: inference.map_or("classical", |it| it.standard_errors.name()).into(),
        terms: std::iter::once(intercept).chain(of_columns).collect(),
        notes: notes(output),
        penalties: scores
            .map(|score| PagePenalty {
                penalty: score.alpha,
                error: score.mean_squared_error,
                standard_error: score.standard_error,
            })
            .collect(),
        penalty: output.alpha,
        residuals: inference.and_then(|it| it.residuals.as_ref()).map(page_residuals),
    }
}

fn page_test(test: CoefficientTest) -> PageTest {
    let CoefficientTest { standard_error, statistic, p_value, interval } = test;
    PageTest { standard_error, statistic, p_value, interval }
}

/// What a fit says of itself, each figure with its name; what is not determined is left out.
#[must_use]
pub fn figures(output: &Output) -> Vec<(String, String)> {
    let mut figures = vec![("penalty".to_owned(), significant(output.alpha))];
    let Some(inference) = &output.inference else { return figures };
    let fit: &FitStatistics = &inference.fit;
    let mut push =
        |name: &str, value: Option<String>| figures.extend(value.map(|value| (name.to_owned(), value)));
    push("R²", fit.r_squared.map(significant));
    push("adjusted R²", fit.adjusted_r_squared.map(significant));
    push("residual standard deviation", fit.residual_standard_deviation.map(significant));
    push(
        "residual degrees of freedom",
        inference.reference.and_then(|reference| match reference {
            Reference::Normal => None,
            Reference::StudentT(freedom) => Some(significant(freedom)),
        }),
    );
    let f_test = fit.f_test.map(|test| {
        let [f, numerator, denominator] = [test.statistic, test.numerator, test.denominator].map(significant);
        format!("{f} on {numerator} and {denominator} degrees of freedom, p {}", p_value(test.p_value))
    });
    push("F", f_test);
    push("log-likelihood", fit.log_likelihood.map(significant));
    push("AIC", fit.aic.map(significant));
    push("BIC", fit.bic.map(significant));
    push("effective degrees of freedom", Some(significant(fit.effective_degrees)));
    push("condition number", Some(significant(fit.condition_number)));
    figures
}

/// A p-value in three digits; what is below a millionth is said to be.
#[must_use]
pub fn p_value(value: f64) -> String {
    if value < 1e-6 {
        return "< 1e-6".into();
    }
    significant(format!("{value:.2e}").parse().unwrap_or(value))
}

/// What to know of a fit, in sentences.
#[must_use]
pub fn notes(output: &Output) -> Vec<String> {
    let diagnostics = &output.diagnostics;
    let names = |indices: &[usize]| {
        let names = indices.iter().filter_map(|index| output.coefficients.get(*index));
        let named: Vec<&str> = names.map(|coefficient| coefficient.column.as_str()).take(NAMED).collect();
        let others = indices.len() - named.len();
        if others == 0 { named.join(", ") } else { format!("{} and {others} more", named.join(", ")) }
    };
    let mut notes = Vec::new();
    if !diagnostics.constant.is_empty() {
        notes.push(format!("columns that do not vary have coefficient 0: {}", names(&diagnostics.constant)));
    }
    if !diagnostics.aliased.is_empty() {
        let aliased = names(&diagnostics.aliased);
        notes.push(format!("columns that earlier columns determine have coefficient 0: {aliased}"));
    }
    if diagnostics.condition.sqrt() > ILL_CONDITIONED {
        notes.push(format!(
            "the columns are nearly dependent (condition number {}): small changes of the data move the coefficients far",
            significant(diagnostics.condition.sqrt())
        ));
    }
    if let Some(inference) = &output.inference {
        notes.extend(inference.notes.iter().cloned());
    }
    notes.extend(output.cross_validation.iter().filter_map(|search| search.note.clone()));
    notes
}

/// What residuals say, each figure with its name.
#[must_use]
pub fn residual_figures(shown: &ResidualDiagnostics) -> Vec<(String, String)> {
    let [least, lower, median, upper, most] = shown.quartiles.map(significant);
    let quartiles = format!("{least}, {lower}, {median}, {upper}, {most}");
    let mut figures = vec![("least, quartiles, largest".to_owned(), quartiles)];
    let mut push =
        |name: &str, value: Option<String>| figures.extend(value.map(|value| (name.to_owned(), value)));
    push("skewness", shown.skewness.map(significant));
    push("kurtosis (normal: 3)", shown.kurtosis.map(significant));
    let tested = |statistic: f64, p: f64| format!("{}, p {}", significant(statistic), p_value(p));
    push("normal? Jarque-Bera", shown.jarque_bera.map(|test| tested(test.statistic, test.p_value)));
    let breusch_pagan = shown.breusch_pagan.map(|test| tested(test.score.statistic, test.score.p_value));
    push("variance alike? Breusch-Pagan", breusch_pagan);
    let decided = (shown.decided_rows > 0).then(|| shown.decided_rows.to_string());
    push("rows that decide their own predictions", decided);
    figures
}

fn page_residuals(shown: &ResidualDiagnostics) -> PageResiduals {
    let rows = |rows: &[InfluentialRow]| {
        rows.iter()
            .map(|it| PageRow { file: it.file.clone(), row: it.row, ..page_row(&it.figures) })
            .collect()
    };
    PageResiduals {
        figures: residual_figures(shown),
        sample: shown.sample.iter().map(page_row).collect(),
        normal_quantiles: shown.normal_quantiles.clone(),
        standing_out: vec![
            ("Rows with the largest Cook's distances".into(), rows(&shown.largest_influence)),
            ("Rows with the largest studentised residuals".into(), rows(&shown.largest_residual)),
            ("Rows with the largest leverages".into(), rows(&shown.largest_leverage)),
        ],
    }
}

fn page_row(figures: &RowFigures) -> PageRow {
    let RowFigures { fitted, residual, studentized, leverage, cooks_distance } = *figures;
    PageRow { file: String::new(), row: 0, fitted, residual, studentized, leverage, cooks_distance }
}
