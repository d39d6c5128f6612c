//! The plots of a slice: ROC, precision over recall, calibration with the rows behind it, and the spread of errors, of
//! candidate, baseline and contenders over one another.

use crate::html::evaluation::{EvaluationPage, PageSlice, contenders, keys};
use crate::html::figures::{brief, figure};
use crate::html::put;
use crate::svg::{Curve, Frame, Mark, Plot, Scale, histogram};

/// Points of a curve.
const MAX_POINTS: usize = 256;
/// The height of the tallest bar of rows below a calibration curve.
const BARS: f64 = 0.18;

/// What the plots of one model show. What does not apply is empty.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PageCurves {
    /// False positive rate and true positive rate.
    pub roc: Vec<(f64, f64)>,
    /// Recall and precision.
    pub precision_recall: Vec<(f64, f64)>,
    /// Predictions against labels.
    pub calibration: Vec<PageBin>,
    /// Of errors (prediction minus label): from, to, weight.
    pub errors: Vec<(f64, f64, f64)>,
}

/// The rows whose prediction lies in a range.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct PageBin {
    /// Its lower end.
    pub low: f64,
    /// Its upper end.
    pub high: f64,
    /// The weight of its rows; their number where they have none.
    pub weight: f64,
    /// The mean of their predictions.
    pub mean_prediction: f64,
    /// The mean of their labels.
    pub mean_label: f64,
}

type Points = Vec<(f64, f64)>;

/// All plots that there are points for.
pub(super) fn section(body: &mut String, shown: &EvaluationPage, slice: &PageSlice) {
    let mut plots = String::new();
    let others = contenders::drawn(slice).map(|(set, curves)| (curves, LINES[set], "", set));
    let models: Vec<Model<'_>> = others
        .chain([(&slice.baseline, "path other", "dots other", 1), (&slice.candidate, "path", "dots", 0)])
        .map(|(curves, line, dots, set)| Model { curves, line, dots, set })
        .collect();
    let chance = vec![(0.0, 0.0), (1.0, 1.0)];
    curves(
        &mut plots,
        ("ROC", "false positive rate", "true positive rate"),
        &models.iter().map(|model| (&model.curves.roc, model.line)).collect::<Vec<_>>(),
        Some(chance.clone()),
        "The higher, the better; on the dashed line a model knows nothing.",
    );
    curves(
        &mut plots,
        ("Precision and recall", "recall", "precision"),
        &models.iter().map(|model| (&model.curves.precision_recall, model.line)).collect::<Vec<_>>(),
        None,
        "The higher, the better.",
    );
    calibration(&mut plots, &models);
    errors(&mut plots, &models);
    if !plots.is_empty() {
        put!(body, "{}<div class=\"plots\">{plots}</div>", keys(shown));
        let left_out = slice.contenders.len().saturating_sub(contenders::MAX_DRAWN);
        if left_out > 0 {
            put!(body, "<p class=\"note\">{left_out} more contenders are not drawn.</p>");
        }
    }
}

/// A model that is drawn; those that come later lie above the others.
struct Model<'a> {
    curves: &'a PageCurves,
    /// The class of its lines.
    line: &'static str,
    /// The class of its dots; none where it has none.
    dots: &'static str,
    /// Its colours.
    set: usize,
}

/// The class of a line in each set of colours; candidate and baseline have classes of their own.
const LINES: [&str; contenders::SETS.end] = ["path", "path other", "o2", "o3", "o4", "o5"];

/// Some of the points, the ends among them.
fn thinned(points: &[(f64, f64)]) -> Points {
    if points.len() <= MAX_POINTS {
        return points.to_vec();
    }
    (0..MAX_POINTS).map(|n| points[n * (points.len() - 1) / (MAX_POINTS - 1)]).collect()
}

fn figure_of(body: &mut String, (title, x, y): (&str, &str, &str), marks: Vec<Mark>, words: &str) {
    let plot = Plot { title, x, y, marks, x_ticks: None, shown: brief };
    put!(body, "<figure>{}<figcaption><b>{title}.</b> {words}</figcaption></figure>", plot.svg());
}

