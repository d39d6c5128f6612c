//! The rows behind the findings of a schema, with exact counts, from one scan of the columns concerned.

use serde::{Deserialize, Serialize};
use sluice_core::batch::Inputs;
use sluice_core::fold::fold;
use sluice_core::group::GroupMap;
use sluice_core::plan::Plan;
use sluice_core::schema::Schema;
use sluice_core::seam::BatchSource;
use sluice_core::{Accumulator, Batch, Execution, Input, Result};

use super::condition::Condition;
use super::examples::{Sighting, text_of};
use crate::validation::ValidationReport;

/// Fills [`Finding::examples`](crate::validation::Finding::examples) and
/// [`Finding::num_violations`](crate::validation::Finding::num_violations) of those findings that rows are
/// behind, by one scan of the columns concerned. Findings that no row is behind (a missing column, a wrong
/// type, a distance between distributions) stay as they are; where there are no others, nothing is read.
///
/// `source` holds the rows that the report judged. `key_columns` are shown with each example where the source
/// has them. At most `max_examples` rows are kept per finding, the first ones in the data. Counted are rows,
/// in lists the items that break the schema.
///
/// # Errors
/// What reading the source meets.
pub fn locate(
    report: &mut ValidationReport,
    schema: &Schema,
    source: &dyn BatchSource,
    key_columns: &[String],
    max_examples: usize,
    execution: &Execution,
) -> Result<()> {
    let plan = source.plan();
    let located = Located::of(report, schema, plan);
    if located.is_empty() {
        return Ok(());
    }
    let scan = located.scan(plan, key_columns, max_examples);
    let tallies = fold(source, &scan, execution)?.accumulator.finish();
    located.fill(report, tallies, source);
    Ok(())
}

/// The findings that rows are behind, by their numbers in the report, and what those rows break.
pub(super) struct Located {
    findings: Vec<usize>,
    checks: Vec<Check>,
}

impl Located {
    /// Findings of slices are passed over: their rows are not all rows of the source. So are those of fields of
    /// structs.
    pub(super) fn of(report: &ValidationReport, schema: &Schema, plan: &Plan) -> Self {
        let mut located = Self { findings: Vec::new(), checks: Vec::new() };
        for (number, finding) in report.findings.iter().enumerate() {
            if finding.slice.is_some() || finding.path.len() > 1 {
                continue;
            }
            let feature = finding.column.as_deref().and_then(|name| Some((name, schema.feature(name)?)));
            let feature = feature.filter(|(name, _)| plan.column(name).is_some());
            let Some((name, feature)) = feature else { continue };
            if let Some(condition) = Condition::of(finding, feature) {
                located.findings.push(number);
                located.checks.push(Check { column: name.to_owned(), condition });
            }
        }
        located
    }

    pub(super) fn is_empty(&self) -> bool {
        self.checks.is_empty()
    }

    /// What counts them; `key_columns` are shown where the source has them.
    pub(super) fn scan(&self, plan: &Plan, key_columns: &[String], max_examples: usize) -> ViolationScan {
        let key_columns = key_columns.iter().filter(|name| plan.column(name).is_some()).cloned().collect();
        ViolationScan::new(self.checks.clone(), key_columns, max_examples)
    }

    /// Puts what was counted where it belongs.
    pub(super) fn fill(self, report: &mut ValidationReport, tallies: Vec<Tally>, source: &dyn BatchSource) {
        for (number, tally) in self.findings.into_iter().zip(tallies) {
            let finding = &mut report.findings[number];
            finding.num_violations = Some(tally.num_violations);
            finding.examples =
                tally.examples.into_iter().filter_map(|sighting| sighting.locate(source)).collect();
        }
    }
}

/// What one column must not hold.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Check {
    pub(super) column: String,
    pub(super) condition: Condition,
}

/// How often it does, and where first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Tally {
    pub(super) num_violations: u64,
    pub(super) examples: Vec<Sighting>,
}

/// Counts the values that break each of several conditions.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct ViolationScan {
    checks: Vec<Check>,
    key_columns: Vec<String>,
    max_examples: usize,
    tallies: Vec<Tally>,
}

impl ViolationScan {
    pub(super) fn new(checks: Vec<Check>, key_columns: Vec<String>, max_examples: usize) -> Self {
        let tallies = vec![Tally::default(); checks.len()];
        Self { checks, key_columns, max_examples, tallies }
    }

    fn add(&mut self, batch: &Batch) -> Result<()> {
        for (check, tally) in self.checks.iter().zip(&mut self.tallies) {
            let array = batch.require(&check.column)?;
            let violations = check.condition.violations(array);
            tally.num_violations += violations.iter().sum::<u64>();
            let room = self.max_examples.saturating_sub(tally.examples.len());
            let rows = violations.iter().enumerate().filter(|(_, count)| **count > 0).take(room);
            tally.examples.extend(
                rows.map(|(row, _)| Sighting::new(batch, row, &self.key_columns, text_of(array, row))),
            );
        }
        Ok(())
    }
}

impl Accumulator for ViolationScan {
    type Output = Vec<Tally>;

    fn inputs(&self) -> Inputs {
        let columns = self.checks.iter().map(|check| &check.column);
        columns.chain(&self.key_columns).fold(Inputs::default(), |inputs, name| inputs.with_column(name))
    }

    fn empty(&self) -> Self {
        Self::new(self.checks.clone(), self.key_columns.clone(), self.max_examples)
    }

    fn update(&mut self, input: Input<'_>) -> Result<()> {
        match input {
            Input::Rows(batch) => self.add(batch),
            // Asks for whole rows only; what comes apart is for others.
            Input::Counted(_) | Input::Apart(_) => Ok(()),
        }
    }

    fn merge(&mut self, later: Self, _: &GroupMap) -> Result<()> {
        for (mine, theirs) in self.tallies.iter_mut().zip(later.tallies) {
            mine.num_violations += theirs.num_violations;
            let room = self.max_examples.saturating_sub(mine.examples.len());
            mine.examples.extend(theirs.examples.into_iter().take(room));
        }
        Ok(())
    }

    fn finish(self) -> Vec<Tally> {
        self.tallies
    }

    fn size_bytes(&self) -> usize {
        let examples: usize = self.tallies.iter().map(|tally| tally.examples.capacity()).sum();
        size_of::<Self>() + self.tallies.capacity() * size_of::<Tally>() + examples * size_of::<Sighting>()
    }
}
