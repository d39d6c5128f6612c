//! Sums and rows brought behind the affine maps that the features of a transform end in.
//!
//! Rows are gathered before these maps (`BatchTransform::before_affine`), so that the sums of a span serve every window
//! that holds it, although centring and scaling change with the window. Centred sums are only stretched by such a map,
//! in double-double, and means are mapped: the same problem, as exactly as from the mapped rows.

use std::sync::Arc;

use sluice_core::affine::AffineMap;
use sluice_core::double_double::DoubleDouble;
use sluice_core::seam::BatchTransform;

use super::WholeRows;
use crate::solve::Normal;

/// The maps of each column of the design matrix, the first applied first.
#[derive(Clone, Debug, Default)]
pub(crate) struct ColumnMaps(Vec<Vec<AffineMap>>);

impl ColumnMaps {
    /// What is gathered of a transform, and the maps that follow.
    pub(crate) fn of(transform: &Arc<dyn BatchTransform>) -> (Arc<dyn BatchTransform>, Self) {
        let Some(before) = transform.before_affine() else { return (Arc::clone(transform), Self::default()) };
        let columns = transform.space().features.iter().zip(before.maps);
        let maps = columns.flat_map(|(feature, maps)| vec![maps; feature.width()]);
        (before.transform, Self(maps.collect()))
    }

    /// The columns that have maps.
    fn mapped(&self) -> impl Iterator<Item = (usize, &[AffineMap])> {
        self.0.iter().map(Vec::as_slice).enumerate().filter(|(_, maps)| !maps.is_empty())
    }

    /// Brings rows of so many cells behind the maps, with the roundings of the transform itself.
    pub(crate) fn apply_to_rows(&self, rows: &mut WholeRows, stride: usize) {
        for (column, maps) in self.mapped() {
            let cells = rows.cells.iter_mut().skip(column).step_by(stride);
            match rows.rounded.iter().position(|rounded| *rounded == column) {
                None => cells.for_each(|cell| *cell = maps.iter().fold(*cell, |value, map| map.of(value))),
                Some(place) => {
                    let remainders = rows.remainders.iter_mut().skip(place).step_by(rows.rounded.len());
                    for (cell, remainder) in cells.zip(remainders) {
                        let exact = DoubleDouble::sum(*cell, *remainder);
                        let mapped = maps.iter().fold(exact, |value, map| map.of_exact(value));
                        (*cell, *remainder) = (mapped.high, mapped.low);
                    }
                }
            }
        }
    }

    /// Brings sums about the means behind the maps.
    pub(crate) fn apply_to_sums(&self, normal: &mut Normal) {
        if self.mapped().next().is_none() {
            return;
        }
        let mut slopes = vec![DoubleDouble::ONE; normal.features()];
        for (column, maps) in self.mapped() {
            let mean = normal.means[column];
            // Whether a column varies is seen beside its own mean, which the maps may bring to 0.
            if normal.is_constant(column) {
                slopes[column] = DoubleDouble::ZERO;
                normal.means[column] = maps.iter().fold(mean.to_f64(), |value, map| map.of(value)).into();
            } else {
                slopes[column] = maps.iter().fold(DoubleDouble::ONE, |product, map| product * map.slope());
                normal.means[column] = maps.iter().fold(mean, |value, map| map.of_exact(value));
            }
        }
        for row in 0..slopes.len() {
            for column in 0..=row {
                let entry = normal.cross.at_mut(row, column);
                *entry = *entry * slopes[row] * slopes[column];
            }
            normal.label_cross[row] = normal.label_cross[row] * slopes[row];
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::solve::{PreparedRows, Rows};

    #[test]
    fn sums_behind_the_maps_are_those_of_mapped_rows() {
        let noise = |n: usize, factor: f64| (n as f64 * factor).fract();
        // The second column does not vary, and has no digit to spare beside what is subtracted.
        let values: Vec<f64> = (0..300)
            .flat_map(|n| {
                [1e5 + noise(n, 0.618_033_988_749_894_9), 1e9 / 3.0, noise(n, 0.414_213_562_373_095)]
            })
            .collect();
        let label: Vec<f64> = (0..300).map(|n| noise(n, 0.732_050_807_568_877)).collect();
        let maps = vec![
            vec![
                AffineMap::scaling(1e5 + 0.5, 0.25),
                AffineMap { factor: 3.0, ..AffineMap::scaling(0.5, 7.0) },
            ],
            vec![AffineMap::scaling(1e9 / 3.0, 1.0)],
            vec![],
        ];
        let maps = ColumnMaps(maps);
        let sums = |values: &[f64]| {
            let rows = Rows { features: 3, values, label: &label, weights: None, intercept: true };
            PreparedRows::new(rows).unwrap().normal()
        };
        let mut found = sums(&values);
        maps.apply_to_sums(&mut found);
        let mut rows = WholeRows { cells: values, ..WholeRows::default() };
        maps.apply_to_rows(&mut rows, 3);
        let expected = sums(&rows.cells);
        assert!(found.is_constant(1) && found.cross.at(1, 0) == DoubleDouble::ZERO);
        let close = |found: DoubleDouble, expected: DoubleDouble, size: f64| {
            // The mapped rows are rounded to f64, the mapped sums are not.
            assert!((found - expected).abs().to_f64() <= 1e-13 * size, "{found:?} {expected:?}");
        };
        for i in 0..3 {
            close(found.means[i], expected.means[i], 1.0);
            let norm = |i: usize| expected.cross.at(i, i).to_f64().sqrt();
            close(
                found.label_cross[i],
                expected.label_cross[i],
                norm(i) * expected.label_square.to_f64().sqrt(),
            );
            (0..=i).for_each(|j| close(found.cross.at(i, j), expected.cross.at(i, j), norm(i) * norm(j)));
        }
    }
}