/// Curves over the unit square.
fn curves(
    body: &mut String,
    axes: (&str, &str, &str),
    models: &[(&Points, &'static str)],
    rule: Option<Points>,
    words: &str,
) {
    if models.iter().all(|(points, _)| points.is_empty()) {
        return;
    }
    let mut marks = vec![Mark::Extent(vec![(0.0, 0.0), (1.0, 1.0)])];
    marks.extend(rule.map(|rule| Mark::Line(rule, "rule")));
    for (points, class) in models {
        if !points.is_empty() {
            marks.push(Mark::Line(thinned(points), class));
        }
    }
    figure_of(body, axes, marks, words);
}

/// Mean label by mean prediction, with bars that say how many rows are behind each of the candidate's points.
fn calibration(body: &mut String, models: &[Model<'_>]) {
    let points = |bins: &[PageBin]| -> Points {
        let held = bins.iter().filter(|bin| bin.weight > 0.0);
        thinned(&held.map(|bin| (bin.mean_prediction, bin.mean_label)).collect::<Points>())
    };
    let bins = || models.iter().rev().map(|model| model.curves.calibration.as_slice());
    let all: Points = bins().flat_map(points).collect();
    let ends = Scale::over(all.iter().flat_map(|(x, y)| [*x, *y]));
    let Some(ends) = ends else { return };
    // Probabilities on the whole unit square, whatever part of it they fill.
    let is_share = ends.low() >= 0.0 && ends.high() <= 1.0;
    let (low, high) = if is_share { (0.0, 1.0) } else { (ends.low(), ends.high()) };
    let mut marks = vec![Mark::Extent(vec![(low, low), (high, high)])];
    let bars = bins().find(|bins| !bins.is_empty()).unwrap_or_default();
    let most = bars.iter().map(|bin| bin.weight).fold(0.0, |most, it| if it > most { it } else { most });
    if is_share && most > 0.0 {
        let bar =
            |bin: &PageBin| (bin.low.clamp(0.0, 1.0), bin.high.clamp(0.0, 1.0), bin.weight / most * BARS);
        marks.push(Mark::Bars(bars.iter().take(MAX_POINTS).map(bar).collect(), "bars"));
    }
    marks.push(Mark::Line(vec![(low, low), (high, high)], "rule"));
    for Model { curves, line, dots, .. } in models {
        let points = points(&curves.calibration);
        if points.is_empty() {
            continue;
        }
        marks.push(Mark::Line(points.clone(), line));
        if !dots.is_empty() {
            marks.push(Mark::Points(points, dots));
        }
    }
    let words = format!(
        "On the dashed line predictions are right on average. Bars: rows by prediction, {} at most.",
        figure(most)
    );
    let words =
        if is_share { words.as_str() } else { "On the dashed line predictions are right on average." };
    figure_of(body, ("Calibration", "mean prediction", "mean label"), marks, words);
}

/// How errors are spread.
fn errors(body: &mut String, models: &[Model<'_>]) {
    let blocks = |model: &Model<'_>| model.curves.errors.iter().copied().take(MAX_POINTS).collect();
    let held: Vec<Curve> = models
        .iter()
        .rev()
        .filter(|model| !model.curves.errors.is_empty())
        .map(|model| Curve { set: model.set, blocks: blocks(model) })
        .collect();
    let ends = held.iter().flat_map(|curve| &curve.blocks).flat_map(|(low, high, _)| [*low, *high]);
    let Some(scale) = Scale::over(ends) else { return };
    let title = "Spread of the errors";
    let frame = Frame { class: "hist", title, width: 480.0, height: 240.0, tips: &[] };
    put!(
        body,
        "<figure>{}<div class=\"ax\"><span>{}</span><span>prediction minus label</span><span>{}</span></div>\
         <figcaption><b>{title}.</b> The area of a block is the share of the rows.</figcaption></figure>",
        histogram(&held, scale, &frame),
        brief(scale.low()),
        brief(scale.high())
    );
}
