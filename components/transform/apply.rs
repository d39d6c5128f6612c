//! `sluice transform apply`: the features of rows in bulk.

use std::path::PathBuf;
use std::sync::Arc;

use clap::{Args, ValueEnum};
use sluice_core::Result;
use sluice_core::seam::BatchTransform;
use sluice_pipeline::step::apply::{CellType, FeatureLayout, apply};
use sluice_pipeline::step::{TRAIN, transform};
use sluice_report::rows;
use sluice_transform::OfTrainingRows;

use crate::answer::Answer;
use crate::arguments::{MemoryArgument, OutArgument, SourceArguments};
use crate::data::Data;
use crate::failure::ArgumentError;
use crate::session::{Exit, Session};

/// Compute the features of rows, in the order of the rows.
///
/// A table by default: a column of floats for each number, a column of codes for levels (their meaning stands in
/// `features.json`), two lists for terms. With `--matrix` a dense matrix, with `--csr` one without its zeros.
/// A missing number is null in a table and NaN in a matrix.
#[derive(Debug, Args)]
pub(crate) struct ApplyArguments {
    /// A fitted transform.
    #[arg(value_name = "TRANSFORM")]
    transform: PathBuf,
    /// A file, a glob, a folder of files, here or in a bucket, or a data set made by `ingest`.
    #[arg(value_name = "INPUT")]
    input: String,
    #[command(flatten)]
    out: OutArgument,
    /// A column to pass through, such as a key or the label; may be given several times. Beside a matrix it goes to
    /// `kept.parquet`.
    #[arg(long, value_name = "COLUMN")]
    keep: Vec<String>,
    /// The subset of a data set; `eval` unless given.
    #[arg(long)]
    subset: Option<String>,
    /// How the features are written; `parquet`, or of a matrix `safetensors`, unless given.
    #[arg(long = "to", value_name = "FORMAT")]
    to: Option<FeatureFormat>,
    /// A column for each level and each term of a table.
    #[arg(long, conflicts_with = "matrix")]
    dense: bool,
    /// A dense matrix with cells of this type.
    #[arg(long, value_name = "TYPE")]
    matrix: Option<CellArgument>,
    /// A matrix without its zeros, as compressed sparse rows; with cells of `--matrix`, f64 unless given.
    #[arg(long, conflicts_with = "dense")]
    csr: bool,
    #[command(flatten)]
    pub(crate) memory: MemoryArgument,
    #[command(flatten)]
    source: SourceArguments,
}

/// A format of features.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum FeatureFormat {
    /// A table, as Parquet.
    Parquet,
    /// A table, as Arrow IPC.
    Arrow,
    /// A table, as TFRecord of `tf.Example`, packed with gzip: numbers are rounded to 32 bits.
    Tfrecord,
    /// A matrix of NumPy.
    Npy,
    /// A matrix, as safetensors.
    Safetensors,
}

/// The type of a matrix' cells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum CellArgument {
    /// Single precision.
    F32,
    /// Double precision.
    F64,
}

impl ApplyArguments {
    fn layout(&self) -> Result<FeatureLayout> {
        let cells = match self.matrix {
            Some(CellArgument::F32) => CellType::F32,
            Some(CellArgument::F64) | None => CellType::F64,
        };
        let is_matrix = self.matrix.is_some() || self.csr;
        let default = if is_matrix { FeatureFormat::Safetensors } else { FeatureFormat::Parquet };
        let expanded = self.dense;
        let refused = |message: &str, hint: &str| Err(ArgumentError::new(message, hint).into());
        match self.to.unwrap_or(default) {
            FeatureFormat::Safetensors if self.csr => Ok(FeatureLayout::Csr { cells }),
            FeatureFormat::Npy if self.csr => refused(
                "NumPy's format has no sparse matrices",
                "write `--csr` as safetensors: scipy.sparse.csr_matrix takes its three tensors",
            ),
            FeatureFormat::Parquet | FeatureFormat::Arrow | FeatureFormat::Tfrecord if is_matrix => {
                refused("a matrix is no table", "write it as `npy` or `safetensors`")
            }
            FeatureFormat::Npy | FeatureFormat::Safetensors if self.dense => {
                refused("`--dense` is of tables", "leave it out: a matrix has a column for each level")
            }
            FeatureFormat::Parquet => Ok(FeatureLayout::Parquet { expanded }),
            FeatureFormat::Arrow => Ok(FeatureLayout::Arrow { expanded }),
            FeatureFormat::Tfrecord => Ok(FeatureLayout::Tfrecord { expanded }),
            FeatureFormat::Npy => Ok(FeatureLayout::Npy { cells }),
            FeatureFormat::Safetensors => Ok(FeatureLayout::Safetensors { cells }),
        }
    }
}

pub(super) fn run(arguments: &ApplyArguments, session: &Session) -> Result<Answer> {
    let layout = arguments.layout()?;
    let (transform, artifact) = transform::open(&arguments.transform)?;
    let (source, data) = Data::open(&arguments.input, &arguments.source, session)?
        .rows(arguments.subset.as_deref(), session)?;
    // Its own training rows must not see what it learnt of their labels.
    let is_own = artifact.manifest().made_from.get("dataset") == Some(&data);
    let shared: Arc<dyn BatchTransform> = match arguments.subset.as_deref() {
        Some(TRAIN) if is_own => OfTrainingRows::of(&transform),
        _ => Arc::new(transform),
    };
    let out = &arguments.out.out;
    let work = (shared.as_ref(), artifact.digest());
    let (record, _) = apply(work, &source, layout, &arguments.keep, out, &session.execution)?;
    session.printer.result(&record, || {
        let (count, width) = (record.features.len(), record.width);
        format!("{}: {count} features in {width} columns\nfeatures in {}", rows(record.rows), out.display())
    });
    Ok(Answer::new(Exit::Done))
}
