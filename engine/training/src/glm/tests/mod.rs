//! Generalised linear models as a whole: references that others computed, laws, and what is refused.

use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, Float64Array, Int64Array, RecordBatch, StringArray};
use sluice_core::batch::Batch;
use sluice_core::error::ErrorKind;
use sluice_core::execution::Execution;
use sluice_core::features::{FeatureBatch, FeatureColumn, FeatureKind, FeatureSpace, FeatureSpec};
use sluice_core::seam::BatchTransform;
use sluice_testkit::{MemorySource, assert_relative};

use super::{Class, Distribution, GlmOptions, fit_glm};
use crate::data::{TrainingColumns, TrainingData};
use crate::model::LinearModel;

mod sums;

/// Hands columns through as they are.
struct Plain(FeatureSpace);

impl Plain {
    fn shared(names: &[&str]) -> Arc<dyn BatchTransform> {
        let feature = |name: &&str| FeatureSpec {
            name: (*name).into(),
            kind: FeatureKind::Number,
            sources: vec![(*name).into()],
        };
        Arc::new(Self(FeatureSpace { features: names.iter().map(feature).collect() }))
    }
}

impl BatchTransform for Plain {
    fn inputs(&self) -> Vec<String> {
        self.0.features.iter().map(|feature| feature.name.clone()).collect()
    }

    fn space(&self) -> &FeatureSpace {
        &self.0
    }

    fn apply(&self, batch: &Batch) -> sluice_core::Result<FeatureBatch> {
        let columns = self.0.features.iter().map(|feature| {
            let values = batch.require(&feature.name)?;
            sluice_core::column::numbers(&feature.name, values, "a test").map(FeatureColumn::Numbers)
        });
        Ok(FeatureBatch { rows: batch.rows(), columns: columns.collect::<sluice_core::Result<_>>()? })
    }
}

fn numbers(values: &[f64]) -> ArrayRef {
    Arc::new(Float64Array::from(values.to_vec()))
}

fn table(columns: &[(&str, ArrayRef)]) -> RecordBatch {
    RecordBatch::try_from_iter(columns.iter().map(|(name, array)| (*name, Arc::clone(array)))).unwrap()
}

fn read(path: &str) -> (Vec<String>, Vec<Vec<f64>>) {
    let path = sluice_testkit::datasets::repository().join(path);
    let text = fs_err::read_to_string(path).unwrap();
    let mut lines = text.lines();
    let names: Vec<String> = lines.next().unwrap().split(',').map(str::to_owned).collect();
    let rows: Vec<Vec<f64>> =
        lines.map(|line| line.split(',').map(|cell| cell.parse().unwrap()).collect()).collect();
    let columns = (0..names.len()).map(|column| rows.iter().map(|row| row[column]).collect()).collect();
    (names, columns)
}

fn made() -> RecordBatch {
    let (names, columns) = read("datasets/glm/glm.csv");
    let pairs: Vec<(&str, ArrayRef)> =
        names.iter().zip(&columns).map(|(name, values)| (name.as_str(), numbers(values))).collect();
    table(&pairs)
}

const FEATURES: [&str; 3] = ["x", "far", "flag"];

fn fit(
    source: &MemorySource,
    (label, weight): (&str, Option<&str>),
    features: &[&str],
    distribution: Distribution,
    options: &GlmOptions,
    threads: usize,
) -> sluice_core::Result<LinearModel> {
    let transform = Plain::shared(features);
    let columns = TrainingColumns { weight: weight.map(str::to_owned), ..TrainingColumns::from(label) };
    let data = TrainingData { source, transform: &transform, columns: &columns };
    fit_glm(data, distribution, options, None, &Execution::with_threads(threads))
}

fn number(value: &serde_json::Value) -> f64 {
    value.as_f64().unwrap()
}

fn list(value: &serde_json::Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(number).collect()
}

