//! The laws of the table: prefixes, levels, shares of missing values, skew, and that tips can be learned.

use std::collections::BTreeMap;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, StringArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type, Int64Type, TimestampMicrosecondType};
use sluice_core::error::Diagnostic;

use super::*;

const ROWS: usize = 60_000;

fn table(options: &TaxiOptions, span: u64, first: u64, rows: usize) -> RecordBatch {
    Taxi::new(options, span).batch(first, rows).unwrap()
}

fn sound() -> RecordBatch {
    table(&TaxiOptions::new(ROWS as u64, 1, 5), 1, 0, ROWS)
}

fn broken(fault: Fault) -> RecordBatch {
    let options = TaxiOptions { broken: vec![(fault, 1)], ..TaxiOptions::new(ROWS as u64, 1, 5) };
    table(&options, 1, 0, ROWS)
}

fn column<'a>(table: &'a RecordBatch, name: &str) -> &'a ArrayRef {
    table.column_by_name(name).unwrap()
}

fn text(table: &RecordBatch, name: &str) -> StringArray {
    cast(column(table, name), &DataType::Utf8).unwrap().as_string().clone()
}

fn numbers(table: &RecordBatch, name: &str) -> Vec<Option<f64>> {
    let array = cast(column(table, name), &DataType::Float64).unwrap();
    array.as_primitive::<Float64Type>().iter().collect()
}

fn known(table: &RecordBatch, name: &str) -> Vec<f64> {
    numbers(table, name).into_iter().flatten().collect()
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

fn deviation(values: &[f64]) -> f64 {
    let mean = mean(values);
    (values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / values.len() as f64).sqrt()
}

fn counts(values: &StringArray) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for value in values.iter().flatten() {
        *counts.entry(value.to_owned()).or_insert(0) += 1;
    }
    counts
}

#[test]
fn the_first_rows_of_a_larger_table_are_the_smaller_table() {
    let faults = vec![(Fault::Presence, 2), (Fault::Domain, 2), (Fault::Range, 2), (Fault::Payment, 2)];
    let drift = ["fare=1.5", "company=0.2"].map(|text| Drift::parse(text).unwrap()).to_vec();
    let options =
        |rows| TaxiOptions { broken: faults.clone(), drift: drift.clone(), ..TaxiOptions::new(rows, 2, 9) };
    for span in [1, 2] {
        let large = table(&options(5_000), span, 0, 5_000);
        assert_eq!(large.slice(0, 1_234), table(&options(1_234), span, 0, 1_234));
        // A row does not depend on the block that it is made in.
        assert_eq!(large.slice(700, 900), table(&options(5_000), span, 700, 900));
    }
}

#[test]
fn spans_and_seeds_are_different_rows_of_the_same_city() {
    let all: Vec<RecordBatch> = [(1, 1), (1, 2), (2, 1), (2, 2)]
        .map(|(seed, span)| table(&TaxiOptions::new(20_000, 2, seed), span, 0, 20_000))
        .into();
    let mut ids: Vec<String> =
        all.iter().flat_map(|table| counts(&text(table, "trip_id")).into_keys()).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), 80_000);
    let starts = |table: &RecordBatch| {
        let times = column(table, "trip_start_timestamp").as_primitive::<TimestampMicrosecondType>();
        let days = |micros: Option<i64>| micros.unwrap() / 86_400_000_000;
        (days(arrow::compute::min(times)), days(arrow::compute::max(times)))
    };
    // 28 days from 2024-01-01, then 28 more.
    assert_eq!([starts(&all[0]), starts(&all[1])], [(19_723, 19_750), (19_751, 19_778)]);
    for (index, one) in all.iter().enumerate() {
        // Within five standard errors of one another.
        let standard_error = deviation(&known(one, "tips")) / 20_000.0_f64.sqrt();
        let difference = mean(&known(one, "tips")) - mean(&known(&all[0], "tips"));
        assert!(difference.abs() < 5.0 * 1.5 * standard_error, "{index}: {difference}");
        assert!(index == 0 || known(one, "fare") != known(&all[0], "fare"), "{index}");
    }
}

