//! What the residuals say of the assumptions of a fit.

use serde::{Deserialize, Serialize};

use sluice_core::distribution::{chi_squared, fisher, normal};
use sluice_core::double_double::DoubleDouble;
use sluice_core::plan::Plan;
use sluice_summaries::Quantiles;

use super::influence::{InfluentialRow, Largest, PlacedRow, RowFigures, Sample};

/// Points of the normal Q-Q plot, at most.
const QUANTILE_PAIRS: u32 = 199;

/// The residuals of a fit; those of a weighted fit are times the root of their weights.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ResidualDiagnostics {
    /// Rows whose own label decides their prediction: their leverage is 1, and they are left out of what follows.
    pub decided_rows: u64,
    /// Smallest residual, lower quartile, median, upper quartile, largest.
    pub quartiles: [f64; 5],
    /// The third central moment over the standard deviation cubed.
    pub skewness: Option<f64>,
    /// The fourth central moment over the variance squared: 3 of a normal distribution.
    pub kurtosis: Option<f64>,
    /// That the residuals have skewness 0 and kurtosis 3.
    pub jarque_bera: Option<ChiSquaredTest>,
    /// That the variance of the noise does not follow the features; of fits without weights or penalty.
    pub breusch_pagan: Option<BreuschPagan>,
    /// Quantiles of the normal distribution with those of the studentised residuals.
    pub normal_quantiles: Vec<(f64, f64)>,
    /// The rows with the largest leverages.
    pub largest_leverage: Vec<InfluentialRow>,
    /// The rows with the largest studentised residuals, whatever their sign.
    pub largest_residual: Vec<InfluentialRow>,
    /// The rows with the largest Cook's distances.
    pub largest_influence: Vec<InfluentialRow>,
    /// Some rows for charts, chosen by their hashes, in the order of their predictions.
    pub sample: Vec<RowFigures>,
}

/// A statistic that is compared with a chi-squared distribution.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct ChiSquaredTest {
    /// The statistic.
    pub statistic: f64,
    /// Its degrees of freedom.
    pub degrees_of_freedom: f64,
    /// How likely one as large is.
    pub p_value: f64,
}

/// The test of Breusch & Pagan in Koenker's form: squared residuals are regressed on the features.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct BreuschPagan {
    /// Rows times R² of that regression.
    pub score: ChiSquaredTest,
    /// Its F statistic.
    pub f_statistic: f64,
    /// How likely one as large is.
    pub f_p_value: f64,
}

impl ChiSquaredTest {
    fn new(statistic: f64, degrees_of_freedom: f64) -> Option<Self> {
        let p_value = chi_squared::upper_tail(statistic, degrees_of_freedom);
        statistic.is_finite().then_some(Self { statistic, degrees_of_freedom, p_value })
    }
}

/// Sums and rows of one label's residuals.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct ResidualSums {
    rows: u64,
    decided_rows: u64,
    /// Sums of the residual, its square, cube and fourth power.
    powers: [DoubleDouble; 4],
    /// Sums of coordinate times squared residual.
    square_cross: Vec<DoubleDouble>,
    residuals: Quantiles,
    studentized: Quantiles,
    leverage: Largest,
    residual: Largest,
    influence: Largest,
    sample: Sample,
}

impl ResidualSums {
    /// Of rows with so many coordinates.
    pub(super) fn new(coordinates: usize) -> Self {
        Self {
            rows: 0,
            decided_rows: 0,
            powers: [DoubleDouble::ZERO; 4],
            square_cross: vec![DoubleDouble::ZERO; coordinates],
            residuals: Quantiles::new(),
            studentized: Quantiles::new(),
            leverage: Largest::default(),
            residual: Largest::default(),
            influence: Largest::default(),
            sample: Sample::default(),
        }
    }

    /// How many coordinates a row has.
    pub(super) fn coordinates(&self) -> usize {
        self.square_cross.len()
    }

    pub(super) fn count_decided(&mut self) {
        self.decided_rows += 1;
    }

    pub(super) fn push(&mut self, row: PlacedRow, hash: u64, coordinates: &[f64]) {
        let RowFigures { residual, studentized, leverage, cooks_distance, .. } = row.figures;
        self.rows += 1;
        let square = DoubleDouble::product(residual, residual);
        let powers = [DoubleDouble::from(residual), square, square * residual, square * square];
        for (sum, power) in self.powers.iter_mut().zip(powers) {
            *sum = *sum + power;
        }
        for (sum, coordinate) in self.square_cross.iter_mut().zip(coordinates) {
            *sum = *sum + square.high * coordinate;
        }
        self.leverage.push(leverage, row);
        self.residual.push(studentized.abs(), row);
        self.influence.push(cooks_distance, row);
        self.sample.push(hash, row);
    }