#[test]
fn scikit_learn_and_statsmodels_agree() {
    let path = sluice_testkit::datasets::repository().join("datasets/glm/expected/glm.json");
    let golden: serde_json::Value = serde_json::from_slice(&fs_err::read(path).unwrap()).unwrap();
    let source = MemorySource::new(&made(), 70).with_batch_rows(33);
    let fits = golden["fits"].as_array().unwrap();
    assert!(fits.len() > 20);
    for expected in fits {
        let name = expected["name"].as_str().unwrap();
        let distribution = match name {
            "poisson" => Distribution::Poisson,
            "gamma" => Distribution::Gamma,
            "tweedie" => Distribution::Tweedie,
            _ => Distribution::Logistic,
        };
        let options: GlmOptions = serde_json::from_value(expected["options"].clone()).unwrap();
        let label = expected["label"].as_str().unwrap();
        let weight = expected["weights"].as_bool().unwrap().then_some("weight");
        let found = fit(&source, (label, weight), &FEATURES, distribution, &options, 2).unwrap();
        let what = format!("{name} {}", expected["options"]);
        compare(&found, expected, &what);
    }
}

/// scikit-learn's saga and statsmodels stop where they think fit; the others are exact to rounding.
fn compare(found: &LinearModel, expected: &serde_json::Value, what: &str) {
    let tolerance = if what.contains("softmax")
        || what.contains("mnlogit")
        || what.contains("net")
        || what.contains("lasso")
    {
        2e-5
    } else {
        1e-7
    };
    let close = |found: f64, expected: f64| {
        assert!(
            (found - expected).abs() <= tolerance * (1.0 + expected.abs()),
            "{what}: {found} is not {expected}"
        );
    };
    let equations = expected["coefficients"].as_array().unwrap();
    let intercepts = list(&expected["intercepts"]);
    // statsmodels takes the first class as the reference, and two classes are one equation.
    let is_reference = found.outputs.len() > equations.len();
    let glm = found.glm.as_ref().unwrap();
    for (number, (equation, intercept)) in equations.iter().zip(&intercepts).enumerate() {
        let output = &found.outputs[number + usize::from(is_reference)];
        let base = is_reference.then(|| &found.outputs[0]);
        close(output.intercept - base.map_or(0.0, |base| base.intercept), *intercept);
        for (place, expected) in list(equation).iter().enumerate() {
            let own = output.coefficients[place].value;
            close(own - base.map_or(0.0, |base| base.coefficients[place].value), *expected);
        }
    }
    for (key, value) in [
        ("deviance", Some(glm.deviance)),
        ("null_deviance", Some(glm.null_deviance)),
        ("log_likelihood", glm.log_likelihood),
        ("aic", glm.aic),
        ("bic", glm.bic),
        ("pearson", glm.pearson_chi_square),
        ("scale", glm.dispersion),
    ] {
        // statsmodels' Gamma likelihood of weighted rows counts the weights otherwise.
        if let (Some(expected), Some(value)) = (expected[key].as_f64(), value) {
            close(value, expected);
        }
    }
    if let (Some(errors), false) = (expected.get("std_err"), is_reference) {
        let errors = list(errors);
        let diagnostics = &found.outputs[0].diagnostics;
        close(diagnostics.intercept_standard_error.unwrap(), errors[0]);
        for (own, expected) in diagnostics.standard_errors.as_ref().unwrap().iter().zip(&errors[1..]) {
            close(*own, *expected);
        }
        let (z, p) = (list(&expected["z"]), list(&expected["p"]));
        let test = glm.tests[0].coefficients[0].unwrap();
        close(test.statistic, z[1]);
        close(test.p_value, p[1]);
    }
}

