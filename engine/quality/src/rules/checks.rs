//! All checks of rows in one scan: rules, repeated keys, and the rows behind the findings of a schema.

use std::fmt;

use serde::de::value::SeqAccessDeserializer;
use serde::de::{SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use sluice_core::column::ColumnKind;
use sluice_core::error::{Error, Result};
use sluice_core::fold::fold;
use sluice_core::options::Range;
use sluice_core::plan::{Plan, PlannedColumn};
use sluice_core::schema::Schema;
use sluice_core::seam::BatchSource;
use sluice_core::{Accumulator, Execution};
use sluice_expressions::{Expression, ExpressionError};

use super::keys::{KeyScan, MAX_KEYS};
use super::locate::Located;
use super::rule::Rule;
use super::scan::RuleScan;
use super::{MAX_EXAMPLES, MAX_EXAMPLES_ASKED};
use crate::error::QualityError;
use crate::validation::{KeyCount, RuleCount, ValidateOptions, ValidationReport};

/// What is checked row by row.
///
/// | name | default | range | meaning |
/// |---|---|---|---|
/// | `rules` | `[]` | see [`Rule`] | what should hold in each row |
/// | `unique` | `[]` | columns, or lists of them | keys that no two rows of a subset share |
/// | `examples` | 5 | 0 to 1000 | rows shown with each finding, the first in the data |
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RowChecks {
    /// What should hold in each row.
    pub rules: Vec<Rule>,
    /// Keys that no two rows share.
    pub unique: Vec<UniqueKey>,
    /// Rows shown with each finding at most.
    pub examples: usize,
}

impl Default for RowChecks {
    fn default() -> Self {
        Self { rules: Vec::new(), unique: Vec::new(), examples: MAX_EXAMPLES }
    }
}

/// Counts rules and repeated keys over rows. It does not depend on what statistics find, so that it may share their
/// scan.
pub type RowScan = (Option<RuleScan>, Vec<KeyScan>);

/// What a [`RowScan`] answers.
pub type RowCounts = <RowScan as Accumulator>::Output;

/// The columns of a key, in a file a list of them or the only one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct UniqueKey(pub Vec<String>);

impl UniqueKey {
    /// What it is called in findings.
    #[must_use]
    pub fn title(&self) -> String {
        format!("unique ({})", self.0.join(", "))
    }
}

impl<'de> Deserialize<'de> for UniqueKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;
        impl<'de> Visitor<'de> for Either {
            type Value = UniqueKey;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a column such as \"trip_id\", or a list of columns")
            }

            fn visit_str<E>(self, text: &str) -> Result<UniqueKey, E> {
                Ok(UniqueKey(vec![text.to_owned()]))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, sequence: A) -> Result<UniqueKey, A::Error> {
                Deserialize::deserialize(SeqAccessDeserializer::new(sequence)).map(UniqueKey)
            }
        }
        deserializer.deserialize_any(Either)
    }
}