    /// Residuals and studentised residuals of a block, which quantiles take together.
    pub(super) fn push_values(&mut self, residuals: &[f64], studentized: &[f64]) {
        self.residuals.update(residuals);
        self.studentized.update(studentized);
    }

    pub(super) fn merge(&mut self, later: Self) {
        self.rows += later.rows;
        self.decided_rows += later.decided_rows;
        let add = |(sum, later): (&mut DoubleDouble, DoubleDouble)| *sum = *sum + later;
        self.powers.iter_mut().zip(later.powers).for_each(add);
        self.square_cross.iter_mut().zip(later.square_cross).for_each(add);
        self.residuals.merge(later.residuals);
        self.studentized.merge(later.studentized);
        self.leverage.merge(later.leverage);
        self.residual.merge(later.residual);
        self.influence.merge(later.influence);
        self.sample.merge(later.sample);
    }

    pub(super) fn size_bytes(&self) -> usize {
        let rows = 3 * 10 + super::influence::SAMPLE_ROWS;
        size_of::<Self>()
            + self.square_cross.capacity() * size_of::<DoubleDouble>()
            + rows * size_of::<(u64, PlacedRow)>()
            + self.residuals.size_bytes()
            + self.studentized.size_bytes()
    }

    /// The record; none without rows. `is_plain`: neither weights nor a penalty, and an intercept.
    pub(super) fn finish(self, plan: &Plan, is_plain: bool) -> Option<ResidualDiagnostics> {
        let (skewness, kurtosis) = self.shape();
        let rows = self.rows as f64;
        let jarque_bera = skewness.zip(kurtosis).and_then(|(skewness, kurtosis)| {
            let excess = kurtosis - 3.0;
            ChiSquaredTest::new(rows / 6.0 * (skewness * skewness + excess * excess / 4.0), 2.0)
        });
        let ranks = self.residuals.ranks();
        let [a, b, c, d, e] = [0.0, 0.25, 0.5, 0.75, 1.0].map(|q| ranks.interpolated(q));
        Some(ResidualDiagnostics {
            decided_rows: self.decided_rows,
            quartiles: [a?, b?, c?, d?, e?],
            skewness,
            kurtosis,
            jarque_bera,
            breusch_pagan: if is_plain && self.decided_rows == 0 { self.breusch_pagan() } else { None },
            normal_quantiles: self.normal_quantiles(),
            largest_leverage: self.leverage.located(plan),
            largest_residual: self.residual.located(plan),
            largest_influence: self.influence.located(plan),
            sample: self.sample.figures(),
        })
    }

    /// Skewness and kurtosis, without corrections for small samples, as statsmodels has them.
    fn shape(&self) -> (Option<f64>, Option<f64>) {
        let rows = DoubleDouble::from(self.rows);
        let [mean, second, third, fourth] = self.powers.map(|power| power / rows);
        let square = mean * mean;
        let variance = second - square;
        let cubes = third - mean * second * 3.0 + square * mean * 2.0;
        let fourths = fourth - mean * third * 4.0 + square * second * 6.0 - square * square * 3.0;
        let spread = variance.to_f64();
        let sound = |value: f64| value.is_finite().then_some(value);
        (sound(cubes.to_f64() / (spread * spread.sqrt())), sound(fourths.to_f64() / (spread * spread)))
    }

    fn breusch_pagan(&self) -> Option<BreuschPagan> {
        let (rows, columns) = (self.rows as f64, self.square_cross.len() as f64);
        let [_, second, _, fourth] = self.powers;
        let total = (fourth - second * second / DoubleDouble::from(self.rows)).to_f64();
        let explained =
            self.square_cross.iter().fold(DoubleDouble::ZERO, |sum, cross| sum + *cross * *cross).to_f64();
        let left = rows - columns - 1.0;
        if !(total > 0.0) || columns == 0.0 || !(left > 0.0) {
            return None;
        }
        let r_squared = explained / total;
        let f_statistic = r_squared / columns / ((1.0 - r_squared) / left);
        let f_p_value = fisher::upper_tail(f_statistic, columns, left);
        let score = ChiSquaredTest::new(rows * r_squared, columns)?;
        f_statistic.is_finite().then_some(BreuschPagan { score, f_statistic, f_p_value })
    }

    /// Evenly spaced probabilities, as many as there are rows where those are few.
    fn normal_quantiles(&self) -> Vec<(f64, f64)> {
        let pairs =
            u32::try_from(self.rows).map_or(QUANTILE_PAIRS, |rows| std::cmp::min(rows, QUANTILE_PAIRS));
        let ranks = self.studentized.ranks();
        let pair = |index: u32| {
            let share = (f64::from(index) + 0.5) / f64::from(pairs);
            let expected = if share < 0.5 {
                -normal::upper_quantile(share)
            } else {
                normal::upper_quantile(1.0 - share)
            };
            Some((expected, ranks.quantile(share)?))
        };
        (0..pairs).filter_map(pair).collect()
    }
}
