//! Running a foreign graph by onnxruntime, a shared library that is loaded when it is asked for: nothing of it is in
//! this program.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, OnceLock, PoisonError};

use ort::environment::Environment;
use ort::session::{Session, SessionInputValue};
use ort::value::{Outlet, Tensor, TensorElementType};

use crate::error::OnnxError;

/// The library and its environment: there can be one in a process.
static LIBRARY: OnceLock<(PathBuf, Environment)> = OnceLock::new();

/// Held while the library is loaded.
static LOADING: Mutex<()> = Mutex::new(());

/// A graph that onnxruntime runs.
#[derive(Debug)]
pub struct RuntimeSession {
    file: Vec<u8>,
    inputs: Vec<Port>,
    outputs: Vec<Port>,
    /// One for each thread that ran rows at a time.
    idle: Mutex<Vec<Session>>,
}

/// An input or output of a graph.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Port {
    /// Its name.
    pub name: String,
    /// What it holds.
    pub content: Content,
    /// Numbers or texts of a row; none where the graph leaves that open.
    pub width: Option<usize>,
    /// Whether it is a list of rows, not a table of one column.
    pub is_flat: bool,
}

/// What an input or output of a graph holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content {
    /// Numbers of single precision.
    Single,
    /// Numbers of double precision.
    Double,
    /// Whole numbers of 64 bits.
    Integer,
    /// Whole numbers of 32 bits.
    ShortInteger,
    /// True or false.
    Boolean,
    /// Text.
    Text,
    /// What cannot be given or taken here: maps, sequences, numbers of other kinds.
    Other,
}

/// What an input is given, row by row.
#[derive(Clone, Debug)]
pub enum Cells {
    /// Numbers, which become those of the input: single precision is the nearest, booleans are 0 and 1.
    Numbers(Vec<f64>),
    /// Texts.
    Texts(Vec<String>),
}

impl RuntimeSession {
    /// Loads the library, unless it is loaded, and the graph.
    ///
    /// # Errors
    /// [`OnnxError::Library`] when the library cannot be loaded or another one is; [`OnnxError::Foreign`] when it
    /// does not take the file.
    pub fn load(library: &Path, file: Vec<u8>) -> Result<Self, OnnxError> {
        let session = start(environment(library)?, &file)?;
        let ports = |outlets: &[Outlet]| outlets.iter().map(Port::of).collect();
        let (inputs, outputs) = (ports(session.inputs()), ports(session.outputs()));
        Ok(Self { file, inputs, outputs, idle: Mutex::new(vec![session]) })
    }

    /// What goes in, in the order of the graph.
    #[must_use]
    pub fn inputs(&self) -> &[Port] {
        &self.inputs
    }

    /// What comes out, in the order of the graph.
    #[must_use]
    pub fn outputs(&self) -> &[Port] {
        &self.outputs
    }

    /// An output for some rows, row by row, and how many numbers a row has. `cells` are those of the inputs, in
    /// order.
    ///
    /// # Errors
    /// [`OnnxError::Inputs`] when the cells are not those of the inputs; [`OnnxError::Foreign`] when the library
    /// stops, or when what comes out is not floating point numbers of so many rows.
    pub fn run(&self, cells: Vec<Cells>, rows: usize, output: &str) -> Result<(Vec<f64>, usize), OnnxError> {
        if cells.len() != self.inputs.len() {
            return Err(OnnxError::Inputs {
                expected: format!("{} inputs", self.inputs.len()),
                found: cells.len().to_string(),
            });
        }
        let values = self
            .inputs
            .iter()
            .zip(cells)
            .map(|(port, cells)| Ok((port.name.clone(), port.value(cells, rows)?)))
            .collect::<Result<Vec<_>, OnnxError>>()?;
        let idle = || self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let taken = idle().pop();
        let mut session = match (taken, LIBRARY.get()) {
            (Some(session), _) => session,
            (None, Some((_, environment))) => start(environment, &self.file)?,
            (None, None) => return Err(foreign("run", "the library is not loaded")),
        };
        let numbers = numbers(&mut session, values, rows, output);
        idle().push(session);
        numbers
    }
}

/// The environment of the library.
fn environment(library: &Path) -> Result<&'static Environment, OnnxError> {
    let problem = |problem: String| OnnxError::Library { path: library.display().to_string(), problem };
    let _guard = LOADING.lock().unwrap_or_else(PoisonError::into_inner);
    if LIBRARY.get().is_none() {
        let builder = ort::init_from(library).map_err(|error| problem(error.to_string()))?;
        let built = builder.with_name("sluice").with_telemetry(false).build();
        let environment = built.map_err(|error| problem(error.to_string()))?;
        let _ = LIBRARY.set((library.to_path_buf(), environment));
    }
    match LIBRARY.get() {
        Some((loaded, environment)) if loaded == library => Ok(environment),
        Some((loaded, _)) => {
            Err(problem(format!("`{}` is loaded already, and there can be one", loaded.display())))
        }
        None => Err(problem("it was not kept".into())),
    }
}

/// A session of one thread: the rows are shared out among threads before.
fn start(environment: &Environment, file: &[u8]) -> Result<Session, OnnxError> {
    let built = || -> Result<Session, String> {
        let builder = Session::builder(environment).map_err(|error| error.to_string())?;
        let builder = builder.with_intra_threads(1).map_err(|error| error.to_string())?;
        let mut builder = builder.with_inter_threads(1).map_err(|error| error.to_string())?;
        builder.commit_from_memory(file).map_err(|error| error.to_string())
    };
    built().map_err(|problem| foreign("read", problem))
}

