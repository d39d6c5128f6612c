//! `sluice datasets`: large synthetic tables.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use sluice_core::Result;
use sluice_datasets::taxi::{Drift, Fault, TaxiOptions};
use sluice_datasets::{Format, TableRecord, write_taxi};

use crate::answer::Answer;
use crate::session::{Exit, Session};

const EXAMPLES: &str = "\
Examples:
  sluice datasets taxi --rows 1000000 --out trips
  sluice ingest trips/span-1 --subset-column subset --key trip_id --out dataset
  sluice datasets taxi --rows 50000 --spans 2 --drift fare=0.5,payment_type=0.1 --out trips
  sluice datasets taxi --rows 50000 --spans 4 --broken range@3 --broken payment@4 --out trips";

const DETAILS: &str = "\
Columns: trip_id, taxi_id, company, payment_type, trip_start_timestamp, trip_end_timestamp,
trip_start_hour, trip_start_day, trip_start_month, trip_seconds, trip_miles, fare, tips, tolls,
extras, trip_total, subset (`train` 80 %, `eval` 20 %), and of pickup_ and dropoff_ each
census_tract, community_area, latitude, longitude. `datasets/taxi/README.md` says how each is made.

Drift, in the last span:
  numbers     AMOUNT standard deviations are added to every value; columns that depend on it
              do not follow
  categories  a share AMOUNT (0 to 1) of the rows moves to a level that was never there

Faults, each in the span after `@`, else in the last:
  presence  trip_miles, missing in 5 % of the rows, is missing in 45 %
  domain    3 % of payment_type are `Crypto` or `Voucher`
  range     one fare in 200 is negative, one trip in 200 is longer than 5,000 miles
  payment   tips of `Mobile` trips are 2 dollars too low (0 at least) in the rows for training,
            right in those for evaluation: no check of the data finds it, and the model is worse
            on `Mobile`";

/// Make large synthetic tables with known properties.
#[derive(Debug, Args)]
pub(crate) struct DatasetsArguments {
    #[command(subcommand)]
    table: Table,
}

#[derive(Debug, Subcommand)]
enum Table {
    /// Taxi trips after those of Chicago, in spans that continue one another.
    ///
    /// Writes `span-1/part-00000.parquet` and so on below the folder: as many rows as are wanted, the same bytes for
    /// the same options on every run. The first N rows of a larger table are the table of N rows.
    #[command(after_help = EXAMPLES, after_long_help = format!("{DETAILS}\n\n{EXAMPLES}"))]
    Taxi(TaxiArguments),
}

#[derive(Debug, Args)]
struct TaxiArguments {
    /// Rows of each span.
    #[arg(long, value_name = "N")]
    rows: u64,
    /// The folder; a table that is there already is replaced when the new one is complete.
    #[arg(long, value_name = "FOLDER")]
    out: PathBuf,
    /// How many spans of 28 days.
    #[arg(long, value_name = "K", default_value_t = 1)]
    spans: u64,
    /// Another seed gives other trips.
    #[arg(long, value_name = "SEED", default_value_t = 0)]
    seed: u64,
    /// A column whose distribution moves in the last span; may be given several times.
    #[arg(long, value_name = "COLUMN=AMOUNT", value_delimiter = ',', allow_hyphen_values = true)]
    drift: Vec<String>,
    /// What is wrong, and in which span: presence, domain, range, payment; may be given several times.
    #[arg(long, value_name = "WHAT[@SPAN]", value_delimiter = ',')]
    broken: Vec<String>,
    /// How it is written.
    #[arg(long, value_enum, default_value_t = TableFormat::Parquet)]
    format: TableFormat,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum TableFormat {
    /// Parquet with Snappy.
    Parquet,
    /// CSV with a header.
    Csv,
}

pub(crate) fn run(arguments: &DatasetsArguments, session: &Session) -> Result<Answer> {
    let Table::Taxi(arguments) = &arguments.table;
    let TaxiArguments { rows, out, spans, seed, drift, broken, format } = arguments;
    let mut options = TaxiOptions::new(*rows, *spans, *seed);
    // Before the spans of faults are read against them.
    options.check()?;
    options.drift = drift.iter().map(|text| Drift::parse(text)).collect::<Result<_, _>>()?;
    options.broken = broken.iter().map(|text| Fault::parse(text, *spans)).collect::<Result<_, _>>()?;
    let format = match format {
        TableFormat::Parquet => Format::Parquet,
        TableFormat::Csv => Format::Csv,
    };
    let (record, _) = write_taxi(&options, format, out, &session.execution)?;
    session.printer.result(&record, || text(&record, &out.display().to_string()));
    Ok(Answer::new(Exit::Done))
}

fn text(record: &TableRecord, out: &str) -> String {
    let mut text = String::new();
    for span in 1..=record.options.spans {
        let folder = format!("span-{span}");
        let rows: u64 = record
            .files
            .iter()
            .filter(|(file, _)| file.split('/').next() == Some(folder.as_str()))
            .map(|(_, rows)| rows)
            .sum();
        let faults = record.options.faults(span);
        let broken = Fault::ALL.iter().filter(|(_, fault)| faults.broken.contains(fault));
        let mut wrong: Vec<String> = broken.map(|(name, _)| format!("{name} broken")).collect();
        wrong.extend(faults.drift.iter().map(|drift| format!("{} drifts by {}", drift.column, drift.amount)));
        let wrong = if wrong.is_empty() { String::new() } else { format!(": {}", wrong.join(", ")) };
        text.push_str(&format!(
            "  {folder}: {} in {} columns{wrong}\n",
            sluice_report::rows(rows),
            record.columns.len()
        ));
    }
    text.push_str(&format!("table in {out}\n"));
    text
}
