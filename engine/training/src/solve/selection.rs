//! Least squares with an absolute penalty or with coefficients of one sign: which coefficients are not 0, and their
//! values to the last digit.
//!
//! Coordinate descent in `f64` finds about where the minimum is; an active-set method goes on from there in
//! double-double. On the features that take part, with the signs of their coefficients given, the minimum solves the
//! linear system `(G + square) c = g − absolute · sign`. On the way there the first coefficient that reaches 0 leaves;
//! where none does, the feature enters that breaks its condition most, |gⱼ − Gⱼc| ≤ absolute, until none breaks it (Lee,
//! Battle, Raina & Ng, "Efficient sparse coding algorithms", NIPS 2006, "feature-sign search"; for `c ≥ 0` Lawson &
//! Hanson, Solving Least Squares Problems, 1974, chapter 23). Every step lowers the objective, so it ends; and it ends
//! only where the conditions of the minimum hold.
//!
//! A feature that others taking part determine, where squares have no penalty, is moved against them, at no change of
//! the predictions and to no higher a penalty, until one of them is 0.

use super::coordinate::{self, Quadratic, coordinate_descent};
use super::normal::Normal;
use super::objective::Penalties;
use super::power::{exponent, scale, scale_pair};
use super::system::{Solved, System};
use crate::error::SolveError;
use sluice_core::double_double::DoubleDouble;

/// How near coordinate descent comes: its result is a start.
const START_TOLERANCE: f64 = 1e-9;
/// A breach of a condition below this share of the penalty is rounding of the penalty.
const PENALTY_ROUNDING: f64 = 16.0 * f64::EPSILON;
/// A condition may be broken by this share of the column's and the label's norms where rounding keeps a feature out.
const BROKEN: f64 = 1e-9;

/// A problem with its columns scaled, for coordinate descent.
#[derive(Debug)]
pub(super) struct Descent {
    /// Features that vary.
    features: Vec<usize>,
    exponents: Vec<i32>,
    matrix: Vec<f64>,
    linear: Vec<f64>,
    /// Where it stands.
    coefficients: Vec<f64>,
}

/// The minimum: a system of the features that take part, and their signs.
#[derive(Debug)]
pub(super) struct Selected {
    /// Its features are positions in the whole problem.
    pub(super) solved: Solved,
    /// The penalty of the magnitude of each feature with the sign of its coefficient; 0 where that is 0.
    pub(super) pulls: Vec<f64>,
}

impl Descent {
    pub(super) fn new(normal: &Normal) -> Self {
        let features: Vec<usize> = (0..normal.features()).filter(|&j| !normal.is_constant(j)).collect();
        let exponents: Vec<i32> =
            features.iter().map(|&j| exponent(normal.cross.at(j, j).high).div_euclid(2)).collect();
        let mut matrix = Vec::with_capacity(features.len() * features.len());
        for (&row, &of_row) in features.iter().zip(&exponents) {
            let entry = |(&column, &of_column): (&usize, &i32)| {
                scale(scale(normal.cross.at(row, column).high, -of_row), -of_column)
            };
            matrix.extend(features.iter().zip(&exponents).map(entry));
        }
        let linear = features.iter().zip(&exponents).map(|(&j, e)| scale(normal.label_cross[j].high, -e));
        Self {
            linear: linear.collect(),
            coefficients: vec![0.0; features.len()],
            features,
            exponents,
            matrix,
        }
    }

    /// Goes on to about the minimum.
    fn advance(&mut self, penalties: &Penalties) {
        let pairs = || self.features.iter().zip(&self.exponents);
        let absolute: Vec<f64> = pairs().map(|(&j, e)| scale(penalties.absolute[j], -e)).collect();
        let square: Vec<f64> = pairs().map(|(&j, e)| scale(penalties.square[j], -2 * e)).collect();
        let problem = Quadratic { matrix: &self.matrix, linear: &self.linear };
        let penalties = coordinate::Penalties {
            absolute: &absolute,
            square: &square,
            non_negative: penalties.non_negative,
        };
        // Where it has not come to an end, what it has is a start all the same.
        let _ = coordinate_descent(problem, penalties, START_TOLERANCE, &mut self.coefficients);
    }