#[test]
fn columns_have_their_names_levels_and_missing_values() {
    let table = sound();
    let names: Vec<&str> = COLUMNS.iter().map(|column| column.name).collect();
    assert_eq!(table.schema().fields().iter().map(|field| field.name().as_str()).collect::<Vec<_>>(), names);
    for column in COLUMNS {
        let missing = self::column(&table, column.name).null_count() as f64 / ROWS as f64;
        assert!((missing - column.missing).abs() < 0.01, "{}: {missing}", column.name);
    }
    let levels = |name: &str| counts(&text(&table, name)).len();
    assert_eq!(
        [levels("trip_id"), levels("company"), levels("payment_type"), levels("subset")],
        [ROWS, 120, 7, 2]
    );
    assert!((7_500..=8_000).contains(&levels("taxi_id")), "{}", levels("taxi_id"));
    assert!((700..=800).contains(&levels("pickup_census_tract")));
    assert_eq!(levels("dropoff_community_area"), 77);
    let range = |name: &str| {
        let values = column(&table, name).as_primitive::<Int64Type>();
        (arrow::compute::min(values).unwrap(), arrow::compute::max(values).unwrap())
    };
    assert_eq!(range("trip_start_hour"), (0, 23));
    assert_eq!(range("trip_start_day"), (1, 7));
    assert_eq!(range("trip_start_month"), (1, 1));
    assert!(range("trip_seconds").0 >= 60);
    // No name needs quotes in CSV.
    for column in ["trip_id", "taxi_id", "company", "payment_type", "subset"] {
        assert!(counts(&text(&table, column)).keys().all(|name| !name.contains([',', '"', '\n', '\r'])));
    }
}

#[test]
fn calendar_columns_follow_from_the_start() {
    let options = TaxiOptions::new(5_000, 12, 5);
    // Span 3 runs from 2024-02-26, a Monday, to 2024-03-24.
    let table = table(&options, 3, 0, 5_000);
    let starts = column(&table, "trip_start_timestamp").as_primitive::<TimestampMicrosecondType>();
    let integers = |name: &str| column(&table, name).as_primitive::<Int64Type>().clone();
    let (hours, days, months) =
        (integers("trip_start_hour"), integers("trip_start_day"), integers("trip_start_month"));
    for row in 0..5_000 {
        let seconds = starts.value(row) / 1_000_000;
        assert_eq!(seconds % 900, 0);
        assert_eq!(hours.value(row), seconds / 3600 % 24);
        // 1970-01-01 was a Thursday, day 5 where Sunday is 1.
        assert_eq!(days.value(row), (seconds / 86_400 + 4) % 7 + 1);
        // 2024-03-01 is day 19,783.
        assert_eq!(months.value(row), if seconds / 86_400 < 19_783 { 2 } else { 3 });
    }
}

#[test]
fn companies_are_skewed_as_zipf_says() {
    let mut by_count: Vec<usize> = counts(&text(&sound(), "company")).into_values().collect();
    by_count.sort_unstable_by(|left, right| right.cmp(left));
    // Shares of rank 1 and rank 10 under exponent 1.1 are 12.6 to 1; one company is spread over a few taxis, so the
    // ratio is loose.
    let ratio = by_count[0] as f64 / by_count[9] as f64;
    assert!((8.0..20.0).contains(&ratio), "{ratio}");
    assert!(by_count[0] as f64 > 0.15 * ROWS as f64, "{by_count:?}");
}

#[test]
fn nominal_deviations_are_those_of_the_table() {
    let table = sound();
    for column in COLUMNS {
        if let Drifting::Number { deviation: nominal } = column.drifting {
            let found = deviation(&known(&table, column.name));
            assert!((found / nominal - 1.0).abs() < 0.05, "{}: {found}, not {nominal}", column.name);
        }
    }
}

