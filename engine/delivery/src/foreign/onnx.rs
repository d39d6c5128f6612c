//! An ONNX file as a model: which columns go into its inputs, and which of its outputs is the prediction.

use std::path::PathBuf;

use arrow::array::{Array, ArrayRef, Float64Array};
use fs_err as fs;

use sluice_core::batch::Batch;
use sluice_core::column::{Column, ColumnKind, numbers};
use sluice_core::error::{CommonError, Error, Result};
use sluice_core::options::quoted;
use sluice_core::seam::{BatchSource, Task};
use sluice_onnx::{Cells, Content, Port, RuntimeSession};

use super::error::ForeignError;
use super::options::{CheckedForeign, OnnxOptions};

/// Names of the library's path, as other programs have it.
const RUNTIME_VARIABLE: &str = "ORT_DYLIB_PATH";

/// A loaded graph and its columns.
#[derive(Debug)]
pub(super) struct OnnxModel {
    file: String,
    session: RuntimeSession,
    /// By input of the graph.
    inputs: Vec<Vec<String>>,
    output: String,
}

impl OnnxModel {
    pub(super) fn load(
        options: &OnnxOptions,
        description: &CheckedForeign,
        source: &dyn BatchSource,
    ) -> Result<Self> {
        let file = options.file.display().to_string();
        let library =
            options.runtime.clone().or_else(|| std::env::var_os(RUNTIME_VARIABLE).map(PathBuf::from));
        let Some(library) = library else { return Err(ForeignError::NoRuntime { file }.into()) };
        let bytes = fs::read(&options.file).map_err(CommonError::on("read", &options.file))?;
        let session =
            RuntimeSession::load(&library, bytes).map_err(|error| Error::from(error).in_place(&file))?;
        let names: Vec<String> = session.inputs().iter().map(|port| port.name.clone()).collect();
        if let Some(unknown) = options.inputs.keys().find(|name| !names.contains(name)) {
            return Err(
                ForeignError::graph(&file, format!("it has no input `{unknown}`"), &names, "inputs").into()
            );
        }
        let columns: Vec<String> = source.plan().columns.iter().map(|column| column.name.clone()).collect();
        let of_port = |port| columns_of(port, options, &columns, &source.name(), &file);
        let inputs = session.inputs().iter().map(of_port).collect::<Result<Vec<_>>>()?;
        let output = output_of(session.outputs(), options, &description.task, &file)?;
        Ok(Self { file, session, inputs, output })
    }

    /// The columns that it reads.
    pub(super) fn columns(&self) -> Vec<String> {
        let mut columns: Vec<String> = self.inputs.iter().flatten().cloned().collect();
        columns.sort_unstable();
        columns.dedup();
        columns
    }

    /// The predictions of a batch, a column for each output of the task.
    pub(super) fn predict(&self, batch: &Batch, outputs: usize) -> Result<Vec<Float64Array>> {
        let rows = batch.rows();
        if rows == 0 {
            return Ok(vec![Float64Array::from(Vec::<f64>::new()); outputs]);
        }
        let cells = self
            .session
            .inputs()
            .iter()
            .zip(&self.inputs)
            .map(|(port, columns)| cells(port, columns, batch))
            .collect::<Result<Vec<_>>>()?;
        let located = |error| Error::from(error).in_place(&self.file);
        let (values, width) = self.session.run(cells, rows, &self.output).map_err(located)?;
        // Of two classes many graphs give both probabilities; the second is that of the positive one.
        let first = match (outputs, width) {
            (1, 2) => 1,
            (outputs, width) if outputs == width => 0,
            _ => {
                let problem = format!(
                    "output `{}` has {width} numbers a row where the task has {outputs}",
                    self.output
                );
                let hint = "`classes` must be those of the model; `onnx.output` names another output".into();
                return Err(ForeignError::Graph { file: self.file.clone(), problem, hint }.into());
            }
        };
        let column = |output: usize| -> Vec<f64> {
            values.chunks_exact(width).map(|row| row[first + output]).collect()
        };
        Ok((0..outputs).map(|output| Float64Array::from(column(output))).collect())
    }
}

