//! Impute: replaces null and NaN by a constant, or by the mean, the median or the most frequent value of the
//! training rows. Infinities are values and stay. Among equally frequent values the smallest wins
//! (scikit-learn's `SimpleImputer`). The median is the inverted-CDF median, so that it is a value of the data;
//! scikit-learn averages the two middle ones instead. Past 2,048 distinct values the median is approximate, past
//! 8,192 the most frequent value is, within the bounds of their summaries.
//!
//! With `per`, the value is that of a row's key: see `operation::per_key`.
//!
//! What follows on the same column is fitted in the same scan: filling n cells with v adds (v, n) to a summary.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, BooleanArray, Float64Array, StringViewArray};
use serde::{Deserialize, Serialize};

use sluice_core::column::{Column, ColumnKind, numbers};
use sluice_core::error::Result;
use sluice_core::options::OptionsError;
use sluice_summaries::{Frequencies, Moments};

use crate::error::TransformError;
use crate::fit::Builder;
use crate::fit::analyzer::{Analyzer, ColumnAnalyzer, Wanted};
use crate::graph::{Cell, CellInputs};
use crate::operation::per_key::{self, PerKey};
use crate::operation::{Fitted, Fitting, Inputs, Known, Map, Mapper, Plan};
use crate::value::{Value, ValueKind};

/// The options of `impute`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Impute {
    /// The columns.
    pub columns: Vec<String>,
    /// What goes in.
    pub with: ImputeWith,
    /// Columns for each combination of whose values constants are learnt apart.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub per: Vec<String>,
    /// What the results are called, one each; they replace their columns without.
    #[serde(default, rename = "as", skip_serializing_if = "Vec::is_empty")]
    pub names: Vec<String>,
    /// Whether each column also leaves `COLUMN is missing`, 1 where something was filled in and 0 elsewhere.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub indicator: bool,
}

/// What `impute` puts in.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ImputeWith {
    /// The mean of the training rows.
    Mean,
    /// Their median (the smallest value that at least half of them do not exceed).
    Median,
    /// Their most frequent value; of several, the smallest.
    MostFrequent,
    /// This value.
    Constant(Constant),
}

/// A constant of a column.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged, expecting = "a number, a text, true or false")]
pub enum Constant {
    /// True or false.
    Boolean(bool),
    /// A number.
    Number(f64),
    /// A text.
    Text(String),
}

impl std::fmt::Display for Constant {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Boolean(value) => value.fmt(formatter),
            Self::Number(value) => value.fmt(formatter),
            Self::Text(text) => write!(formatter, "`{text}`"),
        }
    }
}

impl Plan for Impute {
    fn check(&self) -> Result<(), OptionsError> {
        match &self.with {
            ImputeWith::Constant(_) if !self.per.is_empty() => Err(OptionsError::Conflict {
                name: "impute".into(),
                problem: "puts one constant into every row and has `per`".into(),
                hint: Some("leave out `per`, or impute a mean, median or most frequent value".into()),
            }),
            ImputeWith::Constant(Constant::Number(value)) if !value.is_finite() => {
                Err(OptionsError::OutOfRange {
                    name: "impute.with.constant".into(),
                    value: value.to_string(),
                    range: "a finite number".into(),
                })
            }
            _ => Ok(()),
        }
    }

    fn plan(&self, graph: &mut Builder<'_>) -> Result<()> {
        for (column, name) in graph.renamed(&self.columns, &self.names)? {
            let input = graph.read(column)?;
            let kind = input
                .kind
                .column()
                .filter(|kind| matches!(kind, ColumnKind::Text | ColumnKind::Null) || kind.is_number());
            let Some(kind) = kind.cloned() else {
                return Err(graph.unsuitable(&input, "numbers or text").into());
            };
            if kind == ColumnKind::Text && matches!(self.with, ImputeWith::Mean | ImputeWith::Median) {
                return Err(graph.unsuitable(&input, "numbers for a mean or median").into());
            }
            if self.indicator {
                let missing = format!("{column} is missing");
                graph.step(
                    std::slice::from_ref(&input),
                    [(missing.as_str(), ValueKind::FLOAT)],
                    Known(Mapper::IsMissing),
                )?;
            }
            let out = self.leaves(&kind);
            match &self.with {
                ImputeWith::Constant(constant) => {
                    let fill = constant_fill(column, &kind, constant)?;
                    graph.step(&[input], [(name, out)], Known(Mapper::Impute(fill)))?;
                }
                with => {
                    let keys = self.per.len();
                    let fitting = ImputeFitting { column: column.to_owned(), kind, with: with.clone(), keys };
                    let mut inputs = vec![input];
                    inputs.extend(graph.scalars(&self.per)?);
                    graph.step(&inputs, [(name, out)], fitting)?;
                }
            }
        }
        Ok(())
    }
}

