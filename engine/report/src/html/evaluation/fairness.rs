//! How far the groups of a slicing lie apart: each disparity of candidate and baseline, and the two groups that make it.

use crate::html::escape::{NAME, SENTENCE, VALUE, escape, name};
use crate::html::evaluation::{EvaluationPage, interval, optional};
use crate::html::figures::figure;
use crate::html::put;

/// Slicings on a page.
const MAX_SLICINGS: usize = 20;
/// Contenders in a table.
const MAX_CONTENDERS: usize = 20;

/// The disparities between the groups of one slicing.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PageFairness {
    /// The columns that make the groups.
    pub by: Vec<String>,
    /// Rows whose probability is above it are predicted positive.
    pub threshold: f64,
    /// A row per disparity.
    pub disparities: Vec<PageDisparity>,
}

/// A disparity between the two groups that lie furthest apart.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PageDisparity {
    /// Its name, such as `demographic_parity_difference`.
    pub name: String,
    /// The candidate's.
    pub candidate: Option<f64>,
    /// Its interval.
    pub interval: Option<(f64, f64)>,
    /// The baseline's.
    pub baseline: Option<f64>,
    /// The contenders', in the order of their names on the page.
    pub contenders: Vec<Option<f64>>,
    /// The candidate's group of the largest rate, and that of the smallest.
    pub groups: Option<(String, String)>,
    /// Why something is missing.
    pub note: Option<String>,
}

/// A table per slicing; nothing where none was asked for.
pub(super) fn section(body: &mut String, page: &EvaluationPage) {
    let shown = &page.fairness;
    if shown.is_empty() {
        return;
    }
    body.push_str(
        "<section id=\"fairness\"><h2>Fairness</h2><p class=\"note\">Differences are the largest rate of a group \
         minus the smallest, best at 0; ratios the smallest by the largest, best at 1.</p>",
    );
    for slicing in shown.iter().take(MAX_SLICINGS) {
        table(body, slicing, page);
    }
    if shown.len() > MAX_SLICINGS {
        put!(
            body,
            "<p class=\"note\">{} more slicings stand in <code>{}</code>.</p>",
            shown.len() - MAX_SLICINGS,
            super::FIGURES_FILE
        );
    }
    body.push_str("</section>");
}

fn table(body: &mut String, slicing: &PageFairness, page: &EvaluationPage) {
    let by: Vec<String> = slicing.by.iter().map(|column| name(column)).collect();
    let title = |words: &str| format!("<th scope=\"col\" class=\"n\">{words}</th>");
    let mut others = if page.is_compared { title("Baseline") } else { String::new() };
    others.extend(page.contenders.iter().take(MAX_CONTENDERS).map(|called| title(&name(called))));
    put!(
        body,
        "<h3>By {} at {}</h3><div class=\"scroll\"><table class=\"plain\"><thead><tr><th scope=\"col\">Disparity</th>\
         <th scope=\"col\" class=\"n\">Candidate</th><th scope=\"col\" class=\"n wide\">Interval</th>{others}\
         <th scope=\"col\">Largest rate</th><th scope=\"col\">Smallest rate</th></tr></thead><tbody>",
        by.join(", "),
        figure(slicing.threshold),
    );
    for disparity in &slicing.disparities {
        let value = |value: Option<f64>| format!("<td class=\"n\">{}</td>", optional(value));
        let mut others = if page.is_compared { value(disparity.baseline) } else { String::new() };
        others.extend(disparity.contenders.iter().take(MAX_CONTENDERS).map(|it| value(*it)));
        let group = |held: &String| format!("<td><bdi>{}</bdi></td>", escape(held, NAME + VALUE));
        let groups = match (&disparity.groups, &disparity.note) {
            (Some((highest, lowest)), _) => format!("{}{}", group(highest), group(lowest)),
            (None, note) => {
                let note = note.as_deref().map_or_else(|| "–".into(), |note| escape(note, SENTENCE));
                format!("<td colspan=\"2\">{note}</td>")
            }
        };
        put!(
            body,
            "<tr><th scope=\"row\"><code>{}</code></th><td class=\"n\">{}</td><td class=\"n wide\">{}</td>\
             {others}{groups}</tr>",
            escape(&disparity.name, NAME),
            optional(disparity.candidate),
            interval(disparity.interval),
        );
    }
    body.push_str("</tbody></table></div>");
}
