//! The area under the ROC curve with its error, from the placements of rows.
//!
//! A row is misplaced by the weight of the rows of the other class that stand on the wrong side of it: negative ones
//! scored above a positive, positive ones scored below a negative; rows of an equal score count half. With x the
//! misplaced weight of a positive row, W₁ and W₀ the weights of both classes: AUC = 1 − Σwx / (W₁W₀), which is the
//! probability that a positive row is scored above a negative one, plus half that of a tie.
//!
//! Its variance is that of E. R. DeLong, D. M. DeLong and D. L. Clarke-Pearson, "Comparing the areas under two or more
//! correlated receiver operating characteristic curves", Biometrics 44 (1988): S₁/m + S₀/n, with the sample variances
//! of x/W₀ over the m positive rows and of x/W₁ over the n negative ones; of a change, those of the differences of the
//! models' placements of the same rows. One walk along sorted rows gives all placements (X. Sun and W. Xu, "Fast
//! implementation of DeLong's algorithm", IEEE Signal Processing Letters 21 (2014)). With weights a class adds
//! Σw²(x/W − x̄/W)²/(Σw)² · m/(m − 1), the variance of the first-order term of a ratio, where m = (Σw)²/Σw² rows;
//! equal weights give DeLong's again. Student's t has the degrees of freedom of Welch and Satterthwaite.
//!
//! Placements are doubled, so that a half is a whole number: without weights all sums are exact.

use std::ops::Sub;

use sluice_core::double_double::{CENTRED_NOISE, DoubleDouble};

use super::order::Place;
use super::totals::{POSITIVE, Totals};
use crate::comparison::Estimate;
use crate::metric::{Step, Undefined};

/// What a row counts.
pub(crate) trait Weighing: Copy + Send + Sync {
    /// A row's weight; twice a misplaced weight, or a difference of two such.
    type Amount: Copy + Default + Sub<Output = Self::Amount>;
    /// An amount of one row, in less memory.
    type Stored: Copy + Default;
    /// A sum of weights.
    type Running: Copy + Default;
    /// See [`ClassSums`].
    type Sums: Copy + Default;
    /// A sum of products.
    type Products: Copy + Default;

    /// To keep it.
    fn store(amount: Self::Amount) -> Self::Stored;
    /// What was kept.
    fn load(stored: Self::Stored) -> Self::Amount;
    /// What a row of this weight counts.
    fn of(weight: f64) -> Self::Amount;
    /// The weight of a row.
    fn weight(self, row: u32) -> Self::Amount;
    /// The weight of the rows of a class.
    fn total(totals: &Totals, class: usize) -> Self::Running;
    /// Adds a weight.
    fn add(running: &mut Self::Running, weight: Self::Amount);
    /// Adds one sum to another.
    fn join(running: &mut Self::Running, more: Self::Running);
    /// Twice what misplaces a positive row: the negative weight above it, and half of what is tied.
    fn of_positive(above: Self::Running, tied: Self::Running) -> Self::Amount;
    /// Twice what misplaces a negative row: the positive weight below it, and half of what is tied.
    fn of_negative(total: Self::Running, above: Self::Running, tied: Self::Running) -> Self::Amount;
    /// Twice the rank of a row, less the weight of all: what is before it, and half of what is tied.
    fn rank(before: Self::Running, tied: Self::Running, total: Self::Running) -> Self::Amount;
    /// The weight of both classes.
    fn all(totals: &Totals) -> Self::Running {
        let mut total = Self::total(totals, 0);
        Self::join(&mut total, Self::total(totals, POSITIVE));
        total
    }
    /// To all its digits.
    fn precise(running: Self::Running) -> DoubleDouble;
    /// As a number.
    fn number(running: Self::Running) -> f64;
    /// Adds the product of a row's weight with two amounts.
    fn product(sum: &mut Self::Products, weight: Self::Amount, first: Self::Amount, second: Self::Amount);
    /// The sum.
    fn products(sum: Self::Products) -> DoubleDouble;
    /// Adds a row.
    fn sum(sums: &mut Self::Sums, weight: Self::Amount, amount: Self::Amount);
    /// The sums.
    fn class_sums(sums: &Self::Sums) -> ClassSums;
}

/// Sums over the rows of a class, x being twice the misplaced weight.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct ClassSums {
    /// Σwx.
    pub(super) weighted: DoubleDouble,
    /// Σw²x.
    pub(super) squared: DoubleDouble,
    /// Σw²x².
    pub(super) squares: DoubleDouble,
}

/// Every row counts once; all numbers are whole.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Counted;

impl Weighing for Counted {
    type Amount = i64;
    type Stored = u32;
    type Running = i64;
    /// Σx is less than 2⁶²: of n rows none is misplaced by more than the other class.
    type Sums = (i64, i128);
    type Products = i128;

