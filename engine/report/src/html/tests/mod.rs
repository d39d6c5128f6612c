//! Pages held to what they promise: well formed, nothing loaded, nothing executed, bounded, the same bytes
//! twice.

mod checker;
mod drifts;
mod evaluations;
mod explanations;
mod lineages;
mod pages;
mod samples;
mod timelines;
mod trainings;
mod validations;
