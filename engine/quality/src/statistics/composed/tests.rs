//! Figures of TFDV 1.16.1 for the same table and schema, and the laws.

use arrow::array::{Float64Array, Int64Array, ListArray, RecordBatch, StringBuilder, StructArray};
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::datatypes::{DataType, Field, Float64Type, Int64Type};
use proptest::prelude::*;
use serde_json::{Value, json};
use sluice_core::BatchSource;
use sluice_core::execution::Execution;
use sluice_core::fold::fold;
use sluice_testkit::{MemorySource, laws};

use super::*;
use crate::schema::read_schema;

const SCHEMA: &str = "
    sparse_feature { name: 'matrix' index_feature { name: 'j' } index_feature { name: 'i' } value_feature { name: 'v' } }
    sparse_feature { name: 'absent_index' index_feature { name: 'nowhere' } value_feature { name: 'v' } }
    sparse_feature { name: 'absent_value' index_feature { name: 'i' } value_feature { name: 'nowhere' }
      lifecycle_stage: DEPRECATED }
    weighted_feature { name: 'scored' feature { step: 'terms' } weight_feature { step: 'weights' } }
    weighted_feature { name: 'basket_prices'
      feature { step: 'basket' step: 'goods' } weight_feature { step: 'basket' step: 'prices' } }
    weighted_feature { name: 'unweighted' feature { step: 'terms' } weight_feature { step: 'nowhere' } }
    weighted_feature { name: 'nothing' feature { step: 'nowhere' } weight_feature { step: 'neither' } }";

fn integers(lists: Vec<Option<Vec<i64>>>) -> ArrayRef {
    let lists = lists.into_iter().map(|list| list.map(|list| list.into_iter().map(Some).collect::<Vec<_>>()));
    Arc::new(ListArray::from_iter_primitive::<Int64Type, _, _>(lists))
}

/// Lists of so many values each; none where there is no list.
fn numbers(lengths: &[Option<usize>]) -> ArrayRef {
    let lists = lengths.iter().map(|length| length.map(|length| vec![Some(1.5); length]));
    Arc::new(ListArray::from_iter_primitive::<Float64Type, _, _>(lists))
}

fn texts(lengths: &[Option<usize>]) -> ArrayRef {
    let mut lists = arrow::array::ListBuilder::new(StringBuilder::new());
    for length in lengths {
        (0..length.unwrap_or(0)).for_each(|_| lists.values().append_value("a"));
        lists.append(length.is_some());
    }
    Arc::new(lists.finish())
}

/// Structs with goods and prices, in lists of these lengths.
fn baskets(lengths: &[Option<usize>], goods: &[Option<usize>], prices: &[Option<usize>]) -> ArrayRef {
    let (goods, prices) = (texts(goods), numbers(prices));
    let structs = StructArray::from(vec![
        (Arc::new(Field::new("goods", goods.data_type().clone(), true)), goods),
        (Arc::new(Field::new("prices", prices.data_type().clone(), true)), prices),
    ]);
    let field = Arc::new(Field::new_list_field(structs.data_type().clone(), true));
    let offsets = OffsetBuffer::from_lengths(lengths.iter().map(|length| length.unwrap_or(0)));
    let nulls = NullBuffer::from_iter(lengths.iter().map(Option::is_some));
    Arc::new(ListArray::new(field, offsets, Arc::new(structs), Some(nulls)))
}

fn table() -> RecordBatch {
    let some = |list: &[i64]| Some(list.to_vec());
    let i = vec![some(&[0, 3]), some(&[1]), None, some(&[2, 5, 7]), some(&[]), None, some(&[4]), some(&[6])];
    let j = vec![some(&[1, 1]), some(&[2, 0]), some(&[3]), None, some(&[]), None, some(&[9]), some(&[8])];
    let basket = baskets(
        &[Some(2), None, Some(0), Some(1), Some(1), Some(1), None, Some(1)],
        &[Some(2), Some(1), None, None, Some(1), Some(0)],
        &[Some(2), None, Some(1), None, Some(0), Some(3)],
    );
    RecordBatch::try_from_iter([
        ("i", integers(i)),
        ("j", integers(j)),
        ("v", numbers(&[Some(2), Some(1), Some(1), Some(2), None, None, Some(1), Some(0)])),
        ("terms", texts(&[Some(1), Some(2), None, Some(0), Some(1), None, Some(3), Some(1)])),
        ("weights", numbers(&[Some(1), Some(1), Some(1), None, Some(1), None, Some(2), Some(2)])),
        ("basket", basket),
    ])
    .unwrap()
}

fn features(schema: &str) -> Vec<ComposedFeature> {
    ComposedFeature::of_schema(read_schema(schema, "schema.pbtxt").unwrap().schema()).unwrap()
}

