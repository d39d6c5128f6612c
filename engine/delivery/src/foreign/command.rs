//! A program as a model: it reads all rows as one Arrow IPC stream and answers with another.
//!
//! One process scores all rows in their order before anything is measured. It may answer batch by batch or after the
//! last row, cut as it likes: rows are written, answers read and messages kept by three threads, so that neither side
//! waits for the other.

use std::io::{self, BufRead, BufReader, BufWriter, Read};
use std::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::thread;

use arrow::array::{ArrayRef, Float64Array, RecordBatch, RecordBatchOptions};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::error::ArrowError;
use arrow::ipc::reader::StreamReader;
use arrow::ipc::writer::StreamWriter;

use sluice_core::RESERVED_PREFIX;
use sluice_core::column::{ColumnKind, normalize, numbers};
use sluice_core::error::{CommonError, Error, Result};
use sluice_core::execution::Execution;
use sluice_core::options::quoted;
use sluice_core::plan::Split;
use sluice_core::seam::{BatchSource, Delivery, Request};

use super::error::ForeignError;
use super::label_sets::columns_of;
use super::options::{CheckedForeign, CommandOptions};
use super::spool::{Spool, SpoolWriter};

/// As much of what a program says is kept for an error.
const KEPT_BYTES: usize = 2048;

/// The first bytes of every message of an Arrow IPC stream.
const CONTINUATION: [u8; 4] = [0xff; 4];

/// Lets the program score all rows of `source`.
pub(super) fn score(
    command: &CommandOptions,
    description: &CheckedForeign,
    source: &dyn BatchSource,
    execution: &Execution,
) -> Result<Spool> {
    let program = command.run.join(" ");
    let table = Table::of(command, description, source)?;
    let folder = std::env::temp_dir();
    let spool_problem = |source| ForeignError::Spool {
        program: program.clone(),
        folder: folder.display().to_string(),
        source,
    };
    let spool = SpoolWriter::new(&folder, description.task.outputs()).map_err(spool_problem)?;
    let mut child = Reaped::start(&command.run)?;
    let (input, output, errors) = child.pipes()?;
    let reader = AnswerReader {
        names: &command.answers,
        outputs: description.task.outputs(),
        rows: source.plan().splits.iter().map(Split::rows).sum(),
    };
    execution.progress.begin("score", source.plan().extent());
    let (sent, answer, said) = thread::scope(|scope| {
        let said = scope.spawn(|| last_words(errors));
        let answer = scope.spawn(|| reader.read(output, spool));
        let sent = table.send(source, input, execution);
        if matches!(sent, Sent::Failed(_)) {
            // The answer to half of the rows is of no use.
            child.kill();
        }
        (sent, answer.join(), said.join())
    });
    execution.progress.end();
    let stopped = |_| Error::from(CommonError::Internal("a thread of the scoring stopped".into()));
    let (answer, said) = (answer.map_err(stopped)?, said.map_err(stopped)?);
    let rows = match sent {
        Sent::Failed(error) => return Err(error),
        Sent::Rows(rows) => rows,
    };
    let status = child.0.wait().map_err(CommonError::on("wait for", &command.run[0]))?;
    if !status.success() {
        return Err(ForeignError::Died { program, status: status.to_string(), rows, said }.into());
    }
    match answer {
        Ok(spool) => Ok(spool.finish(source.plan()).map_err(spool_problem)?),
        Err(AnswerProblem::Spool(source)) => Err(spool_problem(source).into()),
        Err(AnswerProblem::Says(problem)) => Err(ForeignError::Answer { program, problem, said }.into()),
    }
}

/// A process that does not outlive its use.
struct Reaped(Child);

impl Reaped {
    fn start(words: &[String]) -> Result<Self, ForeignError> {
        let child = Command::new(&words[0])
            .args(&words[1..])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn();
        child.map(Self).map_err(|source| ForeignError::NotStarted { program: words[0].clone(), source })
    }

    fn pipes(&mut self) -> Result<(ChildStdin, ChildStdout, ChildStderr)> {
        let Child { stdin, stdout, stderr, .. } = &mut self.0;
        match (stdin.take(), stdout.take(), stderr.take()) {
            (Some(input), Some(output), Some(errors)) => Ok((input, output, errors)),
            _ => Err(CommonError::Internal("a child process without pipes".into()).into()),
        }
    }

    fn kill(&mut self) {
        // One that ended already cannot be killed, which is as good.
        let _ = self.0.kill();
    }
}

impl Drop for Reaped {
    fn drop(&mut self) {
        self.kill();
        let _ = self.0.wait();
    }
}

/// The columns that the program is sent.
struct Table {
    indices: Vec<usize>,
    schema: SchemaRef,
}

/// How sending ended.
enum Sent {
    /// The program took so many rows: all, or until it stopped reading.
    Rows(u64),
    /// The rows could not be read.
    Failed(Error),
}

