//! Running a graph by tract. It is run as it is written, without tract's rewriting: what is looked at is
//! the graph, not an optimizer.

use std::sync::Arc;

use tract_onnx::prelude::{
    Datum, Framework as _, InferenceModelExt as _, IntoRunnable as _, IntoTValue as _, TValue, TractError,
    TractResult, TypedRunnableModel, tract_ndarray,
};

use crate::error::OnnxError;
use crate::tensor::Tensor;

/// A graph that can run.
#[derive(Debug)]
pub struct Session {
    model: Arc<TypedRunnableModel>,
    inputs: usize,
}

impl Session {
    /// Reads a file.
    ///
    /// # Errors
    /// [`OnnxError::Runtime`] when it is broken, or has operators that tract lacks.
    pub fn new(file: &[u8]) -> Result<Self, OnnxError> {
        let read = || -> TractResult<Self> {
            let model = tract_onnx::onnx().model_for_read(&mut &*file)?;
            let inputs = model.inputs.len();
            Ok(Self { model: model.into_typed()?.into_runnable()?, inputs })
        };
        read().map_err(runtime("read"))
    }

    /// The outputs for rows: double precision, row by row. `inputs` are of one column each, in the order
    /// of the graph.
    ///
    /// # Errors
    /// [`OnnxError::Inputs`] when there are fewer or more inputs, or they are of several lengths;
    /// [`OnnxError::Runtime`] when tract stops, as it does for an input of another type.
    pub fn run(&self, inputs: &[Tensor]) -> Result<Vec<Vec<f64>>, OnnxError> {
        let rows = inputs.first().map_or(0, Tensor::len);
        if inputs.len() != self.inputs || inputs.iter().any(|input| input.len() != rows) {
            let lengths: Vec<String> = inputs.iter().map(|input| input.len().to_string()).collect();
            return Err(OnnxError::Inputs {
                expected: format!("{} inputs of equal length", self.inputs),
                found: format!("{} of the lengths {}", inputs.len(), lengths.join(", ")),
            });
        }
        let run = || -> TractResult<Vec<Vec<f64>>> {
            let columns = inputs.iter().map(column).collect::<TractResult<_>>()?;
            let outputs = self.model.run(columns)?;
            outputs
                .iter()
                .map(|output| Ok(output.to_plain_array_view::<f64>()?.iter().copied().collect()))
                .collect()
        };
        run().map_err(runtime("run"))
    }
}

fn runtime(action: &'static str) -> impl FnOnce(TractError) -> OnnxError {
    move |error| OnnxError::Runtime { action, problem: format!("{error:#}") }
}

fn column(values: &Tensor) -> TractResult<TValue> {
    fn of<T: Datum>(values: &[T]) -> TractResult<TValue> {
        let array = tract_ndarray::Array2::from_shape_vec((values.len(), 1), values.to_vec())?;
        Ok(tract_onnx::prelude::Tensor::from(array).into_tvalue())
    }
    match values {
        Tensor::Double(values) => of(values),
        Tensor::Single(values) => of(values),
        Tensor::Integer(values) => of(values),
        Tensor::Unsigned(values) => of(values),
        Tensor::Boolean(values) => of(values),
        Tensor::Text(values) => of(values),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ElementType, GraphBuilder, Operator};

    fn doubled() -> Vec<u8> {
        let mut graph = GraphBuilder::new("test");
        let x = graph.input("x", ElementType::Double, "").unwrap();
        let text = graph.input("text", ElementType::Text, "").unwrap();
        let two = graph.number(2.0);
        let twice = graph.node(&Operator::Mul, &[&x, &two]);
        let categories = vec!["a".to_owned(), "b".to_owned()];
        let code = graph.node(&Operator::CategoryMapper { categories }, &[&text]);
        let code = graph.node(&Operator::Cast(ElementType::Double), &[&code]);
        let both = graph.node(&Operator::Concat, &[&twice, &code]);
        graph.output("y", &both, (ElementType::Double, 2), "").unwrap();
        let sum = graph.sum_of_rows(&both);
        graph.output("sum", &sum, (ElementType::Double, 1), "").unwrap();
        graph.finish()
    }

    #[test]
    fn a_written_graph_runs_on_any_number_of_rows() {
        let session = Session::new(&doubled()).unwrap();
        for rows in [1_usize, 3] {
            let x = Tensor::Double((0..rows).map(|row| row as f64).collect());
            let text = Tensor::Text(["b", "z", "a"].iter().take(rows).map(|t| (*t).into()).collect());
            let outputs = session.run(&[x, text]).unwrap();
            let expected = [0.0, 1.0, 2.0, -1.0, 4.0, 0.0];
            assert_eq!(outputs[0], expected[..2 * rows]);
            assert_eq!(outputs[1], [1.0, 1.0, 4.0][..rows]);
        }
    }

    #[test]
    fn the_same_calls_give_the_same_bytes() {
        assert_eq!(doubled(), doubled());
    }

    #[test]
    fn what_no_output_is_made_of_is_left_out() {
        let twice = |is_more: bool| {
            let mut graph = GraphBuilder::new("test");
            let x = graph.input("x", ElementType::Double, "").unwrap();
            let two = graph.number(2.0);
            let twice = graph.node(&Operator::Mul, &[&x, &two]);
            graph.output("y", &twice, (ElementType::Double, 1), "").unwrap();
            if is_more {
                let three = graph.number(3.0);
                let thrice = graph.node(&Operator::Mul, &[&twice, &three]);
                let _ = graph.is_nan(&thrice);
            }
            graph.finish()
        };
        assert_eq!(twice(true), twice(false));
    }

    #[test]
    fn tables_are_looked_up_from_both_ends() {
        let mut graph = GraphBuilder::new("test");
        let x = graph.input("x", ElementType::Integer, "").unwrap();
        let table = graph.table(&Tensor::Double(vec![5.0, 7.0, 11.0]));
        let found = graph.node(&Operator::Gather, &[&table, &x]);
        let row = graph.row(&Tensor::Double(vec![1.0, 10.0]));
        let both = graph.node(&Operator::Mul, &[&found, &row]);
        let last = graph.select_column(&both, 1);
        let seven = graph.row(&Tensor::Integer(vec![7]));
        assert!(graph.is_fixed(&seven) && !graph.is_fixed(&last));
        assert_eq!((graph.integer_of(&seven), graph.integer_of(&last)), (Some(7), None));
        graph.output("y", &last, (ElementType::Double, 1), "").unwrap();
        let session = Session::new(&graph.finish()).unwrap();
        let found = session.run(&[Tensor::Integer(vec![1, -1, 0])]).unwrap();
        assert_eq!(found[0], [70.0, 110.0, 50.0]);
    }

    #[test]
    fn what_does_not_fit_is_an_error() {
        let session = Session::new(&doubled()).unwrap();
        let text = Tensor::Text(vec!["a".into()]);
        let few = session.run(std::slice::from_ref(&text)).unwrap_err();
        assert_eq!(
            few.to_string(),
            "the ONNX graph takes 2 inputs of equal length, but was given 1 of the lengths 1"
        );
        assert!(matches!(session.run(&[text.clone(), text]), Err(OnnxError::Runtime { action: "run", .. })));
        assert!(matches!(Session::new(&doubled()[..40]), Err(OnnxError::Runtime { action: "read", .. })));
        let mut graph = GraphBuilder::new("test");
        graph.input("x", ElementType::Double, "").unwrap();
        assert!(matches!(graph.input("x", ElementType::Double, ""), Err(OnnxError::NameTaken { .. })));
    }
}