fn counted(table: &RecordBatch, schema: &str, split_rows: u64) -> Value {
    let source = MemorySource::new(table, split_rows).with_batch_rows(2);
    let composed = ComposedFeatures::new(&features(schema), &source.plan().columns);
    let found = fold(&source, &composed, &Execution::with_threads(2)).unwrap().accumulator.finish();
    let plain = |figure: CustomStatistic| match figure {
        CustomStatistic::Number(number) => json!(number),
        CustomStatistic::Counts(counts) => {
            counts.into_iter().map(|(label, count)| (label, json!(count))).collect()
        }
        other => panic!("{other:?}"),
    };
    let figures = |custom: std::collections::BTreeMap<String, CustomStatistic>| -> Value {
        custom.into_iter().map(|(name, figure)| (name, plain(figure))).collect()
    };
    found.into_iter().map(|one| (one.name, figures(one.custom))).collect()
}

/// `SparseFeatureStatsGenerator` and `WeightedFeatureStatsGenerator` of TFDV 1.16.1 on this table and schema.
#[test]
fn figures_are_those_of_tfdv() {
    let expected = json!({
        "matrix": {
            "missing_value": 1.0, "missing_index": {"i": 1.0, "j": 1.0},
            "max_length_diff": {"i": 1.0, "j": 1.0}, "min_length_diff": {"i": -1.0, "j": -2.0},
        },
        "absent_index": {
            "missing_value": 0.0, "missing_index": {"nowhere": 6.0},
            "max_length_diff": {"nowhere": 0.0}, "min_length_diff": {"nowhere": -2.0},
        },
        "absent_value": {
            "missing_value": 6.0, "missing_index": {"i": 0.0},
            "max_length_diff": {"i": 3.0}, "min_length_diff": {"i": 0.0},
        },
        "scored": {
            "missing_weight": 1.0, "missing_value": 1.0,
            "min_weight_length_diff": -1.0, "max_weight_length_diff": 1.0,
        },
        "basket_prices": {
            "missing_weight": 1.0, "missing_value": 1.0,
            "min_weight_length_diff": -1.0, "max_weight_length_diff": 3.0,
        },
        "unweighted": {
            "missing_weight": 6.0, "missing_value": 0.0,
            "min_weight_length_diff": -3.0, "max_weight_length_diff": 0.0,
        },
        "nothing": {
            "missing_weight": 0.0, "missing_value": 0.0,
            "min_weight_length_diff": 0.0, "max_weight_length_diff": 0.0,
        },
    });
    for split_rows in [1, 3, 8] {
        assert_eq!(counted(&table(), SCHEMA, split_rows), expected, "{split_rows}");
    }
}

#[test]
fn a_column_without_lists_has_one_value_a_row() {
    let table = RecordBatch::try_from_iter([
        ("x", Arc::new(Int64Array::from(vec![Some(1), None, Some(3), None])) as ArrayRef),
        ("w", Arc::new(Float64Array::from(vec![Some(1.0), Some(f64::NAN), None, None]))),
    ])
    .unwrap();
    let schema = "weighted_feature { name: 'f' feature { step: 'x' } weight_feature { step: 'w' } }";
    let expected = json!({"f": {
        "missing_weight": 1.0, "missing_value": 1.0, "min_weight_length_diff": -1.0, "max_weight_length_diff": 1.0,
    }});
    assert_eq!(counted(&table, schema, 4), expected);
}

/// A struct that is null is no row, though its fields may hold something.
#[test]
fn structs_that_are_missing_are_no_rows() {
    let inner = |values: Vec<Option<f64>>| Arc::new(Float64Array::from(values)) as ArrayRef;
    let field = |name: &str| Arc::new(Field::new(name, DataType::Float64, true));
    let structs = StructArray::new(
        vec![field("x"), field("w")].into(),
        vec![inner(vec![Some(1.0), Some(2.0), None]), inner(vec![Some(1.0), None, Some(1.0)])],
        Some(NullBuffer::from(vec![true, false, true])),
    );
    let table = RecordBatch::try_from_iter([("s", Arc::new(structs) as ArrayRef)]).unwrap();
    let schema = "weighted_feature { name: 'f' feature { step: 's' step: 'x' } weight_feature { step: 's' step: 'w' } }";
    let found = counted(&table, schema, 3);
    assert_eq!((&found["f"]["missing_weight"], &found["f"]["missing_value"]), (&json!(0.0), &json!(1.0)));
}

#[test]
fn columns_of_different_structs_are_refused() {
    let schema =
        "weighted_feature { name: 'f' feature { step: 's' step: 'x' } weight_feature { step: 'w' } }";
    let error =
        ComposedFeature::of_schema(read_schema(schema, "schema.pbtxt").unwrap().schema()).unwrap_err();
    assert_eq!(error.to_string(), "feature `f` of the schema: `s.x` and `w` are not in the same struct");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]
    #[test]
    fn the_laws_hold(
        rows in prop::collection::vec((prop::option::of(0..4_usize), prop::option::of(0..4_usize)), 0..200),
        split_rows in 1_u64..60,
    ) {
        let (values, others): (Vec<Option<usize>>, Vec<Option<usize>>) = rows.into_iter().unzip();
        let columns = [("v", numbers(&values)), ("i", numbers(&others)), ("terms", texts(&others))];
        let table = RecordBatch::try_from_iter(columns).unwrap();
        let source = MemorySource::new(&table, split_rows).with_batch_rows(16);
        laws::check(&source, &ComposedFeatures::new(&features(SCHEMA), &source.plan().columns));
    }
}