impl Table {
    fn of(command: &CommandOptions, description: &CheckedForeign, source: &dyn BatchSource) -> Result<Self> {
        let columns = &source.plan().columns;
        let is_sent = |name: &str| {
            !description.label_columns.iter().any(|label| label == name) && !name.starts_with(RESERVED_PREFIX)
        };
        let names: Vec<&str> = if command.columns.is_empty() {
            columns.iter().map(|column| column.name.as_str()).filter(|name| is_sent(name)).collect()
        } else {
            command.columns.iter().map(String::as_str).collect()
        };
        let mut indices = Vec::with_capacity(names.len());
        let mut fields = Vec::with_capacity(names.len());
        for name in names {
            let index = columns.iter().position(|column| column.name == name).ok_or_else(|| {
                CommonError::ColumnMissing {
                    column: name.into(),
                    place: source.name(),
                    available: columns.iter().map(|column| column.name.clone()).collect(),
                }
            })?;
            let kind = &columns[index].kind;
            let Some(normal) = kind.normal_type() else {
                // Of all columns those are left out that have no form; one that was asked for is not.
                if command.columns.is_empty() {
                    continue;
                }
                return Err(CommonError::ColumnKind {
                    column: name.into(),
                    found: kind.to_string(),
                    expected: "numbers, text, booleans, dates or timestamps",
                    purpose: "a program".into(),
                }
                .into());
            };
            fields.push(Field::new(name, sent_type(&normal), true));
            indices.push(index);
        }
        Ok(Self { indices, schema: Arc::new(Schema::new(fields)) })
    }

    fn send(&self, source: &dyn BatchSource, input: ChildStdin, execution: &Execution) -> Sent {
        let mut rows = 0;
        match self.try_send(source, input, execution, &mut rows) {
            // Its status or its answer says why it stopped reading.
            Ok(()) | Err(SendProblem::Pipe) => Sent::Rows(rows),
            Err(SendProblem::Rows(error)) => Sent::Failed(error),
        }
    }

    fn try_send(
        &self,
        source: &dyn BatchSource,
        input: ChildStdin,
        execution: &Execution,
        sent: &mut u64,
    ) -> Result<(), SendProblem> {
        let pipe = |_| SendProblem::Pipe;
        let mut writer = StreamWriter::try_new(BufWriter::new(input), &self.schema).map_err(pipe)?;
        let request = self.request();
        let plan = source.plan();
        for split in &plan.splits {
            let (mut first_row, mut is_broken) = (0, false);
            let read = source.read(split, &request, &mut |delivery| {
                let Delivery::Rows(batch) = delivery else { return Ok(()) };
                execution.cancel.check()?;
                let rows = batch.num_rows() as u64;
                if writer.write(&self.ordered(&batch)?).is_err() {
                    is_broken = true;
                    return Err(CommonError::Internal("the program takes no more rows".into()).into());
                }
                execution.advance(plan, split, first_row, rows);
                first_row += rows;
                *sent += rows;
                Ok(())
            });
            if is_broken {
                return Err(SendProblem::Pipe);
            }
            read.map_err(SendProblem::Rows)?;
        }
        writer.finish().map_err(pipe)
    }

    /// Sources are asked for columns in their own order.
    fn request(&self) -> Request {
        let mut indices = self.indices.clone();
        indices.sort_unstable();
        indices.dedup();
        Request::of_rows(indices)
    }

    /// A batch of the source as it is sent.
    fn ordered(&self, batch: &RecordBatch) -> Result<RecordBatch> {
        let request = self.request();
        let failed =
            |error: ArrowError| CommonError::Internal(format!("rows cannot be sent to a program: {error}"));
        let mut columns: Vec<ArrayRef> = Vec::with_capacity(self.indices.len());
        for (index, field) in self.indices.iter().zip(self.schema.fields()) {
            let place = request.rows.partition_point(|other| other < index);
            columns.push(cast(batch.column(place), field.data_type()).map_err(failed)?);
        }
        let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
        Ok(RecordBatch::try_new_with_options(Arc::clone(&self.schema), columns, &options).map_err(failed)?)
    }
}

enum SendProblem {
    /// The program reads no more.
    Pipe,
    /// The source gives no more.
    Rows(Error),
}

/// Types that every reader of Arrow knows.
fn sent_type(normal: &DataType) -> DataType {
    match normal {
        DataType::Utf8View => DataType::Utf8,
        DataType::BinaryView => DataType::Binary,
        DataType::Dictionary(_, values) => sent_type(values),
        other => other.clone(),
    }
}

/// Reads what the program answers.
struct AnswerReader<'a> {
    /// The columns that are predictions; the first ones if none are named.
    names: &'a [String],
    outputs: usize,
    /// Rows that there must be.
    rows: u64,
}

enum AnswerProblem {
    /// It is not what it must be; continues a sentence.
    Says(String),
    /// It cannot be kept.
    Spool(io::Error),
}

