//! One column weighted by ranks that are known already: the means of x − c times the powers of the share of rows below
//! x, from which L-moments follow. The values enter exactly, the shares by interpolation between knots. Null, NaN and
//! infinities are left out.

use serde::{Deserialize, Serialize};

use sluice_core::error::Result;
use sluice_core::seam::CountedColumn;
use sluice_core::statistics::Presence;
use sluice_summaries::{Moments, finite_counted, finite_rows};

use super::{Analyze, Rows};

/// A value with the shares of rows below it and up to it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Knot {
    pub(crate) value: f64,
    pub(crate) below: f64,
    pub(crate) up_to: f64,
}

/// Weighted means.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct OrderedAnalyzer {
    center: f64,
    /// By ascending values.
    knots: Vec<Knot>,
    /// Of x − c times the share to the power of 0, 1, 2 and 3.
    weighted: [Moments; 4],
}

impl OrderedAnalyzer {
    /// Nothing yet.
    pub(crate) fn new(center: f64, knots: Vec<Knot>) -> Self {
        Self { center, knots, weighted: [Moments::new(); 4] }
    }

    /// The weighted means; `None` without values.
    pub(crate) fn means(&self) -> Option<[f64; 4]> {
        let [b0, b1, b2, b3] = self.weighted.map(|moments| moments.mean());
        Some([b0?, b1?, b2?, b3?])
    }

    /// The first three powers of the share of rows below a value, on average over the rows that hold it.
    fn powers(&self, value: f64) -> [f64; 3] {
        let above = self.knots.partition_point(|knot| knot.value <= value);
        let below = above.checked_sub(1).and_then(|below| self.knots.get(below));
        let (low, high) = match (below, self.knots.get(above)) {
            (Some(knot), _) if knot.value >= value => (knot.below, knot.up_to),
            (Some(low), Some(high)) => {
                let place = (value - low.value) / (high.value - low.value);
                let share = low.up_to + (high.below - low.up_to) * place;
                (share, share)
            }
            (Some(knot), None) | (None, Some(knot)) => (knot.below, knot.up_to),
            (None, None) => (0.0, 1.0),
        };
        // The integrals of the powers from one share to the other over their distance, which cancels.
        let (square, product) = (low * low + high * high, low * high);
        [(low + high) / 2.0, (square + product) / 3.0, (low + high) * square / 4.0]
    }

    /// Adds values less the center, each in place, with what adds them at a power.
    fn weigh<T>(
        &mut self,
        values: &mut [T],
        number: impl Fn(&mut T) -> &mut f64,
        add: impl Fn(&mut Moments, &[T]),
    ) {
        let powers: Vec<[f64; 3]> = values.iter_mut().map(|value| self.powers(*number(value))).collect();
        let centered: Vec<f64> = values.iter_mut().map(|value| *number(value) - self.center).collect();
        for (power, moments) in self.weighted.iter_mut().enumerate() {
            for ((value, centered), powers) in values.iter_mut().zip(&centered).zip(&powers) {
                *number(value) = centered * if power == 0 { 1.0 } else { powers[power - 1] };
            }
            add(moments, values);
        }
    }
}

impl Analyze for OrderedAnalyzer {
    fn empty(&self) -> Self {
        Self::new(self.center, self.knots.clone())
    }

    fn takes_counted(&self) -> bool {
        true
    }

    fn takes_fill(&self) -> bool {
        // An `impute` before is fitted in the first scan, and this is a later one.
        false
    }

    fn rows(&mut self, rows: &Rows<'_>) -> Result<()> {
        let mut values = Vec::new();
        finite_rows(
            rows.names[0],
            rows.values[0].column()?,
            "the transform",
            &mut Presence::default(),
            &mut values,
        )?;
        self.weigh(&mut values, |value| value, |moments, values| moments.update(values));
        Ok(())
    }

    fn counted(&mut self, column: &CountedColumn) -> Result<()> {
        let mut values = Vec::new();
        finite_counted(column, "the transform", &mut Presence::default(), &mut values)?;
        self.weigh(
            &mut values,
            |(value, _)| value,
            |moments, values| moments.update_counted(values.iter().copied()),
        );
        Ok(())
    }

    fn merge(&mut self, later: Self) -> Result<()> {
        self.weighted.iter_mut().zip(later.weighted).for_each(|(mine, later)| mine.merge(later));
        Ok(())
    }

    fn size_bytes(&self) -> usize {
        size_of::<Self>() + self.knots.capacity() * size_of::<Knot>()
    }
}
