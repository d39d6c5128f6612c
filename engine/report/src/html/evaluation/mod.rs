//! The page of an evaluation: the verdict with every reason, the slices by how much worse they are, and of overall and
//! the slices that matter every metric, curves and confusion matrices, candidate and baseline over one another.
//!
//! A page is bounded in bytes, not in slices: tables and details end where their share is used up, the worst slices
//! first, and the page says how many are left out.

mod charts;
mod confusion;
mod contenders;
mod detail;
mod fairness;
mod gaps;
mod verdict;
mod weak;

use crate::html::escape::{NAME, VALUE, escape, name, value};
use crate::html::figures::figure;
use crate::html::{page, put};

pub use charts::{PageBin, PageCurves};
pub use confusion::PageConfusion;
pub use contenders::PageContender;
pub use fairness::{PageDisparity, PageFairness};
pub use verdict::{PageOutcome, PageReason};
pub use weak::{PageWeakSlice, PageWeakSlices};

/// The file that holds what a page leaves out.
const FIGURES_FILE: &str = "metrics.json";
/// Columns of a slice that are shown.
const MAX_PARTS: usize = 8;

/// What a page of an evaluation shows.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct EvaluationPage {
    /// The decision.
    pub outcome: PageOutcome,
    /// What it rests on, in a sentence: rows, baseline, level.
    pub basis: String,
    /// Every reason, in any order.
    pub reasons: Vec<PageReason>,
    /// The metrics.
    pub metrics: Vec<PageMetric>,
    /// The place of the metric that is shown first.
    pub main_metric: usize,
    /// The slices, all rows first.
    pub slices: Vec<PageSlice>,
    /// Whether there is a baseline beside the candidate.
    pub is_compared: bool,
    /// The names of the models that were measured beside the candidate.
    pub contenders: Vec<String>,
    /// The level of the tests; intervals have 1 − alpha.
    pub alpha: f64,
    /// The slices that are worst, where they were looked for.
    pub weak_slices: Option<PageWeakSlices>,
    /// How far groups lie apart, for each slicing that was asked about.
    pub fairness: Vec<PageFairness>,
}

/// A metric, with the slices by their gaps in it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PageMetric {
    /// Its name.
    pub name: String,
    /// Which way it improves, in words.
    pub direction: String,
    /// All slices, in the order in which they are shown.
    pub gaps: Vec<PageGap>,
}

/// How much worse a metric is in a slice.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct PageGap {
    /// The place of the slice.
    pub slice: usize,
    /// How much worse; below 0: better.
    pub harm: Option<f64>,
    /// The one-sided p-value of harm, corrected over slices.
    pub p_value: Option<f64>,
    /// Whether harm is proven.
    pub is_proven: bool,
}

/// A slice; one without parts is all rows.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PageSlice {
    /// Columns with their values; no value stands for null.
    pub parts: Vec<(String, Option<String>)>,
    /// Its rows.
    pub rows: u64,
    /// Their weight, where rows have weights.
    pub weight: Option<f64>,
    /// Whether they are few for a test.
    pub few_rows: bool,
    /// The figures, in the order of the metrics.
    pub figures: Vec<PageFigures>,
    /// What the candidate's plots show.
    pub candidate: PageCurves,
    /// What the baseline's plots show.
    pub baseline: PageCurves,
    /// The contenders, in the order of their names on the page.
    pub contenders: Vec<PageContender>,
    /// Confusion matrices.
    pub confusions: Vec<PageConfusion>,
}

/// The figures of one metric in one slice. What does not exist is none.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PageFigures {
    /// The candidate's value.
    pub candidate: Option<f64>,
    /// Its interval.
    pub interval: Option<(f64, f64)>,
    /// The baseline's value.
    pub baseline: Option<f64>,
    /// Candidate minus baseline.
    pub change: Option<f64>,
    /// Its interval.
    pub change_interval: Option<(f64, f64)>,
    /// The one-sided p-value of "worse at all", of this slice alone.
    pub p_worse: Option<f64>,
    /// Why something is missing.
    pub note: Option<String>,
}

