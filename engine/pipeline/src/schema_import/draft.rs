//! A column in the making: what rules say of it, in any order, until it is known what they come to.

use serde_json::Value;
use sluice_core::schema::{
    Domain, Feature, FeatureType, PresenceConstraint, Shape, UniqueConstraint, ValueCount,
};

use super::{Outcome, Remark};

/// Rules that are not taken over, as they are found.
#[derive(Debug, Default)]
pub(super) struct Remarks(pub(super) Vec<Remark>);

impl Remarks {
    pub(super) fn left_out(&mut self, column: Option<&str>, rule: &str, why: &str) {
        self.push(column, rule, Outcome::LeftOut, why);
    }

    pub(super) fn approximated(&mut self, column: Option<&str>, rule: &str, why: &str) {
        self.push(column, rule, Outcome::Approximated, why);
    }

    fn push(&mut self, column: Option<&str>, rule: &str, outcome: Outcome, why: &str) {
        let column = column.map(str::to_owned);
        self.0.push(Remark { column, rule: rule.to_owned(), outcome, why: why.to_owned() });
    }
}

/// Why a rule on new columns is no part of a schema.
pub(super) const NEW_COLUMNS: &str = "say it where data are validated: `new_columns: error`";
/// Why a key is none.
pub(super) const UNIQUE_ROWS: &str = "say it where rows are validated: `unique`";
/// Why a pattern is none.
pub(super) const ROW_RULE: &str = "say it as a rule of rows (`rules`) where data are validated";
/// Why demanding a column and allowing null is not quite the same.
const MAY_BE_NULL: &str = "the column may be null, but not in every row";
const OPEN_BOUND: &str = "the bound itself is allowed: bounds of floats are closed";

/// Bounds of numbers, and whether they are closed.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Bounds {
    pub(super) min: Option<(f64, bool)>,
    pub(super) max: Option<(f64, bool)>,
}

/// What is known of a column so far.
#[derive(Clone, Debug)]
pub(super) struct ColumnDraft {
    pub(super) name: String,
    pub(super) feature_type: Option<FeatureType>,
    pub(super) is_boolean: bool,
    pub(super) must_exist: bool,
    /// The least share of rows with a value.
    pub(super) min_fraction: Option<f64>,
    pub(super) bounds: Bounds,
    /// The rule that bounds are from, for remarks.
    pub(super) bounds_rule: String,
    pub(super) values: Option<Vec<String>>,
    /// The share of values in the domain.
    pub(super) min_domain_mass: f64,
    pub(super) unique: Option<UniqueConstraint>,
    /// Of lists how many values, from the outermost inwards.
    pub(super) list: Option<Vec<ValueCount>>,
    pub(super) fields: Vec<Feature>,
}

