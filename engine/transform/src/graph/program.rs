//! Nodes in order, and the values that they make of a batch.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use sluice_core::batch::Batch;
use sluice_core::error::{CommonError, Result};
use sluice_core::plan::PlannedColumn;

use super::row::{Cell, CellInputs};
use crate::error::TransformError;
use crate::operation::{Inputs, Mapper};
use crate::value::Value;

/// A fitted operation on values. A value is a source column, by its name, or an output of a node, by the name that
/// it replaces and the number of its version: `age#2`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Node {
    /// The operation, as in the pipeline file.
    pub operation: String,
    /// The values that it reads.
    pub inputs: Vec<String>,
    /// The values that it makes.
    pub outputs: Vec<String>,
    /// Its constants.
    pub mapper: Mapper,
}

/// Nodes in order, with the source columns that they read.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Program {
    /// The source columns with their kinds in training.
    pub inputs: Vec<PlannedColumn>,
    /// The nodes.
    pub nodes: Vec<Node>,
}

/// Where each node finds and leaves its values: the row path looks nothing up by name.
#[derive(Clone, Debug, Default)]
pub(crate) struct Slots {
    nodes: Vec<NodeSlots>,
    count: usize,
}

#[derive(Clone, Debug)]
struct NodeSlots {
    inputs: Vec<usize>,
    outputs: Vec<usize>,
    names: Vec<String>,
}

/// The values of a batch.
#[derive(Debug)]
pub(crate) struct Values<'a>(BTreeMap<&'a str, Value>);

impl Values<'_> {
    /// The value of this identifier.
    pub(crate) fn get(&self, id: &str) -> Result<&Value> {
        self.0.get(id).ok_or_else(|| CommonError::Internal(format!("a transform has no value `{id}`")).into())
    }
}

impl Program {
    /// Whether every node reads only what is there before it, and makes only what is not.
    pub(crate) fn check(&self) -> Result<(), TransformError> {
        let mut known: BTreeSet<&str> = self.inputs.iter().map(|column| column.name.as_str()).collect();
        for node in &self.nodes {
            let unknown = node.inputs.iter().find(|id| !known.contains(id.as_str()));
            if let Some(id) = unknown {
                return Err(TransformError::NoSuchValue {
                    operation: node.operation.clone(),
                    value: id.clone(),
                });
            }
            for output in &node.outputs {
                if !known.insert(output) {
                    let (operation, value) = (node.operation.clone(), output.clone());
                    return Err(TransformError::NoSuchValue { operation, value });
                }
            }
        }
        Ok(())
    }

    /// What the levels (`true`) or terms of a value are called; `None` where it is a column.
    pub(crate) fn labels(&self, value: &str) -> Result<Option<(Vec<String>, bool)>, TransformError> {
        for node in &self.nodes {
            if let Some(output) = node.outputs.iter().position(|id| id == value) {
                let is_sparse = node.mapper.as_map().is_sparse();
                return Ok(node.mapper.as_map().labels(output).map(|labels| (labels, !is_sparse)));
            }
        }
        if self.inputs.iter().any(|column| column.name == value) {
            return Ok(None);
        }
        Err(TransformError::NoSuchValue { operation: "features".into(), value: value.to_owned() })
    }

    /// The source columns that some values depend on.
    pub(crate) fn sources_of<'a>(&'a self, values: impl IntoIterator<Item = &'a str>) -> BTreeSet<&'a str> {
        let mut needed: BTreeSet<&str> = values.into_iter().collect();
        for node in self.nodes.iter().rev() {
            if node.outputs.iter().any(|output| needed.contains(output.as_str())) {
                needed.extend(node.inputs.iter().map(String::as_str));
            }
        }
        self.inputs.iter().map(|column| column.name.as_str()).filter(|name| needed.contains(name)).collect()
    }

    /// Whether what some node makes of a training row leaves out what it learnt from the fold of that row.
    pub(crate) fn leaves_out_folds(&self) -> bool {
        self.nodes.iter().any(|node| node.mapper.as_map().leaves_out_folds())
    }

