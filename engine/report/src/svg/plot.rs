//! Points, lines and bands over two axes with ticks.

use crate::svg::{Scale, coordinate};

const WIDTH: f64 = 480.0;
const HEIGHT: f64 = 300.0;
const LEFT: f64 = 62.0;
const BOTTOM: f64 = 36.0;
const TOP: f64 = 8.0;
const RIGHT: f64 = 10.0;

/// What is drawn.
#[derive(Clone, Debug)]
pub(crate) enum Mark {
    /// Dots; the class says how they look.
    Points(Vec<(f64, f64)>, &'static str),
    /// A line from point to point; the class says how it looks.
    Line(Vec<(f64, f64)>, &'static str),
    /// Between two lines: place, lower and upper end.
    Band(Vec<(f64, f64, f64)>),
    /// Bars from the foot: left end, right end, height; the class says how they look.
    Bars(Vec<(f64, f64, f64)>, &'static str),
    /// Points that the axes hold, of which nothing is drawn.
    Extent(Vec<(f64, f64)>),
}

/// A tick: its place and its words, escaped.
pub(crate) type Tick = (f64, String);

/// A chart; all words are escaped.
#[derive(Clone, Debug)]
pub(crate) struct Plot<'a> {
    pub(crate) title: &'a str,
    pub(crate) x: &'a str,
    pub(crate) y: &'a str,
    pub(crate) marks: Vec<Mark>,
    /// The ticks of the horizontal axis; round numbers without.
    pub(crate) x_ticks: Option<Vec<Tick>>,
    /// A number as a tick shows it.
    pub(crate) shown: fn(f64) -> String,
}

impl Mark {
    fn points(&self) -> Vec<(f64, f64)> {
        match self {
            Self::Points(points, _) | Self::Line(points, _) | Self::Extent(points) => points.clone(),
            Self::Bars(bars, _) => {
                bars.iter().flat_map(|&(low, high, up)| [(low, up), (high, 0.0)]).collect()
            }
            Self::Band(ends) => ends.iter().flat_map(|&(x, low, high)| [(x, low), (x, high)]).collect(),
        }
    }
}

/// Round numbers between two ends, some five.
pub(crate) fn round_ticks(low: f64, high: f64) -> Vec<f64> {
    let span = high / 2.0 - low / 2.0;
    if !(span > 0.0) || !span.is_finite() {
        return vec![low];
    }
    let unit = 10.0_f64.powf((span / 2.0).log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0].into_iter().map(|m| m * unit).find(|step| span / step <= 2.5);
    let step = step.unwrap_or(span);
    if !(step > 0.0) {
        return vec![low];
    }
    let first = (low / step).ceil();
    (0..12).map(|n| (first + f64::from(n)) * step + 0.0).take_while(|tick| *tick <= high).collect()
}

impl Plot<'_> {
    /// The chart; nothing where there is no finite point.
    pub(crate) fn svg(&self) -> String {
        let points: Vec<(f64, f64)> = self.marks.iter().flat_map(Mark::points).collect();
        let scales = Scale::over(points.iter().map(|it| it.0)).zip(Scale::over(points.iter().map(|it| it.1)));
        let Some((across, up)) = scales else { return String::new() };
        let x = |value: f64| coordinate(LEFT + across.at(value) * (WIDTH - LEFT - RIGHT));
        let y = |value: f64| coordinate(HEIGHT - BOTTOM - up.at(value) * (HEIGHT - BOTTOM - TOP));
        let mut text = format!(
            "<svg class=\"plot\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\"><title>{}</title>",
            self.title
        );
        let x_ticks = self.x_ticks.clone().unwrap_or_else(|| self.ticks(across));
        let (left, right, bottom) =
            (coordinate(LEFT), coordinate(WIDTH - RIGHT), coordinate(HEIGHT - BOTTOM + 14.0));
        for (value, words) in self.ticks(up) {
            let place = y(value);
            text.push_str(&format!(
                "<path class=\"grid\" d=\"M{left} {place}H{right}\"/><text class=\"e\" x=\"{}\" y=\"{place}\" \
                 dy=\".35em\">{words}</text>",
                coordinate(LEFT - 6.0)
            ));
        }
        for (value, words) in x_ticks {
            text.push_str(&format!("<text class=\"m\" x=\"{}\" y=\"{bottom}\">{words}</text>", x(value)));
        }
        for mark in &self.marks {
            text.push_str(&drawn(mark, &x, &y));
        }
        text.push_str(&format!(
            "<text class=\"m l\" x=\"{}\" y=\"{}\">{}</text><text class=\"m l\" \
             transform=\"translate(11 {}) rotate(-90)\">{}</text></svg>",
            coordinate((LEFT + WIDTH - RIGHT) / 2.0),
            coordinate(HEIGHT - 4.0),
            self.x,
            coordinate((TOP + HEIGHT - BOTTOM) / 2.0),
            self.y
        ));
        text
    }

    fn ticks(&self, scale: Scale) -> Vec<Tick> {
        round_ticks(scale.low(), scale.high()).into_iter().map(|tick| (tick, (self.shown)(tick))).collect()
    }
}

fn drawn(mark: &Mark, x: &impl Fn(f64) -> String, y: &impl Fn(f64) -> String) -> String {
    let is_finite = |point: &&(f64, f64)| point.0.is_finite() && point.1.is_finite();
    let path = |points: &[(f64, f64)]| {
        let places: Vec<String> =
            points.iter().filter(is_finite).map(|&(a, b)| format!("{} {}", x(a), y(b))).collect();
        places.join("L")
    };
    match mark {
        Mark::Extent(_) => String::new(),
        Mark::Points(points, class) => {
            let dots = points.iter().filter(is_finite);
            let dots: String = dots.map(|&(a, b)| format!("M{} {}h0", x(a), y(b))).collect();
            format!("<path class=\"{class}\" d=\"{dots}\"/>")
        }
        Mark::Bars(bars, class) => {
            let bars: String = bars
                .iter()
                .filter(|(low, high, up)| low.is_finite() && high.is_finite() && up.is_finite())
                .map(|&(low, high, up)| format!("M{} {}V{}H{}V{}Z", x(low), y(0.0), y(up), x(high), y(0.0)))
                .collect();
            format!("<path class=\"{class}\" d=\"{bars}\"/>")
        }
        Mark::Line(points, class) => format!("<path class=\"{class}\" d=\"M{}\"/>", path(points)),
        Mark::Band(ends) => {
            let upper = ends.iter().map(|&(x, _, high)| (x, high));
            let around: Vec<(f64, f64)> =
                upper.chain(ends.iter().rev().map(|&(x, low, _)| (x, low))).collect();
            format!("<path class=\"band\" d=\"M{}Z\"/>", path(&around))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Mark, Plot, round_ticks};

    #[test]
    fn ticks_are_round_and_within() {
        let text = |low: f64, high: f64| format!("{:?}", round_ticks(low, high));
        assert_eq!(text(0.0, 10.0), "[0.0, 2.0, 4.0, 6.0, 8.0, 10.0]");
        assert_eq!(text(-37.0, 41.0), "[-20.0, 0.0, 20.0, 40.0]");
        assert_eq!(text(3.0, 3.0), "[3.0]");
        assert!(round_ticks(f64::MIN, f64::MAX).len() < 12);
        assert!(round_ticks(1e-320, 3e-320).len() < 13);
    }

    #[test]
    fn whatever_the_points_coordinates_are_finite() {
        let marks = vec![
            Mark::Points(vec![(1.0, f64::NAN), (f64::MAX, f64::MIN), (0.0, 0.0)], "dots"),
            Mark::Bars(
                vec![(0.0, f64::INFINITY, 1.0), (1.0, 2.0, f64::NAN), (f64::MIN, f64::MAX, 3.0)],
                "bars",
            ),
            Mark::Extent(vec![(f64::NAN, f64::NEG_INFINITY)]),
            Mark::Line(vec![(f64::INFINITY, 0.0), (1.0, 1.0)], "smooth"),
            Mark::Band(vec![(0.0, -1.0, 1.0), (1.0, f64::NAN, 2.0)]),
        ];
        let plot =
            Plot { title: "t", x: "x", y: "y", marks, x_ticks: None, shown: |value| format!("{value:e}") };
        let text = plot.svg();
        assert!(!text.contains("NaN") && !text.contains("inf"), "{text}");
        assert_eq!(Plot { marks: Vec::new(), ..plot }.svg(), "");
    }
}
