//! The inputs of the graph: one per column of the data, and one that says where it is null unless it is a
//! float.

use arrow::array::{Array, ArrayRef, RecordBatch};

use sluice_core::column::{Column, ColumnKind, numbers};
use sluice_core::error::{CommonError, Result};
use sluice_core::plan::PlannedColumn;
use sluice_onnx::{Edge, ElementType, GraphBuilder, Tensor};

use super::value::Value;
use super::{OnnxInput, inexpressible};

/// The inputs, in order.
#[derive(Clone, Debug)]
pub(crate) struct Inputs(Vec<ColumnInput>);

#[derive(Clone, Debug)]
struct ColumnInput {
    column: String,
    elements: ElementType,
    mask: Option<String>,
}

impl Inputs {
    /// Of the columns that a transform reads.
    pub(crate) fn new(columns: &[PlannedColumn]) -> Result<Self> {
        let mut inputs = Vec::with_capacity(columns.len());
        for column in columns {
            let elements = match column.kind {
                // Decimals come as the doubles that operations make of them; a column of nothing is all
                // NaN.
                ColumnKind::Float | ColumnKind::Decimal { .. } | ColumnKind::Null => ElementType::Double,
                ColumnKind::Integer => ElementType::Integer,
                ColumnKind::Unsigned => ElementType::Unsigned,
                ColumnKind::Boolean => ElementType::Boolean,
                ColumnKind::Text => ElementType::Text,
                ColumnKind::Binary
                | ColumnKind::Date
                | ColumnKind::Timestamp { .. }
                | ColumnKind::List(_)
                | ColumnKind::Struct(_)
                | ColumnKind::Other(_) => {
                    let problem = format!("has no form in ONNX: it is {}", column.kind);
                    return Err(inexpressible(&column.name, problem).into());
                }
            };
            let mask = (elements != ElementType::Double).then(|| format!("{}_is_null", column.name));
            inputs.push(ColumnInput { column: column.name.clone(), elements, mask });
        }
        Ok(Self(inputs))
    }

    /// Declares them; the values of the columns.
    pub(crate) fn declare(&self, graph: &mut GraphBuilder) -> Result<Vec<(String, Value)>> {
        let mut values = Vec::with_capacity(self.0.len());
        for input in &self.0 {
            let about = if input.mask.is_some() { "" } else { "NaN where it is missing" };
            let edge = graph.input(&input.column, input.elements, about)?;
            let missing = match &input.mask {
                Some(mask) => {
                    let about = format!("where `{}` is missing, whatever stands there", input.column);
                    Some(graph.input(mask, ElementType::Boolean, &about)?)
                }
                None => None,
            };
            values.push((input.column.clone(), value(input.elements, edge, missing)));
        }
        Ok(values)
    }

    /// As the package describes them.
    pub(crate) fn describe(&self) -> Vec<OnnxInput> {
        let mut described = Vec::new();
        for input in &self.0 {
            let of = |name: &str, elements: ElementType, is_null_mask| OnnxInput {
                name: name.to_owned(),
                column: input.column.clone(),
                elements: elements.name().to_owned(),
                is_null_mask,
            };
            described.push(of(&input.column, input.elements, false));
            described.extend(input.mask.iter().map(|mask| of(mask, ElementType::Boolean, true)));
        }
        described
    }

    /// The tensors of a table.
    pub(crate) fn tensors(&self, table: &RecordBatch) -> Result<Vec<Tensor>> {
        let mut tensors = Vec::new();
        for input in &self.0 {
            let array = table.column_by_name(&input.column).ok_or_else(|| CommonError::ColumnMissing {
                column: input.column.clone(),
                place: "the rows".into(),
                available: table.schema().fields().iter().map(|field| field.name().clone()).collect(),
            })?;
            tensors.push(tensor(&input.column, array, input.elements)?);
            if input.mask.is_some() {
                let nulls = array.logical_nulls();
                let is_null = |row| nulls.as_ref().is_some_and(|nulls| nulls.is_null(row));
                tensors.push(Tensor::Boolean((0..array.len()).map(is_null).collect()));
            }
        }
        Ok(tensors)
    }
}

fn value(elements: ElementType, edge: Edge, missing: Option<Edge>) -> Value {
    match (elements, missing) {
        (ElementType::Double, _) | (_, None) => Value::exact(edge),
        (ElementType::Text, Some(missing)) => Value::Text { edge, missing, fill: None },
        (ElementType::Integer | ElementType::Unsigned | ElementType::Boolean, Some(missing)) => {
            Value::Raw { edge, missing, elements }
        }
    }
}

/// Cells as a tensor; what stands in null cells is of no matter.
fn tensor(name: &str, array: &ArrayRef, elements: ElementType) -> Result<Tensor> {
    let rows = array.len();
    Ok(match (elements, Column::view(array)) {
        (ElementType::Integer, Column::Integer(values)) => {
            Tensor::Integer(values.iter().map(Option::unwrap_or_default).collect())
        }
        (ElementType::Unsigned, Column::Unsigned(values)) => {
            Tensor::Unsigned(values.iter().map(Option::unwrap_or_default).collect())
        }
        (ElementType::Boolean, Column::Boolean(values)) => {
            Tensor::Boolean(values.iter().map(Option::unwrap_or_default).collect())
        }
        (ElementType::Text, view @ (Column::Text(_) | Column::CodedText(..))) => {
            Tensor::Text((0..rows).map(|row| view.text(row).unwrap_or_default().to_owned()).collect())
        }
        (ElementType::Double, _) => {
            let values = numbers(name, array, "the ONNX export")?;
            Tensor::Double(values.iter().map(|value| value.unwrap_or(f64::NAN)).collect())
        }
        (elements, _) => {
            let found = ColumnKind::of(array.data_type());
            let problem = format!("column `{name}` is {found}, not {}", elements.name());
            return Err(CommonError::Internal(problem).into());
        }
    })
}