    /// Computes all values of a batch. A source column that the batch lacks is an error only where a node reads it.
    /// `hashes` are given where the rows are those that the transform was fitted on.
    ///
    /// # Errors
    /// `CommonError::ColumnMissing`, and what the operations meet.
    pub(crate) fn values<'a>(&'a self, batch: &Batch, hashes: Option<&[u64]>) -> Result<Values<'a>> {
        let mut values = Values(BTreeMap::new());
        for input in &self.inputs {
            if let Some(array) = batch.column(&input.name) {
                values.0.insert(&input.name, Value::Column(Arc::clone(array)));
            }
        }
        for node in &self.nodes {
            for input in &node.inputs {
                if !values.0.contains_key(input.as_str()) {
                    batch.require(input)?;
                }
            }
            let made = {
                let read = node.inputs.iter().map(|id| values.get(id)).collect::<Result<Vec<_>>>()?;
                let inputs = Inputs {
                    operation: &node.operation,
                    names: node.inputs.iter().map(|id| name_of(id)).collect(),
                    values: read,
                    rows: batch.rows(),
                    hashes,
                };
                node.mapper.as_map().apply(&inputs)?
            };
            for (id, value) in node.outputs.iter().zip(made) {
                values.0.insert(id, value);
            }
        }
        Ok(values)
    }
}

impl Program {
    /// Whether a value is a product that is rounded.
    pub(crate) fn is_rounded(&self, id: &str) -> bool {
        self.nodes.iter().any(|node| {
            node.mapper.as_map().rounds_products() && node.outputs.iter().any(|output| output == id)
        })
    }

    /// What rounding took from each of some products, from the values of a batch of `rows` rows, by their names.
    ///
    /// # Errors
    /// What the operations meet.
    pub(crate) fn remainders(
        &self,
        values: &Values<'_>,
        wanted: &BTreeSet<&str>,
        rows: usize,
    ) -> Result<BTreeMap<&str, Vec<f64>>> {
        let mut remainders = BTreeMap::new();
        for node in &self.nodes {
            let is_wanted = node.outputs.iter().any(|output| wanted.contains(output.as_str()));
            if !is_wanted || !node.mapper.as_map().rounds_products() {
                continue;
            }
            let inputs = Inputs {
                operation: &node.operation,
                names: node.inputs.iter().map(|id| name_of(id)).collect(),
                values: node.inputs.iter().map(|id| values.get(id)).collect::<Result<Vec<_>>>()?,
                rows,
                hashes: None,
            };
            let made = node.mapper.as_map().remainders(&inputs)?;
            remainders.extend(node.outputs.iter().map(String::as_str).zip(made));
        }
        Ok(remainders)
    }
}

impl Program {
    /// The places of all values; `None` for the place of a value that no node makes.
    pub(crate) fn slots(&self) -> (Slots, BTreeMap<&str, usize>) {
        let mut places: BTreeMap<&str, usize> = BTreeMap::new();
        for id in self
            .inputs
            .iter()
            .map(|column| &column.name)
            .chain(self.nodes.iter().flat_map(|node| &node.outputs))
        {
            let place = places.len();
            places.insert(id, place);
        }
        let of = |ids: &[String]| ids.iter().filter_map(|id| places.get(id.as_str()).copied()).collect();
        let nodes = self.nodes.iter().map(|node| NodeSlots {
            inputs: of(&node.inputs),
            outputs: of(&node.outputs),
            names: node.inputs.iter().map(|id| name_of(id).to_owned()).collect(),
        });
        (Slots { nodes: nodes.collect(), count: places.len() }, places)
    }

    /// Computes all values of one row; `cells` are those of the source columns, in order.
    ///
    /// # Errors
    /// What the operations meet.
    pub(crate) fn cells<'a>(&self, slots: &Slots, cells: &[Cell<'a>]) -> Result<Vec<Cell<'a>>> {
        if cells.len() != self.inputs.len() {
            let problem =
                format!("{} cells for the {} inputs of a transform", cells.len(), self.inputs.len());
            return Err(CommonError::Internal(problem).into());
        }
        let mut row = Vec::with_capacity(slots.count);
        row.extend_from_slice(cells);
        row.resize(slots.count, Cell::Null);
        let mut made = Vec::new();
        for (node, at) in self.nodes.iter().zip(&slots.nodes) {
            let inputs =
                CellInputs { operation: &node.operation, names: &at.names, cells: &row, slots: &at.inputs };
            node.mapper.as_map().apply_row(&inputs, &mut made)?;
            for (slot, cell) in at.outputs.iter().zip(made.drain(..)) {
                row[*slot] = cell;
            }
        }
        Ok(row)
    }
}

/// The name under which a value was written: `age` of `age#2`.
fn name_of(id: &str) -> &str {
    match id.rsplit_once('#') {
        Some((name, version)) if version.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => id,
    }
}
