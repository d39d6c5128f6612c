//! Curves of many points as curves of few that look the same.

use crate::curves::CurvePoint;

/// A curve never has more points than this.
const MAX_POINTS: usize = 200;

/// Points nearer to one another than this are one, at first: those of a curve from corner to corner are then at most
/// 181.
const REACH: f64 = 2.0 / 180.0;

/// Points of a curve in the unit square. Of points that are near the one before, by |Δx| + |Δy|, only the last of the
/// curve is kept; how near that is doubles whenever there are too many.
#[derive(Clone, Debug)]
pub(super) struct Thinned {
    points: Vec<CurvePoint>,
    last: Option<CurvePoint>,
    reach: f64,
}

impl Default for Thinned {
    fn default() -> Self {
        Self { points: Vec::new(), last: None, reach: REACH }
    }
}

fn is_far(from: &CurvePoint, to: &CurvePoint, reach: f64) -> bool {
    (to.x - from.x).abs() + (to.y - from.y).abs() >= reach
}

impl Thinned {
    /// Adds the next point.
    pub(super) fn push(&mut self, threshold: Option<f64>, x: f64, y: f64) {
        let point = CurvePoint { threshold, x, y };
        let is_kept = self.points.last().is_none_or(|last| is_far(last, &point, self.reach));
        self.last = (!is_kept).then_some(point);
        if !is_kept {
            return;
        }
        self.points.push(point);
        // One place is left for the last point.
        while self.points.len() >= MAX_POINTS {
            self.reach *= 2.0;
            let reach = self.reach;
            let mut kept: Vec<CurvePoint> = Vec::new();
            for point in self.points.drain(..) {
                if kept.last().is_none_or(|last| is_far(last, &point, reach)) {
                    kept.push(point);
                }
            }
            self.last = Some(point);
            self.points = kept;
        }
    }

    /// How far the next point that is kept is at least from this place; nothing where any is kept.
    pub(super) fn room(&self, x: f64, y: f64) -> f64 {
        self.points.last().map_or(0.0, |last| self.reach - ((x - last.x).abs() + (y - last.y).abs()))
    }

    /// The curve.
    pub(super) fn points(mut self) -> Vec<CurvePoint> {
        if let Some(last) = self.last
            && self.points.last() != Some(&last)
        {
            self.points.push(last);
        }
        self.points
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_curve_of_many_points_keeps_its_ends_and_its_shape() {
        let mut thinned = Thinned::default();
        let curve = |x: f64| x.sqrt();
        let place = |step: u32| (f64::from(step) / 1e5).powi(3);
        for step in 0..=100_000 {
            thinned.push(Some(1.0 - place(step)), place(step), curve(place(step)));
        }
        let points = thinned.points();
        assert!((100..=MAX_POINTS).contains(&points.len()), "{}", points.len());
        assert_eq!((points[0].x, points[0].y), (0.0, 0.0));
        let last = points.last().unwrap();
        assert_eq!((last.x, last.y), (1.0, 1.0));
        for pair in points.windows(2) {
            assert!(!is_far(&pair[0], &pair[1], 2.0 * REACH), "{pair:?}");
        }
    }

    #[test]
    fn a_restless_curve_has_no_more_points() {
        let mut thinned = Thinned::default();
        for step in 0..10_000_u32 {
            thinned.push(Some(0.5), f64::from(step) / 1e4, f64::from(step % 2));
        }
        let points = thinned.points();
        assert!(points.len() <= MAX_POINTS, "{}", points.len());
        assert_eq!(points.last().map(|last| (last.x, last.y)), Some((0.9999, 1.0)));
    }

    #[test]
    fn few_points_all_stay() {
        let mut thinned = Thinned::default();
        thinned.push(None, 0.0, 0.0);
        thinned.push(Some(0.5), 0.0, 1.0);
        thinned.push(Some(0.2), 1.0, 1.0);
        assert_eq!(thinned.points().len(), 3);
        assert!(Thinned::default().points().is_empty());
    }
}
