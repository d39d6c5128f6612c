use serde_json::{Value as Json, json};

use sluice_core::batch::Batch;
use sluice_core::spill::Scratch;
use sluice_core::{Execution, MemoryLimit};

use super::*;
use crate::Transform;
use crate::fit::analyzer::{Analyze, Rows, TokenCounts, TokenOptions};
use crate::operation::{Fitting as _, Mapper};
use crate::testing::{
    check_laws, check_laws_of, check_paths, columns_of, features, fitted, fitted_of, golden, refusal,
};

fn tokens(transform: &Transform) -> &Tokens {
    let found = transform.nodes().iter().find_map(|node| match &node.mapper {
        Mapper::Vocabulary(tokens) => Some(tokens.as_ref()),
        _ => None,
    });
    found.unwrap()
}

fn strings(values: &Json) -> Vec<&str> {
    values.as_array().unwrap().iter().map(|value| value.as_str().unwrap()).collect()
}

#[test]
fn weights_decide_the_order() {
    let case = golden("tft-067");
    let rows = columns_of(&case["input"]);
    let fit = json!([{ "vocabulary": { "columns": ["x"], "weight": "w", "output": "number" } }]);
    let transform = fitted(&rows, &fit).unwrap();
    let expected: Vec<Option<f64>> =
        case["expect"]["out"].as_array().unwrap().iter().map(Json::as_f64).collect();
    assert_eq!(features(&transform, &rows)[0].1, expected);
    check_laws(&rows, &fit);
    check_paths(&transform, &rows);
    let negative = columns_of(&json!({ "x": ["a", "b"], "w": [1.0, -1.0] }));
    assert!(refusal(&negative, &fit).contains("weighs rows by `w`"));
}

#[test]
fn reserved_tokens_come_first() {
    let case = golden("tft-069");
    let rows = columns_of(&json!({ "x": case["input"]["x"] }));
    let reserved = &case["input"]["reserved"];
    let fit = json!([{ "vocabulary": { "columns": ["x"], "reserved": reserved, "output": "number" } }]);
    let transform = fitted(&rows, &fit).unwrap();
    assert_eq!(tokens(&transform).tokens(), strings(&case["expect"]["file"]));
}

#[test]
fn lists_become_lists_of_numbers() {
    let case = golden("tft-065");
    let rows = columns_of(&case["input"]);
    // A list of numbers is no feature, so the mapper is asked itself.
    let column = rows.column_by_name("x").unwrap();
    let mut counts = TokenCounts::new(TokenOptions {
        is_weighted: false,
        is_labelled: false,
        is_list: true,
        limit: 100,
        approximate: None,
        part: None,
    });
    let value = Value::Column(Arc::clone(column));
    counts.rows(&Rows { names: vec!["x"], values: vec![&value], hashes: None }).unwrap();
    let options = Vocabulary {
        top: Some(2),
        default: Some(-99),
        output: LevelOutput::Number,
        ..Vocabulary::of_columns(vec!["x".into()])
    };
    let fitting = VocabularyFitting::new(options, "x", String::new(), true);
    let crate::operation::Fitted::Done(Mapper::Vocabulary(tokens)) =
        Box::new(fitting).fit(vec![counts.into()]).unwrap()
    else {
        panic!("a vocabulary is fitted in one scan")
    };
    let inputs =
        Inputs { operation: "vocabulary", names: vec!["x"], values: vec![&value], rows: 4, hashes: None };
    let found = tokens.apply(&inputs).unwrap().remove(0);
    let Value::Column(found) = found else { panic!("lists become a column") };
    let lists = found.as_any().downcast_ref::<ListArray>().unwrap();
    let expected = case["expect"]["out"].as_array().unwrap();
    for (row, expected) in expected.iter().enumerate() {
        let numbers = lists.value(row);
        let numbers = numbers.as_any().downcast_ref::<Int64Array>().unwrap();
        let expected: Vec<i64> = expected.as_array().unwrap().iter().map(|x| x.as_i64().unwrap()).collect();
        assert_eq!(numbers.values(), &expected[..]);
    }
}

#[test]
fn lists_become_counts_of_terms() {
    let rows = columns_of(&json!({ "x": [["b", "a", "b"], [], null, ["c", "d"], ["a", "b"]] }));
    let fit = json!([{ "vocabulary": { "columns": ["x"], "min_frequency": 2, "oov_buckets": 1 } }]);
    let transform = fitted(&rows, &fit).unwrap();
    let found = features(&transform, &rows);
    let column = |name: &str| found.iter().find(|(known, _)| known == name).unwrap().1.clone();
    assert_eq!(column("x=b"), [2.0, 0.0, 0.0, 0.0, 1.0].map(Some));
    assert_eq!(column("x=a"), [1.0, 0.0, 0.0, 0.0, 1.0].map(Some));
    assert_eq!(column("x=(other)"), [0.0, 0.0, 0.0, 2.0, 0.0].map(Some));
    check_laws(&rows, &fit);
    check_paths(&transform, &rows);
    let batch = Batch::new(&rows.slice(1, 3));
    assert_eq!(sluice_core::BatchTransform::apply(&transform, &batch).unwrap().rows, 3);
}