#[test]
fn tips_follow_from_fare_payment_and_hour() {
    let table = sound();
    let (fares, tips, hours) =
        (known(&table, "fare"), known(&table, "tips"), known(&table, "trip_start_hour"));
    let payments = text(&table, "payment_type");
    let of = |keep: &dyn Fn(usize) -> bool| -> (Vec<f64>, Vec<f64>) {
        (0..ROWS).filter(|row| keep(*row)).map(|row| (fares[row], tips[row])).unzip()
    };
    let (_, cash) = of(&|row| payments.value(row) == "Cash");
    let (paid, credit) = of(&|row| payments.value(row) == "Credit Card");
    assert!(mean(&credit) > mean(&cash) + 2.0, "{} and {}", mean(&credit), mean(&cash));
    let covariance = mean(&paid.iter().zip(&credit).map(|(fare, tip)| fare * tip).collect::<Vec<_>>())
        - mean(&paid) * mean(&credit);
    let slope = covariance / deviation(&paid).powi(2);
    assert!((slope - 0.17).abs() < 0.01, "{slope}");
    let (_, night) = of(&|row| payments.value(row) == "Credit Card" && hours[row] < 3.0);
    let (_, morning) = of(&|row| payments.value(row) == "Credit Card" && (7.0..10.0).contains(&hours[row]));
    assert!(mean(&night) > mean(&morning) + 0.7, "{} and {}", mean(&night), mean(&morning));
    // The total is the sum of its parts, to the cent.
    let (total, tolls, extras) =
        (known(&table, "trip_total"), known(&table, "tolls"), known(&table, "extras"));
    for row in 0..ROWS {
        let sum = fares[row] + tips[row] + tolls[row] + extras[row];
        assert!((total[row] - sum).abs() < 1e-9, "row {row}");
    }
}

#[test]
fn one_row_in_five_is_for_evaluation() {
    let eval = counts(&text(&sound(), "subset"))["eval"] as f64 / ROWS as f64;
    assert!((eval - 0.2).abs() < 0.01, "{eval}");
}

#[test]
fn faults_do_what_they_say_and_nothing_else() {
    let sound = sound();
    let changed = |fault: Fault| -> Vec<&'static str> {
        let broken = broken(fault);
        let differs = |name: &&str| column(&sound, name) != column(&broken, name);
        COLUMNS.iter().map(|column| column.name).filter(differs).collect()
    };
    assert_eq!(changed(Fault::Presence), ["trip_miles"]);
    let missing = column(&broken(Fault::Presence), "trip_miles").null_count() as f64 / ROWS as f64;
    assert!((missing - 0.45).abs() < 0.02, "{missing}");
    assert_eq!(changed(Fault::Domain), ["payment_type"]);
    let payments = counts(&text(&broken(Fault::Domain), "payment_type"));
    let unknown = (payments["Crypto"] + payments["Voucher"]) as f64 / ROWS as f64;
    assert!(payments.len() == 9 && (unknown - 0.03).abs() < 0.005, "{payments:?}");
    assert_eq!(changed(Fault::Range), ["trip_miles", "fare", "trip_total"]);
    let out_of_range = broken(Fault::Range);
    let negative = known(&out_of_range, "fare").iter().filter(|fare| **fare < 0.0).count();
    let far = known(&out_of_range, "trip_miles").iter().filter(|miles| **miles >= 5_000.0).count();
    assert!((240..360).contains(&negative) && (220..350).contains(&far), "{negative} and {far}");
    assert_eq!(changed(Fault::Payment), ["tips", "trip_total"]);
    let wrong = broken(Fault::Payment);
    let (payments, subsets) = (text(&sound, "payment_type"), text(&sound, "subset"));
    let (right, wrong) = (known(&sound, "tips"), known(&wrong, "tips"));
    for row in 0..ROWS {
        let hit = payments.value(row) == "Mobile" && subsets.value(row) == "train";
        let expected = if hit && right[row] > 2.0 {
            right[row] - 2.0
        } else if hit {
            0.0
        } else {
            right[row]
        };
        assert!((wrong[row] - expected).abs() < 1e-9, "row {row}: {} became {}", right[row], wrong[row]);
    }
}

