//! Slicings that are checked: groupings of the rows, and the columns that must be computed for them.

use std::collections::BTreeMap;

use sluice_core::group::Grouping;
use sluice_core::options::{OptionsError, Range, quoted};

use super::dates::DateBucket;
use super::definition::{Columns, Dimension, SliceDefinition};

/// Largest number under `top`: leaves room for `(other)` and null among the slices that an evaluation may have.
pub(crate) const MAX_TOP: u32 = 16_000;
const MAX_QUANTILES: u32 = 1_000;
/// Lists inside lists, at most.
const MAX_DEPTH: usize = 16;

/// How a computed column follows from others.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Rule {
    Bounds {
        column: String,
        bounds: Vec<f64>,
    },
    Quantiles {
        column: String,
        buckets: u32,
    },
    /// Buckets of dates.
    Dates {
        column: String,
        by: DateBucket,
    },
    Expression {
        text: String,
    },
    /// The largest groups.
    Top {
        grouping: Grouping,
        count: u32,
    },
}

/// A computed column.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Computed {
    /// Says all there is to say of it, so that equal names are equal columns.
    pub(crate) name: String,
    /// How reports call it.
    pub(crate) shown: Option<String>,
    pub(crate) rule: Rule,
}

/// All slicings of an evaluation.
#[derive(Clone, Debug, Default)]
pub(crate) struct SlicePlan {
    groupings: Vec<Grouping>,
    /// In an order in which each can be computed from those before it.
    computed: Vec<Computed>,
    minimum_rows: BTreeMap<Grouping, u64>,
    names: BTreeMap<String, Grouping>,
}

impl SlicePlan {
    /// The slicings, as they were added.
    pub(crate) fn groupings(&self) -> &[Grouping] {
        &self.groupings
    }

    /// The columns that tell the slices of a grouping in reports.
    pub(crate) fn shown(&self, grouping: &Grouping) -> Vec<String> {
        let of = |column: &String| match self.computed.iter().find(|computed| computed.name == *column) {
            None => vec![column.clone()],
            Some(Computed { shown: Some(shown), .. }) => vec![shown.clone()],
            Some(Computed { rule: Rule::Top { grouping, .. }, .. }) => self.shown(grouping),
            Some(Computed { name, .. }) => vec![name.clone()],
        };
        grouping.columns.iter().flat_map(of).collect()
    }

    pub(crate) fn computed(&self) -> &[Computed] {
        &self.computed
    }

    /// The rows below which a slice is left out.
    pub(crate) fn minimum_rows(&self, grouping: &Grouping) -> u64 {
        self.minimum_rows.get(grouping).copied().unwrap_or(0)
    }

    /// Adds a slicing and what it is made of. A text that another slicing before it has as its name is that.
    pub(crate) fn add(&mut self, columns: &Columns, option: &str) -> Result<Grouping, OptionsError> {
        let grouping = match columns.0.as_slice() {
            // The only dimension is the slicing itself.
            [dimension] => Grouping::by(self.dimension(dimension, option, 0)?),
            _ => Grouping::by(self.cross(columns, option, 1)?),
        };
        if !self.groupings.contains(&grouping) {
            self.groupings.push(grouping.clone());
        }
        Ok(grouping)
    }

    fn cross(&mut self, columns: &Columns, option: &str, depth: usize) -> Result<Vec<String>, OptionsError> {
        let mut names: Vec<String> = Vec::new();
        for dimension in &columns.0 {
            for name in self.dimension(dimension, option, depth)? {
                if names.contains(&name) {
                    return conflict(option, format!("names `{name}` twice"), "name each column once");
                }
                names.push(name);
            }
        }
        if names.is_empty() {
            let hint = "leave the slice out; overall is always evaluated";
            return conflict(option, "names no column".into(), hint);
        }
        Ok(names)
    }

    /// The columns that a dimension groups by.
    fn dimension(
        &mut self,
        dimension: &Dimension,
        option: &str,
        depth: usize,
    ) -> Result<Vec<String>, OptionsError> {
        if depth > MAX_DEPTH {
            let problem = format!("has more than {MAX_DEPTH} lists inside one another");
            return conflict(option, problem, "a cross of a cross is the cross of all: write one list");
        }
        match dimension {
            Dimension::Column(name) if name.is_empty() => self.cross(&Columns::default(), option, depth),
            Dimension::Column(name) => Ok(match self.names.get(name) {
                Some(grouping) => grouping.columns.clone(),
                None => vec![name.clone()],
            }),
            Dimension::Defined(definition) => self.defined(definition, option, depth),
        }
    }