impl Impute {
    /// What comes out: booleans stay booleans unless a number goes in.
    fn leaves(&self, kind: &ColumnKind) -> ValueKind {
        let keeps = matches!(self.with, ImputeWith::MostFrequent | ImputeWith::Constant(_));
        let is_text = matches!(self.with, ImputeWith::Constant(Constant::Text(_)));
        match kind {
            ColumnKind::Text => ValueKind::Column(ColumnKind::Text),
            ColumnKind::Null if is_text => ValueKind::Column(ColumnKind::Text),
            ColumnKind::Boolean if keeps => ValueKind::Column(ColumnKind::Boolean),
            _ => ValueKind::FLOAT,
        }
    }
}

fn constant_fill(column: &str, kind: &ColumnKind, constant: &Constant) -> Result<Fill, TransformError> {
    match (kind, constant) {
        (ColumnKind::Text | ColumnKind::Null, Constant::Text(text)) => Ok(Fill::Text(text.clone())),
        (ColumnKind::Boolean, Constant::Boolean(value)) => Ok(Fill::Boolean(*value)),
        (ColumnKind::Text | ColumnKind::Boolean, _) | (_, Constant::Text(_) | Constant::Boolean(_)) => {
            Err(TransformError::Constant {
                column: column.to_owned(),
                value: constant.to_string(),
                found: kind.to_string(),
            })
        }
        (_, Constant::Number(value)) => Ok(Fill::Number(*value)),
    }
}

#[derive(Debug)]
struct ImputeFitting {
    column: String,
    kind: ColumnKind,
    with: ImputeWith,
    /// Columns of the key.
    keys: usize,
}

impl Fitting for ImputeFitting {
    fn wanted(&self) -> Vec<Wanted> {
        let analyzer = ColumnAnalyzer::new();
        let analyzer = match self.with {
            ImputeWith::Mean => analyzer.with_moments(),
            ImputeWith::Median => analyzer.with_quantiles(),
            ImputeWith::MostFrequent => analyzer.with_frequencies(),
            ImputeWith::Constant(_) => analyzer,
        };
        if self.keys > 0 { per_key::wanted(analyzer, self.keys) } else { vec![Wanted::of(0, analyzer)] }
    }

    fn fit(self: Box<Self>, answers: Vec<Analyzer>) -> Result<Fitted> {
        if self.keys > 0 {
            let fills = PerKey::fit(answers, ("impute", &self.column), |known| self.fill(known))?;
            return Ok(Fitted::Done(Mapper::ImputePerKey(Box::new(fills))));
        }
        let known = answers.into_iter().find_map(Analyzer::into_column).unwrap_or_default();
        let fill = self.fill(&known);
        let fill = fill.ok_or(TransformError::NoValues { operation: "impute", column: self.column })?;
        Ok(Fitted::Done(Mapper::Impute(fill)))
    }
}

impl ImputeFitting {
    fn fill(&self, known: &ColumnAnalyzer) -> Option<Fill> {
        match &self.with {
            ImputeWith::Mean => known.moments.as_ref().and_then(Moments::mean).map(Fill::Number),
            ImputeWith::Median => {
                known.quantiles.as_ref().and_then(|quantiles| quantiles.quantile(0.5)).map(Fill::Number)
            }
            ImputeWith::MostFrequent => {
                known.frequencies.as_ref().and_then(|counts| most_frequent(&self.kind, counts))
            }
            ImputeWith::Constant(constant) => constant_fill(&self.column, &self.kind, constant).ok(),
        }
    }
}

