//! The page of statistics.

use sluice_core::column::ColumnKind;
use sluice_core::statistics::{
    Association, ColumnStatistics, ComposedStatistics, CrossStatistics, CustomStatistic, DatasetStatistics,
    DatasetWeight, Distinct, Level, SliceCondition, TimeBucket, TimeStatistics, Valency,
    WeightedNumericStatistics, WeightedStatistics,
};

use crate::html::tests::checker::check;
use crate::html::tests::samples::{data_set, equal, numbers, presence, text};
use crate::html::{StatisticsPageOptions, statistics_page};

fn page(sets: &[&DatasetStatistics]) -> String {
    statistics_page("Trips", sets, &StatisticsPageOptions::default())
}

/// Where each of these stands, which must be in this order.
fn assert_order(page: &str, words: &[&str]) {
    let places: Vec<usize> =
        words.iter().map(|word| page.find(word).unwrap_or_else(|| panic!("no `{word}`"))).collect();
    assert!(places.is_sorted(), "{words:?} at {places:?}");
}

fn times(name: &str) -> ColumnStatistics {
    ColumnStatistics {
        presence: presence(1000, 0),
        time: Some(TimeStatistics {
            earliest: "2024-01-01T00:00:00".into(),
            latest: "2024-01-03T00:00:00".into(),
            resolution: Some("minute".into()),
            quantiles: vec![(0.5, "2024-01-02T00:00:00".into())],
            rank_error_fraction: 0.0,
            histogram: [("2024-01-01", "2024-01-02", 900.0), ("2024-01-02", "2024-01-03", 100.0)]
                .map(|(low, high, count)| TimeBucket { low: low.into(), high: high.into(), count })
                .to_vec(),
        }),
        ..ColumnStatistics::new(name, ColumnKind::Timestamp { zone: None, nanoseconds: false })
    }
}

fn list(name: &str) -> ColumnStatistics {
    let level =
        Level { num_present: 990, num_empty: 40, max_length: 9, num_elements: 3012, ..Level::default() };
    ColumnStatistics {
        presence: presence(1000, 10),
        valency: Some(Valency {
            levels: vec![level],
            num_null_values: 12,
            lengths: Some(equal(0.0, 9.0, &[400.0, 400.0, 190.0])),
        }),
        ..ColumnStatistics::new(name, ColumnKind::List(Box::new(ColumnKind::Integer)))
    }
}

/// What a column tells about the tips, in bits and as a share.
fn told(adjusted_mutual_information: f64, normalized_mutual_information: f64) -> Association {
    let (label, num_rows, correlation) = ("tips".into(), 321, Some(0.72));
    Association { label, num_rows, adjusted_mutual_information, normalized_mutual_information, correlation }
}

fn terms() -> ComposedStatistics {
    let of_index = |count| CustomStatistic::Counts(vec![("position".into(), count)]);
    let figures = [
        ("missing_value", CustomStatistic::Number(17.0)),
        ("missing_index", of_index(23.0)),
        ("min_length_diff", of_index(-29.0)),
        ("max_length_diff", of_index(31.0)),
    ];
    let custom = figures.into_iter().map(|(name, figure)| (name.to_owned(), figure)).collect();
    ComposedStatistics { name: "terms".into(), custom }
}

fn everything() -> DatasetStatistics {
    let mut fare = numbers("fare", 1000, 0.0, 50.0);
    fare.association = Some(told(0.83, 0.31));
    let numeric = WeightedNumericStatistics {
        mean: 27.125,
        standard_deviation: 9.5,
        quantiles: None,
        histograms: fare.numeric.as_ref().and_then(|numeric| numeric.histograms.clone()),
    };
    fare.weighted = Some(WeightedStatistics {
        num_present: 1234.5,
        num_missing: 0.0,
        num_values: 1234.5,
        numeric: Some(numeric),
        top_values: vec![("10".into(), 77.25)],
        top_values_max_error: 1.75,
    });
    if let Some(histograms) = fare.numeric.as_mut().and_then(|numeric| numeric.histograms.as_mut()) {
        histograms.equal_width.max_error = 0.25;
    }
    fare.custom.insert("own_figure".into(), CustomStatistic::Number(0.0625));
    let mut users = text("user", &[("a", 60), ("b", 940)]);
    users.distinct = Some(Distinct { count: 5421, relative_error: 0.0163 });
    let fields = vec![("maker".to_owned(), ColumnKind::Text)];
    let car = ColumnStatistics {
        presence: presence(1000, 0),
        ..ColumnStatistics::new("car", ColumnKind::Struct(fields))
    };
    let mut maker = text("car.maker", &[("Kia", 300)]);
    maker.presence = presence(1000, 700);
    maker.path = vec!["car".into(), "maker".into()];
    let columns = vec![fare, users, times("start"), list("stops"), car, maker];
    let mut cash = data_set("payment_Cash", vec![numbers("fare", 321, 0.0, 20.0)]);
    cash.columns[0].association = Some(told(0.125, 0.07));
    cash.conditions = vec![SliceCondition { column: "payment".into(), value: Some("Cash".into()) }];
    let mut unknown = data_set("payment_null", vec![numbers("fare", 12, 0.0, 20.0)]);
    unknown.conditions = vec![SliceCondition { column: "payment".into(), value: None }];
    DatasetStatistics {
        weight: Some(DatasetWeight { column: "passengers".into(), sum: 1234.5, sum_of_squares: None }),
        crosses: vec![CrossStatistics {
            x: "fare".into(),
            y: "miles".into(),
            num_rows: 1000,
            covariance: 12.5,
            correlation: Some(-0.875),
        }],
        composed: vec![terms()],
        slices: vec![unknown, cash],
        ..data_set("train", columns)
    }
}

