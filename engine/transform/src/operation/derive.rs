//! Derive: a column from an SQL expression over columns (docs/expressions.md): arithmetic, conditions, text, dates.
//! It sees the values that earlier operations left under their names. Null, NaN and errors of single rows follow the
//! rules of expressions; an expression without an answer for a row stops with the row.

use std::collections::BTreeMap;

use arrow::array::RecordBatch;
use serde::{Deserialize, Serialize};

use sluice_core::batch::Batch;
use sluice_core::column::ColumnKind;
use sluice_core::error::{CommonError, Result};
use sluice_expressions::Expression;

use crate::error::TransformError;
use crate::fit::Builder;
use crate::operation::{Inputs, Known, Map, Mapper, Plan};
use crate::value::{Value, ValueKind};

/// The options of `derive`: expressions by the names of their results, in the order of names.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Derive(pub BTreeMap<String, String>);

impl Plan for Derive {
    fn plan(&self, graph: &mut Builder<'_>) -> Result<()> {
        for (name, text) in &self.0 {
            let columns = graph.known_columns();
            let place = || format!("`derive.{name}`");
            let bound = Expression::parse(text, &columns)
                .map_err(|error| sluice_core::Error::from(error).in_place(place()))?;
            if bound.columns().is_empty() {
                return Err(TransformError::Constantless { operation: "derive", name: name.clone() }.into());
            }
            let inputs =
                bound.columns().iter().map(|column| graph.read(column)).collect::<Result<Vec<_>, _>>()?;
            let kinds = inputs.iter().map(|input| input.kind.column().cloned().unwrap_or(ColumnKind::Null));
            let columns = bound.columns().iter().cloned().zip(kinds).collect();
            let kind = ValueKind::Column(bound.kind().clone());
            let derived = Derived::new(text.clone(), columns)?;
            graph.step(&inputs, [(name.as_str(), kind)], Known(Mapper::Derive(derived)))?;
        }
        Ok(())
    }
}

/// An expression with the kinds of the columns that it reads.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(try_from = "StoredDerived", into = "StoredDerived")]
pub struct Derived {
    text: String,
    columns: Vec<(String, ColumnKind)>,
    expression: Box<Expression>,
}

#[derive(Serialize, Deserialize)]
struct StoredDerived {
    expression: String,
    columns: Vec<(String, ColumnKind)>,
}

impl TryFrom<StoredDerived> for Derived {
    type Error = String;

    fn try_from(stored: StoredDerived) -> Result<Self, String> {
        Self::new(stored.expression, stored.columns).map_err(|error| error.to_string())
    }
}

impl From<Derived> for StoredDerived {
    fn from(derived: Derived) -> Self {
        Self { expression: derived.text, columns: derived.columns }
    }
}

impl PartialEq for Derived {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text && self.columns == other.columns
    }
}

impl Derived {
    fn new(text: String, columns: Vec<(String, ColumnKind)>) -> Result<Self> {
        let expression = Expression::parse(&text, &columns)?;
        Ok(Self { text, columns, expression: Box::new(expression) })
    }

    /// The text of the expression.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }
}

impl Map for Derived {
    fn apply(&self, inputs: &Inputs<'_>) -> Result<Vec<Value>> {
        let mut columns = Vec::with_capacity(self.columns.len());
        for ((name, _), value) in self.columns.iter().zip(&inputs.values) {
            columns.push((name.as_str(), std::sync::Arc::clone(value.column()?)));
        }
        let batch = RecordBatch::try_from_iter(columns)
            .map_err(|error| CommonError::Internal(format!("`derive` of `{}`: {error}", self.text)))?;
        Ok(vec![Value::Column(self.expression.evaluate(&Batch::new(&batch))?)])
    }
}