#[test]
fn spector_agrees_with_stata() {
    let Some(path) = sluice_testkit::datasets::external("reference/statsmodels/spector.csv") else { return };
    let expected = path.parent().unwrap().parent().unwrap().join("spector_logit.json");
    let expected: serde_json::Value = serde_json::from_slice(&fs_err::read(expected).unwrap()).unwrap();
    let text = fs_err::read_to_string(path).unwrap();
    let mut lines = text.lines();
    let split = |line: &str| -> Vec<String> {
        line.split([',', ' ', '\t'])
            .map(|cell| cell.trim_matches(['"', '\'']).to_owned())
            .filter(|cell| !cell.is_empty())
            .collect()
    };
    let names = split(lines.next().unwrap());
    let rows: Vec<Vec<String>> = lines.map(split).filter(|row| !row.is_empty()).collect();
    let skip = rows[0].len() - names.len();
    let column = |name: &str| {
        let place = skip + names.iter().position(|other| other == name).unwrap();
        numbers(&rows.iter().map(|row| row[place].parse().unwrap()).collect::<Vec<f64>>())
    };
    let names = ["GPA", "TUCE", "PSI", "GRADE"];
    let source = MemorySource::new(&table(&names.map(|name| (name, column(name)))), 10);
    let found = fit(&source, ("GRADE", None), &names[..3], Distribution::Logistic, &0.0.into(), 2).unwrap();
    let output = found.label_output();
    let coefficients = list(&expected["coef"]);
    let exact = [2.826_112_59, 0.095_157_66, 2.378_687_66];
    for (place, exact) in exact.iter().enumerate() {
        assert_relative(output.coefficients[place].value, coefficients[place], 1e-6);
        assert_relative(output.coefficients[place].value, *exact, 1e-7);
    }
    assert_relative(output.intercept, -13.021_346_86, 1e-9);
    let errors = output.diagnostics.standard_errors.as_ref().unwrap();
    for (found, expected) in errors.iter().zip(list(&expected["std_err"])) {
        assert_relative(*found, expected, 1e-6);
    }
    assert_relative(
        output.diagnostics.intercept_standard_error.unwrap(),
        list(&expected["std_err"])[3],
        1e-6,
    );
    // Stata keeps GPA in single precision: its likelihood is that of other data in the eighth digit.
    let glm = found.glm.as_ref().unwrap();
    assert_relative(glm.log_likelihood.unwrap(), number(&expected["log_likelihood"]), 2e-7);
    assert_relative(-0.5 * glm.null_deviance, number(&expected["null_log_likelihood"]), 2e-7);
    assert_relative(glm.pseudo_r_squared.unwrap(), number(&expected["pseudo_r2"]), 2e-7);
    assert_relative(glm.aic.unwrap(), number(&expected["aic"]), 2e-7);
    assert_relative(glm.bic.unwrap(), number(&expected["bic"]), 2e-7);
    let p = list(&expected["p_values"]);
    for (test, (p, z)) in glm.tests[0].coefficients.iter().zip(p.iter().zip(list(&expected["z"]))) {
        let test = test.unwrap();
        assert_relative(test.p_value, *p, 1e-5);
        assert_relative(test.statistic, z, 1e-6);
    }
}

/// Many rows, so that they are scanned rather than kept: 40 columns would be too many cells otherwise.
fn large(rows: usize) -> RecordBatch {
    let mut state = 1_u64;
    let mut random = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 11) as f64 / (1_u64 << 53) as f64
    };
    let (mut x, mut far, mut binary, mut three) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let (mut count, mut amount, mut weight) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..rows {
        let (a, b) = (random() * 4.0 - 2.0, 1e4 + random());
        let sum = 0.3 + 0.8 * a - 1.5 * (b - 1e4 - 0.5);
        binary.push(f64::from(random() < 1.0 / (1.0 + (-sum).exp())));
        three.push((random() * 3.0 + 0.4 * a).clamp(0.0, 2.9).floor());
        let mean = (0.4 * sum).exp();
        count.push((-(1.0 - random()).ln() * mean).floor());
        amount.push(mean * (0.1 - (1.0 - random()).ln()));
        weight.push((random() * 4.0).floor() / 2.0);
        x.push(a);
        far.push(b);
    }
    table(&[
        ("x", numbers(&x)),
        ("far", numbers(&far)),
        ("binary", numbers(&binary)),
        ("three", numbers(&three)),
        ("count", numbers(&count)),
        ("amount", numbers(&amount)),
        ("weight", numbers(&weight)),
    ])
}