/// The most frequent value; of several the smallest, numbers by value and text by bytes.
fn most_frequent(kind: &ColumnKind, counts: &Frequencies) -> Option<Fill> {
    let by_value = counts.by_value();
    let most = by_value.iter().map(|(_, count)| *count).max()?;
    let candidates = by_value.iter().filter(|(_, count)| *count == most).map(|(text, _)| *text);
    if *kind == ColumnKind::Text {
        return candidates.min().map(|text| Fill::Text(text.to_owned()));
    }
    let value = candidates.filter_map(|text| text.parse::<f64>().ok()).min_by(f64::total_cmp)?;
    Some(if *kind == ColumnKind::Boolean { Fill::Boolean(value > 0.5) } else { Fill::Number(value) })
}

/// The value that goes in.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fill {
    /// Into a column of numbers.
    Number(f64),
    /// Into a column of text.
    Text(String),
    /// Into a column of booleans.
    Boolean(bool),
}

impl Map for Fill {
    fn inverse(&self, value: f64) -> Option<f64> {
        matches!(self, Self::Number(_)).then_some(value)
    }

    fn apply(&self, inputs: &Inputs<'_>) -> Result<Vec<Value>> {
        let values = inputs.values[0].column()?;
        Ok(vec![Value::Column(self.filled(inputs.names[0], values)?)])
    }

    fn apply_row<'a>(&self, inputs: &CellInputs<'_, 'a>, outputs: &mut Vec<Cell<'a>>) -> Result<()> {
        let filled = match (self, inputs.cell(0)) {
            (Self::Number(fill), _) => {
                let value = inputs.number(0)?.filter(|value| !value.is_nan());
                Cell::Float(value.unwrap_or(*fill))
            }
            (Self::Text(fill), Cell::Null) => Cell::Text(fill.clone().into()),
            (Self::Boolean(fill), Cell::Null) => Cell::Boolean(*fill),
            (Self::Text(_) | Self::Boolean(_), cell) => cell.clone(),
        };
        outputs.push(filled);
        Ok(())
    }
}

impl Fill {
    fn filled(&self, name: &str, values: &ArrayRef) -> Result<ArrayRef> {
        match self {
            Self::Number(fill) => {
                let values = numbers(name, values, "`impute`")?;
                if values.null_count() == 0 && !values.values().iter().any(|value| value.is_nan()) {
                    return Ok(Arc::new(values));
                }
                let filled: Float64Array = values
                    .iter()
                    .map(|value| Some(value.filter(|value| !value.is_nan()).unwrap_or(*fill)))
                    .collect();
                Ok(Arc::new(filled))
            }
            Self::Text(fill) => {
                if values.logical_null_count() == 0 {
                    return Ok(Arc::clone(values));
                }
                let view = Column::view(values);
                let filled: StringViewArray =
                    (0..values.len()).map(|row| Some(view.text(row).unwrap_or(fill))).collect();
                Ok(Arc::new(filled))
            }
            Self::Boolean(fill) => match Column::view(values) {
                Column::Boolean(booleans) => {
                    let filled: BooleanArray =
                        booleans.iter().map(|value| Some(value.unwrap_or(*fill))).collect();
                    Ok(Arc::new(filled))
                }
                _ => Ok(Arc::new(BooleanArray::from(vec![*fill; values.len()]))),
            },
        }
    }
}

/// 1 where a value is null or NaN, 0 elsewhere.
#[derive(Clone, Copy, Debug)]
pub(crate) struct IsMissing;

impl Map for IsMissing {
    fn apply(&self, inputs: &Inputs<'_>) -> Result<Vec<Value>> {
        let values = inputs.values[0].column()?;
        let nulls = values.logical_nulls();
        let is_null = |row: usize| nulls.as_ref().is_some_and(|nulls| nulls.is_null(row));
        let is_nan =
            |row: usize| matches!(Column::view(values), Column::Float(floats) if floats.value(row).is_nan());
        let missing: Float64Array =
            (0..inputs.rows).map(|row| Some(f64::from(is_null(row) || is_nan(row)))).collect();
        Ok(vec![Value::floats(missing)])
    }
}