/// The information of each token in rows of TFT's golden cases.
fn information(case: &Json, options: Vocabulary) -> Vec<(String, f64)> {
    let rows = columns_of(&case["input"]);
    let values = ["x", "y"].map(|name| Value::Column(Arc::clone(rows.column_by_name(name).unwrap())));
    let mut counts = TokenCounts::new(TokenOptions {
        is_weighted: false,
        is_labelled: true,
        is_list: false,
        limit: 100,
        approximate: None,
        part: None,
    });
    let rows = Rows { names: vec!["x", "y"], values: values.iter().collect(), hashes: None };
    counts.rows(&rows).unwrap();
    VocabularyFitting::new(options, "x", "y".into(), false).indicators(counts)
}

#[test]
fn information_is_that_of_tft() {
    for (id, least) in [("tft-061", None), ("tft-063", Some(AutoOr::Number(2.0)))] {
        let case = golden(id);
        let options = Vocabulary {
            by: VocabularyBy::MutualInformation,
            min_diff_from_average: least,
            ..Vocabulary::of_columns(vec!["x".into()])
        };
        for (token, found) in information(&case, options) {
            let expected = case["expect"][&token].as_f64().unwrap();
            assert!((found - expected).abs() < 1e-6, "{id} {token}: {found}, not {expected}");
        }
    }
}

#[test]
fn the_label_decides_and_is_no_input() {
    let rows = columns_of(&golden("tft-061")["input"]);
    let by = |by: &str| json!([{ "vocabulary": { "columns": ["x"], "by": by, "top": 2 } }]);
    let transform = fitted_of(&rows, &by("mutual_information"), Some("y")).unwrap();
    assert_eq!(tokens(&transform).tokens(), ["goodbye", "aaaaa"]);
    let inputs: Vec<&str> = transform.input_columns().iter().map(|column| column.name.as_str()).collect();
    assert_eq!(inputs, ["x"]);
    assert_eq!(sluice_core::BatchTransform::space(&transform).features[0].sources, ["x"]);
    check_paths(&transform, &rows);
    check_laws_of(&rows, &by("mutual_information"), Some("y"));
    // hello is in 3 of 9 rows of label 1: 1.2451 of its bits against 1.2137 by chance.
    let adjusted = fitted_of(&rows, &by("adjusted_mutual_information"), Some("y")).unwrap();
    assert_eq!(tokens(&adjusted).tokens()[0], "goodbye");
    assert!(refusal(&rows, &by("mutual_information")).contains("learns from the label"));
    let unlabelled = columns_of(&json!({ "x": ["a", "b"], "y": ["yes", null] }));
    let error = fitted_of(&unlabelled, &by("mutual_information"), Some("y")).unwrap_err();
    assert!(error.to_string().contains("null, NaN or infinite"), "{error}");
}

#[test]
fn others_are_hashed_or_have_a_number_or_nothing() {
    let rows = columns_of(&json!({ "c": ["a", "b", "b", "c", null] }));
    let later = columns_of(&json!({ "c": ["z", "a", "b", null, "zz"] }));
    let of = |more: Json| {
        let mut options = json!({ "columns": ["c"], "top": 2, "output": "number" });
        options.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let transform = fitted(&rows, &json!([{ "vocabulary": options }])).unwrap();
        check_paths(&transform, &later);
        features(&transform, &later).remove(0).1
    };
    assert_eq!(of(json!({})), [None, None, Some(0.0), None, None]);
    assert_eq!(of(json!({ "default": -1 })), [-1.0, -1.0, 0.0, -1.0, -1.0].map(Some));
    let hashed = |text: &str| Some((2 + farmhash::fingerprint64(text.as_bytes()) % 5) as f64);
    assert_eq!(of(json!({ "oov_buckets": 5 })), [hashed("z"), hashed("a"), Some(0.0), None, hashed("zz")]);
    let both = json!([{ "vocabulary": { "columns": ["c"], "default": 1, "oov_buckets": 2 } }]);
    assert!(refusal(&rows, &both).contains("both `default` and `oov_buckets`"));
    let none = json!([{ "vocabulary": { "columns": ["c"], "min_frequency": 9 } }]);
    assert!(refusal(&rows, &none).contains("keeps no level"));
}