fn foreign(action: &'static str, problem: impl Into<String>) -> OnnxError {
    OnnxError::Foreign { action, problem: problem.into() }
}

fn numbers(
    session: &mut Session,
    values: Vec<(String, SessionInputValue<'static>)>,
    rows: usize,
    output: &str,
) -> Result<(Vec<f64>, usize), OnnxError> {
    let outputs = session.run(values).map_err(|error| foreign("run", error.to_string()))?;
    let value = outputs.get(output).ok_or_else(|| foreign("run", format!("it has no output `{output}`")))?;
    let (shape, numbers): (&[i64], Vec<f64>) = if let Ok((shape, values)) = value.try_extract_tensor::<f32>()
    {
        (shape, values.iter().map(|value| f64::from(*value)).collect())
    } else if let Ok((shape, values)) = value.try_extract_tensor::<f64>() {
        (shape, values.to_vec())
    } else {
        return Err(foreign("run", format!("output `{output}` is not a tensor of floating point numbers")));
    };
    let width = numbers.len().checked_div(rows).unwrap_or(0);
    let is_of_rows = shape.first().and_then(|first| usize::try_from(*first).ok()) == Some(rows);
    if !is_of_rows || width * rows != numbers.len() {
        let text = format!("output `{output}` has the shape {shape:?} for {rows} rows");
        return Err(foreign("run", text));
    }
    Ok((numbers, width))
}

impl Port {
    fn of(outlet: &Outlet) -> Self {
        let content = match outlet.dtype().tensor_type() {
            Some(TensorElementType::Float32) => Content::Single,
            Some(TensorElementType::Float64) => Content::Double,
            Some(TensorElementType::Int64) => Content::Integer,
            Some(TensorElementType::Int32) => Content::ShortInteger,
            Some(TensorElementType::Bool) => Content::Boolean,
            Some(TensorElementType::String) => Content::Text,
            _ => Content::Other,
        };
        let shape = outlet.dtype().tensor_shape();
        let is_flat = shape.is_some_and(|shape| shape.len() == 1);
        let width = match outlet.dtype().tensor_shape().map(|shape| shape.to_vec()).as_deref() {
            // One number for each row.
            Some([_]) => Some(1),
            Some([_, width]) => usize::try_from(*width).ok(),
            _ => None,
        };
        Self { name: outlet.name().into(), content, width, is_flat }
    }

    /// The cells as a tensor of this input.
    fn value(&self, cells: Cells, rows: usize) -> Result<SessionInputValue<'static>, OnnxError> {
        let count = match &cells {
            Cells::Numbers(values) => values.len(),
            Cells::Texts(values) => values.len(),
        };
        let width = count.checked_div(rows).or(self.width).unwrap_or(1);
        if width * rows != count {
            return Err(self.mismatch(format!("{count} cells for {rows} rows")));
        }
        let shape = if self.is_flat { vec![rows] } else { vec![rows, width] };
        let built = match (self.content, cells) {
            (Content::Text, Cells::Texts(values)) => {
                Tensor::from_string_array((shape, values.as_slice())).map(Into::into)
            }
            (Content::Single, Cells::Numbers(values)) => {
                #[expect(clippy::cast_possible_truncation, reason = "the graph takes single precision")]
                let values: Vec<f32> = values.into_iter().map(|value| value as f32).collect();
                Tensor::from_array((shape, values)).map(Into::into)
            }
            (Content::Double, Cells::Numbers(values)) => Tensor::from_array((shape, values)).map(Into::into),
            (Content::Integer, Cells::Numbers(values)) => {
                Tensor::from_array((shape, self.whole(&values)?)).map(Into::into)
            }
            (Content::ShortInteger, Cells::Numbers(values)) => {
                let short = |value: i64| {
                    i32::try_from(value)
                        .map_err(|_| self.mismatch(format!("{value}, which 32 bits cannot hold")))
                };
                let values = self.whole(&values)?.into_iter().map(short).collect::<Result<Vec<_>, _>>()?;
                Tensor::from_array((shape, values)).map(Into::into)
            }
            (Content::Boolean, Cells::Numbers(values)) => {
                let values: Vec<bool> = self.whole(&values)?.into_iter().map(|value| value != 0).collect();
                Tensor::from_array((shape, values)).map(Into::into)
            }
            (_, Cells::Numbers(_)) => return Err(self.mismatch("numbers".into())),
            (_, Cells::Texts(_)) => return Err(self.mismatch("texts".into())),
        };
        built.map_err(|error: ort::Error| foreign("run", error.to_string()))
    }

    fn whole(&self, values: &[f64]) -> Result<Vec<i64>, OnnxError> {
        let whole = |value: &f64| {
            // From here on they are not all told apart.
            #[expect(clippy::cast_possible_truncation, reason = "whole and below 2^53")]
            if value.fract() == 0.0 && value.abs() < (1_u64 << 53) as f64 {
                Ok(*value as i64)
            } else {
                Err(self.mismatch(format!("{value}, which is no whole number")))
            }
        };
        values.iter().map(whole).collect()
    }

    fn mismatch(&self, found: String) -> OnnxError {
        let Self { name, content, .. } = self;
        OnnxError::Inputs { expected: format!("{} as input `{name}`", content.name()), found }
    }
}

impl Content {
    /// In words.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Single => "numbers of single precision",
            Self::Double => "numbers of double precision",
            Self::Integer => "whole numbers of 64 bits",
            Self::ShortInteger => "whole numbers of 32 bits",
            Self::Boolean => "booleans",
            Self::Text => "texts",
            Self::Other => "what is no tensor of numbers or texts",
        }
    }
}