impl From<ArrowError> for AnswerProblem {
    fn from(error: ArrowError) -> Self {
        Self::Says(format!("is not a sound Arrow IPC stream: {error}"))
    }
}

impl AnswerReader<'_> {
    fn read(&self, output: ChildStdout, spool: SpoolWriter) -> Result<SpoolWriter, AnswerProblem> {
        let mut output = BufReader::new(output);
        let answer = self.take(&mut output, spool);
        // A program whose answer no one reads would wait, or die of it before it can say what is wrong.
        let _ = io::copy(&mut output, &mut io::sink());
        answer
    }

    fn take(
        &self,
        output: &mut BufReader<ChildStdout>,
        mut spool: SpoolWriter,
    ) -> Result<SpoolWriter, AnswerProblem> {
        // A pipe may give them one by one.
        let mut begin = Vec::with_capacity(CONTINUATION.len());
        let read = output.by_ref().take(CONTINUATION.len() as u64).read_to_end(&mut begin);
        read.map_err(|error| AnswerProblem::Says(format!("cannot be read: {error}")))?;
        if begin.is_empty() {
            return Err(AnswerProblem::Says("is empty".into()));
        }
        // Anything else would be taken for a length.
        if begin != CONTINUATION {
            begin.extend_from_slice(output.fill_buf().unwrap_or_default());
            let text: String = String::from_utf8_lossy(&begin).chars().take(40).collect();
            return Err(AnswerProblem::Says(format!("is not an Arrow IPC stream: it begins with {text:?}")));
        }
        let stream = StreamReader::try_new(begin.as_slice().chain(output), None)?;
        let schema = stream.schema();
        let places = self.places(&schema)?;
        let is_list = places.len() < self.outputs;
        for batch in stream {
            let batch = batch?;
            let columns = if is_list {
                list_columns(schema.field(places[0]).name(), batch.column(places[0]), self.outputs)?
            } else {
                places
                    .iter()
                    .map(|&place| number_column(schema.field(place).name(), batch.column(place)))
                    .collect::<Result<Vec<_>, _>>()?
            };
            if spool.rows() + batch.num_rows() as u64 > self.rows {
                return Err(AnswerProblem::Says(format!("has more rows than the {} of the data", self.rows)));
            }
            spool.add(&columns).map_err(AnswerProblem::Spool)?;
        }
        if spool.rows() < self.rows {
            let (found, needed) = (spool.rows(), self.rows);
            return Err(AnswerProblem::Says(format!("has {found} rows where the data have {needed}")));
        }
        Ok(spool)
    }

    fn places(&self, schema: &Schema) -> Result<Vec<usize>, AnswerProblem> {
        let names: Vec<&str> = schema.fields().iter().map(|field| field.name().as_str()).collect();
        if self.names.is_empty() {
            // A list per row holds them all.
            let is_list =
                |field: &Arc<Field>| matches!(ColumnKind::of(field.data_type()), ColumnKind::List(_));
            if self.outputs > 1 && schema.fields().first().is_some_and(is_list) {
                return Ok(vec![0]);
            }
            if names.len() < self.outputs {
                let (found, needed) = (names.len(), self.outputs);
                return Err(AnswerProblem::Says(format!(
                    "has {found} columns where {needed} are predictions"
                )));
            }
            return Ok((0..self.outputs).collect());
        }
        let place = |name: &String| {
            names.iter().position(|other| other == name).ok_or_else(|| {
                let there = quoted(names.iter().copied());
                AnswerProblem::Says(format!("has no column `{name}`; its columns are {there}"))
            })
        };
        self.names.iter().map(place).collect()
    }
}

fn number_column(name: &str, column: &ArrayRef) -> Result<Float64Array, AnswerProblem> {
    let values = normalize(column).and_then(|column| numbers(name, &column, "a prediction"));
    values.map_err(|error| AnswerProblem::Says(format!("is not of numbers: {error}")))
}

fn list_columns(name: &str, column: &ArrayRef, width: usize) -> Result<Vec<Float64Array>, AnswerProblem> {
    let values = normalize(column).and_then(|column| columns_of(name, &column, width));
    values.map_err(|error| AnswerProblem::Says(format!("is not of lists of {width} numbers: {error}")))
}

/// The last lines of what a program writes to its standard error.
fn last_words(errors: ChildStderr) -> String {
    let mut kept: Vec<u8> = Vec::new();
    let mut errors = BufReader::new(errors);
    loop {
        let taken = match errors.fill_buf() {
            Ok([]) => break,
            Ok(bytes) => {
                kept.extend_from_slice(bytes);
                bytes.len()
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(_) => break,
        };
        errors.consume(taken);
        let surplus = kept.len().saturating_sub(KEPT_BYTES);
        kept.drain(..surplus);
    }
    let text = String::from_utf8_lossy(&kept);
    let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    lines[lines.len().saturating_sub(3)..].join(" | ")
}