#[test]
fn too_many_tokens_are_refused_or_counted_about() {
    let values: Vec<String> =
        (0..3000).map(|row| if row % 3 == 0 { "most".to_owned() } else { format!("t{row}") }).collect();
    let rows = columns_of(&json!({ "c": values }));
    let few = json!([{ "vocabulary": { "columns": ["c"], "max_distinct": 100 } }]);
    let message = refusal(&rows, &few);
    assert!(message.contains("holds 100 different values") && message.contains("approximate"), "{message}");
    let scans = json!([{ "vocabulary": { "columns": ["c"], "max_distinct": 400, "scans": 9, "top": 3 } }]);
    assert_eq!(tokens(&fitted(&rows, &scans).unwrap()).tokens(), ["most", "t998", "t997"]);
    check_laws(&rows, &scans);
    let about = json!([{ "vocabulary": { "columns": ["c"], "approximate": 20, "top": 1 } }]);
    assert_eq!(tokens(&fitted(&rows, &about).unwrap()).tokens(), ["most"]);
    check_laws(&rows, &about);
    let exact = json!([{ "vocabulary": { "columns": ["c"], "approximate": 5000, "top": 3 } }]);
    assert_eq!(tokens(&fitted(&rows, &exact).unwrap()).tokens(), ["most", "t998", "t997"]);
}

/// 100,000 tokens: those that end in 0 in three rows, those that end in 1 in two, the others in one, in an order that has
/// nothing to do with them, split in parts of 5,000 rows.
fn many_tokens() -> sluice_testkit::MemorySource {
    let rows_of = |token: u64| match token % 10 {
        0 => 3,
        1 => 2,
        _ => 1,
    };
    let repeated = |token: u64| vec![token; rows_of(token)];
    let mut rows: Vec<u64> = (0..100_000).flat_map(repeated).collect();
    rows.sort_unstable_by_key(|token| token.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(17));
    let texts: Vec<String> = rows.iter().map(|token| format!("token {token:05}")).collect();
    let column: arrow::array::ArrayRef = Arc::new(arrow::array::StringArray::from(texts));
    sluice_testkit::MemorySource::new(&crate::testing::table(vec![("c", column)]), 5000).with_batch_rows(1000)
}

#[test]
fn tokens_beyond_the_memory_are_counted_on_disk() {
    let source = many_tokens();
    let roles = sluice_core::role::Roles::default();
    let within = |threads| Execution::with_threads(threads).within(MemoryLimit::bytes(4_000_000));
    let folder = std::env::temp_dir();
    // In two scans tokens are added up as weights are, which takes more memory.
    for scans in [1, 2] {
        let options = json!({ "columns": ["c"], "top": 15_001, "min_frequency": 2, "scans": scans });
        let spec = crate::testing::spec(&json!([{ "vocabulary": options }]));
        let fit = |execution: &Execution| crate::fit(&spec, &source, &roles, execution);
        let expected = fit(&Execution::with_threads(2)).unwrap();
        let tokens = tokens(&expected).tokens();
        assert_eq!(tokens.len(), 15_001);
        let ranked = [0, 9_999, 10_000, 14_999, 15_000].map(|rank| tokens[rank].as_str());
        assert_eq!(ranked, ["token 99990", "token 00000", "token 99991", "token 50001", "token 49991"]);
        for threads in [1, 4] {
            let scratch = Scratch::in_folder(&folder);
            let spilled = fit(&within(threads).with_scratch(scratch.clone())).unwrap();
            let text = |transform| serde_json::to_string(transform).unwrap();
            assert!(text(&spilled) == text(&expected), "{threads} threads");
            assert_eq!(scratch.held(), 0, "what was put aside is given back");
        }
    }
}

#[test]
fn without_a_place_on_disk_the_memory_bounds_the_tokens() {
    let (source, roles) = (many_tokens(), sluice_core::role::Roles::default());
    let spec = crate::testing::spec(&json!([{ "vocabulary": { "columns": ["c"], "top": 3 } }]));
    let execution = Execution::with_threads(2).within(MemoryLimit::bytes(4_000_000));
    let error = crate::fit(&spec, &source, &roles, &execution).unwrap_err();
    assert!(error.to_string().contains("the memory limit is 4 MB"), "{error}");
    let file = sluice_testkit::datasets::repository().join("Cargo.toml");
    let nowhere = Scratch::in_folder(file.join("scratch"));
    let error = crate::fit(&spec, &source, &roles, &execution.with_scratch(nowhere)).unwrap_err();
    assert!(error.to_string().contains("Cargo.toml/scratch"), "{error}");
    assert!(error.hint().unwrap().contains("--memory"), "{error}");
}

#[test]
fn the_best_are_kept_however_many_are_offered() {
    let mut state = 1_u64;
    let mut offered: Vec<(String, f64)> = Vec::new();
    for number in 0..40_000 {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        offered.push((format!("{number}"), (state >> 60) as f64));
    }
    for top in [1, 7, 5000, 39_999, 50_000] {
        let mut best = fit::Best::new(Some(top));
        offered.iter().for_each(|(token, indicator)| best.offer(token, *indicator));
        let mut expected = offered.clone();
        expected.sort_by(|a, b| b.1.total_cmp(&a.1).then_with(|| b.0.cmp(&a.0)));
        expected.truncate(top);
        let found: Vec<String> = best.into_tokens().collect();
        assert!(found.iter().eq(expected.iter().map(|(token, _)| token)), "{top}");
    }
}
