//! The page of batches over time: what each comes to, which columns move when, and the series that moved.
//!
//! A page holds the latest 120 batches, the 100 columns that went furthest and 40 series; what is left out is said.

use crate::html::escape::{NAME, SENTENCE, escape, name};
use crate::html::figures::{brief, counted, figure};
use crate::html::{page, put};
use crate::svg::{Mark, Plot, Tick};

/// Batches on a page.
const MAX_BATCHES: usize = 120;
/// Columns in the table of all batches.
const MAX_COLUMNS: usize = 100;
/// Series that are drawn.
const MAX_SERIES: usize = 40;
/// Ticks that have room below a chart.
const MAX_TICKS: usize = 6;
/// Characters of a tick.
const TICK: usize = 14;

/// What a page of batches over time shows.
#[derive(Clone, Debug, PartialEq)]
pub struct TimelinePage {
    /// Whether the latest batch raises no alarm.
    pub is_calm: bool,
    /// What the batches were compared with, in a sentence.
    pub about: String,
    /// In their order.
    pub batches: Vec<PageBatch>,
    /// Per column how far it went, in the order of the data.
    pub columns: Vec<PageStrip>,
    /// The series that moved, the most certain first.
    pub series: Vec<PageSeries>,
}

/// One batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PageBatch {
    /// Its name.
    pub name: String,
    /// Its rows.
    pub num_rows: u64,
    /// Alarms against the reference, and the columns that raise them.
    pub reference: (usize, String),
    /// The same against the batch before; none for the first.
    pub before: Option<(usize, String)>,
}

/// How far a column went from the reference, batch by batch.
#[derive(Clone, Debug, PartialEq)]
pub struct PageStrip {
    /// The column.
    pub column: String,
    /// Its greatest signal in units of its threshold and whether it is an alarm; none where it was not measured.
    pub cells: Vec<Option<(f64, bool)>>,
}

/// One signal over the batches.
#[derive(Clone, Debug, PartialEq)]
pub struct PageSeries {
    /// The column.
    pub column: String,
    /// What was measured.
    pub measure: String,
    /// What it tells, in sentences.
    pub words: Vec<String>,
    /// The greatest value that raises no alarm.
    pub threshold: f64,
    /// Against the reference, by batch.
    pub values: Vec<Option<f64>>,
    /// Between two samples of the same data, by batch.
    pub noise_floors: Vec<Option<f64>>,
    /// The batch from which on its level is another.
    pub changed_at: Option<usize>,
}

/// A page of batches over time. One file, self-contained.
#[must_use]
pub fn timeline_page(title: &str, shown: &TimelinePage) -> String {
    let mut body = String::new();
    let (class, word) =
        if shown.is_calm { ("", "The latest batch is as the reference") } else { (" bad", "Drift") };
    let latest = shown.batches.last().map_or_else(String::new, |batch| match batch.reference {
        (0, _) => format!("{}: no alarms. ", batch.name),
        (count, ref columns) => format!("{}: {count} alarms, in {columns}. ", batch.name),
    });
    put!(
        body,
        "<header><p class=\"eyebrow\">Drift over time</p><h1>{}</h1><div \
         class=\"verdict{class}\"><strong>{word}</strong><p>{}{}</p></div></header>",
        escape(title, NAME * 2),
        escape(&latest, SENTENCE),
        escape(&shown.about, SENTENCE)
    );
    let first = shown.batches.len().saturating_sub(MAX_BATCHES);
    if first > 0 {
        put!(
            body,
            "<p class=\"note\">{first} earlier batches are left out; <code>timeline.json</code> has them.</p>"
        );
    }
    columns(&mut body, shown, first);
    series(&mut body, shown, first);
    batches(&mut body, shown, first);
    page::document(title, "timeline", &body)
}

/// The greatest, at least `least`; NaN is none.
fn greatest(values: impl Iterator<Item = f64>, least: f64) -> f64 {
    values.fold(least, |found, value| if value > found { value } else { found })
}

fn columns(body: &mut String, shown: &TimelinePage, first: usize) {
    let furthest = |strip: &PageStrip| greatest(strip.cells.iter().flatten().map(|cell| cell.0), 0.0);
    let mut order: Vec<&PageStrip> = shown.columns.iter().collect();
    // What went furthest is what a reader looks for; equal ones stay in the order of the data.
    order.sort_by(|a, b| furthest(b).total_cmp(&furthest(a)));
    body.push_str(
        "<section><h2>Columns by batch</h2><p class=\"note\">The greatest signal of each batch against the reference, in \
         units of its threshold. Orange: an alarm. The deeper, the further. Numbers are those of the \
         batches below.</p><div class=\"scroll\"><table class=\"heat\"><thead><tr><th scope=\"col\">Column</th>",
    );
    for index in first..shown.batches.len() {
        let batch = escape(&shown.batches[index].name, NAME);
        put!(body, "<th scope=\"col\" class=\"n\" title=\"{batch}\">{}</th>", index + 1);
    }
    body.push_str("</tr></thead><tbody>");
    for strip in order.iter().take(MAX_COLUMNS) {
        put!(body, "<tr><th scope=\"row\">{}</th>", name(&strip.column));
        for (cell, batch) in strip.cells.iter().zip(&shown.batches).skip(first) {
            match cell {
                Some((part, is_alarm)) => {
                    let depth = (part / 4.0).clamp(0.0, 1.0) * 75.0 + 5.0;
                    put!(
                        body,
                        "<td class=\"{}\" style=\"--h:{depth:.0}%\" title=\"{}\">{}</td>",
                        if *is_alarm { "x" } else { "y" },
                        escape(&batch.name, NAME),
                        figure((part * 10.0).round() / 10.0)
                    );
                }
                None => body.push_str("<td class=\"nil\">–</td>"),
            }
        }
        body.push_str("</tr>");
    }
    body.push_str("</tbody></table></div>");
    if order.len() > MAX_COLUMNS {
        put!(
            body,
            "<p class=\"note\">{} columns that went less far are left out.</p>",
            order.len() - MAX_COLUMNS
        );
    }
    body.push_str("</section>");
}

