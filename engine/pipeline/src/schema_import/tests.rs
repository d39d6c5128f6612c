//! Files that the packages themselves wrote (`tests/data/schemas/make.py`), and what becomes of each rule.

use std::path::{Path, PathBuf};

use sluice_core::schema::{Domain, Feature, FeatureType, Shape, ValueCount};

use super::*;

fn data(name: &str) -> PathBuf {
    let package = std::env::var_os("CARGO_MANIFEST_DIR").unwrap();
    Path::new(&package).join("../../tests/data/schemas").join(name)
}

fn imported(name: &str) -> Imported {
    import(&data(name), None).unwrap()
}

fn feature<'a>(imported: &'a Imported, name: &str) -> &'a Feature {
    imported.schema.feature(name).unwrap_or_else(|| panic!("no `{name}` in {imported:#?}"))
}

/// The rules that are not taken over, by column.
fn rules(imported: &Imported) -> Vec<(&str, &str)> {
    imported
        .remarks
        .iter()
        .map(|remark| (remark.column.as_deref().unwrap_or(""), remark.rule.as_str()))
        .collect()
}

fn text(name: &str, content: &str, origin: Option<SchemaOrigin>) -> Result<Imported> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    fs_err::write(&path, content).unwrap();
    import(&path, origin)
}

#[test]
fn pandera_says_the_same_in_yaml_and_json() {
    let found = imported("pandera.yaml");
    assert_eq!(found, imported("pandera.json"));
    assert_eq!(found.origin, SchemaOrigin::Pandera);
    let fare = feature(&found, "fare");
    assert_eq!(fare.feature_type, Some(FeatureType::Float));
    assert_eq!(fare.presence.min_fraction, Some(1.0));
    assert_eq!(fare.shape, Shape::scalar());
    assert!(matches!(fare.domain, Some(Domain::Float { min: Some(0.0), max: Some(500.0), .. })), "{fare:?}");
    let riders = feature(&found, "riders");
    assert!(matches!(riders.domain, Some(Domain::Int { min: Some(1), max: None, .. })), "{riders:?}");
    assert!(matches!(feature(&found, "paid").domain, Some(Domain::Boolean { .. })));
    let company = feature(&found, "company");
    assert!(!company.is_required());
    assert!(matches!(&company.domain, Some(Domain::Strings { values, .. }) if *values == ["blue", "green"]));
    // `miles` is there, but may be null.
    assert_eq!(feature(&found, "miles").presence.min_count, Some(1));
    let mut left = rules(&found);
    left.sort_unstable();
    let expected = [
        ("", "strict"),
        ("", "unique"),
        ("miles", "required"),
        ("plate", "str_matches"),
        ("plate", "unique"),
    ];
    assert_eq!(left, expected);
}

#[test]
fn pandera_of_before_has_its_checks_apart() {
    let old = "schema_type: dataframe\nversion: 0.20.0\nindex: null\ncolumns:\n  x:\n    dtype: int64\n    nullable: false\n    \
               checks:\n      greater_than: 0\n      in_range: {min_value: 0, max_value: 9, include_min: true, include_max: false}\n    \
               unique: false\n    required: true\n    regex: false\n  'y_.*':\n    dtype: float64\n    regex: true\n";
    let found = text("old.yaml", old, None).unwrap();
    assert!(
        matches!(feature(&found, "x").domain, Some(Domain::Int { min: Some(1), max: Some(8), .. })),
        "{found:#?}"
    );
    assert_eq!(rules(&found), [("y_.*", "regex")]);
    let list = old.replace("greater_than: 0\n", "equal_to: {value: 4, options: {raise_warning: true}}\n");
    let found = text("old.yaml", &list, None).unwrap();
    assert!(matches!(feature(&found, "x").domain, Some(Domain::Int { min: Some(4), .. })), "{found:#?}");
}