/// A page of an evaluation. One file, self-contained.
#[must_use]
pub fn evaluation_page(title: &str, shown: &EvaluationPage) -> String {
    let mut body = String::new();
    let drawn = detail::draw(shown);
    verdict::head(&mut body, title, shown, &drawn);
    gaps::section(&mut body, shown, &drawn);
    weak::section(&mut body, shown.weak_slices.as_ref());
    fairness::section(&mut body, shown);
    detail::section(&mut body, shown, &drawn);
    about(&mut body, shown);
    page::document(title, "evaluation", &body)
}

impl PageSlice {
    /// Whether it is all rows.
    fn is_overall(&self) -> bool {
        self.parts.is_empty()
    }

    /// Its name as markup: `payment = Cash, hour = 7`.
    fn name(&self) -> String {
        if self.is_overall() {
            return "<b>all rows</b>".into();
        }
        let part = |(column, held): &(String, Option<String>)| {
            let held = held.as_deref().map_or_else(|| crate::html::escape::nothing("missing"), value);
            format!("{} = {held}", name(column))
        };
        let mut text = self.parts.iter().take(MAX_PARTS).map(part).collect::<Vec<_>>().join(", ");
        if self.parts.len() > MAX_PARTS {
            text.push_str(", …");
        }
        text
    }

    /// Its name without markup, escaped.
    fn words(&self) -> String {
        if self.is_overall() {
            return "all rows".into();
        }
        let part = |(column, held): &(String, Option<String>)| {
            format!("{} = {}", escape(column, NAME), escape(held.as_deref().unwrap_or("(null)"), VALUE))
        };
        self.parts.iter().take(MAX_PARTS).map(part).collect::<Vec<_>>().join(", ")
    }

    /// Its rows, and that they are few.
    fn counted(&self) -> String {
        let few = if self.few_rows { " <small class=\"few\">few</small>" } else { "" };
        format!("{}{few}", crate::html::figures::counted(self.rows))
    }
}

/// A figure that may not exist.
fn optional(value: Option<f64>) -> String {
    value.map_or_else(|| "–".into(), figure)
}

/// `0.1 to 0.3`.
fn interval(ends: Option<(f64, f64)>) -> String {
    use crate::html::figures::brief;
    ends.map_or_else(|| "–".into(), |(low, high)| format!("{} to {}", brief(low), brief(high)))
}

/// A change with its sign.
fn signed(value: Option<f64>) -> String {
    value.map_or_else(
        || "–".into(),
        |value| format!("{}{}", if value > 0.0 { "+" } else { "" }, figure(value)),
    )
}

/// A p-value; what is below a millionth is said to be.
fn p_value(value: Option<f64>) -> String {
    match value {
        None => "–".into(),
        Some(value) if value < 1e-6 => "&lt; 1e\u{2212}6".into(),
        Some(value) => figure((value * 1e6).round() / 1e6),
    }
}

/// Candidate, baseline and the contenders that are drawn, in their colours.
fn keys(shown: &EvaluationPage) -> String {
    let key = |set: usize, words: &str| format!("<span><i class=\"k f{set}\"></i>{words}</span>");
    let baseline = if shown.is_compared { key(1, "baseline") } else { String::new() };
    let contenders = shown.contenders.iter().take(contenders::MAX_DRAWN).enumerate();
    let contenders: String =
        contenders.map(|(place, called)| key(contenders::SETS.start + place, &name(called))).collect();
    format!("<p class=\"keys\">{}{baseline}{contenders}</p>", key(0, "candidate"))
}

/// What is to be known of contenders.
const CONTENDERS: &str = "Contenders are measured on the same rows, and their change is contender minus baseline; the \
                          verdict is about the candidate alone. ";

fn about(body: &mut String, shown: &EvaluationPage) {
    if shown.slices.is_empty() {
        return;
    }
    put!(
        body,
        "<section class=\"about\"><h2>How to read this</h2><p>Change is candidate minus baseline on the same rows. \
         {}Intervals hold the true value in {} of such evaluations. p is the chance of at least this much harm if the \
         candidate were in truth no worse; among slices by the same columns it is corrected after Holm, so that all of \
         them together raise a false alarm with a chance of {} at most. Slices marked <small class=\"few\">few</small> \
         have fewer rows than a test leans on. The verdict decides by the margins of the requirements, which stand in \
         the reasons.</p></section>",
        if shown.contenders.is_empty() { "" } else { CONTENDERS },
        crate::html::figures::percent(1.0 - shown.alpha),
        crate::html::figures::percent(shown.alpha)
    );
}
