//! Where a value lies between the smallest and the largest shown.

/// A linear scale from finite values to 0..=1.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scale {
    low: f64,
    high: f64,
}

impl Scale {
    /// The scale that just holds all finite values; none if there are none.
    pub(crate) fn over(values: impl IntoIterator<Item = f64>) -> Option<Self> {
        values.into_iter().filter(|value| value.is_finite()).fold(None, |scale, value| {
            Some(match scale {
                None => Self { low: value, high: value },
                Some(Self { low, high }) => Self {
                    low: if value < low { value } else { low },
                    high: if value > high { value } else { high },
                },
            })
        })
    }

    /// The smallest value.
    pub(crate) fn low(self) -> f64 {
        self.low
    }

    /// The largest value.
    pub(crate) fn high(self) -> f64 {
        self.high
    }

    /// Whether there is one value only, which has no place of its own.
    pub(crate) fn is_point(self) -> bool {
        !(self.high > self.low)
    }

    /// The place of a value, between 0 and 1; of a single value the middle. Halves keep the width of the widest
    /// range within `f64`.
    pub(crate) fn at(self, value: f64) -> f64 {
        if self.is_point() || value.is_nan() {
            return 0.5;
        }
        ((value / 2.0 - self.low / 2.0) / (self.high / 2.0 - self.low / 2.0)).clamp(0.0, 1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::Scale;

    #[test]
    fn the_widest_range_fits() {
        let scale = Scale::over([f64::MAX, f64::NAN, f64::MIN, f64::INFINITY]).unwrap();
        assert_eq!([f64::MIN, 0.0, f64::MAX].map(|value| scale.at(value)), [0.0, 0.5, 1.0]);
        assert!(Scale::over([f64::NAN]).is_none());
        let point = Scale::over([-0.0, 0.0]).unwrap();
        assert!(point.is_point());
        assert_eq!(point.at(0.0).to_bits(), 0.5_f64.to_bits());
    }
}
