//! Bars from zero, one drawing each, on a scale of their own; with a whisker of two standard errors to each side.

use crate::svg::coordinate;

/// Units of the view box.
const WIDTH: f64 = 240.0;
const HEIGHT: f64 = 16.0;

/// One drawing per bar, all on the scale that holds the largest with its whisker. Values below zero go to the left.
pub(crate) fn bars(values: &[(f64, Option<f64>)]) -> Vec<String> {
    let finite = |value: f64| if value.is_finite() { value } else { 0.0 };
    let ends = values.iter().flat_map(|(value, error)| {
        let (value, reach) = (finite(*value), 2.0 * finite(error.unwrap_or_default()));
        [value - reach, value + reach]
    });
    let (low, high) = ends.fold((0.0_f64, 0.0_f64), |(low, high), end| {
        (if end < low { end } else { low }, if end > high { end } else { high })
    });
    // Halves keep the width of the widest range within `f64`.
    let width = high / 2.0 - low / 2.0;
    let at = |value: f64| match width > 0.0 {
        true => ((value / 2.0 - low / 2.0) / width).clamp(0.0, 1.0) * WIDTH,
        false => 0.0,
    };
    let draw = |(value, error): &(f64, Option<f64>)| {
        let (zero, end) = (at(0.0), at(finite(*value)));
        let left = if end < zero { end } else { zero };
        let whisker = error.map_or_else(String::new, |error| {
            let reach = 2.0 * finite(error);
            let (from, to) = (at(finite(*value) - reach), at(finite(*value) + reach));
            format!("<path class=\"whisker\" d=\"M{} 8H{}\"/>", coordinate(from), coordinate(to))
        });
        format!(
            "<svg class=\"weight\" viewBox=\"0 0 {} {}\" role=\"img\"><title>{}</title><rect x=\"{}\" y=\"2\" \
             width=\"{}\" height=\"12\"/>{whisker}</svg>",
            coordinate(WIDTH),
            coordinate(HEIGHT),
            crate::number::significant(*value),
            coordinate(left),
            coordinate((end - zero).abs()),
        )
    };
    values.iter().map(draw).collect()
}

#[cfg(test)]
mod tests {
    use super::bars;

    #[test]
    fn bars_share_a_scale_from_zero() {
        let drawn = bars(&[(4.0, None), (2.0, Some(0.5)), (-1.0, None), (f64::NAN, None)]);
        assert!(drawn[0].contains("x=\"48\" y=\"2\" width=\"192\""), "{}", drawn[0]);
        assert!(drawn[1].contains("width=\"96\"") && drawn[1].contains("M96 8H192"), "{}", drawn[1]);
        assert!(drawn[2].contains("x=\"0\" y=\"2\" width=\"48\""), "{}", drawn[2]);
        assert!(drawn[3].contains("width=\"0\""), "{}", drawn[3]);
        assert!(bars(&[(0.0, None)])[0].contains("width=\"0\""));
        let widest = bars(&[(f64::MAX, Some(f64::MAX)), (f64::MIN, None)]);
        assert!(widest.iter().all(|drawn| !drawn.contains("NaN") && !drawn.contains("inf")));
    }
}
