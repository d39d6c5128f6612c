//! Sluicegate as a library: the crates of the engine under one roof.
//!
//! ```no_run
//! use std::path::Path;
//! use sluicegate::pipeline::{PipelineFile, RunOptions, run};
//!
//! let file = PipelineFile::read(Path::new("datasets/diabetes/pipeline.yaml"))?;
//! let report = run(&file, &RunOptions::new("sluice-runs/diabetes"), &mut |step| {
//!     println!("{}: {}", step.name, step.summary);
//! })?;
//! println!("accepted: {}", report.accepted());
//! # Ok::<(), sluicegate::core::Error>(())
//! ```

pub use sluice_core as core;
pub use sluice_delivery as delivery;
pub use sluice_evaluation as evaluation;
pub use sluice_ingest as ingest;
pub use sluice_pipeline as pipeline;
pub use sluice_quality as quality;
pub use sluice_report as report;
pub use sluice_source as source;
pub use sluice_training as training;
pub use sluice_transform as transform;
