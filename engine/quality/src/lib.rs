//! What data are and what they should be: statistics, the schema inferred from them, and where data break it.
//!
//! [`schema::infer_schema`] proposes a schema from statistics, [`schema::read_schema`] and
//! [`schema::write_schema`] keep it as TFDV's `schema.pbtxt`, and [`validation::validate`] compares statistics
//! with it. Data that break a schema are findings in a [`validation::ValidationReport`], never an error.

pub mod drift;
mod error;
mod protobuf;
pub mod rules;
pub mod schema;
pub mod skew;
pub mod statistics;
pub mod tfdv;
pub mod validation;

#[cfg(test)]
mod golden;
#[cfg(test)]
mod golden_statistics;
#[cfg(test)]
mod sample;

pub use error::QualityError;
