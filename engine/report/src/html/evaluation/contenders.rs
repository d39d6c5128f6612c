//! The models that were measured beside the candidate: their figures in a slice, in a table of their own.

use std::ops::Range;

use crate::html::escape::{SENTENCE, escape, name};
use crate::html::evaluation::{
    EvaluationPage, FIGURES_FILE, PageCurves, PageFigures, PageSlice, interval, optional, p_value, signed,
};
use crate::html::figures::percent;
use crate::html::put;

/// The sets of colours that are left when candidate and baseline have theirs.
pub(super) const SETS: Range<usize> = 2..6;
/// Contenders whose curves are drawn: as many as there are colours.
pub(super) const MAX_DRAWN: usize = SETS.end - SETS.start;
/// Contenders in a table.
const MAX_CONTENDERS: usize = 20;
/// Metrics of a contender.
const MAX_METRICS: usize = 60;

/// A model that was measured beside the candidate, in one slice.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PageContender {
    /// Its figures as if it were the candidate, in the order of the metrics.
    pub figures: Vec<PageFigures>,
    /// What its plots show.
    pub curves: PageCurves,
}

/// The curves of those contenders that are drawn, each with its set of colours.
pub(super) fn drawn(slice: &PageSlice) -> impl Iterator<Item = (usize, &PageCurves)> {
    SETS.zip(slice.contenders.iter().map(|contender| &contender.curves))
}

/// A line per metric and contender; nothing where there are none.
pub(super) fn table(body: &mut String, shown: &EvaluationPage, slice: &PageSlice) {
    if slice.contenders.is_empty() {
        return;
    }
    let level = percent(1.0 - shown.alpha);
    put!(
        body,
        "<h3>Contenders</h3><div class=\"scroll\"><table class=\"plain\"><thead><tr><th scope=\"col\">Metric</th>\
         <th scope=\"col\">Contender</th><th scope=\"col\" class=\"n\">Value</th><th scope=\"col\" class=\"n \
         wide\">{level} interval</th>"
    );
    if shown.is_compared {
        put!(
            body,
            "<th scope=\"col\" class=\"n\">Change</th><th scope=\"col\" class=\"n wide\">{level} interval</th><th \
             scope=\"col\" class=\"n\">p of harm here</th>"
        );
    }
    body.push_str("</tr></thead><tbody>");
    for (place, metric) in shown.metrics.iter().enumerate().take(MAX_METRICS) {
        for (called, contender) in shown.contenders.iter().zip(&slice.contenders).take(MAX_CONTENDERS) {
            let Some(figures) = contender.figures.get(place) else { continue };
            line(body, shown.is_compared, (&metric.name, called), figures);
        }
    }
    body.push_str("</tbody></table></div>");
    if shown.metrics.len() > MAX_METRICS || shown.contenders.len() > MAX_CONTENDERS {
        put!(body, "<p class=\"note\">More of them stands in <code>{FIGURES_FILE}</code>.</p>");
    }
}

fn line(body: &mut String, is_compared: bool, (metric, called): (&str, &str), figures: &PageFigures) {
    let note = figures.note.as_ref();
    let note =
        note.map_or_else(String::new, |note| format!("<br><small>{}</small>", escape(note, SENTENCE / 8)));
    put!(
        body,
        "<tr><th scope=\"row\">{}{note}</th><td>{}</td><td class=\"n\">{}</td><td class=\"n wide\">{}</td>",
        name(metric),
        name(called),
        optional(figures.candidate),
        interval(figures.interval)
    );
    if is_compared {
        put!(
            body,
            "<td class=\"n\">{}</td><td class=\"n wide\">{}</td><td class=\"n\">{}</td>",
            signed(figures.change),
            interval(figures.change_interval),
            p_value(figures.p_worse)
        );
    }
    body.push_str("</tr>");
}
