//! What the residuals say: four charts, tests, and the rows that stand out.

use crate::html::escape::{NAME, SENTENCE, escape, value};
use crate::html::figures::{brief, counted, figure};
use crate::html::put;
use crate::svg::{Mark, Plot};

/// Places at which a smooth line is drawn.
const SMOOTH: usize = 41;
/// The share of the points that decides the line at a place.
const SPAN: f64 = 2.0 / 3.0;

/// What a page shows of residuals.
#[derive(Clone, Debug, PartialEq)]
pub struct PageResiduals {
    /// Figures with their names; numbers already in words where they need more than a number.
    pub figures: Vec<(String, String)>,
    /// Some rows, in the order of their predictions.
    pub sample: Vec<PageRow>,
    /// Quantiles of the normal distribution with those of the studentised residuals.
    pub normal_quantiles: Vec<(f64, f64)>,
    /// Rows that stand out, under the measure by which they do.
    pub standing_out: Vec<(String, Vec<PageRow>)>,
}

/// A row of the data with what the fit says of it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PageRow {
    /// Its file; empty in a sample.
    pub file: String,
    /// The row in that file, from 1.
    pub row: u64,
    /// The prediction.
    pub fitted: f64,
    /// The residual.
    pub residual: f64,
    /// The studentised residual.
    pub studentized: f64,
    /// The leverage.
    pub leverage: f64,
    /// Cook's distance.
    pub cooks_distance: f64,
}

/// Charts, figures and rows.
pub(super) fn section(body: &mut String, shown: &PageResiduals) {
    body.push_str("<article><h3>Residuals</h3><div class=\"plots\">");
    charts(body, shown);
    put!(
        body,
        "</div><p class=\"note\">Charts are drawn from {} rows chosen by the hash of their content; tests and lists are \
         of all rows.</p><table class=\"figures\"><tbody>",
        counted(shown.sample.len() as u64)
    );
    for (title, words) in &shown.figures {
        put!(
            body,
            "<tr><th scope=\"row\">{}</th><td>{}</td></tr>",
            escape(title, NAME),
            escape(words, SENTENCE)
        );
    }
    body.push_str("</tbody></table>");
    for (title, rows) in &shown.standing_out {
        list(body, title, rows);
    }
    body.push_str("</article>");
}

/// The four plots of a fit: residuals by prediction, normal quantiles, spread by prediction, leverage.
fn charts(body: &mut String, shown: &PageResiduals) {
    let points = |of: fn(&PageRow) -> (f64, f64)| shown.sample.iter().map(of).collect::<Vec<_>>();
    let level = |points: &[(f64, f64)]| {
        let ends = points.first().zip(points.last());
        ends.map_or_else(Vec::new, |(first, last)| vec![(first.0, 0.0), (last.0, 0.0)])
    };
    let fitted = points(|row| (row.fitted, row.residual));
    let marks = vec![
        Mark::Points(fitted.clone(), "dots"),
        Mark::Line(level(&fitted), "rule"),
        Mark::Line(smooth(&fitted), "smooth"),
    ];
    chart(
        body,
        ("Residuals by prediction", "prediction", "residual"),
        marks,
        "A level line says that the mean is right.",
    );
    let quantiles = shown.normal_quantiles.clone();
    let ends = quantiles.first().zip(quantiles.last());
    let diagonal = ends.map_or_else(Vec::new, |(first, last)| vec![(first.0, first.0), (last.0, last.0)]);
    let marks = vec![Mark::Line(diagonal, "rule"), Mark::Points(quantiles, "dots")];
    let axes = ("Normal quantiles", "quantile of the normal distribution", "studentised residual");
    chart(
        body,
        axes,
        marks,
        "Points on the line say that the noise is normal; ends off it, that its tails are not.",
    );
    let spread = points(|row| (row.fitted, row.studentized.abs().sqrt()));
    let marks = vec![Mark::Points(spread.clone(), "dots"), Mark::Line(smooth(&spread), "smooth")];
    let axes = ("Spread by prediction", "prediction", "√|studentised residual|");
    chart(
        body,
        axes,
        marks,
        "A level line says that the noise is alike everywhere; else ask for robust errors.",
    );
    let mut leverage = points(|row| (row.leverage, row.studentized));
    leverage.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1)));
    let marks = vec![Mark::Points(leverage.clone(), "dots"), Mark::Line(level(&leverage), "rule")];
    let axes = ("Leverage", "leverage", "studentised residual");
    chart(body, axes, marks, "Rows far to the right and far from 0 pull the fit towards themselves.");
}

