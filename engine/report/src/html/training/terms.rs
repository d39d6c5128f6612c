//! The coefficients: a row each, with the interval as a line over one axis.

use crate::html::escape::{NAME, escape, name};
use crate::html::figures::{brief, counted, figure, percent};
use crate::html::put;
use crate::html::training::{PageModel, p_value};
use crate::svg::{Scale, whisker};

/// Coefficients on a page.
const MAX_TERMS: usize = 500;

/// A coefficient.
#[derive(Clone, Debug, PartialEq)]
pub struct PageTerm {
    /// Its column.
    pub name: String,
    /// Its value.
    pub value: f64,
    /// What is known of it beside.
    pub test: Option<PageTest>,
    /// Its variance inflation.
    pub inflation: Option<f64>,
    /// Whether it is the intercept, which is on another scale than the others.
    pub is_intercept: bool,
}

/// The test of a coefficient.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PageTest {
    /// Its standard error.
    pub standard_error: f64,
    /// The value over its standard error.
    pub statistic: f64,
    /// The two-sided p-value.
    pub p_value: f64,
    /// The confidence interval.
    pub interval: (f64, f64),
}

impl PageTerm {
    /// How far from 0, in standard errors; of terms without, nothing.
    fn weight(&self) -> f64 {
        self.test.map_or(-1.0, |test| test.statistic.abs())
    }
}

/// The terms shown, in their order: where there are too many, those furthest from 0.
fn shown(terms: &[PageTerm]) -> Vec<&PageTerm> {
    let mut order: Vec<usize> = (0..terms.len()).collect();
    order.sort_by(|&a, &b| {
        let by_size = terms[b].value.abs().total_cmp(&terms[a].value.abs());
        terms[b].weight().total_cmp(&terms[a].weight()).then(by_size).then(a.cmp(&b))
    });
    order.truncate(MAX_TERMS);
    order.sort_unstable();
    order.into_iter().map(|index| &terms[index]).collect()
}

/// The table.
pub(super) fn table(body: &mut String, model: &PageModel) {
    let terms = shown(&model.terms);
    let ends = |term: &&&PageTerm| {
        let (low, high) = term.test.map_or((term.value, term.value), |test| test.interval);
        [low, term.value, high]
    };
    let columns = terms.iter().filter(|term| !term.is_intercept);
    let Some(scale) = Scale::over(columns.flat_map(|term| ends(&term)).chain([0.0])) else { return };
    put!(
        body,
        "<h3>Coefficients</h3><p class=\"note\">Intervals at {}, {} standard errors. Lines and dots in colour do not \
         reach 0. The axis runs from {} to {}; a coefficient's size depends on the scale of its column.</p>\
         <div class=\"scroll\"><table class=\"plain terms\"><thead><tr><th scope=\"col\">Column</th>\
         <th scope=\"col\"></th><th scope=\"col\" class=\"n\">Coefficient</th>\
         <th scope=\"col\" class=\"n\">Standard error</th><th scope=\"col\" class=\"n wide\">Interval</th>\
         <th scope=\"col\" class=\"n wide\">Statistic</th><th scope=\"col\" class=\"n\">p</th>\
         <th scope=\"col\" class=\"n wide\">Variance inflation</th></tr></thead><tbody>",
        percent(model.confidence),
        escape(&model.standard_errors, NAME),
        brief(scale.low()),
        brief(scale.high())
    );
    for term in &terms {
        row(body, term, scale);
    }
    body.push_str("</tbody></table></div>");
    if terms.len() < model.terms.len() {
        let left_out = (model.terms.len() - terms.len()) as u64;
        put!(
            body,
            "<p class=\"note\">{} coefficients nearer to 0 are left out to keep the page small; they stand in \
             <code>model.json</code>.</p>",
            counted(left_out)
        );
    }
}

fn row(body: &mut String, term: &PageTerm, scale: Scale) {
    let none = || "–".to_owned();
    let chart = if term.is_intercept {
        String::new()
    } else {
        whisker(term.value, term.test.map(|test| test.interval), scale, &escape(&term.name, NAME))
    };
    let interval = |test: PageTest| format!("{} to {}", figure(test.interval.0), figure(test.interval.1));
    put!(
        body,
        "<tr><th scope=\"row\">{}</th><td>{chart}</td><td class=\"n\">{}</td><td class=\"n\">{}</td>\
         <td class=\"n wide\">{}</td><td class=\"n wide\">{}</td><td class=\"n\">{}</td>\
         <td class=\"n wide\">{}</td></tr>",
        name(&term.name),
        figure(term.value),
        term.test.map_or_else(none, |test| figure(test.standard_error)),
        term.test.map_or_else(none, interval),
        term.test.map_or_else(none, |test| brief(test.statistic)),
        term.test.map_or_else(none, |test| p_value(test.p_value)),
        term.inflation.map_or_else(none, brief)
    );
}
