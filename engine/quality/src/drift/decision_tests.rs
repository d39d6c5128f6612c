//! The decision: bad input, kinds, and how often alarms are raised where nothing changed and where something did.

use sluice_core::column::ColumnKind;
use sluice_core::statistics::{ColumnStatistics, DatasetStatistics, Distinct, TextStatistics, TopValues};

use super::golden_numbers::{column, column_of, cumulative};
use super::*;

/// Numbers that look like chance and are the same everywhere (`SplitMix64`).
pub(super) struct Chance(pub(super) u64);

impl Chance {
    fn uniform(&mut self) -> f64 {
        (sluice_core::splitmix::next(&mut self.0) >> 11) as f64 / (1_u64 << 53) as f64
    }

    pub(super) fn normal(&mut self) -> f64 {
        let radius = (-2.0 * (1.0 - self.uniform()).ln()).sqrt();
        radius * (2.0 * std::f64::consts::PI * self.uniform()).cos()
    }

    fn normals(&mut self, count: usize) -> Vec<f64> {
        (0..count).map(|_| self.normal()).collect()
    }
}

fn named(name: &str, column: ColumnStatistics) -> ColumnStatistics {
    ColumnStatistics { name: name.into(), ..column }
}

fn dataset(rows: u64, columns: Vec<ColumnStatistics>) -> DatasetStatistics {
    DatasetStatistics { name: "all".into(), num_rows: rows, columns, ..Default::default() }
}

fn text(counts: &[(&str, u64)]) -> ColumnStatistics {
    let rows: u64 = counts.iter().map(|(_, count)| count).sum();
    let mut column = ColumnStatistics::new("kind", ColumnKind::Text);
    column.presence.num_rows = rows;
    column.text = Some(TextStatistics {
        mean_length_bytes: 1.0,
        min_length_bytes: 1,
        max_length_bytes: 1,
        num_invalid_utf8: 0,
    });
    column.distinct = Some(Distinct { count: counts.len() as u64, relative_error: 0.0 });
    let values = counts.iter().map(|(label, count)| ((*label).to_owned(), *count)).collect();
    column.top_values = Some(TopValues { values, max_error: 0, is_complete: true });
    column
}

/// With a share of rows missing as well.
fn missing(mut column: ColumnStatistics, rows: u64) -> ColumnStatistics {
    column.presence.num_rows += rows;
    column.presence.num_missing += rows;
    column
}

fn compared(current: ColumnStatistics, reference: ColumnStatistics, options: &DriftOptions) -> DriftReport {
    let sides = [current, reference].map(|column| dataset(column.presence.num_rows, vec![column]));
    let side = |index: usize| DriftSide { statistics: &sides[index], tables: None };
    let report = compare(side(0), side(1), options).unwrap();
    let json = serde_json::to_string(&report).unwrap();
    assert!(!json.contains("null"), "no answer is NaN or infinite: {json}");
    assert_eq!(serde_json::from_str::<DriftReport>(&json).unwrap(), report);
    report
}

/// The same of numbers, from all of them or from what statistics keep.
fn numbers(current: &[f64], reference: &[f64], is_saved: bool) -> DriftReport {
    let sides = [current, reference].map(|values| {
        let tables: Tables = [("x".to_owned(), cumulative(values))].into();
        (dataset(values.len() as u64, vec![column(values)]), tables)
    });
    let side = |index: usize| DriftSide {
        statistics: &sides[index].0,
        tables: (!is_saved).then_some(&sides[index].1),
    };
    compare(side(0), side(1), &every_distance()).unwrap()
}

fn alarms(report: &DriftReport) -> Vec<Measure> {
    report.alarms().map(|(_, signal)| signal.measure).collect()
}

fn every_distance() -> DriftOptions {
    let of = |comparison| Measure::ALL.iter().copied().filter(|measure| measure.fits(comparison)).collect();
    DriftOptions {
        numbers: of(Comparison::Numbers),
        labels: of(Comparison::Labels),
        ..DriftOptions::default()
    }
}