#[test]
fn a_slice_by_an_expression_is_called_as_it_was_written() {
    let mut data = everything();
    let name = "fare > 20";
    let condition = SliceCondition { column: name.into(), value: Some("true".into()) };
    data.slices = vec![data_set(name, vec![numbers("fare", 321, 20.0, 50.0)])];
    data.slices[0].conditions = vec![condition];
    let html = page(&[&data]);
    check(&html);
    assert!(html.contains("fare &gt; 20") && !html.contains("fare &gt; 20 ="));
}

#[test]
fn all_that_is_known_stands_in_the_page() {
    let data = everything();
    let html = page(&[&data]);
    let found = check(&html);
    for words in [
        "5\u{202f}421 <small>± 1.6%</small>",
        "2024-01-03T00:00:00",
        "minute",
        "0 to 9, mean 3.04242",
        "list of integer",
        "weight 1234.5 by <bdi>passengers</bdi>",
        "27.125",
        "Weights may be low by up to 1.75.",
        "buckets of equal width, each within ± 0.25",
        "77.25",
        "31% <small>0.83 bits</small>",
        "correlation with <bdi>tips</bdi></th><td>0.72",
        "0.0625",
        "\u{2212}0.875",
        "payment = <bdi>Cash</bdi>",
        "payment = <i class=\"nil\">missing</i>",
        "70% missing (700 rows)",
        "<td class=\"n\">17</td><td><bdi>position</bdi></td><td class=\"n\">23</td>",
        "<td class=\"n\">\u{2212}29 to 31</td>",
        // Of the slice.
        "<td class=\"n\">7% <small>0.125 bits</small></td>",
    ] {
        assert!(html.contains(words), "no `{words}`");
    }
    // Larger slices first, all columns once in the overview and once in detail.
    assert_order(&html, &["<bdi>Cash</bdi>", "<i class=\"nil\">missing</i>"]);
    assert_eq!((found.count("article"), html.matches("<tr id=\"o").count()), (6, 6));
}

#[test]
fn the_worst_comes_first_and_fields_stay_with_their_struct() {
    let data = everything();
    let html = page(&[&data]);
    // `car.maker` lacks 70 % of its values; it moves its struct up, and stands below it.
    assert_order(
        &html,
        &["<article id=\"c4\"", "<article id=\"c5\"", "<article id=\"c3\"", "<article id=\"c0\""],
    );
    assert_order(&html, &["id=\"look\"", "70% missing", "id=\"columns\"", "id=\"details\""]);
    let calm = data_set("train", vec![numbers("fare", 100, 1.0, 2.0)]);
    assert!(page(&[&calm]).contains("Nothing stands out."));
}

#[test]
fn data_sets_are_compared_with_the_first() {
    let mut fare = numbers("fare", 10_000, 0.0, 10.0);
    fare.presence.num_missing = 500;
    fare.presence.num_rows += 500;
    let same = numbers("same", 10_000, 0.0, 1.0);
    let kind = text("pay", &[("Cash", 4000), ("Card", 6000)]);
    let train = data_set("train", vec![same.clone(), fare, kind, text("gone", &[("a", 5), ("b", 9995)])]);
    let other = text("pay", &[("Cash", 5500), ("Card", 4400), ("Crypto", 100)]);
    let eval = data_set("eval", vec![same, numbers("fare", 10_000, 4.0, 14.0), other]);
    let html = page(&[&train, &eval]);
    check(&html);
    for words in [
        "mean 5 in train, 9 in eval, 1.39 standard deviations",
        "missing 4.8% in train, 0% in eval",
        "“Card” is 60% of train, 44% of eval",
        "not in eval",
        "eval has “Crypto”, which train lacks (1% of values)",
        "values up to 4 are 40% to 50% of train, less than 1% of eval",
    ] {
        assert!(html.contains(words), "no `{words}`");
    }
    // What is the same is no trouble: it stands last.
    assert_order(
        &html,
        &["<article id=\"c1\"", "<article id=\"c3\"", "<article id=\"c2\"", "<article id=\"c0\""],
    );
    // The same difference between two dozen rows is chance.
    let few = |name: &str, mean: f64| data_set(name, vec![numbers("fare", 12, mean, mean + 10.0)]);
    let calm = page(&[&few("train", 0.0), &few("eval", 2.0)]);
    assert!(calm.contains("Nothing stands out."));
}

