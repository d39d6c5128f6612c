//! Pages for people: one file each that opens from disk with the network off, is read without a script,
//! printed, and shown in the sandboxed frame of an orchestrator.
//!
//! A page loads nothing: style, script and charts are in it, and its content security policy forbids the
//! rest. The script only sorts, searches and copies; filters and the forms of charts are plain style rules.
//! Whatever comes from data is shortened and escaped. The same statistics give the same bytes.

mod drift;
mod escape;
mod evaluation;
mod explanation;
mod figures;
mod lineage;
mod page;
mod statistics;
mod timeline;
mod training;
mod validation;

pub use drift::{
    DriftPage, PageDriftBin, PageDriftColumn, PageDriftSubset, PageSignal, PageTelling, drift_page,
};
pub use evaluation::{
    EvaluationPage, PageBin, PageConfusion, PageContender, PageCurves, PageDisparity, PageFairness,
    PageFigures, PageGap, PageMetric, PageOutcome, PageReason, PageSlice, PageWeakSlice, PageWeakSlices,
    evaluation_page,
};
pub use explanation::{DependenceChart, ExplanationPage, ImportanceBar, ImportanceChart, explanation_page};
pub use lineage::{LineageEdge, LineageNode, LineagePage, lineage_page};
pub use statistics::{StatisticsPageOptions, statistics_page};
pub use timeline::{PageBatch, PageSeries, PageStrip, TimelinePage, timeline_page};
pub use training::{
    NetworkPage, PageModel, PagePenalty, PageResiduals, PageRow, PageTerm, PageTest, TrainingPage,
    network_page, training_page,
};
pub use validation::{
    PageExample, PageFinding, PageSeverity, PageSubset, PageVerdict, ValidationPage, validation_page,
};

/// Appends formatted text to a `String`.
macro_rules! put {
    ($to:expr, $($arguments:tt)*) => { $to.push_str(&format!($($arguments)*)) };
}
pub(crate) use put;

#[cfg(test)]
mod tests;
