//! Slices in detail: every metric, curves and confusion matrices. Of many slices those that the verdict blames, then
//! those with the greatest gaps.

use std::collections::BTreeSet;

use crate::html::escape::{NAME, SENTENCE, escape, name};
use crate::html::evaluation::{
    EvaluationPage, FIGURES_FILE, PageFigures, PageMetric, PageSlice, charts, confusion, contenders,
    interval, optional, p_value, signed,
};
use crate::html::figures::{counted, counted_rows, figure, percent};
use crate::html::put;

/// Slices in detail.
const MAX_SLICES: usize = 64;
/// Slices that are not folded.
const MAX_OPEN: usize = 6;
/// Bytes of all details together.
const MAX_BYTES: usize = 1_300_000;
/// Metrics of a slice.
const MAX_METRICS: usize = 300;

/// The slices in detail, as they are drawn.
pub(super) struct Drawn {
    articles: Vec<String>,
    places: BTreeSet<usize>,
}

impl Drawn {
    /// Whether the slice at this place can be led to.
    pub(super) fn has(&self, slice: usize) -> bool {
        self.places.contains(&slice)
    }
}

/// Draws all rows, the slices that speak against the model, and those with the greatest gaps in the main metric.
pub(super) fn draw(shown: &EvaluationPage) -> Drawn {
    let blamed: BTreeSet<usize> =
        shown.reasons.iter().filter(|reason| !reason.passed).filter_map(|reason| reason.slice).collect();
    let gaps: Vec<usize> = match shown.metrics.get(shown.main_metric) {
        Some(metric) => metric.gaps.iter().map(|gap| gap.slice).collect(),
        None => (0..shown.slices.len()).collect(),
    };
    let overall =
        gaps.iter().copied().filter(|place| shown.slices.get(*place).is_some_and(PageSlice::is_overall));
    let is_blamed = |place: &usize| blamed.contains(place);
    let order: Vec<usize> = overall
        .chain(gaps.iter().copied().filter(is_blamed))
        .chain(gaps.iter().copied().filter(|place| !is_blamed(place)))
        .collect();
    let mut drawn = Drawn { articles: Vec::new(), places: BTreeSet::new() };
    let mut bytes = 0;
    for place in order {
        let Some(slice) = shown.slices.get(place).filter(|_| !drawn.has(place)) else { continue };
        let is_open = slice.is_overall() || is_blamed(&place) && drawn.articles.len() < MAX_OPEN;
        let article = article(shown, (place, slice), is_open);
        bytes += article.len();
        if drawn.articles.len() == MAX_SLICES || (bytes > MAX_BYTES && !drawn.articles.is_empty()) {
            break;
        }
        drawn.places.insert(place);
        drawn.articles.push(article);
    }
    drawn
}

/// The details that were drawn.
pub(super) fn section(body: &mut String, shown: &EvaluationPage, drawn: &Drawn) {
    if drawn.articles.is_empty() {
        return;
    }
    body.push_str("<section id=\"details\"><h2>Slices in detail</h2>");
    body.push_str(&drawn.articles.concat());
    let left_out = shown.slices.len().saturating_sub(drawn.articles.len());
    if left_out > 0 {
        put!(
            body,
            "<p class=\"note\">{} slices with smaller gaps are left out here to keep \
             the page small; they stand in <code>{FIGURES_FILE}</code>.</p>",
            counted(left_out as u64)
        );
    }
    body.push_str("</section>");
}

fn article(shown: &EvaluationPage, (place, slice): (usize, &PageSlice), is_open: bool) -> String {
    let mut body = String::new();
    let weight = slice.weight.map_or_else(String::new, |weight| format!(", weight {}", figure(weight)));
    let few = if slice.few_rows { ", few" } else { "" };
    put!(
        body,
        "<article class=\"slice{}\" data-text=\"{words}\"><details{}><summary>{}<span \
         class=\"kind\">{}{weight}{few}</span></summary><div id=\"s{place}\">",
        if slice.is_overall() { "" } else { " c" },
        if is_open { " open" } else { "" },
        slice.name(),
        counted_rows(slice.rows),
        words = slice.words(),
    );
    table(&mut body, shown, slice);
    contenders::table(&mut body, shown, slice);
    charts::section(&mut body, shown, slice);
    confusion::section(&mut body, slice);
    body.push_str("</div></details></article>");
    body
}

fn table(body: &mut String, shown: &EvaluationPage, slice: &PageSlice) {
    let level = percent(1.0 - shown.alpha);
    put!(
        body,
        "<div class=\"scroll\"><table class=\"plain\"><thead><tr><th scope=\"col\">Metric</th><th scope=\"col\" \
         class=\"n\">Candidate</th><th scope=\"col\" class=\"n wide\">{level} interval</th>"
    );
    if shown.is_compared {
        put!(
            body,
            "<th scope=\"col\" class=\"n\">Baseline</th><th scope=\"col\" class=\"n\">Change</th><th scope=\"col\" \
             class=\"n wide\">{level} interval</th><th scope=\"col\" class=\"n\">p of harm here</th>"
        );
    }
    body.push_str("</tr></thead><tbody>");
    for (metric, figures) in shown.metrics.iter().zip(&slice.figures).take(MAX_METRICS) {
        line(body, shown.is_compared, metric, figures);
    }
    body.push_str("</tbody></table></div>");
    let left_out = shown.metrics.len().saturating_sub(MAX_METRICS);
    if left_out > 0 {
        put!(body, "<p class=\"note\">{left_out} more metrics stand in <code>{FIGURES_FILE}</code>.</p>");
    }
}

fn line(body: &mut String, is_compared: bool, metric: &PageMetric, figures: &PageFigures) {
    let note = figures
        .note
        .as_ref()
        .map_or_else(String::new, |note| format!("<br><small>{}</small>", escape(note, SENTENCE / 8)));
    put!(
        body,
        "<tr><th scope=\"row\">{}<span class=\"kind\"> {}</span>{note}</th><td class=\"n\">{}</td><td \
         class=\"n wide\">{}</td>",
        name(&metric.name),
        escape(&metric.direction, NAME),
        optional(figures.candidate),
        interval(figures.interval)
    );
    if is_compared {
        put!(
            body,
            "<td class=\"n\">{}</td><td class=\"n\">{}</td><td class=\"n wide\">{}</td><td class=\"n\">{}</td>",
            optional(figures.baseline),
            signed(figures.change),
            interval(figures.change_interval),
            p_value(figures.p_worse)
        );
    }
    body.push_str("</tr>");
}