fn series(body: &mut String, shown: &TimelinePage, first: usize) {
    body.push_str("<section><h2>What moved</h2>");
    if shown.series.is_empty() {
        body.push_str(
            "<p class=\"calm\">No series has an alarm, a trend or a change that is more than chance.</p>",
        );
    } else {
        body.push_str(
            "<p class=\"note\">Line: against the reference. Dashed: the threshold. Shaded: what samples of the same data come \
             to. Upright: where the level changed.</p>",
        );
    }
    for series in shown.series.iter().take(MAX_SERIES) {
        put!(
            body,
            "<article><h3>{}<span class=\"kind\"><code>{}</code></span></h3>",
            name(&series.column),
            escape(&series.measure, NAME)
        );
        for words in &series.words {
            put!(body, "<p class=\"note\">{}</p>", escape(words, SENTENCE));
        }
        put!(body, "<div class=\"plots\"><figure>{}</figure></div></article>", chart(series, shown, first));
    }
    if shown.series.len() > MAX_SERIES {
        put!(
            body,
            "<p class=\"note\">{} less certain series are left out.</p>",
            shown.series.len() - MAX_SERIES
        );
    }
    body.push_str("</section>");
}

fn chart(series: &PageSeries, shown: &TimelinePage, first: usize) -> String {
    let last = shown.batches.len();
    let points = |values: &[Option<f64>]| -> Vec<(f64, f64)> {
        let known = values.iter().enumerate().skip(first);
        known.filter_map(|(index, value)| Some(((index + 1) as f64, (*value)?))).collect()
    };
    let ends = [(first + 1) as f64, last as f64];
    let values = points(&series.values);
    let top = greatest(values.iter().map(|(_, value)| *value), series.threshold);
    let mut marks = vec![
        Mark::Band(points(&series.noise_floors).into_iter().map(|(x, noise)| (x, 0.0, noise)).collect()),
        Mark::Line(ends.map(|x| (x, series.threshold)).to_vec(), "rule"),
        Mark::Line(values.clone(), "path"),
        Mark::Points(values, "dots"),
    ];
    if let Some(changed) = series.changed_at.filter(|changed| *changed >= first) {
        let at = changed as f64 + 0.5;
        marks.push(Mark::Line(vec![(at, 0.0), (at, top)], "other"));
    }
    let step = (last - first).div_ceil(MAX_TICKS).max(1);
    let ticks = (first..last).step_by(step).map(|index| -> Tick {
        let name: Vec<char> = shown.batches[index].name.chars().collect();
        // Names of batches differ at their ends.
        let end: String = name[name.len().saturating_sub(TICK)..].iter().collect();
        ((index + 1) as f64, escape(&end, TICK))
    });
    let (title, y) = (
        format!("{} of {} by batch", escape(&series.measure, NAME), escape(&series.column, NAME)),
        escape(&series.measure, NAME),
    );
    let plot = Plot { title: &title, x: "batch", y: &y, marks, x_ticks: Some(ticks.collect()), shown: brief };
    plot.svg()
}

fn batches(body: &mut String, shown: &TimelinePage, first: usize) {
    body.push_str(
        "<section><h2>Batches</h2><div class=\"scroll\"><table class=\"plain\"><thead><tr><th scope=\"col\" \
         class=\"n\">No</th><th scope=\"col\">Batch</th><th scope=\"col\" class=\"n\">Rows</th><th \
         scope=\"col\" class=\"n\">Alarms against the reference</th><th scope=\"col\">in</th><th scope=\"col\" \
         class=\"n\">Alarms against the batch before</th><th scope=\"col\">in</th></tr></thead><tbody>",
    );
    for (index, batch) in shown.batches.iter().enumerate().skip(first) {
        let cells = |alarms: Option<&(usize, String)>| match alarms {
            Some((count, columns)) => {
                format!("<td class=\"n\">{count}</td><td>{}</td>", escape(columns, SENTENCE))
            }
            None => "<td class=\"n nil\">–</td><td></td>".to_owned(),
        };
        put!(
            body,
            "<tr><td class=\"n\">{}</td><th scope=\"row\">{}</th><td class=\"n\">{}</td>{}{}</tr>",
            index + 1,
            name(&batch.name),
            counted(batch.num_rows),
            cells(Some(&batch.reference)),
            cells(batch.before.as_ref())
        );
    }
    body.push_str("</tbody></table></div></section>");
}