/// The columns of an input.
fn columns_of(
    port: &Port,
    options: &OnnxOptions,
    columns: &[String],
    source: &str,
    file: &str,
) -> Result<Vec<String>> {
    let named = options.inputs.get(&port.name).cloned().unwrap_or_else(|| vec![port.name.clone()]);
    if let Some(missing) = named.iter().find(|name| !columns.contains(name)) {
        let error = Error::from(CommonError::ColumnMissing {
            column: missing.clone(),
            place: source.into(),
            available: columns.to_vec(),
        });
        return Err(error.in_place(format!("input `{}` of {file}", port.name)));
    }
    if port.content == Content::Other || port.width.is_some_and(|width| width != named.len()) {
        let found = named.len();
        let problem = match port.width {
            Some(width) if port.content != Content::Other => {
                format!("input `{}` takes {width} columns, but is given {found}", port.name)
            }
            _ => format!("input `{}` takes {}", port.name, port.content.name()),
        };
        let hint = format!(
            "name its columns in their order: `onnx: {{inputs: {{{}: [COLUMN, COLUMN]}}}}`",
            port.name
        );
        return Err(ForeignError::Graph { file: file.into(), problem, hint }.into());
    }
    Ok(named)
}

/// The output with the predictions.
fn output_of(outputs: &[Port], options: &OnnxOptions, task: &Task, file: &str) -> Result<String> {
    let names: Vec<String> = outputs.iter().map(|port| port.name.clone()).collect();
    let is_float = |port: &&Port| matches!(port.content, Content::Single | Content::Double);
    if let Some(name) = &options.output {
        let Some(port) = outputs.iter().find(|port| port.name == *name) else {
            return Err(
                ForeignError::graph(file, format!("it has no output `{name}`"), &names, "outputs").into()
            );
        };
        if !is_float(&port) {
            let problem = format!("output `{name}` holds {}", port.content.name());
            return Err(no_numbers(file, problem));
        }
        return Ok(name.clone());
    }
    let fitting: Vec<&Port> = outputs.iter().filter(is_float).collect();
    match fitting.as_slice() {
        [port] => Ok(port.name.clone()),
        [] => {
            let found = quoted(names.iter().map(String::as_str));
            Err(no_numbers(file, format!("none of its outputs {found} holds floating point numbers")))
        }
        several => {
            let what = match task {
                Task::Regression => "the prediction",
                Task::Binary { .. } | Task::MultiClass { .. } | Task::MultiLabel { .. } => {
                    "the probabilities"
                }
            };
            let several: Vec<String> = several.iter().map(|port| port.name.clone()).collect();
            let problem = format!("several outputs may hold {what}; name one as `onnx.output`");
            Err(ForeignError::graph(file, problem, &several, "outputs of numbers").into())
        }
    }
}

fn no_numbers(file: &str, problem: String) -> Error {
    let hint = "export probabilities as a tensor; skl2onnx does with `options={'zipmap': False}`".into();
    ForeignError::Graph { file: file.into(), problem, hint }.into()
}

/// What an input is given of a batch.
fn cells(port: &Port, columns: &[String], batch: &Batch) -> Result<Cells> {
    let arrays = columns.iter().map(|name| batch.require(name)).collect::<Result<Vec<_>>>()?;
    let (rows, width) = (batch.rows(), columns.len());
    if port.content == Content::Text {
        let mut texts = vec![String::new(); rows * width];
        for (place, (name, array)) in columns.iter().zip(arrays).enumerate() {
            let view = Column::view(array);
            for row in 0..rows {
                let text = view.text(row).ok_or_else(|| missing(port, name, array, row))?;
                text.clone_into(&mut texts[row * width + place]);
            }
        }
        return Ok(Cells::Texts(texts));
    }
    // NaN is how graphs of numbers know a missing value; whole numbers have none.
    let takes_nan = matches!(port.content, Content::Single | Content::Double);
    let mut values = vec![f64::NAN; rows * width];
    for (place, (name, array)) in columns.iter().zip(arrays).enumerate() {
        let column = numbers(name, array, "an input of the ONNX file")?;
        for row in 0..rows {
            if column.is_valid(row) {
                values[row * width + place] = column.value(row);
            } else if !takes_nan {
                return Err(missing(port, name, array, row));
            }
        }
    }
    Ok(Cells::Numbers(values))
}

fn missing(port: &Port, column: &str, array: &ArrayRef, row: usize) -> Error {
    let found =
        if array.is_null(row) { "null".to_owned() } else { ColumnKind::of(array.data_type()).to_string() };
    let error = ForeignError::Value { column: column.into(), found, input: port.name.clone() };
    Error::from(error).at_row(row)
}
