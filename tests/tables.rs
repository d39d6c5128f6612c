//! Tables that tests make: numbers that look random and are the same everywhere.

use std::fmt::Write;
use std::path::Path;
use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, Int64Array, RecordBatch, StringArray};
use parquet::arrow::ArrowWriter;
use parquet::file::properties::WriterProperties;

/// Bits that follow from `row` alone (the finaliser of `SplitMix64`).
fn bits(row: u64) -> u64 {
    let mut bits = row.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    bits ^ (bits >> 31)
}

/// A number in [-1, 1) that follows from `row` alone.
pub(crate) fn noise(row: u64) -> f64 {
    (bits(row) >> 11) as f64 / (1_u64 << 52) as f64 - 1.0
}

/// A row of the mixed table: text with nulls, integers with nulls, numbers with nulls and NaN, a label.
pub(crate) struct MixedRow {
    pub(crate) id: i64,
    pub(crate) city: Option<&'static str>,
    pub(crate) age: Option<i64>,
    pub(crate) amount: Option<f64>,
    pub(crate) y: f64,
}

const CITIES: [&str; 5] = ["Lyon", "Oslo", "Quito", "Riga, old", "Zürich"];

/// The rows of the mixed table.
pub(crate) fn mixed(rows: u64) -> impl Iterator<Item = MixedRow> {
    (0..rows).map(|row| {
        let pick = |salt: u64, of: u64| usize::try_from(bits(row * 7 + salt) % of).unwrap();
        let city = (pick(1, 20) > 0).then(|| CITIES[pick(2, 5)]);
        let age = (pick(3, 15) > 0).then(|| i64::try_from(18 + pick(4, 70)).unwrap());
        let amount = match pick(5, 12) {
            0 => None,
            1 => Some(f64::NAN),
            _ => Some(noise(row + 3) * 1e3),
        };
        let y = age.unwrap_or(40) as f64 * 0.3 + city.map_or(0, str::len) as f64 + noise(row + 17);
        MixedRow { id: i64::try_from(row).unwrap(), city, age, amount, y }
    })
}

/// The mixed table as CSV.
pub(crate) fn mixed_csv(rows: u64, path: &Path) {
    let mut text = String::from("id,city,age,amount,y\n");
    for row in mixed(rows) {
        let city = row.city.map_or_else(String::new, |city| format!("\"{city}\""));
        let age = row.age.map_or_else(String::new, |age| age.to_string());
        let amount = row.amount.map_or_else(String::new, |amount| amount.to_string());
        writeln!(text, "{},{city},{age},{amount},{}", row.id, row.y).unwrap();
    }
    fs_err::write(path, text).unwrap();
}

/// The mixed table as Parquet in row groups of this many rows.
pub(crate) fn mixed_parquet(rows: u64, group_rows: usize, path: &Path) {
    let mixed: Vec<MixedRow> = mixed(rows).collect();
    let columns: [(&str, ArrayRef); 5] = [
        ("id", Arc::new(mixed.iter().map(|row| Some(row.id)).collect::<Int64Array>())),
        ("city", Arc::new(mixed.iter().map(|row| row.city).collect::<StringArray>())),
        ("age", Arc::new(mixed.iter().map(|row| row.age).collect::<Int64Array>())),
        ("amount", Arc::new(mixed.iter().map(|row| row.amount).collect::<Float64Array>())),
        ("y", Arc::new(mixed.iter().map(|row| Some(row.y)).collect::<Float64Array>())),
    ];
    let table =
        RecordBatch::try_from_iter_with_nullable(columns.map(|(name, array)| (name, array, true))).unwrap();
    let properties = WriterProperties::builder().set_max_row_group_row_count(Some(group_rows)).build();
    let file = fs_err::File::create(path).unwrap();
    let mut writer = ArrowWriter::try_new(file, table.schema(), Some(properties)).unwrap();
    writer.write(&table).unwrap();
    writer.close().unwrap();
}