    /// The minimum, sought from where the last call ended.
    ///
    /// # Errors
    /// [`SolveError::PenaltyTooSmall`], [`SolveError::NotConverged`].
    pub(super) fn select(
        &mut self,
        normal: &Normal,
        penalties: &Penalties,
        float_above: usize,
    ) -> Result<Selected, SolveError> {
        self.advance(penalties);
        let start = self.features.iter().zip(&self.coefficients).zip(&self.exponents);
        let start = start.map(|((&j, &c), &e)| (j, scale(c, -e))).filter(|(_, c)| *c != 0.0);
        let set = ActiveSet::new(normal, penalties, float_above, start);
        let selected = set.search()?;
        self.coefficients.fill(0.0);
        let found = selected.solved.coefficients(normal.features());
        for ((place, &j), &e) in self.coefficients.iter_mut().zip(&self.features).zip(&self.exponents) {
            *place = scale(found[j].high, e);
        }
        Ok(selected)
    }
}

/// A feature that takes part.
#[derive(Clone, Copy, Debug)]
struct Member {
    feature: usize,
    sign: f64,
    coefficient: DoubleDouble,
}

struct ActiveSet<'a> {
    normal: &'a Normal,
    penalties: &'a Penalties,
    float_above: usize,
    /// In the order in which they entered.
    members: Vec<Member>,
    /// Features that rounding alone would let in.
    refused: Vec<bool>,
}

impl<'a> ActiveSet<'a> {
    fn new(
        normal: &'a Normal,
        penalties: &'a Penalties,
        float_above: usize,
        start: impl Iterator<Item = (usize, f64)>,
    ) -> Self {
        let member = |(feature, c): (usize, f64)| Member {
            feature,
            sign: 1.0_f64.copysign(c),
            coefficient: DoubleDouble::from(c),
        };
        let refused = (0..normal.features()).map(|feature| normal.is_constant(feature)).collect();
        Self { normal, penalties, float_above, members: start.map(member).collect(), refused }
    }

    fn search(mut self) -> Result<Selected, SolveError> {
        let most_steps = 100 + 20 * self.normal.features();
        for _ in 0..most_steps {
            let solved = self.solve()?;
            if let Some(&position) = solved.system.aliased.first() {
                self.shift_dependent(position, &solved);
            } else if self.move_to(&solved.coefficients(self.members.len())) {
                match self.entering() {
                    Some(member) => self.members.push(member),
                    None => return self.finish(solved),
                }
            }
        }
        Err(SolveError::NotConverged { steps: most_steps })
    }

    /// The minimum over the members, their signs given.
    fn solve(&self) -> Result<Solved, SolveError> {
        let features: Vec<usize> = self.members.iter().map(|member| member.feature).collect();
        let right = self.members.iter().map(|member| {
            self.normal.label_cross[member.feature] + -(self.penalties.absolute[member.feature] * member.sign)
        });
        let reduced = Normal {
            cross: self.normal.cross.select(&features),
            label_cross: right.collect(),
            means: features.iter().map(|&j| self.normal.means[j]).collect(),
            ..*self.normal
        };
        let squares: Vec<f64> = features.iter().map(|&j| self.penalties.square[j]).collect();
        let system = System::new(&reduced, &squares);
        let alpha = self.penalties.square_alpha;
        system.solve(self.normal.relative_error, alpha, self.float_above).map_err(|error| match error {
            SolveError::PenaltyTooSmall { alpha, feature, smallest } => {
                SolveError::PenaltyTooSmall { alpha, feature: features[feature], smallest }
            }
            other => other,
        })
    }

    /// Goes to `target`, or up to where the first coefficient reaches 0, which then leaves; whether it got there.
    fn move_to(&mut self, target: &[DoubleDouble]) -> bool {
        let crossings =
            self.members.iter().zip(target).enumerate().filter_map(|(place, (member, target))| {
                let (from, to) = (member.coefficient.high * member.sign, target.high * member.sign);
                (to <= 0.0).then(|| (place, if from > to { from / (from - to) } else { 0.0 }))
            });
        let first = crossings.fold(None, |first: Option<(usize, f64)>, crossing| match first {
            Some(first) if first.1 <= crossing.1 => Some(first),
            _ => Some(crossing),
        });
        let share = first.map_or(1.0, |(_, share)| share);
        for (member, target) in self.members.iter_mut().zip(target) {
            member.coefficient = if first.is_none() {
                *target
            } else {
                member.coefficient + (*target - member.coefficient) * share
            };
        }
        if let Some((place, share)) = first {
            self.leave(place, share > 0.0);
        }
        first.is_none()
    }