#[test]
fn suites_of_great_expectations_become_presence_domains_and_rows() {
    let found = imported("great_expectations.json");
    assert_eq!(found.origin, SchemaOrigin::GreatExpectations);
    assert_eq!((found.schema.min_rows, found.schema.max_rows), (Some(10), Some(100_000)));
    let fare = feature(&found, "fare");
    assert_eq!((fare.feature_type, fare.min_domain_mass), (Some(FeatureType::Float), 0.99));
    assert!(matches!(fare.domain, Some(Domain::Float { min: Some(0.0), max: Some(500.0), .. })), "{fare:?}");
    assert_eq!(feature(&found, "miles").presence.min_fraction, Some(0.9));
    assert_eq!(feature(&found, "riders").feature_type, Some(FeatureType::Int));
    let company = feature(&found, "company");
    assert!(matches!(&company.domain, Some(Domain::Strings { values, .. }) if *values == ["blue", "green"]));
    assert_eq!(company.unique.map(|unique| (unique.min, unique.max)), Some((Some(1), Some(5))));
    // Nothing says whether `miles` holds integers or floats.
    let left = rules(&found);
    for rule in [
        ("fare", "expect_column_mean_to_be_between"),
        ("company", "expect_column_values_to_match_regex"),
        ("miles", "expect_column_values_to_be_between"),
        ("", "expect_table_columns_to_match_set"),
    ] {
        assert!(left.contains(&rule), "{rule:?} in {left:?}");
    }
}

#[test]
fn models_of_pydantic_become_columns_lists_and_structs() {
    let found = imported("pydantic.schema.json");
    assert_eq!(found.origin, SchemaOrigin::JsonSchema);
    let riders = feature(&found, "riders");
    assert!(matches!(riders.domain, Some(Domain::Int { min: Some(1), max: Some(6), .. })), "{riders:?}");
    let company = feature(&found, "company");
    assert!(!company.is_required() && company.feature_type == Some(FeatureType::Bytes));
    assert!(matches!(&company.domain, Some(Domain::Strings { values, .. }) if values.len() == 2));
    let tags = feature(&found, "tags");
    assert_eq!(tags.shape, Shape::ValueCounts(vec![ValueCount { min: Some(1), max: Some(3) }]));
    let pickup = feature(&found, "pickup");
    assert_eq!((pickup.feature_type, pickup.fields.len()), (Some(FeatureType::Struct), 2));
    assert_eq!(pickup.fields[0].name, "latitude");
    assert!(matches!(pickup.fields[0].domain, Some(Domain::Float { min: Some(-90.0), .. })));
    let left = rules(&found);
    assert!(left.contains(&("plate", "pattern")) && left.contains(&("plate", "maxLength")), "{left:?}");
    assert!(left.iter().any(|(column, rule)| *column == "shift" && rule.contains("anyOf")), "{left:?}");
}

#[test]
fn schemas_of_arrow_keep_types_and_what_may_be_null() {
    let found = imported("arrow.arrow");
    assert_eq!(found, imported("arrow.parquet"));
    assert_eq!(found, imported("arrow.arrows"));
    let of = |name: &str| feature(&found, name).feature_type;
    assert_eq!(of("fare"), Some(FeatureType::Float));
    assert_eq!(feature(&found, "fare").presence.min_fraction, Some(1.0));
    assert_eq!(feature(&found, "riders").presence.min_fraction, None);
    assert!(matches!(feature(&found, "seats").domain, Some(Domain::Int { min: Some(0), max: None, .. })));
    assert_eq!(
        (of("company"), of("started"), of("price")),
        (Some(FeatureType::Bytes), Some(FeatureType::Bytes), Some(FeatureType::Float))
    );
    let corner = feature(&found, "corner");
    assert_eq!(corner.shape, Shape::ValueCounts(vec![ValueCount { min: Some(2), max: Some(2) }]));
    assert_eq!(feature(&found, "pickup").fields[0].presence.min_fraction, Some(1.0));
    assert!(
        matches!(rules(&found).as_slice(), [("more", rule)] if rule.starts_with("type Map")),
        "{found:#?}"
    );
}

#[test]
fn what_is_no_schema_is_malformed() {
    for (name, content, origin) in [
        ("a.json", "{\"a\": 1}", None),
        ("a.json", "[1, 2]", None),
        ("a.yaml", "columns: 3", Some(SchemaOrigin::Pandera)),
        ("a.yaml", "columns: {x: 3}", Some(SchemaOrigin::Pandera)),
        ("a.json", "{\"expectations\": [{}]}", None),
        ("a.json", "{\"$ref\": \"#/$defs/a\", \"$defs\": {\"a\": {\"$ref\": \"#/$defs/a\"}}}", None),
        ("a.json", "{\"$ref\": \"#/nowhere\"}", None),
        ("a.json", "{\"properties\": {\"x\": {\"$ref\": \"other.json\"}}}", None),
        ("a.parquet", "PAR1", None),
        ("a.arrow", "x", None),
    ] {
        let error = text(name, content, origin).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Malformed, "{name} {content}: {error}");
    }
}
