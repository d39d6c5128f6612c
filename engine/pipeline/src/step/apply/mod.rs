//! Apply: the features of rows in bulk, as a table for people and other programs or as a matrix for trainers, in the
//! order of the rows. Splits are computed and encoded on all threads and put together in their order, so that the
//! files are the same bytes for any number of threads.

mod columns;
mod matrix;
mod source;
pub(super) mod table;

use std::path::Path;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use serde::{Deserialize, Serialize};

use sluice_core::artifact::{Artifact, Draft};
use sluice_core::batch::Batch;
use sluice_core::error::{CommonError, Result};
use sluice_core::execution::{Execution, Extent};
use sluice_core::features::FeatureBatch;
use sluice_core::fold::{Task, in_order_weighed};
use sluice_core::options::OptionsError;
use sluice_core::plan::Split;
use sluice_core::seam::{BatchSource, BatchTransform, Delivery, Request};

use crate::step::made_from;
use matrix::{MatrixEncoder, MatrixWriter};
use table::{TableEncoder, TableWriter};

pub use columns::{FeatureOutput, OutputColumn, column_map, output_schema};
pub(crate) use source::FeatureSource;

/// The artifact's kind.
pub const FEATURES_KIND: &str = "features";
/// The version of its format.
pub const FEATURES_VERSION: u32 = 1;
const RECORD_FILE: &str = "features.json";
/// Columns that are passed through beside a matrix.
const KEPT_FILE: &str = "kept.parquet";

/// How features are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FeatureLayout {
    /// A Parquet file, levels as codes or, expanded, as one column each.
    Parquet {
        /// Whether levels and terms become columns.
        expanded: bool,
    },
    /// An Arrow IPC file, levels as codes or, expanded, as one column each.
    Arrow {
        /// Whether levels and terms become columns.
        expanded: bool,
    },
    /// A TFRecord file of `tf.Example`, packed with gzip, levels as codes or, expanded, as one column each.
    Tfrecord {
        /// Whether levels and terms become columns.
        expanded: bool,
    },
    /// A matrix of NumPy's format, row by row.
    Npy {
        /// The type of its cells.
        cells: CellType,
    },
    /// A matrix of safetensors, row by row.
    Safetensors {
        /// The type of its cells.
        cells: CellType,
    },
    /// A matrix without its zeros, as compressed sparse rows in safetensors.
    Csr {
        /// The type of its cells.
        cells: CellType,
    },
}

/// The type of the cells of a matrix.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CellType {
    /// Single precision, rounded to the nearest.
    F32,
    /// Double precision, as computed.
    F64,
}

impl FeatureLayout {
    /// The file of the features.
    #[must_use]
    pub fn file(self) -> &'static str {
        match self {
            Self::Parquet { .. } => "part-00000.parquet",
            Self::Arrow { .. } => "part-00000.arrow",
            // What TFX's Transform calls it.
            Self::Tfrecord { .. } => "transformed_examples-00000-of-00001.gz",
            Self::Npy { .. } => "features.npy",
            Self::Safetensors { .. } | Self::Csr { .. } => "features.safetensors",
        }
    }

    /// Whether it is a table, which has columns with names.
    fn is_table(self) -> bool {
        self.expanded().is_some()
    }

    /// Whether levels and terms of a table become columns; `None` for a matrix.
    fn expanded(self) -> Option<bool> {
        match self {
            Self::Parquet { expanded } | Self::Arrow { expanded } | Self::Tfrecord { expanded } => {
                Some(expanded)
            }
            Self::Npy { .. } | Self::Safetensors { .. } | Self::Csr { .. } => None,
        }
    }
}

/// What became of the rows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FeaturesRecord {
    /// Rows read and written.
    pub rows: u64,
    /// Columns of the design matrix.
    pub width: usize,
    /// How the features are written.
    pub layout: FeatureLayout,
    /// The columns that were passed through.
    pub kept: Vec<String>,
    /// What each feature is and what it is made from, in the order of the columns.
    pub features: Vec<FeatureOutput>,
}