    /// Of misplaced rows, which are less than 2³¹.
    #[inline]
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "twice less than 2^31 rows")]
    fn store(amount: i64) -> u32 {
        amount as u32
    }

    #[inline]
    fn load(stored: u32) -> i64 {
        i64::from(stored)
    }

    fn of(_: f64) -> i64 {
        1
    }

    #[inline]
    fn weight(self, _: u32) -> i64 {
        1
    }

    fn total(totals: &Totals, class: usize) -> i64 {
        // Rows are below 2³².
        i64::try_from(totals.rows[class]).unwrap_or(i64::MAX)
    }

    #[inline]
    fn add(running: &mut i64, weight: i64) {
        *running += weight;
    }

    #[inline]
    fn join(running: &mut i64, more: i64) {
        *running += more;
    }

    #[inline]
    fn of_positive(above: i64, tied: i64) -> i64 {
        2 * above + tied
    }

    #[inline]
    fn of_negative(total: i64, above: i64, tied: i64) -> i64 {
        2 * (total - above) - tied
    }

    #[inline]
    fn rank(before: i64, tied: i64, total: i64) -> i64 {
        2 * before + tied - total
    }

    fn precise(running: i64) -> DoubleDouble {
        whole(running.into())
    }

    #[inline]
    fn number(running: i64) -> f64 {
        running as f64
    }

    #[inline]
    fn product(sum: &mut i128, _: i64, first: i64, second: i64) {
        *sum += i128::from(first) * i128::from(second);
    }

    fn products(sum: i128) -> DoubleDouble {
        whole(sum)
    }

    #[inline]
    fn sum(sums: &mut (i64, i128), _: i64, amount: i64) {
        sums.0 += amount;
        sums.1 += i128::from(amount) * i128::from(amount);
    }

    fn class_sums((sum, squares): &(i64, i128)) -> ClassSums {
        let (sum, squares) = (whole(i128::from(*sum)), whole(*squares));
        ClassSums { weighted: sum, squared: sum, squares }
    }
}

/// A whole number, to 106 bits.
#[expect(clippy::cast_possible_truncation, reason = "a rounded whole number of less than 2^100 is one")]
pub(super) fn whole(number: i128) -> DoubleDouble {
    let high = number as f64;
    DoubleDouble::sum(high, (number - high as i128) as f64)
}

/// Rows have these weights.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Weighted<'a>(pub(crate) &'a [f64]);

impl Weighing for Weighted<'_> {
    type Amount = f64;
    type Stored = f64;
    type Running = DoubleDouble;
    type Sums = [DoubleDouble; 3];
    type Products = DoubleDouble;

    #[inline]
    fn store(amount: f64) -> f64 {
        amount
    }

    #[inline]
    fn load(stored: f64) -> f64 {
        stored
    }

    fn of(weight: f64) -> f64 {
        weight
    }

    #[inline]
    fn weight(self, row: u32) -> f64 {
        self.0[row as usize]
    }

    fn total(totals: &Totals, class: usize) -> DoubleDouble {
        totals.weight[class]
    }

    #[inline]
    fn add(running: &mut DoubleDouble, weight: f64) {
        *running = *running + weight;
    }

    #[inline]
    fn join(running: &mut DoubleDouble, more: DoubleDouble) {
        *running = *running + more;
    }

    #[inline]
    fn of_positive(above: DoubleDouble, tied: DoubleDouble) -> f64 {
        (above * 2.0 + tied).to_f64()
    }

    #[inline]
    fn of_negative(total: DoubleDouble, above: DoubleDouble, tied: DoubleDouble) -> f64 {
        ((total - above) * 2.0 - tied).to_f64()
    }

    #[inline]
    fn rank(before: DoubleDouble, tied: DoubleDouble, total: DoubleDouble) -> f64 {
        (before * 2.0 + tied - total).to_f64()
    }

    fn precise(running: DoubleDouble) -> DoubleDouble {
        running
    }

    #[inline]
    fn number(running: DoubleDouble) -> f64 {
        running.to_f64()
    }

    #[inline]
    fn product(sum: &mut DoubleDouble, weight: f64, first: f64, second: f64) {
        *sum = *sum + DoubleDouble::product(weight, first) * second;
    }

    fn products(sum: DoubleDouble) -> DoubleDouble {
        sum
    }

    #[inline]
    fn sum(sums: &mut [DoubleDouble; 3], weight: f64, amount: f64) {
        let weighted = DoubleDouble::product(weight, amount);
        sums[0] = sums[0] + weighted;
        sums[1] = sums[1] + weighted * weight;
        sums[2] = sums[2] + weighted * weighted;
    }

    fn class_sums(sums: &[DoubleDouble; 3]) -> ClassSums {
        let [weighted, squared, squares] = *sums;
        ClassSums { weighted, squared, squares }
    }
}

