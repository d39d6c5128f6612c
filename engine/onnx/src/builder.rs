//! Graphs, put together operator by operator. Names of tensors are numbered in the order of the calls and
//! equal constants are one, so the same calls give the same bytes. What no output is made of is left out.

use std::collections::{BTreeMap, BTreeSet};

use prost::Message as _;

use crate::error::OnnxError;
use crate::operator::Operator;
use crate::proto::{
    DimensionProto, GraphProto, ModelProto, NodeProto, OperatorSetIdProto, StringStringEntryProto,
    TensorShapeProto, TensorTypeProto, TypeProto, ValueInfoProto,
};
use crate::tensor::{ElementType, Tensor};

/// The operator set of `ai.onnx` that graphs are written in.
pub const OPSET: i64 = 17;
/// The operator set of `ai.onnx.ml`.
pub const ML_OPSET: i64 = 3;
/// The version of the file format.
pub const IR_VERSION: i64 = 8;

/// The name of the dimension that rows run along.
const ROWS: &str = "N";

/// A tensor of a graph.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Edge(String);

/// A graph that is being put together.
#[derive(Debug)]
pub struct GraphBuilder {
    graph: GraphProto,
    taken: BTreeSet<String>,
    constants: BTreeMap<Vec<u8>, Edge>,
    nodes: BTreeMap<Vec<u8>, Edge>,
    /// What is the same for all rows.
    fixed: BTreeSet<String>,
    widest: usize,
    metadata: Vec<(String, String)>,
}