    fn leave(&mut self, place: usize, has_moved: bool) {
        let member = self.members.remove(place);
        self.refused[member.feature] |= !has_moved;
    }

    /// Moves the member at `position`, which those before it determine, against them until one of them is 0.
    fn shift_dependent(&mut self, position: usize, solved: &Solved) {
        let own = self.members[position];
        let column: Vec<DoubleDouble> =
            self.members.iter().map(|member| self.normal.cross.at(member.feature, own.feature)).collect();
        let System { features, exponents, .. } = &solved.system;
        let mut direction = vec![DoubleDouble::ZERO; self.members.len()];
        for ((&place, &e), share) in features.iter().zip(exponents).zip(solved.correction(&column)) {
            direction[place] = -scale_pair(share, -e);
        }
        direction[position] = DoubleDouble::ONE;
        let slope: f64 = self
            .members
            .iter()
            .zip(&direction)
            .map(|(member, by)| self.penalties.absolute[member.feature] * member.sign * by.high)
            .sum();
        // Where the penalty does not decide, the dependent one is brought to 0.
        let rounding = PENALTY_ROUNDING * self.penalties.absolute[own.feature] * self.members.len() as f64;
        let turn = if slope.abs() <= rounding { -own.sign } else { -slope.signum() };
        let mut first: Option<(usize, f64)> = None;
        for (place, (member, by)) in self.members.iter().zip(&direction).enumerate() {
            let (from, by) = (member.coefficient.high * member.sign, by.high * member.sign * turn);
            if by < 0.0 && first.is_none_or(|(_, reach)| from / -by < reach) {
                first = Some((place, from / -by));
            }
        }
        // One always does: the penalty cannot fall for ever.
        let (place, reach) = first.unwrap_or((position, 0.0));
        for (member, by) in self.members.iter_mut().zip(&direction) {
            member.coefficient = member.coefficient + *by * (reach * turn);
        }
        self.leave(place, reach > 0.0);
    }

    /// `g − Gc` of a feature.
    fn gradient(&self, feature: usize) -> DoubleDouble {
        let taken = self.members.iter().fold(DoubleDouble::ZERO, |sum, member| {
            sum + self.normal.cross.at(feature, member.feature) * member.coefficient
        });
        self.normal.label_cross[feature] - taken
    }

    /// How far a feature that does not take part breaks its condition, as a share of the norms, with the sign that its
    /// coefficient would have; none within rounding.
    fn breach(&self, feature: usize) -> Option<(f64, f64)> {
        let gradient = self.gradient(feature).high;
        if self.penalties.non_negative && gradient < 0.0 {
            return None;
        }
        let penalty = self.penalties.absolute[feature];
        let excess = gradient.abs() - penalty;
        let norms = (self.normal.cross.at(feature, feature).high * self.normal.label_square.high).sqrt();
        let terms = 4.0 * (self.members.len() + 1) as f64;
        let rounding = PENALTY_ROUNDING * penalty + terms * self.normal.relative_error * norms;
        (excess > rounding).then(|| (excess / norms, 1.0_f64.copysign(gradient)))
    }

    /// The feature that breaks its condition most.
    fn entering(&self) -> Option<Member> {
        let mut most: Option<(f64, Member)> = None;
        for feature in (0..self.normal.features()).filter(|&feature| !self.refused[feature]) {
            if self.members.iter().any(|member| member.feature == feature) {
                continue;
            }
            if let Some((share, sign)) = self.breach(feature)
                && most.is_none_or(|(largest, _)| share > largest)
            {
                most = Some((share, Member { feature, sign, coefficient: DoubleDouble::ZERO }));
            }
        }
        most.map(|(_, member)| member)
    }

