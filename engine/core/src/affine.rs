//! Affine maps of a number: what centring and scaling are. Sums over rows can be taken before such a map and brought
//! behind it afterwards, so that they need not be taken again when only its constants have changed.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::double_double::DoubleDouble;
use crate::seam::BatchTransform;

/// (x − center) / divisor · factor + offset, computed in this order.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct AffineMap {
    /// Subtracted.
    pub center: f64,
    /// Divided by; not 0.
    pub divisor: f64,
    /// Multiplied by.
    pub factor: f64,
    /// Added.
    pub offset: f64,
}

impl AffineMap {
    /// (x − center) / divisor.
    #[must_use]
    pub fn scaling(center: f64, divisor: f64) -> Self {
        Self { center, divisor, factor: 1.0, offset: 0.0 }
    }

    /// What becomes of a number, each step rounded as the transform rounds it (but for the sign of 0).
    #[must_use]
    pub fn of(&self, value: f64) -> f64 {
        (value - self.center) / self.divisor * self.factor + self.offset
    }

    /// What becomes of a number in double-double.
    #[must_use]
    pub fn of_exact(&self, value: DoubleDouble) -> DoubleDouble {
        (value + -self.center) / DoubleDouble::from(self.divisor) * self.factor + self.offset
    }

    /// By how much differences are stretched.
    #[must_use]
    pub fn slope(&self) -> DoubleDouble {
        DoubleDouble::from(self.factor) / DoubleDouble::from(self.divisor)
    }
}

/// A transform without the affine maps that its numbers end in, and these maps.
#[derive(Clone)]
pub struct BeforeAffine {
    /// The features before the maps, under the names that they have behind them.
    pub transform: Arc<dyn BatchTransform>,
    /// The maps of each feature, the first applied first; none of a feature that ends in something else.
    pub maps: Vec<Vec<AffineMap>>,
}

impl std::fmt::Debug for BeforeAffine {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("BeforeAffine").field("maps", &self.maps).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ways_and_the_slope_agree() {
        let map = AffineMap { center: 3.0, divisor: 7.0, factor: 2.0, offset: -1.0 };
        assert_eq!(map.of(10.0).to_bits(), 1.0_f64.to_bits());
        let exact = map.of_exact(DoubleDouble::from(4.0)) - map.of_exact(DoubleDouble::from(3.0));
        assert!((exact - map.slope()).abs().to_f64() < 1e-31);
        assert_eq!(AffineMap::scaling(1.0, 4.0).of(3.0).to_bits(), 0.5_f64.to_bits());
    }
}
