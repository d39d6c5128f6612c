//! Many rules in one scan: exact counts, and the first rows that break each.
//!
//! Cost: one evaluation per rule and batch, and texts for at most `max_examples` rows per rule and split.
//! Memory: the counts and so many examples per rule, whatever the data are.

use arrow::array::Array;
use serde::{Deserialize, Serialize};
use sluice_core::batch::Inputs;
use sluice_core::column::ColumnKind;
use sluice_core::error::Result;
use sluice_core::group::GroupMap;
use sluice_core::plan::Plan;
use sluice_core::seam::BatchSource;
use sluice_core::{Accumulator, Batch, Input};
use sluice_expressions::Expression;

use super::examples::{Sighting, values_of};
use super::rule::{Rule, Unknown};
use crate::validation::{Finding, FindingCode, Severity};

/// What was counted for one rule.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Tally {
    num_true: u64,
    num_false: u64,
    num_unknown: u64,
    examples: Vec<Sighting>,
}

/// Counts, for each of several rules, the rows that keep and break it.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(try_from = "Stored", into = "Stored")]
pub struct RuleScan {
    options: Options,
    expressions: Vec<Expression>,
    num_rows: u64,
    tallies: Vec<Tally>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Options {
    rules: Vec<StoredRule>,
    /// The columns of the source: rules are bound to them again when a state is restored.
    columns: Vec<(String, ColumnKind)>,
    key_columns: Vec<String>,
    max_examples: usize,
}

/// A rule as a state holds it: every field, in order.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct StoredRule {
    expression: String,
    name: Option<String>,
    severity: Severity,
    min_fraction: f64,
    unknown: Unknown,
}

impl From<Rule> for StoredRule {
    fn from(rule: Rule) -> Self {
        let Rule { expression, name, severity, min_fraction, unknown } = rule;
        Self { expression, name, severity, min_fraction, unknown }
    }
}

impl From<StoredRule> for Rule {
    fn from(rule: StoredRule) -> Self {
        let StoredRule { expression, name, severity, min_fraction, unknown } = rule;
        Self { expression, name, severity, min_fraction, unknown }
    }
}

#[derive(Serialize, Deserialize)]
struct Stored {
    options: Options,
    num_rows: u64,
    tallies: Vec<Tally>,
}

impl From<RuleScan> for Stored {
    fn from(scan: RuleScan) -> Self {
        Self { options: scan.options, num_rows: scan.num_rows, tallies: scan.tallies }
    }
}

impl TryFrom<Stored> for RuleScan {
    type Error = String;

    fn try_from(stored: Stored) -> Result<Self, String> {
        let expressions = bind(&stored.options).map_err(|error| error.to_string())?;
        if stored.tallies.len() != expressions.len() {
            return Err("a state of rules has other rules than counts".into());
        }
        Ok(Self { options: stored.options, expressions, num_rows: stored.num_rows, tallies: stored.tallies })
    }
}

fn bind(options: &Options) -> Result<Vec<Expression>> {
    let bind_one = |rule: &StoredRule| {
        let expression = Expression::parse(&rule.expression, &options.columns)?;
        Rule::from(rule.clone()).check_kind(&expression)?;
        Ok(expression)
    };
    options.rules.iter().map(bind_one).collect()
}

impl RuleScan {
    /// Rules over a source with these columns. `key_columns` are shown with each example where the source has
    /// them; at most `max_examples` rows are kept per rule, the first ones in the data.
    ///
    /// # Errors
    /// [`sluice_expressions::ExpressionError`] for an expression that does not fit the columns,
    /// `QualityError::RuleNotBoolean` for one that is neither true nor false, and options out of range.
    pub fn new(
        rules: &[Rule],
        columns: &[(String, ColumnKind)],
        key_columns: &[String],
        max_examples: usize,
    ) -> Result<Self> {
        rules.iter().try_for_each(Rule::check)?;
        let is_there = |name: &&String| columns.iter().any(|(column, _)| column == *name);
        let options = Options {
            rules: rules.iter().cloned().map(Into::into).collect(),
            columns: columns.to_vec(),
            key_columns: key_columns.iter().filter(is_there).cloned().collect(),
            max_examples,
        };
        let expressions = bind(&options)?;
        let tallies = vec![Tally::default(); expressions.len()];
        Ok(Self { options, expressions, num_rows: 0, tallies })
    }

    /// As [`RuleScan::new`], for the columns of a plan.
    ///
    /// # Errors
    /// As [`RuleScan::new`].
    pub fn of_plan(rules: &[Rule], plan: &Plan, key_columns: &[String], max_examples: usize) -> Result<Self> {
        let columns: Vec<(String, ColumnKind)> =
            plan.columns.iter().map(|column| (column.name.clone(), column.kind.clone())).collect();
        Self::new(rules, &columns, key_columns, max_examples)
    }

    fn add(&mut self, batch: &Batch) -> Result<()> {
        let options = &self.options;
        for ((expression, tally), rule) in self.expressions.iter().zip(&mut self.tallies).zip(&options.rules)
        {
            let answers = expression.evaluate_boolean(batch)?;
            let num_true = answers.true_count() as u64;
            let num_unknown = answers.null_count() as u64;
            let num_false = batch.rows() as u64 - num_true - num_unknown;
            tally.num_true += num_true;
            tally.num_unknown += num_unknown;
            tally.num_false += num_false;
            let nulls_break = rule.unknown == Unknown::Breaks;
            let is_broken = num_false > 0 || (nulls_break && num_unknown > 0);
            if !is_broken || tally.examples.len() >= options.max_examples {
                continue;
            }
            let breaks = |row: &usize| if answers.is_null(*row) { nulls_break } else { !answers.value(*row) };
            let room = options.max_examples - tally.examples.len();
            tally.examples.extend((0..batch.rows()).filter(breaks).take(room).map(|row| {
                let value = values_of(batch, expression.columns(), row);
                Sighting::new(batch, row, &options.key_columns, value)
            }));
        }
        self.num_rows += batch.rows() as u64;
        Ok(())
    }
}