#[test]
fn constants_and_nothing_at_all_have_an_answer() {
    let options = every_distance();
    let constant = |value: f64| column(&vec![value; 1000]);
    assert_eq!(alarms(&compared(constant(3.0), constant(3.0), &options)), []);
    assert!(alarms(&compared(constant(4.0), constant(3.0), &options)).contains(&Measure::KolmogorovSmirnov));
    let mut empty = ColumnStatistics::new("x", ColumnKind::Null);
    empty.presence.num_rows = 1000;
    empty.presence.num_missing = 1000;
    assert_eq!(alarms(&compared(empty.clone(), constant(3.0), &options)), [Measure::MissingRate]);
    assert_eq!(alarms(&compared(constant(3.0), empty.clone(), &options)), [Measure::MissingRate]);
    assert_eq!(alarms(&compared(empty.clone(), empty, &options)), []);
    let none = ColumnStatistics::new("x", ColumnKind::Float);
    assert_eq!(alarms(&compared(none.clone(), none, &options)), []);
}

#[test]
fn ten_rows_and_very_unequal_sizes_raise_no_alarm_by_themselves() {
    let mut chance = Chance(3);
    let options = every_distance();
    let mut false_alarms = 0;
    for _ in 0..50 {
        let report = compared(column(&chance.normals(10)), column(&chance.normals(1000)), &options);
        false_alarms += usize::from(!alarms(&report).is_empty());
    }
    // 5 % of 50, three standard deviations up.
    assert!(false_alarms <= 7, "{false_alarms}");
    let few = text(&[("a", 260), ("b", 240)]);
    let many = text(&[("a", 50_000_000), ("b", 50_000_000)]);
    assert_eq!(alarms(&compared(many.clone(), few.clone(), &options)), []);
    assert_eq!(alarms(&compared(few, many.clone(), &options)), []);
    let other = text(&[("a", 400), ("b", 100)]);
    assert!(alarms(&compared(other, many, &options)).contains(&Measure::TotalVariation));
}

#[test]
fn columns_of_one_side_and_other_types_are_told() {
    let sides = [dataset(10, vec![text(&[("a", 10)])]), dataset(10, vec![named("x", column(&[1.0; 10]))])];
    let side = |index: usize| DriftSide { statistics: &sides[index], tables: None };
    let report = compare(side(0), side(1), &DriftOptions::default()).unwrap();
    assert_eq!(alarms(&report), [Measure::Presence]);
    assert_eq!(report.columns[1].notes, ["the reference does not have this column"]);
    let report = compared(named("x", text(&[("a", 10)])), column(&[1.0; 10]), &DriftOptions::default());
    assert_eq!(alarms(&report), [Measure::Type]);
}

#[test]
fn infinities_and_nan_are_rates_of_their_own() {
    let mut broken = column(&[1.0; 900]);
    broken.presence.num_rows = 1000;
    broken.presence.num_positive_infinity = 60;
    broken.presence.num_nan = 40;
    let found = alarms(&compared(broken, column(&[1.0; 1000]), &every_distance()));
    assert!(found.contains(&Measure::NanRate) && found.contains(&Measure::InfiniteRate), "{found:?}");
}

#[test]
fn signals_of_labels_are_told_apart() {
    let before = text(&[("a", 5000), ("b", 4900), ("c", 100)]);
    let report =
        compared(text(&[("a", 5000), ("b", 4800), ("d", 200)]), before.clone(), &DriftOptions::default());
    assert_eq!(alarms(&report), [Measure::NewCategories]);
    let many: Vec<(String, u64)> = (0..20).map(|i| (format!("k{i}"), 500)).collect();
    let many: Vec<(&str, u64)> = many.iter().map(|(label, count)| (label.as_str(), *count)).collect();
    let report = compared(text(&many[..12]), text(&many), &DriftOptions::default());
    assert!(alarms(&report).contains(&Measure::Cardinality), "{report:?}");
    let found = compared(missing(before.clone(), 2000), before.clone(), &DriftOptions::default());
    assert_eq!(alarms(&found), [Measure::MissingRate]);
    let mut cut_off = before.clone();
    let top = cut_off.top_values.as_mut().unwrap();
    top.is_complete = false;
    top.max_error = 3;
    let report = compared(before, cut_off, &DriftOptions::default());
    assert!(alarms(&report).is_empty() && !report.columns[0].notes.is_empty(), "{report:?}");
}

