//! The plots of a slice: ROC, precision over recall, calibration with the rows behind it, and the spread of errors, of
//! candidate and baseline over one another.

use crate::html::evaluation::{PageSlice, keys};
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
pub(super) fn section(body: &mut String, slice: &PageSlice, is_compared: bool) {
    let mut plots = String::new();
    let [candidate, baseline] = [&slice.candidate, &slice.baseline];
    let chance = vec![(0.0, 0.0), (1.0, 1.0)];
    curves(
        &mut plots,
        ("ROC", "false positive rate", "true positive rate"),
        [&candidate.roc, &baseline.roc],
        Some(chance.clone()),
        "The higher, the better; on the dashed line a model knows nothing.",
    );
    curves(
        &mut plots,
        ("Precision and recall", "recall", "precision"),
        [&candidate.precision_recall, &baseline.precision_recall],
        None,
        "The higher, the better.",
    );
    calibration(&mut plots, [&candidate.calibration, &baseline.calibration]);
    errors(&mut plots, [&candidate.errors, &baseline.errors]);
    if !plots.is_empty() {
        put!(body, "{}<div class=\"plots\">{plots}</div>", keys(is_compared));
    }
}

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
    [candidate, baseline]: [&Points; 2],
    rule: Option<Points>,
    words: &str,
) {
    if candidate.is_empty() && baseline.is_empty() {
        return;
    }
    let mut marks = vec![Mark::Extent(vec![(0.0, 0.0), (1.0, 1.0)])];
    marks.extend(rule.map(|rule| Mark::Line(rule, "rule")));
    for (points, class) in [(baseline, "path other"), (candidate, "path")] {
        if !points.is_empty() {
            marks.push(Mark::Line(thinned(points), class));
        }
    }
    figure_of(body, axes, marks, words);
}

/// Mean label by mean prediction, with bars that say how many rows are behind each of the candidate's points.
fn calibration(body: &mut String, [candidate, baseline]: [&Vec<PageBin>; 2]) {
    if candidate.is_empty() && baseline.is_empty() {
        return;
    }
    let points = |bins: &[PageBin]| -> Points {
        let held = bins.iter().filter(|bin| bin.weight > 0.0);
        thinned(&held.map(|bin| (bin.mean_prediction, bin.mean_label)).collect::<Points>())
    };
    let all: Points = points(candidate).into_iter().chain(points(baseline)).collect();
    let ends = Scale::over(all.iter().flat_map(|(x, y)| [*x, *y]));
    let Some(ends) = ends else { return };
    // Probabilities on the whole unit square, whatever part of it they fill.
    let is_share = ends.low() >= 0.0 && ends.high() <= 1.0;
    let (low, high) = if is_share { (0.0, 1.0) } else { (ends.low(), ends.high()) };
    let mut marks = vec![Mark::Extent(vec![(low, low), (high, high)])];
    let bars = if candidate.is_empty() { baseline } else { candidate };
    let most = bars.iter().map(|bin| bin.weight).fold(0.0, |most, it| if it > most { it } else { most });
    if is_share && most > 0.0 {
        let bar =
            |bin: &PageBin| (bin.low.clamp(0.0, 1.0), bin.high.clamp(0.0, 1.0), bin.weight / most * BARS);
        marks.push(Mark::Bars(bars.iter().take(MAX_POINTS).map(bar).collect(), "bars"));
    }
    marks.push(Mark::Line(vec![(low, low), (high, high)], "rule"));
    for (bins, line, dots) in [(baseline, "path other", "dots other"), (candidate, "path", "dots")] {
        let points = points(bins);
        if !points.is_empty() {
            marks.push(Mark::Line(points.clone(), line));
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
fn errors(body: &mut String, sets: [&Vec<(f64, f64, f64)>; 2]) {
    let held: Vec<Curve> = sets
        .into_iter()
        .enumerate()
        .filter(|(_, blocks)| !blocks.is_empty())
        .map(|(set, blocks)| Curve { set, blocks: blocks.iter().copied().take(MAX_POINTS).collect() })
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
