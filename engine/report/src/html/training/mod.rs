//! The page of a fitted model: its coefficients with their intervals, how well it fits, how the penalty was chosen,
//! and where they were looked at, what the residuals say.

mod network;
mod path;
mod residuals;
mod terms;

use crate::html::escape::{NAME, SENTENCE, escape, name};
use crate::html::figures::{counted_rows, figure};
use crate::html::{page, put};

pub use network::{NetworkPage, network_page};
pub use path::PagePenalty;
pub use residuals::{PageResiduals, PageRow};
pub use terms::{PageTerm, PageTest};

/// What a page of a model shows.
#[derive(Clone, Debug, PartialEq)]
pub struct TrainingPage {
    /// The family of the model, in words.
    pub family: String,
    /// The rows that it was fitted on.
    pub rows: u64,
    /// One for each column that is predicted.
    pub models: Vec<PageModel>,
}

/// The model of one column.
#[derive(Clone, Debug, PartialEq)]
pub struct PageModel {
    /// The column that it predicts.
    pub target: String,
    /// Figures of the whole fit, each with its name; numbers already in words where they need more than a number.
    pub figures: Vec<(String, String)>,
    /// The level of the intervals.
    pub confidence: f64,
    /// What the standard errors assume, as the options name it.
    pub standard_errors: String,
    /// The intercept, where there is one, then one for each column of the design matrix.
    pub terms: Vec<PageTerm>,
    /// What to know, in sentences.
    pub notes: Vec<String>,
    /// The penalties that were tried, ascending.
    pub penalties: Vec<PagePenalty>,
    /// The penalty of the fit.
    pub penalty: f64,
    /// What the residuals say.
    pub residuals: Option<PageResiduals>,
}

/// A page of a model. One file, self-contained.
#[must_use]
pub fn training_page(title: &str, shown: &TrainingPage) -> String {
    let mut body = String::new();
    put!(
        body,
        "<header><p class=\"eyebrow\">Model</p><h1>{}</h1><p class=\"note\">{} fitted on {}</p></header>",
        escape(title, NAME * 2),
        escape(&shown.family, SENTENCE),
        counted_rows(shown.rows)
    );
    for (index, model) in shown.models.iter().enumerate() {
        section(&mut body, model, index);
    }
    page::document(title, "training", &body)
}

fn section(body: &mut String, model: &PageModel, index: usize) {
    put!(body, "<section id=\"m{index}\"><h2>{}</h2>", name(&model.target));
    if !model.notes.is_empty() {
        body.push_str("<div class=\"look\"><ol>");
        for note in &model.notes {
            put!(
                body,
                "<li><span class=\"g g1\" role=\"img\" aria-label=\"note\">▲</span><span>{}</span></li>",
                escape(note, SENTENCE)
            );
        }
        body.push_str("</ol></div>");
    }
    body.push_str("<article><h3>Fit</h3><table class=\"figures\"><tbody>");
    for (title, value) in &model.figures {
        put!(
            body,
            "<tr><th scope=\"row\">{}</th><td>{}</td></tr>",
            escape(title, NAME),
            escape(value, SENTENCE)
        );
    }
    body.push_str("</tbody></table></article>");
    terms::table(body, model);
    path::chart(body, model);
    if let Some(residuals) = &model.residuals {
        residuals::section(body, residuals);
    }
    body.push_str("</section>");
}

/// A p-value: what is below a millionth is said to be.
fn p_value(value: f64) -> String {
    if value < 1e-6 { "&lt; 1e\u{2212}6".into() } else { figure((value * 1e6).round() / 1e6) }
}
