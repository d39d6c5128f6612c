//! Taxi trips after those that Chicago publishes and TFX's examples use: the same names where there are such, values
//! of our own. `datasets/taxi/README.md` says what each column means and how it is made.

mod city;
mod columns;
mod faults;
mod options;
mod trips;

pub use columns::{COLUMNS, ColumnInfo, Drifting};
pub use faults::{Drift, Fault, Faults};
pub use options::TaxiOptions;
pub use trips::Taxi;

#[cfg(test)]
mod tests;