/// The area of one model in one slice, or how it differs from that of another.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Area {
    /// The area, or the difference.
    pub(crate) value: DoubleDouble,
    /// What the negative and the positive rows add to its variance, and of how many rows each.
    variance: [DoubleDouble; 2],
    rows: [f64; 2],
}

impl Area {
    /// That of a model, from the sums of what misplaces its rows.
    pub(crate) fn of<W: Weighing>(totals: &Totals, sums: &[W::Sums; 2]) -> Self {
        Self::of_sums(totals, sums.each_ref().map(W::class_sums))
    }

    /// The same from sums by class.
    pub(super) fn of_sums(totals: &Totals, sums: [ClassSums; 2]) -> Self {
        Self::new(totals, sums, |share| -share + 1.0)
    }

    /// How much more it is than that of another model, from the sums of how much more misplaces the other's rows.
    pub(crate) fn change<W: Weighing>(totals: &Totals, sums: &[W::Sums; 2]) -> Self {
        Self::new(totals, sums.each_ref().map(W::class_sums), |share| share)
    }

    fn new(totals: &Totals, sums: [ClassSums; 2], of_sums: impl Fn(DoubleDouble) -> DoubleDouble) -> Self {
        let [negative, positive] = totals.weight;
        let pairs = positive * negative;
        let value = of_sums(sums[POSITIVE].weighted / (pairs * 2.0));
        let variance = |class: usize| {
            let (sums, weight) = (sums[class], totals.weight[class]);
            let mean = sums.weighted / weight;
            let centred = sums.squares - mean * sums.squared * 2.0 + mean * mean * totals.square[class];
            if centred.high <= CENTRED_NOISE * sums.squares.high {
                return DoubleDouble::ZERO;
            }
            centred / (pairs * pairs * 4.0)
        };
        Self {
            value,
            variance: [variance(0), variance(1)],
            rows: [0, 1].map(|class| totals.effective_rows(class)),
        }
    }

    /// It with its error.
    pub(crate) fn estimate(&self) -> Result<Estimate, Undefined> {
        if self.rows.iter().any(|rows| !(*rows > 1.0)) {
            return Err(Undefined::TooFewRows);
        }
        let [negative, positive] =
            [0, 1].map(|class| self.variance[class].to_f64() * (self.rows[class] / (self.rows[class] - 1.0)));
        let variance = negative + positive;
        let parts = negative * negative / (self.rows[0] - 1.0) + positive * positive / (self.rows[1] - 1.0);
        let freedom = if parts > 0.0 { variance * variance / parts } else { self.least_rows() - 1.0 };
        Estimate::new(self.value.to_f64(), variance, freedom)
    }

    /// The rows of the smaller class.
    pub(crate) fn least_rows(&self) -> f64 {
        if self.rows[0] < self.rows[1] { self.rows[0] } else { self.rows[1] }
    }
}

/// The rows of one slice.
#[derive(Clone, Copy)]
pub(crate) struct SliceRows<'a, W> {
    pub(crate) weighing: W,
    pub(crate) totals: &'a Totals,
}

impl<W: Weighing> SliceRows<'_, W> {
    /// Hands over every row with its weight and twice its rank, less the weight of all.
    pub(crate) fn ranks(&self, places: &[Place], mut visit: impl FnMut(u32, W::Amount, W::Amount)) {
        let total = W::all(self.totals);
        let mut before = W::Running::default();
        for tied in places.chunk_by(Place::is_tied) {
            let mut within = W::Running::default();
            for place in tied {
                W::add(&mut within, self.weighing.weight(place.row()));
            }
            let rank = W::rank(before, within, total);
            for place in tied {
                visit(place.row(), self.weighing.weight(place.row()), rank);
            }
            W::join(&mut before, within);
        }
    }
}

/// The step of a score, of the weight of its rows and of those at it and above; none without weight.
pub(crate) fn step<W: Weighing>(
    totals: &Totals,
    upto: [W::Running; 2],
    within: [W::Running; 2],
    score: f64,
) -> Option<Step> {
    let [negative, positive] = within.map(W::number);
    // Sums of weights in another order may end a little beside the total.
    let upto = |class: usize| {
        let (sum, total) = (W::number(upto[class]), W::number(W::total(totals, class)));
        if sum < total { sum } else { total }
    };
    let (true_positives, false_positives) = (upto(POSITIVE), upto(0));
    (positive + negative > 0.0).then_some(Step { score, positive, negative, true_positives, false_positives })
}
