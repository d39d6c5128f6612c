//! The page of an explanation: bars of what weighs most, curves of how predictions move with a column, and every figure
//! behind them in a table.

use crate::html::escape::{NAME, SENTENCE, VALUE, escape, name};
use crate::html::figures::{brief, counted_rows, figure};
use crate::html::{page, put};
use crate::svg::{Scale, bars, line};

/// Bars of a chart; what weighs less stands in the table.
const MAX_BARS: usize = 30;
/// Lines of a table.
const MAX_LINES: usize = 500;

/// How much something weighs.
#[derive(Clone, Debug, PartialEq)]
pub struct ImportanceBar {
    /// What it is.
    pub name: String,
    /// How much.
    pub value: f64,
    /// The standard error of that.
    pub error: Option<f64>,
}

/// What weighs most.
#[derive(Clone, Debug, PartialEq)]
pub struct ImportanceChart {
    /// What is shown.
    pub title: String,
    /// How it was found.
    pub note: String,
    /// The most first.
    pub bars: Vec<ImportanceBar>,
}

/// How the mean prediction moves with a column.
#[derive(Clone, Debug, PartialEq)]
pub struct DependenceChart {
    /// The column.
    pub column: String,
    /// What is predicted.
    pub target: String,
    /// Whether the places of the points are values of the column, which a line may join.
    pub is_number: bool,
    /// Value, place and mean prediction.
    pub points: Vec<(String, f64, Option<f64>)>,
}

/// What a page of an explanation shows.
#[derive(Clone, Debug, PartialEq)]
pub struct ExplanationPage {
    /// What the model predicts.
    pub label: String,
    /// Rows of the sample.
    pub rows: u64,
    /// Rows of the data.
    pub rows_of_data: u64,
    /// Charts of what weighs most.
    pub importance: Vec<ImportanceChart>,
    /// Curves.
    pub dependence: Vec<DependenceChart>,
}

/// A page of what a model makes of which feature. One file, self-contained.
#[must_use]
pub fn explanation_page(title: &str, shown: &ExplanationPage) -> String {
    let mut body = String::new();
    put!(
        body,
        "<header><p class=\"eyebrow\">Explanation</p><h1>{}</h1><p class=\"note\">{} of {}, chosen by \
         their keys.</p></header>",
        escape(title, NAME * 2),
        counted_rows(shown.rows),
        counted_rows(shown.rows_of_data),
    );
    for chart in &shown.importance {
        importance(&mut body, chart);
    }
    if !shown.dependence.is_empty() {
        body.push_str("<section><h2>Mean prediction by the value of a column</h2>");
        for chart in &shown.dependence {
            dependence(&mut body, chart);
        }
        body.push_str("</section>");
    }
    page::document(title, "explanation", &body)
}

fn importance(body: &mut String, chart: &ImportanceChart) {
    let title = escape(&chart.title, SENTENCE);
    put!(body, "<section><h2>{title}</h2><p class=\"note\">{}</p>", escape(&chart.note, SENTENCE));
    let most = std::cmp::min(chart.bars.len(), MAX_BARS);
    let shown: Vec<(f64, Option<f64>)> =
        chart.bars[..most].iter().map(|bar| (bar.value, bar.error)).collect();
    let drawn = bars(&shown);
    body.push_str(
        "<div class=\"scroll\"><table class=\"plain\"><thead><tr><th scope=\"col\">Name</th><th \
         scope=\"col\"></th><th scope=\"col\" class=\"n\">Weight</th><th scope=\"col\" class=\"n\">Standard \
         error</th></tr></thead><tbody>",
    );
    for (index, bar) in chart.bars.iter().take(MAX_LINES).enumerate() {
        put!(
            body,
            "<tr><th scope=\"row\">{}</th><td>{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td></tr>",
            name(&bar.name),
            drawn.get(index).map_or("", String::as_str),
            figure(bar.value),
            bar.error.map_or_else(|| "–".into(), figure),
        );
    }
    body.push_str("</tbody></table></div>");
    if chart.bars.len() > MAX_LINES {
        put!(
            body,
            "<p class=\"note\">{} lesser ones stand in <code>explanation.json</code>.</p>",
            chart.bars.len() - MAX_LINES
        );
    }
    body.push_str("</section>");
}

fn dependence(body: &mut String, chart: &DependenceChart) {
    let points: Vec<(f64, f64)> =
        chart.points.iter().filter_map(|(_, place, average)| Some((*place, (*average)?))).collect();
    let title = format!("{} by {}", escape(&chart.target, NAME), escape(&chart.column, NAME));
    put!(body, "<h3>{} by {}</h3>", name(&chart.target), name(&chart.column));
    if let Some(range) = Scale::over(points.iter().map(|point| point.1)) {
        put!(
            body,
            "<div class=\"curve\">{}<p class=\"note\">{} to {}</p></div>",
            line(&points, chart.is_number, &title),
            brief(range.low()),
            brief(range.high())
        );
    }
    put!(
        body,
        "<details><summary>Figures ({})</summary><div class=\"scroll\"><table class=\"plain\"><thead><tr><th \
         scope=\"col\">Value</th><th scope=\"col\" class=\"n\">Mean \
         prediction</th></tr></thead><tbody>",
        chart.points.len()
    );
    for (shown, _, average) in chart.points.iter().take(MAX_LINES) {
        put!(
            body,
            "<tr><th scope=\"row\"><bdi>{}</bdi></th><td class=\"n\">{}</td></tr>",
            escape(shown, VALUE),
            average.map_or_else(|| "–".into(), figure)
        );
    }
    body.push_str("</tbody></table></div></details>");
}