fn cases() -> [(Distribution, &'static str, GlmOptions); 5] {
    let tweedie = GlmOptions { power: Some(1.7), ..GlmOptions::from(0.01) };
    let net = GlmOptions { l1_ratio: 0.5, ..GlmOptions::from(30.0) };
    [
        (Distribution::Logistic, "binary", 0.0.into()),
        (Distribution::Logistic, "three", net),
        (Distribution::Poisson, "count", 0.0.into()),
        (Distribution::Gamma, "amount", 0.0.into()),
        (Distribution::Tweedie, "amount", tweedie),
    ]
}

#[test]
fn scans_agree_with_memory_and_threads_change_no_bit() {
    let rows = 70_000;
    let all = large(rows);
    let source = MemorySource::new(&all, 9000).with_batch_rows(4096);
    // The same rows in memory: those of weight 0 left out make it few enough.
    let weights = all.column_by_name("weight").unwrap();
    let weights = weights.as_any().downcast_ref::<Float64Array>().unwrap();
    let kept: BooleanArray = weights.iter().map(|weight| Some(weight.unwrap() > 0.0)).collect();
    let few = MemorySource::new(&arrow::compute::filter_record_batch(&all, &kept).unwrap(), 9000);
    for (distribution, label, options) in cases() {
        let labels = (label, Some("weight"));
        let found = fit(&source, labels, &["x", "far"], distribution, &options, 1).unwrap();
        assert_eq!(found.method, "blocked");
        let glm = found.glm.as_ref().unwrap();
        assert!(glm.convergence.started_on_rows.is_some() && glm.convergence.iterations <= 4, "{label}");
        for threads in [2, 7] {
            let again = fit(&source, labels, &["x", "far"], distribution, &options, threads).unwrap();
            assert_eq!(serde_json::to_string(&again).unwrap(), serde_json::to_string(&found).unwrap());
        }
        let whole = fit(&few, labels, &["x", "far"], distribution, &options, 2).unwrap();
        assert_eq!(whole.method, "whole");
        for (found, whole) in found.outputs.iter().zip(&whole.outputs) {
            assert!(
                (found.intercept - whole.intercept).abs() < 1e-5 * (1.0 + whole.intercept.abs()),
                "{label}"
            );
            for (found, whole) in found.coefficients.iter().zip(&whole.coefficients) {
                assert!((found.value - whole.value).abs() < 1e-9, "{label}: {} {}", found.value, whole.value);
            }
        }
    }
}

#[test]
fn the_objective_falls_with_every_step() {
    let source = MemorySource::new(&made(), 70);
    for (distribution, label) in [
        (Distribution::Logistic, "binary"),
        (Distribution::Logistic, "three"),
        (Distribution::Poisson, "count"),
        (Distribution::Gamma, "amount"),
    ] {
        for l1_ratio in [0.0, 0.7] {
            let options = GlmOptions { l1_ratio, ..GlmOptions::from(0.2) };
            let found = fit(&source, (label, None), &FEATURES, distribution, &options, 2).unwrap();
            let objectives = &found.glm.as_ref().unwrap().convergence.objectives;
            assert!(objectives.len() >= 3, "{label}");
            for pair in objectives.windows(2) {
                assert!(pair[1] <= pair[0] * (1.0 + 1e-12), "{label}: {objectives:?}");
            }
        }
    }
}

fn refused(found: sluice_core::Result<LinearModel>) -> (String, ErrorKind) {
    let error = found.unwrap_err();
    assert!(error.hint().is_some(), "{error}");
    let places = error.places().join(", ");
    (format!("{error}; {places}"), error.kind())
}

#[test]
fn separable_classes_are_told_with_the_column() {
    let x: Vec<f64> = (0..20).map(f64::from).collect();
    let noise: Vec<f64> = x.iter().map(|x| (x * 7.3).sin()).collect();
    // Completely by `x`; a few on both sides of it; by the indicator alone, for some rows.
    let sharp: Vec<f64> = x.iter().map(|x| f64::from(*x > 9.0)).collect();
    let touching: Vec<f64> = x.iter().map(|x| f64::from(*x > 9.0 || (4.5..5.5).contains(x))).collect();
    let level: Vec<f64> = x.iter().map(|x| f64::from(*x > 15.0)).collect();
    let counts: Vec<f64> =
        x.iter().map(|x| if *x > 15.0 { 0.0 } else { (x * 3.1).sin().abs() * 4.0 }).collect();
    let columns = [
        ("x", &x),
        ("noise", &noise),
        ("level", &level),
        ("sharp", &sharp),
        ("touching", &touching),
        ("counts", &counts),
    ];
    let source = MemorySource::new(&table(&columns.map(|(name, values)| (name, numbers(values)))), 6);
    let try_fit = |label: &str, features: &[&str], distribution, alpha: f64| {
        fit(&source, (label, None), features, distribution, &alpha.into(), 2)
    };
    let (message, kind) = refused(try_fit("sharp", &["noise", "x"], Distribution::Logistic, 0.0));
    assert!(
        message.contains("separate the classes of `sharp` completely (column `x` does so alone)"),
        "{message}"
    );
    assert_eq!(kind, ErrorKind::Malformed);
    let (message, _) = refused(try_fit("touching", &["noise", "level"], Distribution::Logistic, 0.0));
    assert!(message.contains("some rows of one class") && message.contains("column `level`"), "{message}");
    let (message, _) = refused(try_fit("counts", &["noise", "level"], Distribution::Poisson, 0.0));
    assert!(
        message.contains("rows in which `counts` is 0") && message.contains("column `level`"),
        "{message}"
    );
    // A penalty makes an end of it.
    for (label, distribution) in [("sharp", Distribution::Logistic), ("counts", Distribution::Poisson)] {
        let found = try_fit(label, &["noise", "x", "level"], distribution, 1e-3).unwrap();
        assert!(found.label_output().coefficients.iter().all(|coefficient| coefficient.value.is_finite()));
    }
    // Overlapping by one row: there is an end, and it is found.
    let found = try_fit("touching", &["x"], Distribution::Logistic, 0.0).unwrap();
    assert!(found.label_output().coefficients[0].value.is_finite());
}

#[test]
fn labels_of_any_kind_are_classes() {
    let x = numbers(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
    let texts: ArrayRef = Arc::new(StringArray::from(vec!["no", "yes", "no", "yes", "no", "yes"]));
    let whole: ArrayRef = Arc::new(Int64Array::from(vec![-3, 7, -3, 7, -3, 7]));
    let truths: ArrayRef = Arc::new(BooleanArray::from(vec![false, true, false, true, false, true]));
    let source =
        MemorySource::new(&table(&[("x", x), ("text", texts), ("whole", whole), ("truth", truths)]), 2);
    let of = |label: &str, positive: Option<Class>| {
        let options = GlmOptions { positive, ..GlmOptions::from(0.5) };
        fit(&source, (label, None), &["x"], Distribution::Logistic, &options, 2)
    };
    let bits = |model: &LinearModel| model.label_output().coefficients[0].value.to_bits();
    let text = of("text", None).unwrap();
    let glm = text.glm.as_ref().unwrap();
    assert_eq!(glm.positive, Some(Class::Text("yes".into())));
    assert_eq!(glm.classes.iter().map(|class| class.rows).collect::<Vec<_>>(), [3, 3]);
    assert_eq!(bits(&text), bits(&of("whole", None).unwrap()));
    assert_eq!(bits(&text), bits(&of("truth", None).unwrap()));
    let other = of("text", Some(Class::Text("no".into()))).unwrap();
    assert_relative(
        other.label_output().coefficients[0].value,
        -text.label_output().coefficients[0].value,
        1e-12,
    );
    let (message, kind) = refused(of("text", Some(Class::Text("perhaps".into()))));
    assert!(message.contains("`perhaps`, but the classes of label `text` are `no` and `yes`"), "{message}");
    assert_eq!(kind, ErrorKind::Usage);
    let labels: ArrayRef = Arc::new(StringArray::from(vec!["yes", "no"]));
    let normal = sluice_core::column::normalize(&labels).unwrap();
    assert_eq!(other.labels(&normal).unwrap().values(), &[0.0, 1.0]);
    let unknown: ArrayRef = Arc::new(StringArray::from(vec!["yes", "maybe"]));
    let error = other.labels(&sluice_core::column::normalize(&unknown).unwrap()).unwrap_err();
    assert!(error.to_string().contains("`maybe`, which is none of the classes"), "{error}");
}

#[test]
fn bad_labels_offsets_and_weights_are_errors_with_their_row() {
    let x = numbers(&[1.0, 2.0, 3.0, 4.0]);
    let source = |label: ArrayRef, other: &[f64]| {
        MemorySource::new(&table(&[("x", Arc::clone(&x)), ("y", label), ("other", numbers(other))]), 2)
    };
    let ones = [1.0; 4];
    let with = |source: &MemorySource, distribution, options: &GlmOptions, weight| {
        refused(fit(source, ("y", weight), &["x"], distribution, options, 2)).0
    };
    let plain = GlmOptions::from(0.0);
    let one = source(numbers(&[1.0; 4]), &ones);
    let message = with(&one, Distribution::Logistic, &plain, None);
    assert!(message.contains("label `y` is `1` in all 4 training rows"), "{message}");
    assert!(with(&one, Distribution::Poisson, &plain, None).contains("`y` is 1 in all 4"));
    let half = source(numbers(&[0.0, 1.0, 0.5, 1.0]), &ones);
    let message = with(&half, Distribution::Logistic, &plain, None);
    assert!(message.contains("`y` is 0.5, which is no class") && message.contains("row 3"), "{message}");
    let negative = source(numbers(&[0.0, -1.0, 2.0, 1.0]), &ones);
    let message = with(&negative, Distribution::Poisson, &plain, None);
    assert!(message.contains("`y` is -1") && message.contains("row 2"), "{message}");
    let message = with(&source(numbers(&[1.0, 2.0, 0.0, 1.0]), &ones), Distribution::Gamma, &plain, None);
    assert!(message.contains("`y` is 0, a gamma or like model needs a number above 0; "), "{message}");
    let counts = source(numbers(&[1.0, 2.0, 0.0, 1.0]), &[1.0, 2.0, 1.0, 0.0]);
    let exposed = GlmOptions { exposure: Some("other".into()), ..plain.clone() };
    let message = with(&counts, Distribution::Poisson, &exposed, None);
    assert!(message.contains("exposure `other` is 0") && message.contains("row 4"), "{message}");
    let far = source(numbers(&[1.0, 2.0, 0.0, 1.0]), &[1.0, 2.0, 1.0, 1e300]);
    let offset = GlmOptions { offset: Some("other".into()), ..plain.clone() };
    let message = with(&far, Distribution::Poisson, &offset, None);
    assert!(
        message.contains("outside the range of numbers where the fit starts") && message.contains("row 4"),
        "{message}"
    );
    let weightless = source(numbers(&[1.0, 2.0, 0.0, 1.0]), &[0.0; 4]);
    let message = with(&weightless, Distribution::Poisson, &plain, Some("other"));
    assert!(message.contains("weight `other` is 0 in all training rows"), "{message}");
    let short = GlmOptions { max_iterations: 1, ..GlmOptions::from(0.1) };
    let message = with(&counts, Distribution::Poisson, &short, None);
    assert!(message.contains("has not converged after 1 steps"), "{message}");
    let names: Vec<String> = (0..2000).map(|n| format!("k{n}")).collect();
    let many = MemorySource::new(
        &table(&[("y", Arc::new(StringArray::from(names)) as ArrayRef), ("x", numbers(&[1.0; 2000]))]),
        300,
    );
    let message = refused(fit(&many, ("y", None), &["x"], Distribution::Logistic, &plain, 2)).0;
    assert!(message.contains("more than 1000 classes"), "{message}");
}

#[test]
fn extreme_values_give_numbers() {
    let rows = 40;
    let sign = |n: usize| if (n * 7 + n / 3) % 5 < 2 { 1.0 } else { -1.0 };
    let values = |size: f64| (0..rows).map(|n| size * (sign(n) + 0.1 * n as f64)).collect::<Vec<f64>>();
    let label: Vec<f64> = (0..rows).map(|n| f64::from((n * 11 % 7) < 3)).collect();
    let counts: Vec<f64> = (0..rows).map(|n| (n * 11 % 7) as f64).collect();
    let columns = [
        ("huge", values(1e300)),
        ("tiny", values(1e-300)),
        ("plain", values(1.0)),
        ("y", label),
        ("count", counts),
    ];
    let source = MemorySource::new(&table(&columns.map(|(name, values)| (name, numbers(&values)))), 7);
    for alpha in [0.0, 1.0] {
        for (label, distribution) in [("y", Distribution::Logistic), ("count", Distribution::Poisson)] {
            let of = |feature: &str| {
                fit(&source, (label, None), &[feature], distribution, &alpha.into(), 2).unwrap()
            };
            let (huge, tiny, plain) = (of("huge"), of("tiny"), of("plain"));
            for model in [&huge, &tiny, &plain] {
                let output = model.label_output();
                assert!(output.intercept.is_finite() && output.coefficients[0].value.is_finite());
            }
            if alpha == 0.0 {
                let slope = plain.label_output().coefficients[0].value;
                assert_relative(huge.label_output().coefficients[0].value * 1e300, slope, 1e-9);
                assert_relative(tiny.label_output().coefficients[0].value / 1e300, slope, 1e-9);
            }
        }
    }
}

#[test]
fn a_few_rows_can_be_fitted_exactly() {
    // As many coefficients as rows: the means are the labels.
    let labels = [3.0, 1.0, 4.0, 2.0];
    let columns: Vec<(String, ArrayRef)> = (0..3)
        .map(|column| {
            (
                format!("c{column}"),
                numbers(&std::array::from_fn::<f64, 4, _>(|row| f64::from(u8::from(row == column)))),
            )
        })
        .collect();
    let mut pairs: Vec<(&str, ArrayRef)> =
        columns.iter().map(|(name, array)| (name.as_str(), Arc::clone(array))).collect();
    pairs.push(("y", numbers(&labels)));
    let batch = table(&pairs);
    let source = MemorySource::new(&batch, 2);
    let names = ["c0", "c1", "c2"];
    for distribution in [Distribution::Poisson, Distribution::Gamma] {
        let model = fit(&source, ("y", None), &names, distribution, &0.0.into(), 2).unwrap();
        assert!(model.glm.as_ref().unwrap().deviance < 1e-12, "{model:?}");
        let transform = Plain::shared(&names);
        let features = transform.apply(&Batch::new(&batch)).unwrap();
        let predictions = model.predict(&features, transform.space()).unwrap();
        for (found, label) in predictions[0].values().iter().zip(labels) {
            assert_relative(*found, label, 1e-9);
        }
    }
}

#[test]
fn collinear_and_constant_columns_are_left_out_and_told() {
    let made = made();
    let x = made.column_by_name("x").unwrap().as_any().downcast_ref::<Float64Array>().unwrap();
    let twice: Vec<f64> = x.values().iter().map(|x| 2.0 * x + 1.0).collect();
    let binary = Arc::clone(made.column_by_name("binary").unwrap());
    let batch = table(&[
        ("x", Arc::new(x.clone())),
        ("one", numbers(&vec![5.0; twice.len()])),
        ("twice", numbers(&twice)),
        ("y", binary),
    ]);
    let source = MemorySource::new(&batch, 50);
    let found =
        fit(&source, ("y", None), &["x", "one", "twice"], Distribution::Logistic, &0.0.into(), 2).unwrap();
    let alone = fit(&source, ("y", None), &["x"], Distribution::Logistic, &0.0.into(), 2).unwrap();
    let (found, alone) = (found.label_output(), alone.label_output());
    assert_eq!(
        (found.diagnostics.constant.as_slice(), found.diagnostics.aliased.as_slice()),
        (&[1][..], &[2][..])
    );
    assert_relative(found.coefficients[0].value, alone.coefficients[0].value, 1e-10);
    assert_eq!(found.coefficients[1].value.to_bits() | found.coefficients[2].value.to_bits(), 0);
}
