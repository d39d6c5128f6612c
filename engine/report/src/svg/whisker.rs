//! An estimate with its interval as a dot on a line, over an axis that all rows of a table share.

use crate::svg::{Scale, coordinate};

const WIDTH: f64 = 200.0;

/// The chart; the ends are the estimate again where there is no interval. `title` is escaped already.
pub(crate) fn whisker(value: f64, interval: Option<(f64, f64)>, scale: Scale, title: &str) -> String {
    let place = |value: f64| coordinate(4.0 + scale.at(value) * (WIDTH - 8.0));
    let line = interval.map_or_else(String::new, |(low, high)| {
        format!("<path class=\"i\" d=\"M{} 8H{}\"/>", place(low), place(high))
    });
    let is_apart = interval.is_some_and(|(low, high)| low > 0.0 || high < 0.0);
    format!(
        "<svg class=\"whisker{}\" viewBox=\"0 0 200 16\" role=\"img\"><title>{title}</title>\
         <path class=\"z\" d=\"M{} 0V16\"/>{line}<circle cx=\"{}\" cy=\"8\" r=\"3.5\"/></svg>",
        if is_apart { " apart" } else { "" },
        place(0.0),
        place(value)
    )
}

#[cfg(test)]
mod tests {
    use super::{Scale, whisker};

    #[test]
    fn the_dot_lies_on_the_line() {
        let scale = Scale::over([-1.0, 0.0, 1.0]).unwrap();
        let chart = whisker(0.5, Some((0.25, 0.75)), scale, "x");
        assert!(
            chart.contains("M124 8H172") && chart.contains("cx=\"148\"") && chart.contains("apart"),
            "{chart}"
        );
        let chart = whisker(0.5, Some((-0.25, 0.75)), scale, "x");
        assert!(!chart.contains("apart"), "{chart}");
        assert!(!whisker(f64::NAN, None, scale, "x").contains("NaN"));
    }
}