#[test]
fn what_labels_that_are_not_listed_may_hide_is_among_the_bounds() {
    // Half of the rows have labels that neither side lists: the same, or nothing in common.
    let half = || {
        let mut column = text(&[("a", 500), ("b", 500)]);
        let top = column.top_values.as_mut().unwrap();
        (top.is_complete, top.values) = (false, vec![("a".to_owned(), 500)]);
        column
    };
    let report = compared(half(), half(), &every_distance());
    for signal in report.columns[0].signals.iter().filter(|signal| signal.measure.is_distance()) {
        let most = match signal.measure {
            Measure::TotalVariation => 0.5,
            Measure::Hellinger | Measure::CramersV => 0.5_f64.sqrt(),
            _ => continue,
        };
        assert!(signal.value.abs() < 1e-12 && (signal.at_most - most).abs() < 1e-12, "{signal:?}");
    }
}

#[test]
fn a_distance_that_does_not_fit_is_an_error_not_a_zero() {
    let options = DriftOptions { numbers: vec![Measure::InfinityNorm], ..DriftOptions::default() };
    let error = options.check().unwrap_err();
    assert_eq!(error.to_string(), "`infinity_norm` is no distance of numbers");
    assert!(error.hint().unwrap().contains("`categorical`"));
    let own = [(Measure::KolmogorovSmirnov, 0.1)].into();
    let options = DriftOptions { of_column: [("kind".to_owned(), own)].into(), ..DriftOptions::default() };
    let sides = dataset(10, vec![text(&[("a", 10)])]);
    let error = options.check_columns([&sides, &sides]).unwrap_err();
    assert!(error.to_string().contains("as column `kind` is compared"), "{error}");
    let options = DriftOptions { columns: vec!["kimd".into()], ..DriftOptions::default() };
    assert!(options.check_columns([&sides, &sides]).unwrap_err().hint().unwrap().contains("kind"));
    for level in [0.0, 1.0, f64::NAN] {
        assert!(DriftOptions { level, ..DriftOptions::default() }.check().is_err());
    }
}

/// How often a data set of so many columns raises any alarm, `change` done to the first column.
fn alarm_rate(
    (simulations, rows, columns): (usize, usize, usize),
    is_saved: bool,
    change: impl Fn(&mut Vec<f64>, &mut Chance),
) -> f64 {
    let mut chance = Chance(7);
    // Any difference that is more than noise is an alarm, so that noise alone decides.
    let thresholds = Measure::ALL.iter().map(|measure| (*measure, 0.0)).collect();
    let options = DriftOptions { thresholds, ..DriftOptions::default() };
    let mut found = 0;
    for _ in 0..simulations {
        let mut sides = [Vec::new(), Vec::new()];
        let mut tables = [Tables::new(), Tables::new()];
        for index in 0..columns {
            for side in 0..2 {
                let mut values = chance.normals(rows);
                if side == 0 && index == 0 {
                    change(&mut values, &mut chance);
                }
                let name = format!("x{index}");
                let _ = tables[side].insert(name.clone(), cumulative(&values));
                sides[side].push(named(&name, column(&values)));
            }
        }
        let sides = sides.map(|columns| dataset(rows as u64, columns));
        let side = |index: usize| DriftSide {
            statistics: &sides[index],
            tables: (!is_saved).then_some(&tables[index]),
        };
        let report = compare(side(0), side(1), &options).unwrap();
        found += usize::from(report.alarms().next().is_some());
    }
    found as f64 / simulations as f64
}