#[test]
fn drift_moves_the_named_column_of_the_last_span_alone() {
    for text_of_drift in ["fare=0.5", "trip_seconds=-1", "pickup_latitude=2"] {
        let drift = Drift::parse(text_of_drift).unwrap();
        let options = TaxiOptions { drift: vec![drift.clone()], ..TaxiOptions::new(5_000, 2, 5) };
        let plain = TaxiOptions::new(5_000, 2, 5);
        assert_eq!(table(&options, 1, 0, 5_000), table(&plain, 1, 0, 5_000));
        let (one, other) = (table(&plain, 2, 0, 5_000), table(&options, 2, 0, 5_000));
        let info = COLUMNS.iter().find(|column| column.name == drift.column).unwrap();
        let Drifting::Number { deviation } = info.drifting else { panic!("{info:?}") };
        let moved = mean(&known(&other, info.name)) - mean(&known(&one, info.name));
        assert!((moved - drift.amount * deviation).abs() < 1e-6, "{text_of_drift}: {moved}");
        let same = |name: &str| name == info.name || column(&one, name) == column(&other, name);
        assert!(COLUMNS.iter().all(|column| same(column.name)), "{text_of_drift}");
    }
    for (text_of_drift, level) in [
        ("payment_type=0.1", "New Payment"),
        ("company=0.1", "New Company"),
        ("taxi_id=0.1", "New Taxi"),
        ("pickup_community_area=0.1", "78"),
        ("dropoff_census_tract=0.1", "17031990000"),
    ] {
        let drift = Drift::parse(text_of_drift).unwrap();
        let name = drift.column.clone();
        let options = TaxiOptions { drift: vec![drift], ..TaxiOptions::new(20_000, 1, 5) };
        let values = text(&table(&options, 1, 0, 20_000), &name);
        let share = counts(&values)[level] as f64 / (values.len() - values.null_count()) as f64;
        assert!((share - 0.1).abs() < 0.015, "{text_of_drift}: {share}");
    }
}

#[test]
fn what_cannot_be_is_refused_with_a_hint() {
    let hint = |error: sluice_core::options::OptionsError| error.hint().unwrap_or_default();
    assert_eq!(hint(Drift::parse("tip=1").unwrap_err()), "did you mean `tips`?");
    assert!(hint(Drift::parse("trip_id=0.1").unwrap_err()).contains("taxi_id"));
    assert!(Drift::parse("fare").unwrap_err().to_string().contains("is not a column and a number"));
    assert!(Drift::parse("fare=x").is_err() && Drift::parse("fare=NaN").is_err());
    assert!(Drift::parse("company=1.5").unwrap_err().to_string().contains("at most 1"));
    assert_eq!(hint(Fault::parse("presense", 1).unwrap_err()), "did you mean `presence`?");
    assert_eq!(Fault::parse("range", 4).unwrap(), (Fault::Range, 4));
    assert_eq!(Fault::parse("range@2", 4).unwrap(), (Fault::Range, 2));
    for text in ["range@0", "range@5", "range@x", "range@"] {
        assert!(Fault::parse(text, 4).unwrap_err().to_string().contains("from 1 to 4"), "{text}");
    }
    assert!(TaxiOptions::new(0, 1, 0).check().is_err());
    assert!(TaxiOptions::new(1, 0, 0).check().is_err() && TaxiOptions::new(1, 1001, 0).check().is_err());
    let drift = Drift::parse("fare=1").unwrap();
    let twice = TaxiOptions { drift: vec![drift.clone(), drift], ..TaxiOptions::new(1, 1, 0) };
    assert!(twice.check().unwrap_err().to_string().contains("given twice"));
    let twice = TaxiOptions { broken: vec![(Fault::Range, 1); 2], ..TaxiOptions::new(1, 1, 0) };
    assert!(twice.check().unwrap_err().to_string().contains("range@1"));
}