impl RowChecks {
    /// Whether rows are read whatever the findings are.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty() && self.unique.is_empty()
    }

    /// Its options in their ranges, and names that stand for one thing each.
    ///
    /// # Errors
    /// `OptionsError`, [`QualityError::RuleRepeated`], [`QualityError::KeyWithoutColumns`].
    pub fn check(&self) -> Result<()> {
        Range::closed(0.0, MAX_EXAMPLES_ASKED as f64).check("examples", self.examples as f64)?;
        self.rules.iter().try_for_each(Rule::check)?;
        if self.unique.iter().any(|key| key.0.is_empty()) {
            return Err(QualityError::KeyWithoutColumns.into());
        }
        let rules = self.rules.iter().map(|rule| rule.title().to_owned());
        let mut titles: Vec<String> = rules.chain(self.unique.iter().map(UniqueKey::title)).collect();
        titles.sort_unstable();
        match titles.windows(2).find(|pair| pair[0] == pair[1]) {
            Some(pair) => Err(QualityError::RuleRepeated { rule: pair[0].clone() }.into()),
            None => Ok(()),
        }
    }

    /// Whether every name is one of the data's, where only names are known: kinds are looked at by
    /// [`RowChecks::check_plan`]. Without names only the syntax is.
    ///
    /// # Errors
    /// [`ExpressionError`] with the place in the rule, [`QualityError::ColumnUnknown`].
    pub fn check_names(&self, names: Option<&[String]>) -> Result<()> {
        // A column of nulls stands everywhere: what is left are syntax and names.
        let columns: Vec<(String, ColumnKind)> =
            names.unwrap_or_default().iter().map(|name| (name.clone(), ColumnKind::Null)).collect();
        for rule in &self.rules {
            match Expression::parse(&rule.expression, &columns) {
                Err(ExpressionError::UnknownColumn { .. }) if names.is_none() => {}
                // What operands and literals must be depends on kinds.
                Err(ExpressionError::Operands { .. } | ExpressionError::Literal { .. }) => {}
                Err(error) => return Err(error.into()),
                Ok(expression) if expression.is_boolean() => {}
                Ok(_) => {
                    let kind = "another kind of value".to_owned();
                    return Err(QualityError::RuleNotBoolean { rule: rule.expression.clone(), kind }.into());
                }
            }
        }
        names.map_or(Ok(()), |names| self.check_keys(names))
    }

    /// Whether rules and keys fit the columns of a source.
    ///
    /// # Errors
    /// As [`RowChecks::check_names`]; [`QualityError::RuleNotBoolean`].
    pub fn check_plan(&self, plan: &Plan) -> Result<()> {
        self.check_columns(&plan.columns)
    }

    /// Whether rules and keys fit these columns.
    ///
    /// # Errors
    /// As [`RowChecks::check_plan`].
    pub fn check_columns(&self, columns: &[PlannedColumn]) -> Result<()> {
        let kinds: Vec<_> = columns.iter().map(|column| (column.name.clone(), column.kind.clone())).collect();
        RuleScan::new(&self.rules, &kinds, &[], self.examples)?;
        let names: Vec<String> = kinds.into_iter().map(|(name, _)| name).collect();
        self.check_keys(&names)
    }

    fn check_keys(&self, names: &[String]) -> Result<()> {
        match self.unique.iter().flat_map(|key| &key.0).find(|column| !names.contains(column)) {
            Some(column) => {
                let error = QualityError::ColumnUnknown { column: column.clone(), available: names.to_vec() };
                Err(Error::from(error).in_place("`unique`"))
            }
            None => Ok(()),
        }
    }

    /// What counts rules and keys in the rows of a source with this plan. `key_columns` are shown with each row
    /// where the source has them.
    ///
    /// # Errors
    /// As [`RowChecks::check_plan`].
    pub fn scan(&self, plan: &Plan, key_columns: &[String]) -> Result<RowScan> {
        self.check()?;
        self.check_keys(&plan.column_names())?;
        let rules = RuleScan::of_plan(&self.rules, plan, key_columns, self.examples)?;
        let keys = self.unique.iter().map(|key| KeyScan::new(&key.0, MAX_KEYS, self.examples)).collect();
        // Without rules nothing of the rows is asked for.
        Ok(((!self.rules.is_empty()).then_some(rules), keys))
    }

    /// Evaluates rules and keys and finds the rows behind what is in the report already, all in one scan of
    /// the columns concerned; where there is nothing to look for, nothing is read. Whether rows were read.
    ///
    /// `source` holds the rows that the report judged. `key_columns` are shown with each row where the source
    /// has them. `counted` is what [`RowChecks::scan`] counted in these rows, if they were read before.
    ///
    /// # Errors
    /// [`RowChecks::check_plan`]'s, and what reading the source and a rule without an answer meet.
    pub fn look(
        &self,
        report: &mut ValidationReport,
        (schema, options): (&Schema, &ValidateOptions),
        (source, key_columns): (&dyn BatchSource, &[String]),
        counted: Option<RowCounts>,
        execution: &Execution,
    ) -> Result<bool> {
        let plan = source.plan();
        let scan = self.scan(plan, key_columns)?;
        let located =
            (self.examples > 0).then(|| Located::of(report, schema, plan)).filter(|it| !it.is_empty());
        if self.is_empty() && located.is_none() {
            return Ok(false);
        }
        let violations = located.as_ref().map(|located| located.scan(plan, key_columns, self.examples));
        let (tallies, (rules, keys)) = match (counted, violations) {
            (Some(counted), None) => (None, counted),
            (Some(counted), violations) => {
                (fold(source, &violations, execution)?.accumulator.finish(), counted)
            }
            (None, violations) => fold(source, &(violations, scan), execution)?.accumulator.finish(),
        };
        if let (Some(located), Some(tallies)) = (located, tallies) {
            located.fill(report, tallies, source);
        }
        for outcome in rules.unwrap_or_default() {
            report.rules.push(RuleCount {
                rule: outcome.rule.title().to_owned(),
                expression: outcome.rule.expression.clone(),
                num_true: outcome.num_true,
                num_unknown: outcome.num_unknown,
                num_violations: outcome.num_violations,
            });
            report.findings.extend(outcome.finding(source).and_then(|finding| options.weighed(finding)));
        }
        for outcome in keys {
            report.keys.push(KeyCount {
                columns: outcome.columns.clone(),
                num_repeated: outcome.num_repeated,
                num_without_key: outcome.num_without_key,
                is_exact: outcome.is_exact(),
            });
            report.findings.extend(outcome.finding(source)?.and_then(|finding| options.weighed(finding)));
        }
        Ok(true)
    }
}