    /// The solution with features in their order, the same bits from any start.
    fn finish(mut self, solved: Solved) -> Result<Selected, SolveError> {
        let is_broken = |&feature: &usize| {
            self.refused[feature] && self.breach(feature).is_some_and(|(share, _)| share > BROKEN)
        };
        if (0..self.normal.features()).filter(|&j| !self.normal.is_constant(j)).any(|j| is_broken(&j)) {
            return Err(SolveError::NotConverged { steps: self.members.len() });
        }
        let solved = if self.members.is_sorted_by_key(|member| member.feature) {
            solved
        } else {
            self.members.sort_unstable_by_key(|member| member.feature);
            self.solve()?
        };
        let mut pulls = vec![0.0; self.normal.features()];
        for member in &self.members {
            pulls[member.feature] = self.penalties.absolute[member.feature] * member.sign;
        }
        Ok(Selected { solved: self.in_the_whole(solved), pulls })
    }

    /// With positions in the whole problem.
    fn in_the_whole(&self, mut solved: Solved) -> Solved {
        let system = &mut solved.system;
        for feature in &mut system.features {
            *feature = self.members[*feature].feature;
        }
        system.constant = (0..self.normal.features()).filter(|&j| self.normal.is_constant(j)).collect();
        // Coefficients that the members have none of: dependent columns, left out by rounding.
        system.aliased.clear();
        solved
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Objective, PreparedRows, RidgeSolution, Rows, minimise};

    /// Numbers without pattern in [-1, 1), the same in every run.
    fn noise(count: usize, seed: u64) -> Vec<f64> {
        let mut state = seed;
        let next = |_| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 11) as f64 / (1_u64 << 52) as f64 - 1.0
        };
        (0..count).map(next).collect()
    }

    fn positive(value: f64) -> f64 {
        if value > 0.0 { value } else { 0.0 }
    }

    /// How far the conditions of the minimum are from holding.
    fn breach(rows: Rows<'_>, objective: Objective, solution: &RidgeSolution) -> f64 {
        let residuals: Vec<f64> = rows
            .values
            .chunks_exact(rows.features)
            .zip(rows.label)
            .map(|(row, label)| label - solution.predict(row))
            .collect();
        let of_feature = |(feature, &c): (usize, &f64)| {
            let products = rows.values.chunks_exact(rows.features).zip(&residuals);
            let gradient = products.map(|(row, residual)| row[feature] * residual).sum::<f64>();
            let gradient = gradient - objective.square * c;
            match c {
                _ if objective.non_negative && c < 0.0 => f64::INFINITY,
                _ if c != 0.0 => (gradient - objective.absolute.copysign(c)).abs(),
                _ if objective.non_negative => positive(gradient - objective.absolute),
                _ => positive(gradient.abs() - objective.absolute),
            }
        };
        let of_intercept = residuals.iter().sum::<f64>().abs();
        solution
            .coefficients
            .iter()
            .enumerate()
            .map(of_feature)
            .fold(of_intercept, |most, own| if own > most { own } else { most })
    }

    #[test]
    fn the_conditions_of_the_minimum_hold_in_any_shape() {
        let penalties = [
            (0.1, 0.0, false),
            (0.01, 0.0, false),
            (1e-7, 0.0, false),
            (0.3, 0.2, false),
            (0.0, 0.0, true),
            (0.05, 0.0, true),
            (0.0, 0.1, true),
        ];
        for seed in 0..60 {
            // From more rows than features to more features than rows.
            let (features, count) = (1 + seed % 9, 2 + seed * 7 % 12);
            let mut values = noise(features * count, seed as u64);
            for row in values.chunks_exact_mut(features) {
                match seed % 4 {
                    // The last column the mirror image of the first, or the sum of the two before it.
                    1 => row[features - 1] = -row[0],
                    2 if features > 2 => row[features - 1] = row[features - 2] + row[features - 3],
                    _ => {}
                }
            }
            let label = noise(count, 1000 + seed as u64);
            let rows = Rows { features, values: &values, label: &label, weights: None, intercept: true };
            let prepared = PreparedRows::new(rows).unwrap();
            for (absolute, square, non_negative) in penalties {
                let objective = Objective { alpha: square, absolute, square, non_negative };
                let of_rows = prepared.minimise(&objective).unwrap();
                let of_sums = minimise(&prepared.normal(), &objective).unwrap();
                for solution in [of_rows, of_sums] {
                    let breach = breach(rows, objective, &solution);
                    assert!(breach < 1e-12, "{seed} {objective:?}: {breach:e} {solution:?}");
                }
            }
        }
    }
}
