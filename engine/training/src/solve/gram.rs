//! Cross products of rows in double-double.
//!
//! Products of high halves are exact (Veltkamp's split and Dekker's product, "A floating-point technique for
//! extending the available precision", Numer. Math. 18, 1971: the split is made once per number, not per
//! product, and needs no fused multiply-add, so that baseline x86-64 runs four lanes without calls). Sums are
//! Dot2 (see `dot`) over blocks of [`BLOCK_ROWS`], which are added up in double-double: the result is exact
//! to some 2^-98 of the norms of the two columns. One thread and one order, hence the same bits everywhere.
//! Numbers must be of moderate size (`rows` scales them to at most 4).

use super::packed::Packed;
use sluice_core::double_double::DoubleDouble;

/// Rows per block: the right factors of four columns, 8 KiB, stay in the first-level cache.
pub(super) const BLOCK_ROWS: usize = 64;
const LANES: usize = 4;

/// A double-double number whose high half is also split into two of 26 bits.
#[derive(Clone, Copy, Debug, Default)]
struct Split {
    high: f64,
    low: f64,
    upper: f64,
    lower: f64,
}

impl Split {
    fn new(value: DoubleDouble) -> Self {
        let wide = 134_217_729.0 * value.high; // 2^27 + 1
        let upper = wide - (wide - value.high);
        Self { high: value.high, low: value.low, upper, lower: value.high - upper }
    }
}

/// Four columns of one row.
#[derive(Clone, Copy, Debug, Default)]
struct Lanes {
    high: [f64; LANES],
    low: [f64; LANES],
    upper: [f64; LANES],
    lower: [f64; LANES],
}

/// Adds up the cross products of all columns of the rows pushed.
#[derive(Debug)]
pub(super) struct Gram {
    filled: usize,
    /// Column after column, weighted.
    left: Vec<Split>,
    /// Four columns after four columns.
    right: Vec<Lanes>,
    total: Packed,
}

impl Gram {
    /// Nothing yet, for `width` columns.
    pub(super) fn new(width: usize) -> Self {
        Self {
            filled: 0,
            left: vec![Split::default(); width * BLOCK_ROWS],
            right: vec![Lanes::default(); width.div_ceil(LANES) * BLOCK_ROWS],
            total: Packed::zero(width),
        }
    }

    /// Adds a row of `width` numbers with its weight.
    pub(super) fn push(&mut self, row: &[DoubleDouble], weight: f64) {
        for (column, &value) in row.iter().enumerate() {
            self.left[column * BLOCK_ROWS + self.filled] = Split::new(value * weight);
            let split = Split::new(value);
            let lanes = &mut self.right[column / LANES * BLOCK_ROWS + self.filled];
            let lane = column % LANES;
            lanes.high[lane] = split.high;
            lanes.low[lane] = split.low;
            lanes.upper[lane] = split.upper;
            lanes.lower[lane] = split.lower;
        }
        self.filled += 1;
        if self.filled == BLOCK_ROWS {
            self.flush();
        }
    }

    /// The cross products.
    pub(super) fn finish(mut self) -> Packed {
        self.flush();
        self.total
    }

    fn flush(&mut self) {
        let rows = self.filled;
        for (panel, right) in self.right.chunks_exact(BLOCK_ROWS).enumerate() {
            for (i, left) in self.left.chunks_exact(BLOCK_ROWS).enumerate().skip(panel * LANES) {
                let sums = products(&left[..rows], &right[..rows]);
                for (lane, sum) in sums.into_iter().enumerate() {
                    let j = panel * LANES + lane;
                    if j <= i {
                        let total = self.total.at_mut(i, j);
                        *total = *total + sum;
                    }
                }
            }
        }
        self.filled = 0;
    }
}

fn products(left: &[Split], right: &[Lanes]) -> [DoubleDouble; LANES] {
    let mut high = [0.0_f64; LANES];
    let mut low = [0.0_f64; LANES];
    for (a, b) in left.iter().zip(right) {
        for k in 0..LANES {
            let product = a.high * b.high[k];
            let error = a.upper * b.upper[k] - product
                + a.upper * b.lower[k]
                + a.lower * b.upper[k]
                + a.lower * b.lower[k];
            let cross = a.high * b.low[k] + a.low * b.high[k];
            let sum = high[k] + product;
            let from_product = sum - high[k];
            let lost = (high[k] - (sum - from_product)) + (product - from_product);
            high[k] = sum;
            low[k] += lost + (error + cross);
        }
    }
    std::array::from_fn(|k| DoubleDouble::sum(high[k], low[k]))
}

#[cfg(test)]
mod tests {
    use super::{DoubleDouble, Gram};

    #[test]
    fn agrees_with_renormalised_double_double() {
        // 300 rows cross a block; 5 columns cross a panel.
        let rows: Vec<Vec<DoubleDouble>> = (0..300_u32)
            .map(|i| {
                (1..6_u32)
                    .map(|j| {
                        DoubleDouble::ONE / DoubleDouble::from(f64::from(i * j + j)) - DoubleDouble::from(0.1)
                    })
                    .collect()
            })
            .collect();
        let mut gram = Gram::new(5);
        for row in &rows {
            gram.push(row, 0.7);
        }
        let total = gram.finish();
        for i in 0..5 {
            for j in 0..=i {
                let plain = rows.iter().fold(DoubleDouble::ZERO, |sum, row| sum + row[i] * 0.7 * row[j]);
                let size = (total.at(i, i).high * total.at(j, j).high).sqrt();
                assert!((plain - total.at(i, j)).abs().to_f64() < 1e-30 * size);
            }
        }
    }
}
