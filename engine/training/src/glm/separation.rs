//! Whether some direction of the coefficients fits better and better without end.
//!
//! A direction d is one of recession where no row loses along it and some gain: with two classes, ±x·d ≥ 0 for all rows
//! (+ for the class 1), and for one strictly; with more, `x·(d_own` − `d_other`) ≥ 0; with zeros in counts or amounts,
//! x·d ≤ 0 where the label is 0 and x·d = 0 elsewhere. Then, and only then, there is no finite maximum of the
//! likelihood (Albert & Anderson, "On the existence of maximum likelihood estimates in logistic regression models",
//! Biometrika 71 (1984)). The iteration runs off along such a direction, so its last step is what is tried.

use serde::{Deserialize, Serialize};

use super::error::GlmError;
use super::family::Family;
use super::rows::Rows;
use super::scan::{Point, RowSums, Scratch, place};

/// What a row may lose beside the most that one gains: a late step is not quite the direction.
const ROUNDING: f64 = 1e-6;

/// What rows gain along a direction, and where the columns of each class lie.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Recession {
    /// The least that a row gains.
    least: f64,
    /// The most.
    most: f64,
    /// By class, then column: the least and the largest value.
    extents: Vec<(f64, f64)>,
}

const NOTHING: (f64, f64) = (f64::INFINITY, f64::NEG_INFINITY);

impl Recession {
    /// Of no rows.
    pub(super) fn new(family: Family, columns: usize) -> Self {
        let classes = match family {
            Family::Softmax(classes) => classes,
            Family::Logistic | Family::Power(_) => 2,
        };
        Self { least: f64::INFINITY, most: f64::NEG_INFINITY, extents: vec![NOTHING; classes * columns] }
    }

    fn gain(&mut self, least: f64, most: f64) {
        self.least = if least < self.least { least } else { self.least };
        self.most = if most > self.most { most } else { self.most };
    }

    /// The error where the rows go along, some of them, where `is_step`, only to rounding; `names` are those of the
    /// columns after that of the ones.
    pub(super) fn error(
        &self,
        point: &Point,
        is_step: bool,
        label: &str,
        names: &[String],
    ) -> Option<GlmError> {
        let least = if is_step { -ROUNDING * self.most } else { 0.0 };
        let is_recession = self.most > 0.0 && self.least >= least;
        if !is_recession {
            return None;
        }
        let what = match point.family {
            Family::Power(_) => format!("rows in which `{label}` is 0 from others"),
            _ if self.least > ROUNDING * self.most => format!("the classes of `{label}` completely"),
            _ => format!("some rows of one class of `{label}` from all others"),
        };
        let column = self.column(point).and_then(|column| names.get(column).cloned());
        Some(GlmError::Separable { what, column })
    }

    /// The column that separates alone; of several, the one that the direction goes along most.
    fn column(&self, point: &Point) -> Option<usize> {
        let columns = point.columns();
        let first = usize::from(point.intercept);
        let size = |column: usize| {
            let along = point.coefficients.iter().skip(column).step_by(columns);
            along.map(|coefficient| coefficient.abs()).sum::<f64>()
        };
        (first..columns)
            .filter(|&column| self.separates(point.family, column, columns))
            .max_by(|a, b| size(*a).total_cmp(&size(*b)).then(b.cmp(a)))
            .map(|column| column - first)
    }

    #[expect(clippy::float_cmp, reason = "a column without spread has one value")]
    fn separates(&self, family: Family, column: usize, columns: usize) -> bool {
        let of_classes: Vec<(f64, f64)> =
            self.extents.iter().skip(column).step_by(columns).copied().collect();
        let all = of_classes.iter().fold(NOTHING, |all, own| joined(all, *own));
        if !(all.1 > all.0) {
            return false;
        }
        let apart = |own: (f64, f64), rest: (f64, f64)| own.1 <= rest.0 || rest.1 <= own.0;
        match (family, of_classes.as_slice()) {
            (Family::Power(_), [zeros, others]) => others.0 == others.1 && apart(*zeros, *others),
            _ => (0..of_classes.len()).any(|class| {
                let rest = of_classes.iter().enumerate().filter(|(other, _)| *other != class);
                apart(of_classes[class], rest.fold(NOTHING, |all, (_, own)| joined(all, *own)))
            }),
        }
    }
}

fn joined(a: (f64, f64), b: (f64, f64)) -> (f64, f64) {
    (if b.0 < a.0 { b.0 } else { a.0 }, if b.1 > a.1 { b.1 } else { a.1 })
}

impl RowSums for Recession {
    fn empty(&self) -> Self {
        Self { least: f64::INFINITY, most: f64::NEG_INFINITY, extents: vec![NOTHING; self.extents.len()] }
    }

    fn add(&mut self, point: &Point, rows: Rows<'_>, scratch: &mut Scratch) {
        point.predict(rows, &mut scratch.predictors);
        let (count, columns) = (rows.len(), point.columns());
        let along = &scratch.predictors;
        let mut classes = Vec::with_capacity(count);
        for (row, &label) in rows.labels.iter().enumerate() {
            classes.push(match point.family {
                Family::Softmax(classes) => {
                    let own = place(label);
                    for other in (0..classes).filter(|other| *other != own) {
                        let gain = along[own * count + row] - along[other * count + row];
                        self.gain(gain, gain);
                    }
                    own
                }
                Family::Logistic => {
                    let gain = if label > 0.0 { along[row] } else { -along[row] };
                    self.gain(gain, gain);
                    usize::from(label > 0.0)
                }
                Family::Power(_) => {
                    if label > 0.0 {
                        self.gain(-along[row].abs(), 0.0);
                    } else {
                        self.gain(-along[row], -along[row]);
                    }
                    usize::from(label > 0.0)
                }
            });
        }
        for column in 0..columns {
            for (&class, &cell) in classes.iter().zip(rows.column(column)) {
                let extent = &mut self.extents[class * columns + column];
                *extent = joined(*extent, (cell, cell));
            }
        }
    }

    fn merge(&mut self, later: Self) {
        self.gain(later.least, later.most);
        for (extent, other) in self.extents.iter_mut().zip(later.extents) {
            *extent = joined(*extent, other);
        }
    }

    fn size_bytes(&self) -> usize {
        16 * self.extents.capacity()
    }

    fn is_finite(&self) -> bool {
        true
    }
}
