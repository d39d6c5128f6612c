//! A rule of the pipeline file: a SQL expression that should be true.

use std::fmt;

use serde::de::value::MapAccessDeserializer;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use sluice_core::options::{OptionsError, Range};
use sluice_expressions::Expression;

use crate::error::QualityError;
use crate::validation::Severity;

/// What a row counts as for which a rule is null, because a value is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unknown {
    /// It does not break the rule, as with SQL's `CHECK`.
    #[default]
    Passes,
    /// It breaks the rule.
    Breaks,
}

/// A rule: an expression over the columns of a row that should be true.
///
/// | name | default | range | meaning |
/// |---|---|---|---|
/// | `rule` | | a SQL expression that is true or false | what should hold |
/// | `name` | the expression | | what it is called in findings |
/// | `severity` | `error` | `error`, `warning` | what a broken rule is |
/// | `at_least` | 1 | 0 to 1 | the share of rows that must not break it |
/// | `unknown` | `passes` | `passes`, `breaks` | rows for which it is null |
///
/// In YAML an expression alone is a rule: `rules: ["fare <= trip_total", { rule: "tips >= 0", at_least: 0.99
/// }]`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Rule {
    /// What should hold.
    #[serde(rename = "rule")]
    pub expression: String,
    /// What it is called in findings.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// What a broken rule is.
    pub severity: Severity,
    /// The share of rows, from 0 to 1, that must not break it.
    #[serde(rename = "at_least")]
    pub min_fraction: f64,
    /// Rows for which it is null.
    pub unknown: Unknown,
}

/// The long form in a file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    rule: String,
    name: Option<String>,
    severity: Option<Severity>,
    at_least: Option<f64>,
    #[serde(default)]
    unknown: Unknown,
}

impl Rule {
    /// A rule that must hold in every row, as an error.
    #[must_use]
    pub fn new(expression: impl Into<String>) -> Self {
        Self {
            expression: expression.into(),
            name: None,
            severity: Severity::Error,
            min_fraction: 1.0,
            unknown: Unknown::Passes,
        }
    }

    /// What it is called in findings.
    #[must_use]
    pub fn title(&self) -> &str {
        self.name.as_deref().unwrap_or(&self.expression)
    }

    /// Its options in their ranges.
    ///
    /// # Errors
    /// [`OptionsError::OutOfRange`].
    pub fn check(&self) -> Result<(), OptionsError> {
        Range::closed(0.0, 1.0).check("at_least", self.min_fraction).map(|_| ())
    }

    /// Whether its expression is true or false.
    pub(super) fn check_kind(&self, expression: &Expression) -> Result<(), QualityError> {
        if expression.is_boolean() {
            return Ok(());
        }
        let kind = expression.kind().to_string();
        Err(QualityError::RuleNotBoolean { rule: self.expression.clone(), kind })
    }
}

impl<'de> Deserialize<'de> for Rule {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;
        impl<'de> Visitor<'de> for Either {
            type Value = Rule;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter
                    .write_str("a rule such as \"fare <= trip_total\", or { rule: …, name: …, at_least: … }")
            }

            fn visit_str<E>(self, text: &str) -> Result<Rule, E> {
                Ok(Rule::new(text))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Rule, A::Error> {
                let written = Written::deserialize(MapAccessDeserializer::new(map))?;
                Ok(Rule {
                    name: written.name,
                    severity: written.severity.unwrap_or(Severity::Error),
                    min_fraction: written.at_least.unwrap_or(1.0),
                    unknown: written.unknown,
                    ..Rule::new(written.rule)
                })
            }
        }
        deserializer.deserialize_any(Either)
    }
}
