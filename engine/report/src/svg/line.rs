//! A curve through points, or points alone where what lies between them has no meaning.

use crate::svg::{Scale, coordinate};

/// Units of the view box.
const WIDTH: f64 = 480.0;
const HEIGHT: f64 = 160.0;
/// Room for half a point at each side.
const MARGIN: f64 = 5.0;

/// The drawing of (place, height) in the order given; `title` is escaped.
pub(crate) fn line(points: &[(f64, f64)], is_joined: bool, title: &str) -> String {
    let across = Scale::over(points.iter().map(|point| point.0));
    let up = Scale::over(points.iter().map(|point| point.1));
    let (mut path, mut dots) = (String::new(), String::new());
    for (place, height) in points {
        let at = |scale: Option<Scale>, value: f64| scale.map_or(0.5, |scale| scale.at(value));
        let x = coordinate(MARGIN + at(across, *place) * (WIDTH - 2.0 * MARGIN));
        let y = coordinate(MARGIN + (1.0 - at(up, *height)) * (HEIGHT - 2.0 * MARGIN));
        path.push_str(&format!("{}{x} {y}", if path.is_empty() { "M" } else { "L" }));
        dots.push_str(&format!(
            "<circle cx=\"{x}\" cy=\"{y}\" r=\"3\"><title>{}</title></circle>",
            crate::number::significant(*height)
        ));
    }
    let joined = if is_joined && points.len() > 1 { format!("<path d=\"{path}\"/>") } else { String::new() };
    format!(
        "<svg class=\"line\" viewBox=\"0 0 {} {}\" role=\"img\"><title>{title}</title>{joined}{dots}</svg>",
        coordinate(WIDTH),
        coordinate(HEIGHT)
    )
}

#[cfg(test)]
mod tests {
    use super::line;

    #[test]
    fn points_lie_where_their_values_are() {
        let drawn = line(&[(0.0, 1.0), (5.0, 3.0), (10.0, 2.0)], true, "y by x");
        assert!(drawn.contains("d=\"M5 155L240 5L475 80\""), "{drawn}");
        assert!(!line(&[(0.0, 1.0), (1.0, 2.0)], false, "y by level").contains("<path"));
        // One point, one value, values that are none.
        for points in [&[(2.0, 2.0)][..], &[(1.0, f64::NAN), (f64::INFINITY, 2.0)], &[]] {
            let drawn = line(points, true, "y");
            assert!(!drawn.contains("\"NaN\"") && !drawn.contains("\"inf"), "{drawn}");
        }
    }
}