/// Computes the features of every row of `source` and writes them, with the columns `keep`, to `target`. For the rows
/// that the transform was fitted on, hand over what `OfTrainingRows::of` makes of it.
///
/// # Errors
/// A column that is missing or of another type than at fitting; what reading and writing meet.
pub fn apply(
    (transform, digest): (&dyn BatchTransform, &str),
    source: &dyn BatchSource,
    layout: FeatureLayout,
    keep: &[String],
    target: &Path,
    execution: &Execution,
) -> Result<(FeaturesRecord, Artifact)> {
    let work = Work::new(transform, source, layout, keep)?;
    let mut draft = Draft::new(target)?;
    let mut writer = Writer::new(&mut draft, &work, source.plan().rows())?;
    execution.progress.begin("apply", source.plan().extent());
    in_order_weighed(
        &source.plan().splits,
        execution,
        Encoder::size_bytes,
        |split, task| work.encode(source, split, (execution, task)),
        |_, encoded| writer.append(encoded),
    )?;
    execution.progress.begin("writing", Extent::default());
    let rows = writer.finish(&mut draft)?;
    execution.progress.end();
    let expected = source.plan().rows();
    if rows != expected {
        return Err(
            CommonError::Internal(format!("{expected} rows were planned and {rows} were written")).into()
        );
    }
    let space = transform.space();
    let record = FeaturesRecord {
        rows,
        width: space.width(),
        layout,
        kept: keep.to_vec(),
        features: column_map(space),
    };
    draft.write_json(RECORD_FILE, &record)?;
    let made_of = [("data", source.plan().digest.as_str()), ("transform", digest)];
    let artifact = draft.publish(FEATURES_KIND, FEATURES_VERSION, made_from(made_of))?;
    Ok((record, artifact))
}

/// What is read, computed and written.
struct Work<'a> {
    transform: &'a dyn BatchTransform,
    layout: FeatureLayout,
    request: Request,
    /// The columns that are passed through.
    kept: Vec<Field>,
    /// The columns of the table: those passed through, then the features; of a matrix the former alone.
    schema: SchemaRef,
}

impl<'a> Work<'a> {
    fn new(
        transform: &'a dyn BatchTransform,
        source: &dyn BatchSource,
        layout: FeatureLayout,
        keep: &[String],
    ) -> Result<Self> {
        let plan = source.plan();
        let inputs = transform.inputs();
        for column in inputs.iter().chain(keep) {
            plan.require(column, &source.name())?;
        }
        let kept = keep
            .iter()
            .map(|name| Ok(Field::new(name, scalar_type(source, name)?, true)))
            .collect::<Result<Vec<_>>>()?;
        let mut fields = kept.clone();
        if let Some(expanded) = layout.expanded() {
            fields.extend(table::fields(transform.space(), expanded));
        }
        refuse_repeated(&fields)?;
        let wanted = |name: &String| inputs.contains(name) || keep.contains(name);
        let rows = (0..plan.columns.len()).filter(|index| wanted(&plan.columns[*index].name)).collect();
        let request = Request::of_rows(rows);
        Ok(Self { transform, layout, request, kept, schema: Arc::new(Schema::new(fields)) })
    }

    /// Reads a split, computes its features and encodes them.
    fn encode(
        &self,
        source: &dyn BatchSource,
        split: &Split,
        (execution, task): (&Execution, &Task<'_>),
    ) -> Result<Encoder> {
        let (mut encoder, mut first_row) = (Encoder::new(self), 0);
        source.read(split, &self.request, &mut |delivery| {
            execution.cancel.check()?;
            let Delivery::Rows(record_batch) = delivery else { return Ok(()) };
            let batch = Batch::new(&record_batch);
            let features = self
                .transform
                .apply(&batch)
                .map_err(|error| source.plan().located(error, &source.name(), split.number, first_row))?;
            let kept = self.kept(&batch)?;
            encoder.push(self, kept, &features)?;
            let rows = batch.rows() as u64;
            task.advance(execution, source.plan(), split, first_row, rows);
            first_row += rows;
            Ok(task.holds(encoder.size_bytes())?)
        })?;
        encoder.finish()
    }

    /// The columns of a batch that are passed through.
    fn kept(&self, batch: &Batch) -> Result<Vec<ArrayRef>> {
        let kept = |field: &Field| {
            cast(batch.require(field.name())?, field.data_type())
                .map_err(|error| CommonError::Internal(error.to_string()).into())
        };
        self.kept.iter().map(kept).collect()
    }

    fn batch(&self, columns: Vec<ArrayRef>) -> Result<RecordBatch> {
        RecordBatch::try_new(Arc::clone(&self.schema), columns)
            .map_err(|error| CommonError::Internal(error.to_string()).into())
    }
}

/// The type of a column that is passed through.
pub(super) fn scalar_type(source: &dyn BatchSource, name: &str) -> Result<DataType> {
    let kind = source.plan().column(name).map(|column| column.kind.clone());
    kind.and_then(|kind| kind.normal_type()).ok_or_else(|| {
        CommonError::ColumnKind {
            column: name.to_owned(),
            found: "nested".into(),
            expected: "a scalar",
            purpose: "passing it through".into(),
        }
        .into()
    })
}

/// Refuses columns that would be written twice.
fn refuse_repeated(fields: &[Field]) -> Result<()> {
    for (index, field) in fields.iter().enumerate() {
        if fields[..index].iter().any(|earlier| earlier.name() == field.name()) {
            return Err(OptionsError::Conflict {
                name: "keep".into(),
                problem: format!("names `{}`, which would be written twice", field.name()),
                hint: Some("keep columns once, and none that is called like a feature".into()),
            }
            .into());
        }
    }
    Ok(())
}

/// The encoded rows of a split.
enum Encoder {
    Table(TableEncoder),
    Matrix(MatrixEncoder, Option<TableEncoder>),
}

impl Encoder {
    fn new(work: &Work<'_>) -> Self {
        let kept = || (!work.kept.is_empty()).then(|| TableEncoder::parquet(KEPT_FILE, &work.schema));
        match work.layout {
            FeatureLayout::Parquet { .. } => {
                Self::Table(TableEncoder::parquet(work.layout.file(), &work.schema))
            }
            FeatureLayout::Arrow { .. } => Self::Table(TableEncoder::arrow()),
            FeatureLayout::Tfrecord { .. } => Self::Table(TableEncoder::examples(&work.schema)),
            FeatureLayout::Npy { cells } | FeatureLayout::Safetensors { cells } => {
                Self::Matrix(MatrixEncoder::dense(work.transform.space(), cells), kept())
            }
            FeatureLayout::Csr { cells } => {
                Self::Matrix(MatrixEncoder::sparse(work.transform.space(), cells), kept())
            }
        }
    }