fn chart(body: &mut String, (title, x, y): (&str, &str, &str), marks: Vec<Mark>, words: &str) {
    let plot = Plot { title, x, y, marks, x_ticks: None, shown: brief };
    put!(body, "<figure>{}<figcaption><b>{title}.</b> {words}</figcaption></figure>", plot.svg());
}

fn list(body: &mut String, title: &str, rows: &[PageRow]) {
    put!(
        body,
        "<details><summary>{}</summary><div class=\"scroll\"><table class=\"plain\"><thead><tr>\
         <th scope=\"col\">File</th><th scope=\"col\" class=\"n\">Row</th>\
         <th scope=\"col\" class=\"n\">Prediction</th><th scope=\"col\" class=\"n\">Residual</th>\
         <th scope=\"col\" class=\"n\">Studentised</th><th scope=\"col\" class=\"n\">Leverage</th>\
         <th scope=\"col\" class=\"n\">Cook's distance</th></tr></thead><tbody>",
        escape(title, NAME)
    );
    for row in rows {
        put!(
            body,
            "<tr><th scope=\"row\">{}</th><td class=\"n\">{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td>\
             <td class=\"n\">{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td></tr>",
            value(&row.file),
            counted(row.row),
            figure(row.fitted),
            figure(row.residual),
            brief(row.studentized),
            brief(row.leverage),
            brief(row.cooks_distance)
        );
    }
    body.push_str("</tbody></table></div></details>");
}

/// A line through points in ascending order: at each of some places a straight line through the nearest points, by
/// tricube weights (Cleveland, "Robust locally weighted regression", JASA 74, 1979, without the robust steps).
fn smooth(points: &[(f64, f64)]) -> Vec<(f64, f64)> {
    let count = points.len();
    if count < 10 {
        return Vec::new();
    }
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share of a count")]
    let near = (SPAN * count as f64).ceil() as usize;
    let at = |place: usize| {
        let x = points[place * (count - 1) / (SMOOTH - 1)].0;
        let own = points.partition_point(|point| point.0 < x);
        let mut first = own.saturating_sub(near / 2);
        first = std::cmp::min(first, count - near);
        let window = &points[first..first + near];
        let reach = window.iter().map(|point| (point.0 - x).abs());
        let reach = reach.fold(0.0, |most, it| if it > most { it } else { most });
        (x, local_line(window, x, reach))
    };
    (0..SMOOTH).map(at).collect()
}

/// The value at `x` of the weighted least-squares line through the points.
fn local_line(points: &[(f64, f64)], x: f64, reach: f64) -> f64 {
    let weight =
        |distance: f64| if reach > 0.0 { (1.0 - (distance.abs() / reach).powi(3)).powi(3) } else { 1.0 };
    let [mut w, mut wx, mut wy, mut wxx, mut wxy] = [0.0; 5];
    for &(a, b) in points {
        let (own, offset) = (weight(a - x), a - x);
        w += own;
        wx += own * offset;
        wy += own * b;
        wxx += own * offset * offset;
        wxy += own * offset * b;
    }
    let determinant = w * wxx - wx * wx;
    if determinant > 1e-12 * w * wxx { (wy * wxx - wx * wxy) / determinant } else { wy / w }
}

#[cfg(test)]
mod tests {
    use super::smooth;

    #[test]
    fn a_line_is_smoothed_to_itself() {
        let points: Vec<(f64, f64)> = (0..50).map(|n| (f64::from(n), 2.0 * f64::from(n) - 7.0)).collect();
        let line = smooth(&points);
        assert_eq!(line.len(), 41);
        assert!(line.iter().all(|(x, y)| (y - (2.0 * x - 7.0)).abs() < 1e-9), "{line:?}");
        let level = smooth(&[(1.0, 3.0); 12]);
        assert!(level.iter().all(|(_, y)| (y - 3.0).abs() < 1e-12), "{level:?}");
        assert!(smooth(&points[..5]).is_empty());
    }
}
