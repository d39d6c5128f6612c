//! The columns of the table, in order, with the constants that drift is measured by.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};

/// How a column can drift.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Drifting {
    /// It cannot: it names the row, or follows from the calendar.
    No,
    /// Its mean moves by so many of these standard deviations.
    Number {
        /// The standard deviation of the column as it is, rounded.
        deviation: f64,
    },
    /// A share of its rows moves to a level that it never had.
    Category,
}

/// A column.
#[derive(Clone, Copy, Debug)]
pub struct ColumnInfo {
    /// Its name.
    pub name: &'static str,
    /// The share of its rows that are null.
    pub missing: f64,
    /// How it can drift.
    pub drifting: Drifting,
    kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    Text,
    Integer,
    Float,
    Timestamp,
}

const fn fixed(name: &'static str, kind: Kind) -> ColumnInfo {
    ColumnInfo { name, missing: 0.0, drifting: Drifting::No, kind }
}

const fn category(name: &'static str, kind: Kind, missing: f64) -> ColumnInfo {
    ColumnInfo { name, missing, drifting: Drifting::Category, kind }
}

const fn number(name: &'static str, kind: Kind, missing: f64, deviation: f64) -> ColumnInfo {
    ColumnInfo { name, missing, drifting: Drifting::Number { deviation }, kind }
}

/// The share of trips whose company is not known.
pub(crate) const NO_COMPANY: f64 = 0.12;
/// The share of trips without duration, hence without end.
pub(crate) const NO_DURATION: f64 = 0.02;
/// The share of trips without distance.
pub(crate) const NO_DISTANCE: f64 = 0.05;
/// The share of trips that do not begin in a known area.
pub(crate) const NO_PICKUP: f64 = 0.06;
/// The share of trips that do not end in a known area.
pub(crate) const NO_DROPOFF: f64 = 0.09;
/// The share of trips whose tract is withheld at either end; those without area are among them.
pub(crate) const NO_TRACT: f64 = 0.30;

/// All columns, in the order of the table.
pub const COLUMNS: [ColumnInfo; 25] = [
    fixed("trip_id", Kind::Text),
    category("taxi_id", Kind::Text, 0.0),
    category("company", Kind::Text, NO_COMPANY),
    category("payment_type", Kind::Text, 0.0),
    fixed("trip_start_timestamp", Kind::Timestamp),
    ColumnInfo { missing: NO_DURATION, ..fixed("trip_end_timestamp", Kind::Timestamp) },
    fixed("trip_start_hour", Kind::Integer),
    fixed("trip_start_day", Kind::Integer),
    fixed("trip_start_month", Kind::Integer),
    number("trip_seconds", Kind::Integer, NO_DURATION, 890.0),
    number("trip_miles", Kind::Float, NO_DISTANCE, 3.6),
    category("pickup_census_tract", Kind::Integer, NO_TRACT),
    category("dropoff_census_tract", Kind::Integer, NO_TRACT),
    category("pickup_community_area", Kind::Integer, NO_PICKUP),
    category("dropoff_community_area", Kind::Integer, NO_DROPOFF),
    number("pickup_latitude", Kind::Float, NO_PICKUP, 0.0993),
    number("pickup_longitude", Kind::Float, NO_PICKUP, 0.085),
    number("dropoff_latitude", Kind::Float, NO_DROPOFF, 0.0993),
    number("dropoff_longitude", Kind::Float, NO_DROPOFF, 0.085),
    number("fare", Kind::Float, 0.0, 12.9),
    number("tips", Kind::Float, 0.0, 2.28),
    number("tolls", Kind::Float, 0.0, 0.466),
    number("extras", Kind::Float, 0.0, 0.837),
    number("trip_total", Kind::Float, 0.0, 14.3),
    fixed("subset", Kind::Text),
];

/// The schema in which the table is written: text as text.
pub(crate) fn schema() -> SchemaRef {
    let fields = COLUMNS.map(|column| {
        let data_type = match column.kind {
            Kind::Text => DataType::Utf8,
            Kind::Integer => DataType::Int64,
            Kind::Float => DataType::Float64,
            Kind::Timestamp => DataType::Timestamp(TimeUnit::Microsecond, None),
        };
        Field::new(column.name, data_type, true)
    });
    Arc::new(Schema::new(fields.to_vec()))
}
