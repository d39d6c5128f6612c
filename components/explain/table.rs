//! What `sluice explain` prints.

use sluice_pipeline::step::explain::Explanation;
use sluice_report::{Table, rows, significant};
use sluice_training::explain::{Dependence, GridValue, PermutationImportance};

/// Lines of a table; the rest is in the JSON.
const MAX_LINES: usize = 40;

pub(super) fn explanation(explanation: &Explanation) -> String {
    let mut text = format!(
        "{} of {}, {} with a prediction\n",
        rows(explanation.rows),
        rows(explanation.rows_of_data),
        rows(explanation.rows_with_prediction)
    );
    for output in &explanation.contributions {
        text.push_str(&format!(
            "\n{}: expected {}, and what features add on average\n",
            output.target,
            significant(output.base_value)
        ));
        let mut table = Table::new(&["feature", ">mean size", ">mean"]);
        for feature in output.features.iter().take(MAX_LINES) {
            table.push([
                feature.feature.clone(),
                significant(feature.mean_absolute),
                significant(feature.mean),
            ]);
        }
        text.push_str(&with_rest(table, output.features.len()));
    }
    text.push_str(&explanation.permutation.as_ref().map(permutation).unwrap_or_default());
    explanation.partial_dependence.iter().for_each(|column| text.push_str(&dependence(column)));
    text
}

fn with_rest(table: Table, lines: usize) -> String {
    let mut text = table.to_text();
    if lines > MAX_LINES {
        text.push_str(&format!("and {} lesser ones\n", lines - MAX_LINES));
    }
    text
}

fn permutation(permutation: &PermutationImportance) -> String {
    let mut table = Table::new(&["column", ">mse grows by", ">standard error"]);
    for column in permutation.columns.iter().take(MAX_LINES) {
        let error = column.standard_error.map_or_else(|| "-".into(), significant);
        table.push([column.column.clone(), significant(column.importance), error]);
    }
    format!(
        "\nmse {} of {}, and its growth when a column is permuted, {} times\n{}",
        significant(permutation.loss),
        rows(permutation.rows),
        permutation.options.repeats,
        with_rest(table, permutation.columns.len())
    )
}

fn dependence(dependence: &Dependence) -> String {
    let titles: Vec<String> = dependence.curves.iter().map(|curve| format!(">{}", curve.target)).collect();
    let mut table = Table::new(
        &std::iter::once(dependence.column.as_str())
            .chain(titles.iter().map(String::as_str))
            .collect::<Vec<_>>(),
    );
    for (index, value) in dependence.grid.iter().enumerate() {
        let shown = match value {
            GridValue::Number(number) => significant(*number),
            GridValue::Text(text) => text.clone(),
        };
        let averages = dependence.curves.iter().map(|curve| curve.averages.get(index).copied().flatten());
        let averages = averages.map(|average| average.map_or_else(|| "-".into(), significant));
        table.push(std::iter::once(shown).chain(averages));
    }
    format!("\nmean prediction by `{}`\n{}", dependence.column, table.to_text())
}
