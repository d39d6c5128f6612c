//! The whole program from outside: the binary on real and on hostile data, the laws of what it computes through
//! the public crates, and the shape of the repository.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod architecture;
mod bad_data;
mod bad_settings;
mod classification;
mod concurrent;
mod conformance;
mod container;
mod explain;
mod features;
mod full_disk;
mod kept_states;
mod memory;
mod models;
mod one_scan;
mod onnx;
mod output;
mod pages;
mod partial;
mod polynomials;
mod predict;
mod queries;
mod readme;
mod reproducible;
mod resume;
mod rules;
mod run;
mod schema;
mod shards;
mod signals;
mod spans;
mod statistics;
mod steps;
mod stories;
mod subsets;
mod support;
mod tables;
mod target_mean;
mod taxi;
mod tfdv_files;
mod train_states;
mod transform;
mod validate;