#[test]
fn what_data_say_is_shown_and_never_followed() {
    let long = "x".repeat(10_000);
    let hostile = [
        "</script><script>alert(1)</script>",
        "\" onmouseover=\"alert(1)",
        "'><img src=x onerror=alert(1)>",
        "\u{202e}txt.exe",
        "a\u{0}b\u{1b}[31m\r\n\u{200b}\u{feff}",
        "<!--",
        "]]>&amp;<style>",
        "",
        long.as_str(),
    ];
    let mut columns: Vec<ColumnStatistics> =
        hostile.iter().map(|name| text(name, &hostile.map(|value| (value, 7)))).collect();
    for (column, name) in columns.iter_mut().zip(hostile) {
        column.custom.insert(name.into(), CustomStatistic::Text(name.into()));
        column.kind = ColumnKind::Other(name.into());
        column.association = Some(Association {
            label: name.into(),
            num_rows: 1,
            adjusted_mutual_information: 0.0,
            normalized_mutual_information: 0.0,
            correlation: None,
        });
    }
    columns.push(ColumnStatistics {
        time: Some(TimeStatistics {
            earliest: hostile[1].into(),
            latest: hostile[0].into(),
            resolution: Some(hostile[2].into()),
            quantiles: vec![(0.5, hostile[2].into())],
            rank_error_fraction: 0.0,
            histogram: vec![TimeBucket { low: hostile[0].into(), high: hostile[1].into(), count: 1.0 }],
        }),
        ..ColumnStatistics::new("time", ColumnKind::Date)
    });
    let mut sliced = data_set(hostile[0], columns.clone());
    sliced.conditions = vec![SliceCondition { column: hostile[1].into(), value: Some(hostile[2].into()) }];
    let mut data = data_set(hostile[0], columns);
    data.slices = vec![sliced];
    data.weight = Some(DatasetWeight { column: hostile[2].into(), sum: 1.0, sum_of_squares: None });
    let other = data_set(hostile[1], vec![numbers(hostile[0], 10, 0.0, 1.0)]);
    let html = statistics_page(hostile[0], &[&data, &other], &StatisticsPageOptions::default());
    let found = check(&html);
    assert_eq!(found.count("script"), 1);
    assert!(found.text.contains("&lt;/script&gt;&lt;script&gt;alert(1)"));
    assert!(found.text.contains("\\u{202e}txt.exe") && !found.text.contains(&"x".repeat(200)));
}

#[test]
fn degenerate_data_make_a_page() {
    let columns = vec![
        ColumnStatistics::new("never seen", ColumnKind::Null),
        ColumnStatistics {
            presence: presence(10, 10),
            ..ColumnStatistics::new("all null", ColumnKind::Float)
        },
        numbers("one value", 10, 3.0, 3.0),
        numbers("huge", 10, -1e300, 1e300),
        numbers("widest", 10, f64::MIN, f64::MAX),
        numbers("negative zero", 10, -0.0, 0.0),
        numbers("tiny", 10, 5e-324, 1e-300),
        numbers("no rows", 0, 0.0, 1.0),
        text("no values", &[]),
    ];
    let data = data_set("train", columns.clone());
    for sets in [vec![&data], vec![&data, &data], vec![&data; 9], vec![]] {
        let html = page(&sets);
        check(&html);
        assert_eq!(html.contains("3 more data sets are left out."), sets.len() == 9);
    }
    let words = page(&[&data]);
    assert!(words.contains("no value in 10 rows"));
    check(&page(&[&DatasetStatistics::default()]));
}

#[test]
fn a_page_is_bounded_and_says_what_it_leaves_out() {
    let wide = |count: usize| {
        let columns = (0..count).map(|index| {
            let name = format!("a_column_with_a_name_of_usual_length_{index:04}");
            match index % 3 {
                0 => numbers(&name, 123_456, 0.0, 1234.5678),
                1 => numbers(&name, 123_456, -77.125, 1234.5678),
                _ => text(&name, &[("a value of usual length", 10_000); 20]),
            }
        });
        columns.collect::<Vec<_>>()
    };
    let mut train = data_set("train", wide(500));
    train.slices = vec![data_set("slice", wide(500)); 30];
    let eval = data_set("eval", wide(500));
    let both = page(&[&train, &eval]);
    assert!(both.len() < 5_000_000, "{} bytes", both.len());
    let found = check(&both);
    assert_eq!(found.count("article"), 500);
    assert!(both.contains("Below each column: the 3 slices with most rows."));
    // Once more, the same bytes.
    assert!(both == page(&[&train, &eval]));
    let wider = data_set("train", wide(2500));
    let cut = page(&[&wider]);
    assert!(cut.len() < 5_000_000, "{} bytes", cut.len());
    assert_eq!((check(&cut).count("article"), cut.matches("<tr id=\"o").count()), (500, 1500));
    assert!(cut.contains("1000 columns with less trouble are left out."));
    assert!(cut.contains("The details of 1000 columns"));
}
