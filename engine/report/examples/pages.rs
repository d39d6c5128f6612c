//! Writes the page of statistics files, to look at: `cargo run -p sluice-report --example pages TITLE OUT FILE…`.
//! A file is a `statistics.json`; several subsets, or several files, stand beside one another.
#![expect(clippy::unwrap_used, reason = "a tool for those who work on the pages")]

use sluice_core::statistics::DatasetStatistics;
use sluice_report::html::{StatisticsPageOptions, statistics_page};

fn main() {
    let mut arguments = std::env::args().skip(1);
    let (title, out) = (arguments.next().unwrap(), arguments.next().unwrap());
    let mut sets: Vec<DatasetStatistics> = Vec::new();
    for file in arguments {
        let record: serde_json::Value = serde_json::from_slice(&fs_err::read(file).unwrap()).unwrap();
        sets.extend(serde_json::from_value::<Vec<DatasetStatistics>>(record["subsets"].clone()).unwrap());
    }
    let sets: Vec<&DatasetStatistics> = sets.iter().collect();
    fs_err::write(out, statistics_page(&title, &sets, &StatisticsPageOptions::default())).unwrap();
}
