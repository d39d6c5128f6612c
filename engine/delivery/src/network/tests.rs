use arrow::array::{Array as _, Float64Array, UInt32Array};
use serde_json::json;
use sluice_core::features::{FeatureBatch, FeatureColumn, FeatureKind, FeatureSpace, FeatureSpec};
use sluice_networks::{FitOptions, InputLayout, LabelLayout, MemoryRows, NetworkSpec, fit};
use sluice_training::explain::Attribution as _;

use super::{
    Baseline, InputReader, NETWORK_FAMILY, Network, NetworkExplainer, NetworkRecord, TrainingRecord,
};

const ROWS: usize = 300;

fn space() -> FeatureSpace {
    let feature = |name: &str, kind| FeatureSpec { name: name.into(), kind, sources: vec![name.into()] };
    let levels = ["a", "b", "c"].map(String::from).to_vec();
    FeatureSpace {
        features: vec![
            feature("x", FeatureKind::Number),
            feature("c", FeatureKind::OneHot { levels }),
            feature("z", FeatureKind::Number),
            feature("id", FeatureKind::Number),
        ],
    }
}

fn layout() -> InputLayout {
    serde_json::from_value(json!({
        "numeric": ["x", "z"],
        "categorical": [{ "name": "c", "ids": 4 }, { "name": "id", "ids": 6 }],
    }))
    .unwrap()
}

fn batch() -> FeatureBatch {
    let number = |row: usize, salt: usize| ((row * 7919 + salt * 31) % 2003) as f64 / 1000.0 - 1.0;
    let column = |salt: usize| FeatureColumn::Numbers((0..ROWS).map(|row| Some(number(row, salt))).collect());
    let code = |row: usize| u32::try_from(row % 4).ok().filter(|code| *code < 3);
    FeatureBatch {
        rows: ROWS,
        columns: vec![
            column(1),
            FeatureColumn::Codes((0..ROWS).map(code).collect::<UInt32Array>()),
            column(2),
            FeatureColumn::Numbers((0..ROWS).map(|row| (row % 7 != 0).then_some((row % 5) as f64)).collect()),
        ],
    }
}

fn network(spec: serde_json::Value) -> Network {
    let mut spec: NetworkSpec = serde_json::from_value(spec).unwrap();
    (spec.batch_size, spec.epochs) = (50, 4);
    let reader = InputReader::of_layout(&space(), layout()).unwrap();
    let read = reader.read(&batch(), 0..ROWS);
    let labels: Vec<f32> =
        (0..ROWS).map(|row| read.numeric[2 * row] * 3.0 + read.ids[2 * row] as f32).collect();
    let mut rows = MemoryRows::new(2, 2);
    rows.push(&read.numeric, &read.ids, &labels, &[]).unwrap();
    let label = LabelLayout { name: "y".into(), classes: Vec::new() };
    let fitted = fit(&spec, (&layout(), &label), &mut rows, None, FitOptions::default()).unwrap();
    let means = [0, 1]
        .map(|at| read.numeric.iter().skip(at).step_by(2).map(|x| f64::from(*x)).sum::<f64>() / ROWS as f64);
    let shares = |at: usize, count: usize| -> Vec<f64> {
        let own: Vec<u32> = read.ids.iter().skip(at).step_by(2).copied().collect();
        (0..count)
            .map(|id| own.iter().filter(|own| **own as usize == id).count() as f64 / ROWS as f64)
            .collect()
    };
    let baseline = Baseline::new(&fitted.model, means.to_vec(), &[shares(0, 4), shares(1, 6)]);
    let record = NetworkRecord {
        family: NETWORK_FAMILY.into(),
        label: "y".into(),
        label_mean: 0.0,
        rows: ROWS as u64,
        classes: Vec::new(),
        calibration: None,
        network: fitted.model.description().clone(),
        training: TrainingRecord {
            spec,
            device: fitted.device,
            parameters: 0,
            validation_rows: None,
            epochs: fitted.history,
            best_epoch: fitted.best_epoch,
            stopped_early: false,
        },
        baseline,
    };
    Network::new(record, fitted.model, &space()).unwrap()
}