    fn defined(
        &mut self,
        definition: &SliceDefinition,
        option: &str,
        depth: usize,
    ) -> Result<Vec<String>, OptionsError> {
        let mut columns = self.base(definition, option, depth)?;
        if let Some(top) = definition.top {
            let range = Range::closed(1.0, f64::from(MAX_TOP));
            range.check(&format!("{option}.top"), f64::from(top))?;
            let shown = definition.name.clone().filter(|_| columns.len() == 1);
            let of = quoted(columns.iter().map(String::as_str));
            let rule = Rule::Top { grouping: Grouping::by(columns), count: top };
            columns = vec![self.compute(format!("top {top} of {of}"), shown.clone(), shown, rule)];
        }
        let grouping = Grouping::by(&columns);
        if let Some(rows) = definition.minimum_rows {
            if rows == 0 {
                Range::at_least(1.0).check(&format!("{option}.minimum_rows"), 0.0)?;
            }
            if depth > 0 {
                let hint = "a part of a cross has no rows of its own: write it beside `columns`";
                return conflict(option, "has `minimum_rows` inside a list".into(), hint);
            }
            let known = *self.minimum_rows.entry(grouping.clone()).or_insert(rows);
            if known != rows {
                let problem = format!("has at least {rows} rows here, and at least {known} elsewhere");
                return conflict(option, problem, "say `minimum_rows` once, with a `name`, and use the name");
            }
        }
        if let Some(name) = &definition.name {
            if name.trim().is_empty() {
                return conflict(option, "has an empty `name`".into(), "leave `name` out");
            }
            let known = self.names.entry(name.clone()).or_insert_with(|| grouping.clone());
            if *known != grouping {
                let problem = format!("gives the name `{name}` to a second slicing");
                return conflict(option, problem, "give each slicing a name of its own");
            }
        }
        Ok(columns)
    }

    /// What is sliced by, before the largest are chosen.
    fn base(
        &mut self,
        definition: &SliceDefinition,
        option: &str,
        depth: usize,
    ) -> Result<Vec<String>, OptionsError> {
        let SliceDefinition { name, column, bounds, quantiles, by, expression, columns, .. } = definition;
        let cuts = [
            bounds.as_ref().map(|_| "`bounds`"),
            quantiles.as_ref().map(|_| "`quantiles`"),
            by.as_ref().map(|_| "`by`"),
        ];
        match cuts.into_iter().flatten().collect::<Vec<_>>()[..] {
            [first, second, ..] => {
                let problem = format!("has both {first} and {second}");
                return conflict(option, problem, "buckets are cut by one of them");
            }
            [_] if column.is_none() => {
                let problem = "has buckets of no column".into();
                return conflict(option, problem, "write `column` beside `bounds`, `quantiles` or `by`");
            }
            _ => {}
        }
        match (column, expression, columns) {
            (Some(column), None, None) => {
                let rule = match (bounds, quantiles, by) {
                    (Some(bounds), ..) => bounded(column, bounds, option)?,
                    (None, None, Some(by)) => Rule::Dates { column: column.clone(), by: *by },
                    (None, Some(buckets), _) => {
                        let range = Range::closed(2.0, f64::from(MAX_QUANTILES));
                        range.check(&format!("{option}.quantiles"), f64::from(*buckets))?;
                        Rule::Quantiles { column: column.clone(), buckets: *buckets }
                    }
                    (None, None, None) => {
                        return self.dimension(&Dimension::Column(column.clone()), option, depth);
                    }
                };
                let what = match &rule {
                    Rule::Bounds { bounds, .. } => format!("{column} at {bounds:?}"),
                    Rule::Dates { by, .. } => format!("{column} by {}", by.name()),
                    _ => format!("{column} in {} quantiles", quantiles.unwrap_or_default()),
                };
                Ok(vec![self.compute(
                    what,
                    name.clone(),
                    name.clone().or_else(|| Some(column.clone())),
                    rule,
                )])
            }
            (None, Some(text), None) => {
                let shown = name.clone().or_else(|| Some(text.clone()));
                Ok(vec![self.compute(
                    text.clone(),
                    name.clone(),
                    shown,
                    Rule::Expression { text: text.clone() },
                )])
            }
            (None, None, Some(columns)) => self.cross(columns, option, depth + 1),
            _ => {
                let problem = "needs one of `column`, `expression` and `columns`".into();
                conflict(option, problem, "write a cross as a list: `[sex, {column: age, quantiles: 4}]`")
            }
        }
    }

    /// Adds a computed column, unless it is there; answers its name. It is shown as it was called, or by what it is of.
    fn compute(&mut self, what: String, called: Option<String>, shown: Option<String>, rule: Rule) -> String {
        // The same under two names is two columns, each shown by its own.
        let name = called.map_or_else(|| what.clone(), |called| format!("{called}: {what}"));
        let computed = Computed { name: name.clone(), shown, rule };
        if !self.computed.contains(&computed) {
            self.computed.push(computed);
        }
        name
    }
}

/// Buckets between bounds that ascend.
fn bounded(column: &str, bounds: &[f64], option: &str) -> Result<Rule, OptionsError> {
    let ascends = bounds.windows(2).all(|pair| pair[0] < pair[1]);
    if bounds.is_empty() || !ascends || bounds.iter().any(|bound| !bound.is_finite()) {
        let problem = format!("has the `bounds` {bounds:?}, which are not finite numbers in ascending order");
        return conflict(option, problem, "for example `bounds: [5, 10, 20]`");
    }
    if bounds.len() >= MAX_QUANTILES as usize {
        let problem = format!("has {} `bounds`, at most {} are allowed", bounds.len(), MAX_QUANTILES - 1);
        return conflict(option, problem, "cut the column into fewer buckets");
    }
    // Zero has one sign, so that equal buckets have one name.
    let bounds = bounds.iter().map(|bound| bound + 0.0).collect();
    Ok(Rule::Bounds { column: column.into(), bounds })
}

fn conflict<T>(option: &str, problem: String, hint: &str) -> Result<T, OptionsError> {
    Err(OptionsError::Conflict { name: option.into(), problem, hint: Some(hint.into()) })
}
