//! Configurations as users have them, in both forms.

use sluice_core::Diagnostic as _;
use sluice_evaluation::gate::{Columns, SliceValue};

use super::*;

const TEXT: &str = r#"
# The taxi template's, for a regression.
model_specs { signature_name: "serving_default" label_key: "tips" example_weight_key: "w"
  preprocessing_function_names: ["transform_features"] }
slicing_specs {}
slicing_specs { feature_keys: ["payment_type"] }
slicing_specs { feature_values { key: "company" value: "blue" } }
metrics_specs {
  metrics { class_name: "ExampleCount" }
  metrics {
    class_name: "RootMeanSquaredError"
    threshold {
      value_threshold { upper_bound { value: 9.5 } }
      change_threshold { direction: LOWER_IS_BETTER absolute { value: 1e-10 } relative { value: 0.05 } }
    }
  }
  metrics {
    class_name: "MeanAbsoluteError" config: '"name": "mae"'
    per_slice_thresholds {
      slicing_specs { feature_keys: ["payment_type"] feature_values { key: "company" value: "blue" } }
      threshold { value_threshold { lower_bound { value: 0.1 } } }
    }
  }
  thresholds { key: "mae" value { change_threshold { direction: HIGHER_IS_BETTER absolute { value: -1.0 } } } }
}
options { compute_confidence_intervals { value: true } min_slice_size { value: 50 } }
"#;

const JSON: &str = r#"{
  "modelSpecs": [{"signatureName": "serving_default", "labelKey": "tips", "exampleWeightKey": "w",
    "preprocessingFunctionNames": ["transform_features"]}],
  "slicingSpecs": [{}, {"featureKeys": ["payment_type"]}, {"featureValues": {"company": "blue"}}],
  "metricsSpecs": [{
    "metrics": [
      {"className": "ExampleCount"},
      {"className": "RootMeanSquaredError", "threshold": {
        "valueThreshold": {"upperBound": 9.5},
        "changeThreshold": {"direction": "LOWER_IS_BETTER", "absolute": 1e-10, "relative": 0.05}}},
      {"className": "MeanAbsoluteError", "config": "{\"name\": \"mae\"}", "perSliceThresholds": [
        {"slicingSpecs": [{"featureKeys": ["payment_type"], "featureValues": {"company": "blue"}}],
         "threshold": {"valueThreshold": {"lowerBound": 0.1}}}]}
    ],
    "thresholds": {"mae": {"changeThreshold": {"direction": "HIGHER_IS_BETTER", "absolute": -1.0}}}
  }],
  "options": {"computeConfidenceIntervals": true, "minSliceSize": 50}
}"#;

#[test]
fn text_and_json_say_the_same() {
    let (text, json) = (TakenOver::read(TEXT, "a.pbtxt").unwrap(), TakenOver::read(JSON, "a.json").unwrap());
    assert_eq!(text.options, json.options);
    assert_eq!(text.notes, json.notes);
    assert_eq!(text.notes.len(), 3, "{:?}", text.notes);
    let options = text.options.clone();
    assert_eq!(options.metrics, ["rmse", "mae"]);
    assert_eq!(options.weight.as_deref(), Some("w"));
    let columns = |names: &[&str]| Columns(names.iter().map(|name| (*name).into()).collect());
    assert_eq!(options.slices, [columns(&["payment_type"]), columns(&["company"])]);
    // Three slicings of `rmse`, one slice of `mae`, three slicings of `mae`.
    assert_eq!(options.require.len(), 7);
    let rmse = &options.require[1];
    assert_eq!(rmse.every, Some(columns(&["payment_type"])));
    assert_eq!(
        (rmse.at_most, rmse.change_at_most, rmse.relative_change_at_most),
        (Some(9.5), Some(1e-10), Some(0.05))
    );
    assert_eq!(rmse.minimum_rows, Some(50));
    let slice = &options.require[3];
    assert_eq!(slice.only_where["company"], SliceValue::Text("blue".into()));
    assert_eq!((slice.at_least, slice.every.clone()), (Some(0.1), Some(columns(&["payment_type"]))));
    assert_eq!(options.require[4].change_at_least, Some(-1.0));
    assert!(options.check().is_ok());
    assert!(text.check_label("tips").is_ok());
    let other = text.check_label("fare").unwrap_err();
    assert_eq!(other.to_string(), "the `label_key` is `tips`, the model predicts `fare`");
}

#[test]
fn what_has_no_counterpart_is_refused_by_name() {
    for (text, message) in [
        ("metrics_specs { query_key: 'q' }", "`metrics_specs.query_key` has no counterpart here"),
        (
            "metrics_specs { aggregate { macro_average: true } }",
            "`metrics_specs.aggregate` has no counterpart here",
        ),
        (
            "slicing_specs { slice_keys_sql: 'SELECT' }",
            "`slicing_specs.slice_keys_sql` has no counterpart here",
        ),
        ("cross_slicing_specs { baseline_spec {} }", "`cross_slicing_specs` has no counterpart here"),
        ("metrics_specs { metrics { class_name: 'NDCG' } }", "the metric `NDCG` has no counterpart here"),
        (
            "metrics_specs { metrics { class_name: 'RootMeanSquaredError' config: '\"top_k\": 3' } }",
            "the setting `top_k: 3` of `RootMeanSquaredError` has no counterpart here",
        ),
        (
            "metrics_specs { metrics { class_name: 'Mine' module: 'our.metrics' } }",
            "`Mine` of the module \"our.metrics\" has no counterpart here",
        ),
        (
            "metrics_specs { thresholds { key: 'auc' value { value_threshold {} } } }",
            "there is a threshold for `auc`, but no metric of this name",
        ),
        (
            "metrics_specs { metrics { class_name: 'MSE' threshold { change_threshold { absolute { value: 1 } } } } }",
            "a `change_threshold` of `mse` without a direction has no counterpart here",
        ),
    ] {
        let error = TakenOver::read(text, "a.pbtxt").unwrap_err();
        assert_eq!(error.to_string(), message);
        assert!(error.hint().is_some());
    }
    for text in ["model_spec {}", "{\"modelSpec\": []}", "{", "metrics_specs { metrics: 3 }"] {
        let error = TakenOver::read(text, "a.pbtxt").unwrap_err();
        assert!(error.to_string().starts_with("`a.pbtxt` is not an `EvalConfig`: "), "{error}");
    }
    for text in [
        "options { min_slice_size { value: -1 } }",
        "metrics_specs { metrics { class_name: 'MSE' threshold { value_threshold { lower_bound { value: nan } } } } }",
        "{\"options\": {\"minSliceSize\": 1.5}}",
    ] {
        let error = TakenOver::read(text, "a.pbtxt").unwrap_err();
        assert!(error.to_string().contains("what stands here must be a finite number"), "{error}");
    }
}