#[test]
fn what_is_no_input_is_told_with_its_row() {
    let reader = InputReader::of_layout(&space(), layout()).unwrap();
    let with = |feature: usize, row: usize, value: Option<f64>| {
        let mut batch = batch();
        let FeatureColumn::Numbers(values) = &batch.columns[feature] else { panic!("no numbers") };
        let changed = values.iter().enumerate().map(|(at, old)| if at == row { value } else { old });
        batch.columns[feature] = FeatureColumn::Numbers(changed.collect::<Float64Array>());
        let read = reader.read(&batch, 0..ROWS);
        assert!(!read.is_sound(row) && read.is_sound(row + 1));
        let mut error = reader.check(&read).unwrap_err();
        (error.to_string(), error.take_row().unwrap())
    };
    assert_eq!(with(0, 17, None), ("feature `x` is null".into(), 17));
    assert_eq!(with(2, 3, Some(f64::NAN)), ("feature `z` is NaN or infinite".into(), 3));
    assert_eq!(
        with(2, 4, Some(-1e300)).0,
        format!("feature `z` is {}, beyond the range of single precision", -1e300)
    );
    for none in [-1.0, 5.0, 0.5, f64::INFINITY] {
        assert_eq!(
            with(3, 9, Some(none)),
            (format!("feature `id` has the id {none}, its ids are 0 to 4"), 9)
        );
    }
    // Null is an id of its own.
    let read = reader.read(&batch(), 0..8);
    assert_eq!((read.ids[1], read.ids[3], read.ids[2 * 3]), (5, 1, 3));
    assert!(read.all_sound());
    let mut other = layout();
    other.numeric.swap(0, 1);
    assert!(InputReader::of_layout(&space(), other).is_none());
}

#[test]
fn a_row_that_is_no_input_has_no_prediction_and_the_others_have_theirs() {
    let network = network(json!({ "architecture": { "mlp": { "hidden": [8] } } }));
    let whole = network.predict(&batch()).unwrap().remove(0);
    let mut batch = batch();
    let FeatureColumn::Numbers(values) = &batch.columns[0] else { panic!("no numbers") };
    let changed = values.iter().enumerate().map(|(row, old)| if row % 10 == 3 { None } else { old });
    batch.columns[0] = FeatureColumn::Numbers(changed.collect());
    let found = network.predict_sound(&batch).unwrap().remove(0);
    for row in 0..ROWS {
        assert_eq!(found.is_null(row), row % 10 == 3);
        assert!(found.is_null(row) || found.value(row).to_bits() == whole.value(row).to_bits());
    }
    assert!(network.predict(&batch).is_err());
}

#[test]
fn contributions_add_up_to_the_prediction_less_that_of_the_average_row() {
    for spec in [
        json!({ "architecture": { "mlp": { "hidden": [16, 8] } } }),
        json!({ "architecture": { "wide_and_deep": { "hidden": [8] } }, "activation": "gelu", "norm": "layer" }),
        json!({ "architecture": { "interactions": { "dimension": 3, "bottom": [4], "hidden": [8] } },
                "numeric_embedding": { "periodic": { "frequencies": 2 } } }),
    ] {
        let network = network(spec);
        let names = space().features.iter().map(|feature| feature.name.clone()).collect();
        let explainer = NetworkExplainer::new(&network, names);
        let predicted = network.predict(&batch()).unwrap().remove(0);
        let found = explainer.contributions(&batch(), None).unwrap().remove(0);
        let base = explainer.outputs()[0].1;
        for row in 0..ROWS {
            let sum = found.iter().fold(base, |sum, column| sum + column.value(row));
            let apart = (sum - predicted.value(row)).abs();
            assert!(apart < 1e-4 * (1.0 + sum.abs()), "row {row}: {sum} {}", predicted.value(row));
        }
    }
}

#[test]
fn a_linear_network_has_the_shapley_values_of_its_coefficients() {
    let network = network(json!({ "architecture": { "mlp": { "hidden": [] } } }));
    let names = space().features.iter().map(|feature| feature.name.clone()).collect();
    let explainer = NetworkExplainer::new(&network, names);
    let found = explainer.contributions(&batch(), None).unwrap().remove(0);
    let slope = |row: usize| {
        let FeatureColumn::Numbers(values) = &batch().columns[0] else { panic!("no numbers") };
        found[0].value(row) / (values.value(row) - network.record.baseline.numeric[0])
    };
    for row in 1..ROWS {
        assert!((slope(row) - slope(0)).abs() < 1e-6 * (1.0 + slope(0).abs()), "{} {}", slope(row), slope(0));
    }
}

#[test]
fn parts_of_several_networks_are_refused() {
    let one = network(json!({ "architecture": { "mlp": { "hidden": [8] } } }));
    let other = network(json!({ "architecture": { "mlp": { "hidden": [4] } } }));
    let problem = |record: NetworkRecord, space: &FeatureSpace| {
        Network::new(record, one.model().clone(), space).unwrap_err().to_string()
    };
    assert!(problem(other.record.clone(), &space()).contains("the weights are not"));
    let mut fewer = space();
    fewer.features.pop();
    assert!(problem(one.record.clone(), &fewer).contains("the features are not"));
    let mut record = one.record.clone();
    record.baseline.vectors[0].pop();
    assert!(problem(record, &space()).contains("the baseline"));
}
