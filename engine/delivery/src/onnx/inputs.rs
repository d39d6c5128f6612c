//! The inputs of the graph: one per column of the data, and one that says where it is null unless it is a
//! float, or something asks whether that is NaN or null.

use std::collections::BTreeSet;

use arrow::array::{Array, ArrayRef, RecordBatch};

use sluice_core::column::{Column, ColumnKind, numbers};
use sluice_core::error::{CommonError, Result};
use sluice_core::plan::PlannedColumn;
use sluice_onnx::{Edge, ElementType, GraphBuilder, Tensor};

use super::bound::Bound;
use super::nulls::{Masks, Nulls};
use super::value::{Number, TimeUnit, Value};
use super::{OnnxInput, inexpressible};

/// The inputs, in order.
#[derive(Clone, Debug)]
pub(crate) struct Inputs(Vec<ColumnInput>);

#[derive(Clone, Debug)]
struct ColumnInput {
    column: String,
    kind: ColumnKind,
    elements: ElementType,
    mask: Option<String>,
}

impl ColumnInput {
    /// What it counts since 1970-01-01.
    fn unit(&self) -> Option<TimeUnit> {
        match &self.kind {
            ColumnKind::Date => Some(TimeUnit::Days),
            ColumnKind::Timestamp { nanoseconds: false, .. } => Some(TimeUnit::Microseconds),
            ColumnKind::Timestamp { nanoseconds: true, .. } => Some(TimeUnit::Nanoseconds),
            _ => None,
        }
    }

    fn value(&self, edge: Edge, missing: Option<Edge>) -> Value {
        match (self.unit(), self.elements, missing) {
            (_, ElementType::Double, _) | (_, _, None) => {
                // Only floats have a NaN that is not a null.
                let nulls = match self.kind {
                    ColumnKind::Float => Nulls::column(self.column.clone(), edge.clone()),
                    _ => Nulls::nan(edge.clone()),
                };
                Value::Number(Number { edge, bound: Bound::EXACT, nulls })
            }
            (Some(unit), _, Some(missing)) => Value::Instant { edge, missing, unit },
            (None, ElementType::Text, Some(missing)) => Value::Text { edge, missing, fill: None },
            (None, elements, Some(missing)) => Value::Raw { edge, missing, elements },
        }
    }
}

fn mask_name(column: &str) -> String {
    format!("{column}_is_null")
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
                // Dates and timestamps come as they are stored: days or a fraction of seconds since 1970-01-01.
                ColumnKind::Integer | ColumnKind::Date | ColumnKind::Timestamp { .. } => ElementType::Integer,
                ColumnKind::Unsigned => ElementType::Unsigned,
                ColumnKind::Boolean => ElementType::Boolean,
                ColumnKind::Text => ElementType::Text,
                ColumnKind::Binary | ColumnKind::List(_) | ColumnKind::Struct(_) | ColumnKind::Other(_) => {
                    let problem = format!("has no form in ONNX: it is {}", column.kind);
                    return Err(inexpressible(&column.name, problem).into());
                }
            };
            let mask = (elements != ElementType::Double).then(|| mask_name(&column.name));
            inputs.push(ColumnInput {
                column: column.name.clone(),
                kind: column.kind.clone(),
                elements,
                mask,
            });
        }
        Ok(Self(inputs))
    }

    /// Adds inputs that say where these columns of floats are null.
    pub(crate) fn add_masks(&mut self, columns: &BTreeSet<String>) {
        for input in self.0.iter_mut().filter(|input| columns.contains(&input.column)) {
            input.mask = Some(mask_name(&input.column));
        }
    }

    /// Declares them; the values of the columns, and the masks of those of floats.
    pub(crate) fn declare(&self, graph: &mut GraphBuilder) -> Result<(Vec<(String, Value)>, Masks)> {
        let mut masks = Masks::default();
        let mut values = Vec::with_capacity(self.0.len());
        for input in &self.0 {
            let about = match input.unit() {
                Some(unit) => format!("{} since 1970-01-01", unit.name()),
                None if input.elements == ElementType::Double => "NaN where it is missing".to_owned(),
                None => String::new(),
            };
            let edge = graph.input(&input.column, input.elements, &about)?;
            let missing = match &input.mask {
                Some(mask) => {
                    let about = match input.elements {
                        ElementType::Double => {
                            format!("where a NaN of `{}` stands for what is missing", input.column)
                        }
                        _ => format!("where `{}` is missing, whatever stands there", input.column),
                    };
                    Some(graph.input(mask, ElementType::Boolean, &about)?)
                }
                None => None,
            };
            if let (ElementType::Double, Some(mask)) = (input.elements, &missing) {
                masks.known.insert(input.column.clone(), mask.clone());
            }
            values.push((input.column.clone(), input.value(edge, missing)));
        }
        Ok((values, masks))
    }

    /// As the package describes them.
    pub(crate) fn describe(&self) -> Vec<OnnxInput> {
        let mut described = Vec::new();
        for input in &self.0 {
            let of = |name: &str, elements: ElementType, is_null_mask: bool| OnnxInput {
                name: name.to_owned(),
                column: input.column.clone(),
                elements: elements.name().to_owned(),
                unit: input.unit().filter(|_| !is_null_mask).map(|unit| unit.name().to_owned()),
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

/// Cells as a tensor; what stands in null cells is of no matter.
fn tensor(name: &str, array: &ArrayRef, elements: ElementType) -> Result<Tensor> {
    let rows = array.len();
    Ok(match (elements, Column::view(array)) {
        (ElementType::Integer, Column::Integer(values)) => {
            Tensor::Integer(values.iter().map(Option::unwrap_or_default).collect())
        }
        (ElementType::Integer, Column::Date(days)) => {
            Tensor::Integer(days.iter().map(|day| day.map(i64::from).unwrap_or_default()).collect())
        }
        (ElementType::Integer, Column::TimestampMicrosecond(values)) => {
            Tensor::Integer(values.iter().map(Option::unwrap_or_default).collect())
        }
        (ElementType::Integer, Column::TimestampNanosecond(values)) => {
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