#[test]
fn where_nothing_changed_alarms_are_as_rare_as_stated() {
    // 5 % of 100, three standard deviations up.
    for is_saved in [false, true] {
        let rate = alarm_rate((100, 200, 20), is_saved, |_, _| {});
        assert!(rate <= 0.116, "{is_saved} {rate}");
    }
}

#[test]
fn what_changed_is_found_among_twenty_columns() {
    let shifted = |values: &mut Vec<f64>, _: &mut Chance| values.iter_mut().for_each(|value| *value += 0.4);
    let wider = |values: &mut Vec<f64>, _: &mut Chance| values.iter_mut().for_each(|value| *value *= 1.7);
    assert!(alarm_rate((20, 1000, 20), false, shifted) > 0.99);
    assert!(alarm_rate((20, 1000, 20), true, shifted) > 0.99);
    assert!(alarm_rate((20, 1000, 20), false, wider) > 0.99);
}

#[test]
fn ten_wild_outliers_raise_no_alarm_at_the_usual_thresholds() {
    let mut chance = Chance(11);
    let plain = chance.normals(5000);
    let mut wild = chance.normals(4990);
    wild.extend([1e9; 10]);
    let asked = Measure::ALL.iter().filter(|measure| measure.fits(Comparison::Numbers)).count();
    let divergence = |report: &DriftReport| {
        let mut signals = report.columns[0].signals.iter();
        signals.find(|signal| signal.measure == Measure::JensenShannon).unwrap().clone()
    };
    for is_saved in [false, true] {
        let report = numbers(&wild, &plain, is_saved);
        let distances = report.columns[0].signals.iter().filter(|signal| signal.measure.is_distance());
        assert_eq!(distances.count(), asked, "{report:?}");
        assert_eq!(alarms(&report), []);
        // TFDV's buckets of equal width hold nearly all rows in the first: the divergence is that of their bounds.
        let found = divergence(&report);
        assert!(found.value > 0.99 && found.noise_floor > 0.97, "{found:?}");
        // What is beyond the bounds of the other side is told all the same.
        let far: Vec<f64> = plain.iter().map(|value| value + 20.0).collect();
        for changed in [vec![5.0; 1000], far] {
            let found = divergence(&numbers(&changed, &plain, is_saved));
            assert!(found.alarm && found.value > 1.5 * found.noise_floor, "{found:?}");
        }
    }
}

#[test]
fn a_trifling_change_of_many_rows_is_no_alarm_by_histograms_of_other_bounds() {
    // A twentieth of a deviation, certain by the number of rows, and one row that is far out on one side.
    let rows = 4_000_000;
    let spread = |by: f64| {
        let share = |at: f64| sluice_core::distribution::normal::upper_tail(at - by);
        let at = |index: i32| f64::from(index) / 50.0;
        let count = |index: i32| (share(at(index) - 0.01) - share(at(index) + 0.01)) * f64::from(rows);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count of rows")]
        let counted = (-300..=300).map(|index| (at(index), count(index).round() as u64));
        counted.filter(|(_, count)| *count > 0).collect::<Vec<_>>()
    };
    let mut current = spread(0.05);
    current.push((8.0, 1));
    let sides = [current, spread(0.0)].map(|values| {
        let column = column_of(&values);
        let tables: Tables = [("x".to_owned(), Cumulative::of_values(values.into_iter()).unwrap())].into();
        (dataset(column.presence.num_rows, vec![column]), tables)
    });
    let side = |index: usize| DriftSide { statistics: &sides[index].0, tables: Some(&sides[index].1) };
    let thresholds = [(Measure::JensenShannon, 0.0001)].into();
    for (options, is_alarm) in
        [(every_distance(), false), (DriftOptions { thresholds, ..every_distance() }, true)]
    {
        let report = compare(side(0), side(1), &options).unwrap();
        let found =
            report.columns[0].signals.iter().find(|signal| signal.measure == Measure::JensenShannon).unwrap();
        assert!(
            found.q.unwrap() < 1e-6 && found.value > found.noise_floor && found.value > 0.02,
            "{found:?}"
        );
        assert_eq!(found.alarm, is_alarm, "{found:?}");
    }
}