impl Accumulator for RuleScan {
    type Output = Vec<RuleOutcome>;

    fn inputs(&self) -> Inputs {
        let read = self.expressions.iter().flat_map(Expression::columns);
        read.chain(&self.options.key_columns).fold(Inputs::default(), |inputs, name| inputs.with_column(name))
    }

    fn empty(&self) -> Self {
        let tallies = vec![Tally::default(); self.expressions.len()];
        Self { options: self.options.clone(), expressions: self.expressions.clone(), num_rows: 0, tallies }
    }

    fn update(&mut self, input: Input<'_>) -> Result<()> {
        match input {
            Input::Rows(batch) => self.add(batch),
            // Asks for whole rows only; what comes apart is for others.
            Input::Counted(_) | Input::Apart(_) => Ok(()),
        }
    }

    fn merge(&mut self, later: Self, _: &GroupMap) -> Result<()> {
        self.num_rows += later.num_rows;
        for (mine, theirs) in self.tallies.iter_mut().zip(later.tallies) {
            mine.num_true += theirs.num_true;
            mine.num_false += theirs.num_false;
            mine.num_unknown += theirs.num_unknown;
            let room = self.options.max_examples.saturating_sub(mine.examples.len());
            mine.examples.extend(theirs.examples.into_iter().take(room));
        }
        Ok(())
    }

    fn finish(self) -> Vec<RuleOutcome> {
        let num_rows = self.num_rows;
        let outcome = |(rule, tally): (StoredRule, Tally)| {
            let nulls = if rule.unknown == Unknown::Breaks { tally.num_unknown } else { 0 };
            RuleOutcome {
                rule: rule.into(),
                num_rows,
                num_true: tally.num_true,
                num_unknown: tally.num_unknown,
                num_violations: tally.num_false + nulls,
                examples: tally.examples,
            }
        };
        self.options.rules.into_iter().zip(self.tallies).map(outcome).collect()
    }

    fn size_bytes(&self) -> usize {
        let examples: usize = self.tallies.iter().map(|tally| tally.examples.capacity()).sum();
        size_of::<Self>() + self.tallies.capacity() * size_of::<Tally>() + examples * size_of::<Sighting>()
    }
}

/// How a rule fared over all rows.
#[derive(Clone, Debug, PartialEq)]
pub struct RuleOutcome {
    /// The rule.
    pub rule: Rule,
    /// Rows.
    pub num_rows: u64,
    /// Rows for which it is true.
    pub num_true: u64,
    /// Rows for which it is null.
    pub num_unknown: u64,
    /// Rows that break it: false, and null where the rule says so.
    pub num_violations: u64,
    /// The first rows that break it.
    pub examples: Vec<Sighting>,
}

impl RuleOutcome {
    /// The share of rows that do not break the rule; 1 where there are no rows.
    #[must_use]
    pub fn fraction_kept(&self) -> f64 {
        if self.num_rows == 0 {
            return 1.0;
        }
        (self.num_rows - self.num_violations) as f64 / self.num_rows as f64
    }

    /// Whether enough rows keep it.
    #[must_use]
    pub fn is_kept(&self) -> bool {
        // Beyond 2^53 rows one of them is lost in the share.
        let is_strict = self.rule.min_fraction >= 1.0;
        if is_strict { self.num_violations == 0 } else { self.fraction_kept() >= self.rule.min_fraction }
    }

    /// The finding, where too many rows break the rule; `source` says in which files they are.
    #[must_use]
    pub fn finding(self, source: &dyn BatchSource) -> Option<Finding> {
        if self.is_kept() {
            return None;
        }
        let (title, share) = (self.rule.title().to_owned(), self.rule.min_fraction);
        let of = format!("{} of {} rows", self.num_violations, self.num_rows);
        let expected = if share >= 1.0 {
            format!("`{}` in every row", self.rule.expression)
        } else {
            format!("`{}` in a share of at least {share} of the rows", self.rule.expression)
        };
        let mut observed = format!("{of} break it");
        if self.num_unknown > 0 {
            let counts = if self.rule.unknown == Unknown::Breaks { "these included" } else { "not counted" };
            observed += &format!("; unknown in {}, {counts}", self.num_unknown);
        }
        Some(Finding {
            code: FindingCode::RuleBroken,
            tfdv: FindingCode::RuleBroken.tfdv(),
            severity: self.rule.severity,
            slice: None,
            column: None,
            path: Vec::new(),
            rule: title.clone(),
            expected,
            observed,
            message: format!("rule `{title}` is broken in {of}"),
            suggestion: format!("allow so many with `at_least: {}`", floor(self.fraction_kept())),
            num_violations: Some(self.num_violations),
            examples: self.examples.into_iter().filter_map(|sighting| sighting.locate(source)).collect(),
        })
    }
}

/// Cut to four digits, so that the proposed bound holds.
fn floor(fraction: f64) -> f64 {
    (fraction * 1e4).floor() / 1e4
}
