//! The whole path as a library: a pipeline file, its steps, and a run of all of them.
//!
//! ```no_run
//! use std::path::Path;
//! use sluice_pipeline::{PipelineFile, RunOptions, run};
//!
//! let file = PipelineFile::read(Path::new("datasets/diabetes/pipeline.yaml"))?;
//! let report = run(&file, &RunOptions::new("sluice-runs/diabetes"), &mut |step| {
//!     println!("{}: {}", step.name, step.summary);
//! })?;
//! println!("accepted: {}", report.accepted());
//! # Ok::<(), sluice_core::Error>(())
//! ```
//!
//! [`spec`] is the file, [`step`] holds one file per step, used alike by `run` and by the commands that do one
//! step, so that both give the same artifacts.

mod check;
pub mod domain_classifier;
pub mod eval_config;
mod key;
pub mod ledger;
mod openlineage;
mod prometheus;
pub mod retrain;
mod run;
pub mod schema_import;
pub mod spec;
pub mod step;

pub use check::{CheckReport, check};
pub use openlineage::{OpenLineageError, OpenLineageTarget};
pub use run::{Notes, RunOptions, RunReport, StepName, StepReport, StepState, run};
pub use spec::{PipelineFile, PipelineSpec, SpecError};
