use serde_json::json;

use super::{ClassWeights, Device, Loss, NetworkSpec};
use crate::layout::{CategoricalInput, InputLayout, LabelLayout};

fn spec(value: serde_json::Value) -> Result<NetworkSpec, serde_json::Error> {
    serde_json::from_value(value)
}

fn layout() -> InputLayout {
    InputLayout {
        numeric: vec!["age".into()],
        categorical: vec![CategoricalInput { name: "company".into(), ids: 100 }],
    }
}

fn label(classes: &[&str]) -> LabelLayout {
    LabelLayout { name: "tip".into(), classes: classes.iter().map(ToString::to_string).collect() }
}

#[test]
fn a_short_spec_is_enough_and_survives_the_round_trip() {
    let short = spec(json!({"architecture": {"mlp": {"hidden": [128, 128]}}})).unwrap();
    assert_eq!(short, NetworkSpec::mlp(&[128, 128]));
    short.check().unwrap();
    let long = spec(json!({
        "architecture": {"residual": {"width": 64, "blocks": 2}},
        "activation": "gelu", "dropout": 0.1, "norm": "batch",
        "embeddings": {"company": 16},
        "numeric_embedding": {"periodic": {"frequencies": 8}},
        "loss": {"huber": {}}, "standardize_label": false,
        "optimizer": {"sgd": {"learning_rate": 0.1, "nesterov": true}},
        "schedule": {"one_cycle": {}}, "batch_size": 256, "epochs": 3,
        "early_stopping": {"patience": 2}, "gradient_clip": 1.0, "seed": 7,
        "device": "cuda:1", "precision": "bf16"
    }))
    .unwrap();
    long.check_with(&layout(), &label(&[])).unwrap();
    assert_eq!(long.device, Device::Cuda(1));
    let again: NetworkSpec = serde_json::from_str(&serde_json::to_string(&long).unwrap()).unwrap();
    assert_eq!(again, long);
}

#[test]
fn unknown_words_are_refused() {
    let hidden = json!({"mlp": {"hidden": [4]}});
    for (value, word) in [
        (json!({"architecture": hidden, "learning_rate": 0.1}), "learning_rate"),
        (json!({"architecture": {"mlp": {"hiden": [4]}}}), "hiden"),
        (json!({"architecture": {"transformer": {}}}), "transformer"),
        (json!({"architecture": hidden, "optimizer": {"adamw": {"lr": 0.1}}}), "lr"),
        (json!({"architecture": hidden, "device": "gpu"}), "gpu"),
        (json!({"architecture": hidden, "loss": {"quantile": {}}}), "level"),
    ] {
        let message = spec(value).unwrap_err().to_string();
        assert!(message.contains(word), "{message}");
    }
}

#[test]
fn a_number_out_of_range_is_named_with_its_range() {
    let base = || NetworkSpec::mlp(&[8]);
    let with = |key: &str, value: serde_json::Value| {
        let mut object = serde_json::to_value(base()).unwrap();
        object[key] = value;
        spec(object).unwrap().check().unwrap_err().to_string()
    };
    for (key, value, expected) in [
        (
            "optimizer",
            json!({"adamw": {"learning_rate": 0.0}}),
            "`network.optimizer.adamw.learning_rate` is 0, but",
        ),
        (
            "optimizer",
            json!({"adamw": {"beta2": 1.0}}),
            "`network.optimizer.adamw.beta2` is 1, but must be at least 0 and below 1",
        ),
        ("dropout", json!(1.0), "`network.dropout` is 1, but must be at least 0 and at most 0.95"),
        ("batch_size", json!(0), "`network.batch_size` is 0"),
        ("epochs", json!(0), "`network.epochs` is 0"),
        ("architecture", json!({"mlp": {"hidden": [4, 0]}}), "`network.architecture.mlp.hidden[1]` is 0"),
        ("gradient_clip", json!(-1.0), "`network.gradient_clip` is -1"),
        ("early_stopping", json!({"patience": 0}), "`network.early_stopping.patience` is 0"),
    ] {
        let message = with(key, value);
        assert!(message.starts_with(expected), "{message}");
    }
    let mut nan = base();
    nan.optimizer = super::Optimizer::AdamW(super::AdamW { learning_rate: f64::NAN, ..Default::default() });
    assert!(nan.check().unwrap_err().to_string().contains("is NaN"));
}

#[test]
fn a_loss_fits_the_label() {
    let mut spec = NetworkSpec::mlp(&[8]);
    assert_eq!(spec.loss_for(&label(&[])), Loss::Squared);
    assert_eq!(spec.loss_for(&label(&["no", "yes"])), Loss::Logistic);
    assert_eq!(spec.loss_for(&label(&["a", "b", "c"])), Loss::Softmax);
    spec.loss = Some(Loss::Logistic);
    let message = spec.check_with(&layout(), &label(&[])).unwrap_err().to_string();
    assert_eq!(
        message,
        "`network.loss` is `logistic`, which needs a label of two classes; `tip` is a number"
    );
    spec.loss = None;
    spec.class_weights = ClassWeights::Each([("maybe".to_string(), 2.0)].into());
    let message = spec.check_with(&layout(), &label(&["no", "yes"])).unwrap_err().to_string();
    assert!(message.contains("`network.class_weights.each.maybe` is no class of `tip`"), "{message}");
    spec.class_weights = ClassWeights::None;
    spec.embeddings.insert("compny".into(), 4);
    let message = spec.check_with(&layout(), &label(&[])).unwrap_err().to_string();
    assert!(message.contains("`network.embeddings.compny`"), "{message}");
}