    fn push(&mut self, work: &Work<'_>, kept: Vec<ArrayRef>, features: &FeatureBatch) -> Result<()> {
        let space = work.transform.space();
        match (self, work.layout.expanded()) {
            (Self::Table(encoder), Some(expanded)) => {
                let mut columns = kept;
                columns.extend(table::columns(space, features, expanded)?);
                encoder.push(work.batch(columns)?)
            }
            (Self::Matrix(encoder, beside), _) => {
                encoder.push(features);
                match beside {
                    Some(beside) => beside.push(work.batch(kept)?),
                    None => Ok(()),
                }
            }
            (Self::Table(_), _) => Err(CommonError::Internal("a table of a matrix".into()).into()),
        }
    }

    fn finish(self) -> Result<Self> {
        Ok(match self {
            Self::Table(encoder) => Self::Table(encoder.finish()?),
            Self::Matrix(encoder, beside) => {
                Self::Matrix(encoder, beside.map(TableEncoder::finish).transpose()?)
            }
        })
    }

    fn size_bytes(&self) -> usize {
        match self {
            Self::Table(encoder) => encoder.size_bytes(),
            Self::Matrix(encoder, beside) => {
                encoder.size_bytes() + beside.as_ref().map_or(0, TableEncoder::size_bytes)
            }
        }
    }
}

/// The files of the artifact, in the making.
enum Writer {
    Table(TableWriter),
    Matrix(Box<MatrixWriter>, Option<TableWriter>),
}

impl Writer {
    fn new(draft: &mut Draft, work: &Work<'_>, rows: u64) -> Result<Self> {
        let file = work.layout.file();
        if work.layout.is_table() {
            return Ok(Self::Table(match work.layout {
                FeatureLayout::Arrow { .. } => TableWriter::arrow(draft, file, &work.schema)?,
                FeatureLayout::Tfrecord { .. } => TableWriter::examples(draft, file, &work.schema)?,
                _ => TableWriter::parquet(draft, file, &work.schema)?,
            }));
        }
        let width = work.transform.space().width() as u64;
        let matrix = MatrixWriter::new(draft, work.layout, (rows, width))?;
        let kept = (!work.kept.is_empty())
            .then(|| TableWriter::parquet(draft, KEPT_FILE, &work.schema))
            .transpose()?;
        Ok(Self::Matrix(Box::new(matrix), kept))
    }

    /// Adds the rows of a split; answers the bytes held.
    fn append(&mut self, encoded: Encoder) -> Result<usize> {
        match (self, encoded) {
            (Self::Table(writer), Encoder::Table(rows)) => writer.append(rows),
            (Self::Matrix(writer, kept), Encoder::Matrix(rows, beside)) => {
                writer.append(&rows)?;
                match (kept, beside) {
                    (Some(kept), Some(beside)) => kept.append(beside),
                    _ => Ok(0),
                }
            }
            _ => Err(CommonError::Internal("rows of another layout".into()).into()),
        }
    }

    /// Ends the files and answers the rows.
    fn finish(self, draft: &mut Draft) -> Result<u64> {
        match self {
            Self::Table(writer) => writer.finish(draft),
            Self::Matrix(writer, kept) => {
                if let Some(kept) = kept {
                    kept.finish(draft)?;
                }
                writer.finish(draft)
            }
        }
    }
}
