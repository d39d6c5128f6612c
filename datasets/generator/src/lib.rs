//! Large synthetic tables with known properties: as many rows as are wanted, the same on every run, and broken in a
//! stated way where a check is to be shown. [`taxi`](taxi::TaxiOptions) is one after the trips of Chicago's taxis.

mod keyed;
mod sampling;
pub mod taxi;
mod write;

pub use write::{Format, RECORD_FILE, TABLE_KIND, TABLE_VERSION, TableRecord, write_taxi};