impl GraphBuilder {
    /// An empty graph of this name.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self {
            graph: GraphProto { name: name.to_owned(), ..GraphProto::default() },
            taken: BTreeSet::new(),
            constants: BTreeMap::new(),
            nodes: BTreeMap::new(),
            fixed: BTreeSet::new(),
            widest: 1,
            metadata: Vec::new(),
        }
    }

    /// An input of N rows and one column; `text` says what it is for.
    ///
    /// # Errors
    /// [`OnnxError::NameTaken`].
    pub fn input(&mut self, name: &str, elements: ElementType, text: &str) -> Result<Edge, OnnxError> {
        self.take(name)?;
        self.graph.input.push(value_info(name, elements, 1, text));
        Ok(Edge(name.to_owned()))
    }

    /// A constant of one row.
    pub fn row(&mut self, values: &Tensor) -> Edge {
        self.widest = std::cmp::max(self.widest, values.len());
        self.constant(values, &[1, signed(values.len())])
    }

    /// A constant of one column.
    pub fn column(&mut self, values: &Tensor) -> Edge {
        self.constant(values, &[signed(values.len()), 1])
    }

    /// A constant of so many columns, row after row.
    pub fn matrix(&mut self, values: &Tensor, columns: usize) -> Edge {
        self.widest = std::cmp::max(self.widest, columns);
        self.constant(values, &[signed(values.len() / columns.max(1)), signed(columns)])
    }

    /// A number, as a tensor of one row and one column.
    pub fn number(&mut self, value: f64) -> Edge {
        self.row(&Tensor::Double(vec![value]))
    }

    /// A constant of one axis, to be looked up in by [`Operator::Gather`].
    pub fn table(&mut self, values: &Tensor) -> Edge {
        self.constant(values, &[signed(values.len())])
    }

    /// The rows of a matrix at the places of one column of integers.
    pub fn look_up(&mut self, matrix: &Edge, places: &Edge) -> Edge {
        let axis = self.table(&Tensor::Integer(vec![1]));
        let places = self.node(&Operator::Squeeze, &[places, &axis]);
        self.node(&Operator::Gather, &[matrix, &places])
    }

    /// Columns of a tensor, in this order.
    pub fn select_columns(&mut self, values: &Edge, columns: &[usize]) -> Edge {
        self.widest = std::cmp::max(self.widest, columns.len());
        let places = self.table(&Tensor::Integer(columns.iter().map(|column| signed(*column)).collect()));
        self.node(&Operator::SelectColumn, &[values, &places])
    }

    /// The integer that a constant of one element is.
    #[must_use]
    pub fn integer_of(&self, edge: &Edge) -> Option<i64> {
        let constant = self.graph.initializer.iter().find(|constant| constant.name == edge.0)?;
        let raw = constant.raw_data.as_ref().filter(|_| constant.data_type == ElementType::Integer.code())?;
        Some(i64::from_le_bytes(raw.as_slice().try_into().ok()?))
    }

    /// The columns of the widest tensor: those of the longest constant of one row.
    #[must_use]
    pub fn widest(&self) -> usize {
        self.widest
    }

    /// Whether a tensor is made of constants alone, so that it has no row for each row of the inputs.
    #[must_use]
    pub fn is_fixed(&self, edge: &Edge) -> bool {
        self.fixed.contains(&edge.0)
    }

    /// One of the columns of a tensor.
    pub fn select_column(&mut self, values: &Edge, column: usize) -> Edge {
        let place = self.table(&Tensor::Integer(vec![signed(column)]));
        self.node(&Operator::SelectColumn, &[values, &place])
    }

    fn constant(&mut self, values: &Tensor, dims: &[i64]) -> Edge {
        let key = values.to_proto("", dims).encode_to_vec();
        if let Some(edge) = self.constants.get(&key) {
            return edge.clone();
        }
        let edge = self.fresh("constant");
        self.graph.initializer.push(values.to_proto(&edge.0, dims));
        self.constants.insert(key, edge.clone());
        self.fixed.insert(edge.0.clone());
        edge
    }

    /// What an operator makes of tensors; asked for twice, it is computed once.
    pub fn node(&mut self, operator: &Operator, inputs: &[&Edge]) -> Edge {
        let key = node(operator, inputs).encode_to_vec();
        if let Some(edge) = self.nodes.get(&key) {
            return edge.clone();
        }
        let output = self.fresh(operator.name());
        self.push(operator, inputs, &output.0);
        if inputs.iter().all(|input| self.is_fixed(input)) {
            self.fixed.insert(output.0.clone());
        }
        self.nodes.insert(key, output.clone());
        output
    }

    /// Where doubles are NaN: where they are not equal to themselves. Tract takes the answer of `IsNaN` for doubles.
    pub fn is_nan(&mut self, values: &Edge) -> Edge {
        let is_number = self.node(&Operator::Equal, &[values, values]);
        self.node(&Operator::Not, &[&is_number])
    }

    /// The sums of the rows, as one column.
    pub fn sum_of_rows(&mut self, values: &Edge) -> Edge {
        let axes = self.constant(&Tensor::Integer(vec![1]), &[1]);
        self.node(&Operator::ReduceSum, &[values, &axes])
    }

    /// Makes a tensor an output of N rows and this many columns.
    ///
    /// # Errors
    /// [`OnnxError::NameTaken`].
    pub fn output(
        &mut self,
        name: &str,
        edge: &Edge,
        (elements, columns): (ElementType, usize),
        text: &str,
    ) -> Result<(), OnnxError> {
        self.take(name)?;
        self.push(&Operator::Identity, &[edge], name);
        self.graph.output.push(value_info(name, elements, columns, text));
        Ok(())
    }

    /// Notes a property of the model.
    pub fn property(&mut self, key: &str, value: &str) {
        self.metadata.push((key.to_owned(), value.to_owned()));
    }

    /// Names that inputs and outputs have by now.
    #[must_use]
    pub fn is_taken(&self, name: &str) -> bool {
        self.taken.contains(name)
    }

    /// Leaves out what no output is made of.
    fn prune(&mut self) {
        let mut needed: BTreeSet<String> =
            self.graph.output.iter().map(|output| output.name.clone()).collect();
        // Nodes read only what stands before them.
        for node in self.graph.node.iter().rev() {
            if node.output.iter().any(|output| needed.contains(output)) {
                needed.extend(node.input.iter().cloned());
            }
        }
        self.graph.node.retain(|node| node.output.iter().any(|output| needed.contains(output)));
        self.graph.initializer.retain(|constant| needed.contains(&constant.name));
    }

    /// The file.
    #[must_use]
    pub fn finish(mut self) -> Vec<u8> {
        self.prune();
        let set = |domain: &str, version| OperatorSetIdProto { domain: domain.into(), version };
        ModelProto {
            ir_version: IR_VERSION,
            producer_name: "sluice".into(),
            producer_version: env!("CARGO_PKG_VERSION").into(),
            graph: Some(self.graph),
            opset_import: vec![set("", OPSET), set("ai.onnx.ml", ML_OPSET)],
            metadata_props: self
                .metadata
                .into_iter()
                .map(|(key, value)| StringStringEntryProto { key, value })
                .collect(),
        }
        .encode_to_vec()
    }

    fn push(&mut self, operator: &Operator, inputs: &[&Edge], output: &str) {
        let name = format!("node_{}", self.graph.node.len());
        self.graph.node.push(NodeProto { output: vec![output.to_owned()], name, ..node(operator, inputs) });
    }

    /// A name that nothing has. Inputs are declared before anything is computed; columns called `Add_7`
    /// are the only ones that could be in the way.
    fn fresh(&mut self, stem: &str) -> Edge {
        let mut number = self.graph.node.len() + self.graph.initializer.len();
        loop {
            let name = format!("{stem}_{number}");
            if self.taken.insert(name.clone()) {
                return Edge(name);
            }
            number += 1;
        }
    }

    fn take(&mut self, name: &str) -> Result<(), OnnxError> {
        if !name.is_empty() && self.taken.insert(name.to_owned()) {
            return Ok(());
        }
        Err(OnnxError::NameTaken { name: name.to_owned() })
    }
}

fn node(operator: &Operator, inputs: &[&Edge]) -> NodeProto {
    NodeProto {
        input: inputs.iter().map(|edge| edge.0.clone()).collect(),
        op_type: operator.name().to_owned(),
        attribute: operator.attributes(),
        domain: operator.domain().to_owned(),
        ..NodeProto::default()
    }
}

fn signed(length: usize) -> i64 {
    i64::try_from(length).unwrap_or(i64::MAX)
}

fn value_info(name: &str, elements: ElementType, columns: usize, text: &str) -> ValueInfoProto {
    let rows = DimensionProto { dim_value: None, dim_param: Some(ROWS.into()) };
    let columns = DimensionProto { dim_value: Some(signed(columns)), dim_param: None };
    let tensor_type = TensorTypeProto {
        elem_type: elements.code(),
        shape: Some(TensorShapeProto { dim: vec![rows, columns] }),
    };
    ValueInfoProto {
        name: name.to_owned(),
        r#type: Some(TypeProto { tensor_type: Some(tensor_type) }),
        doc_string: text.to_owned(),
    }
}