impl ColumnDraft {
    pub(super) fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            feature_type: None,
            is_boolean: false,
            must_exist: false,
            min_fraction: None,
            bounds: Bounds::default(),
            bounds_rule: String::new(),
            values: None,
            min_domain_mass: 1.0,
            unique: None,
            list: None,
            fields: Vec::new(),
        }
    }

    /// Takes the greater of two lower bounds.
    pub(super) fn at_least(&mut self, value: f64, is_closed: bool, rule: &str) {
        if self.bounds.min.is_none_or(|(old, _)| value > old || (value >= old && !is_closed)) {
            self.bounds.min = Some((value, is_closed));
        }
        rule.clone_into(&mut self.bounds_rule);
    }

    /// Takes the less of two upper bounds.
    pub(super) fn at_most(&mut self, value: f64, is_closed: bool, rule: &str) {
        if self.bounds.max.is_none_or(|(old, _)| value < old || (value <= old && !is_closed)) {
            self.bounds.max = Some((value, is_closed));
        }
        rule.clone_into(&mut self.bounds_rule);
    }

    /// Takes a list of allowed values; only texts make a domain.
    pub(super) fn one_of(&mut self, values: &[Value], rule: &str, remarks: &mut Remarks) {
        let texts: Option<Vec<String>> = values
            .iter()
            .filter(|value| !value.is_null())
            .map(|value| value.as_str().map(str::to_owned))
            .collect();
        match texts.filter(|texts| !texts.is_empty()) {
            Some(mut texts) => {
                texts.sort();
                texts.dedup();
                self.values = Some(texts);
                self.feature_type = self.feature_type.or(Some(FeatureType::Bytes));
            }
            None => remarks.left_out(Some(&self.name), rule, "only lists of texts are domains"),
        }
    }

    /// The column, and what could not be said.
    pub(super) fn finish(self, remarks: &mut Remarks) -> Feature {
        let mut feature = Feature::new(self.name.clone());
        feature.feature_type = self.feature_type;
        feature.presence = self.presence(remarks);
        let is_whole = feature.presence.min_fraction.is_some_and(|share| share >= 1.0);
        feature.shape = match (&self.list, self.feature_type) {
            (Some(counts), _) if counts.iter().all(|count| *count == ValueCount::default()) => Shape::Any,
            (Some(counts), _) => Shape::ValueCounts(counts.clone()),
            (None, None | Some(FeatureType::Struct)) => Shape::Any,
            (None, Some(_)) if is_whole => Shape::scalar(),
            (None, Some(_)) => Shape::ValueCounts(vec![ValueCount { min: Some(1), max: Some(1) }]),
        };
        feature.domain = self.domain(remarks);
        if feature.domain.is_some() {
            feature.min_domain_mass = self.min_domain_mass;
        }
        feature.unique = self.unique;
        feature.fields = self.fields;
        feature
    }

    fn presence(&self, remarks: &mut Remarks) -> PresenceConstraint {
        match self.min_fraction {
            Some(share) => PresenceConstraint { min_fraction: Some(share), min_count: Some(1) },
            None if self.must_exist => {
                remarks.approximated(Some(&self.name), "required", MAY_BE_NULL);
                PresenceConstraint { min_fraction: None, min_count: Some(1) }
            }
            None => PresenceConstraint::default(),
        }
    }

    fn domain(&self, remarks: &mut Remarks) -> Option<Domain> {
        if let Some(values) = &self.values {
            if self.feature_type != Some(FeatureType::Bytes) {
                remarks.left_out(Some(&self.name), "values", "a list of texts for a column of another type");
                return None;
            }
            let (name, values) = (self.name.clone(), values.clone());
            return Some(Domain::Strings { name, values, is_categorical: None });
        }
        let Bounds { min, max } = self.bounds;
        let (name, rule) = (Some(self.name.as_str()), self.bounds_rule.as_str());
        if self.is_boolean {
            return Some(Domain::Boolean { true_value: None, false_value: None });
        }
        if min.is_none() && max.is_none() {
            return None;
        }
        match self.feature_type {
            Some(FeatureType::Int) => Some(Domain::Int {
                min: min.and_then(least),
                max: max.and_then(greatest),
                is_categorical: false,
            }),
            Some(FeatureType::Float) => {
                if min.into_iter().chain(max).any(|(_, is_closed)| !is_closed) {
                    remarks.approximated(name, rule, OPEN_BOUND);
                }
                let value =
                    |bound: Option<(f64, bool)>| bound.map(|(value, _)| value).filter(|it| it.is_finite());
                let (min, max) = (value(min), value(max));
                let (disallow_nan, disallow_inf, is_categorical) = (false, false, false);
                Some(Domain::Float { min, max, disallow_nan, disallow_inf, is_categorical })
            }
            None => {
                remarks.left_out(name, rule, "nothing says whether the column holds integers or floats");
                None
            }
            Some(FeatureType::Bytes | FeatureType::Struct) => {
                remarks.left_out(name, rule, "bounds are of numbers only");
                None
            }
        }
    }
}

/// The least integer within a bound.
fn least((value, is_closed): (f64, bool)) -> Option<i64> {
    let whole = value.ceil();
    integer(if !is_closed && whole <= value { whole + 1.0 } else { whole })
}

/// The greatest.
fn greatest((value, is_closed): (f64, bool)) -> Option<i64> {
    let whole = value.floor();
    integer(if !is_closed && whole >= value { whole - 1.0 } else { whole })
}

/// None where every integer is within.
#[expect(clippy::cast_possible_truncation, reason = "checked to be in range")]
fn integer(value: f64) -> Option<i64> {
    (value.abs() < i64::MAX as f64).then_some(value as i64)
}

/// Features in the order in which columns were first named.
#[derive(Debug, Default)]
pub(super) struct Drafts(Vec<ColumnDraft>);

impl Drafts {
    /// That of a column.
    pub(super) fn of(&mut self, name: &str) -> &mut ColumnDraft {
        let place = self.0.iter().position(|draft| draft.name == name).unwrap_or_else(|| {
            self.0.push(ColumnDraft::new(name));
            self.0.len() - 1
        });
        &mut self.0[place]
    }

    pub(super) fn finish(self, remarks: &mut Remarks) -> Vec<Feature> {
        self.0.into_iter().map(|draft| draft.finish(remarks)).collect()
    }
}
