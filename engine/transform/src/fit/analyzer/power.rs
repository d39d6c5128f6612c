//! One column after power transforms: the moments at several λs at once, from which likelihoods follow. Null, NaN
//! and infinities are left out.

use serde::{Deserialize, Serialize};

use sluice_core::error::Result;
use sluice_core::seam::CountedColumn;
use sluice_core::statistics::Presence;
use sluice_summaries::{Moments, finite_counted, finite_rows};

use super::{Analyze, Rows};
use crate::operation::power::PowerMethod;
use crate::operation::power::likelihood::Point;

/// Moments at several λs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct PowerAnalyzer {
    method: PowerMethod,
    lambdas: Vec<f64>,
    /// Of the logarithms.
    logs: Moments,
    /// Of the transformed values, by λ.
    transformed: Vec<Moments>,
    /// Of the column as it is, in case that no power does.
    identity: Moments,
}

impl PowerAnalyzer {
    /// Nothing yet.
    pub(crate) fn new(method: PowerMethod, lambdas: Vec<f64>) -> Self {
        let transformed = vec![Moments::new(); lambdas.len()];
        Self { method, lambdas, logs: Moments::new(), transformed, identity: Moments::new() }
    }

    /// What is known at each λ.
    pub(crate) fn points(&self) -> Vec<Point> {
        let mean_log = self.logs.mean().unwrap_or(0.0);
        let each = self.lambdas.iter().zip(&self.transformed);
        each.map(|(lambda, moments)| Point::of(*lambda, mean_log, moments)).collect()
    }

    /// The moments at λ = 1.
    pub(crate) fn moments_at_one(&self) -> Moments {
        self.identity
    }
}

impl Analyze for PowerAnalyzer {
    fn empty(&self) -> Self {
        Self::new(self.method, self.lambdas.clone())
    }

    fn takes_counted(&self) -> bool {
        true
    }

    fn takes_fill(&self) -> bool {
        // What is missing has no transformed value that could be added afterwards without being transformed; an
        // `impute` before is fitted in the first scan, and this is a later one.
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
        let logs: Vec<f64> = values.iter().map(|value| self.method.log(*value)).collect();
        self.logs.update(&logs);
        for (lambda, moments) in self.lambdas.iter().zip(&mut self.transformed) {
            for (value, log) in values.iter_mut().zip(&logs) {
                *value = self.method.of_log(*log, *lambda);
            }
            moments.update(&values);
        }
        for (value, log) in values.iter_mut().zip(&logs) {
            *value = self.method.of_log(*log, 1.0);
        }
        self.identity.update(&values);
        Ok(())
    }

    fn counted(&mut self, column: &CountedColumn) -> Result<()> {
        let mut values = Vec::new();
        finite_counted(column, "the transform", &mut Presence::default(), &mut values)?;
        let logs: Vec<(f64, u64)> =
            values.iter().map(|(value, count)| (self.method.log(*value), *count)).collect();
        self.logs.update_counted(logs.iter().copied());
        let (method, logs) = (self.method, logs.as_slice());
        let at = |lambda: f64| logs.iter().map(move |(log, count)| (method.of_log(*log, lambda), *count));
        for (lambda, moments) in self.lambdas.iter().zip(&mut self.transformed) {
            moments.update_counted(at(*lambda));
        }
        self.identity.update_counted(at(1.0));
        Ok(())
    }

    fn merge(&mut self, later: Self) -> Result<()> {
        self.logs.merge(later.logs);
        self.identity.merge(later.identity);
        for (mine, later) in self.transformed.iter_mut().zip(later.transformed) {
            mine.merge(later);
        }
        Ok(())
    }

    fn size_bytes(&self) -> usize {
        size_of::<Self>()
            + self.lambdas.capacity() * size_of::<f64>()
            + self.transformed.capacity() * size_of::<Moments>()
    }
}
