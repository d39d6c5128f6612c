use sluice_core::Diagnostic;

use super::*;

const SOUND: &str = "
pipeline: tips
data:
  inputs: {trips: trips.csv}
  roles: {label: y, key: [id]}
  subsets: {by: hash, train: 0.8, eval: 0.2, seed: 7}
transform:
  - impute: {columns: [x], with: mean}
  - standardize: [x]
  - one_hot: [city]
  - one_hot: {columns: [zone], max_levels: 5}
train: {ridge: {alpha: 0.4}}
evaluate:
  metrics: [rmse]
  slices: [city]
  require:
    - {metric: rmse, at_most: 2.0}
    - {metric: rmse, block_if_worse: 0.0, every: city}
";

fn message(text: &str) -> String {
    let error = from_yaml::<PipelineSpec>(text, "p.yaml").unwrap_err();
    format!("{error} / {}", error.hint().unwrap_or_default())
}

#[test]
fn a_sound_file_is_read() {
    let spec: PipelineSpec = from_yaml(SOUND, "p.yaml").unwrap();
    assert_eq!(spec.data.subsets.shares["train"], sluice_ingest::Share::Part(0.8));
    assert_eq!(spec.data.subsets.seed, Some(7));
    assert_eq!(spec.transform.0.len(), 4);
    assert_eq!(spec.evaluate.options.require.len(), 2);
    assert_eq!(spec.evaluate.options.alpha.to_bits(), 0.05_f64.to_bits());
    assert_eq!(spec.evaluate.baseline, BaselineSpec::LatestBlessed);
}

#[test]
fn onnx_that_is_required_refuses_what_it_cannot_express_by_name() {
    let of = |text: &str| PipelineFile::parse(text, Path::new("p.yaml"));
    assert_eq!(of(SOUND).unwrap().spec.onnx, OnnxMode::IfPossible);
    assert_eq!(of(&format!("onnx: off{SOUND}")).unwrap().spec.onnx, OnnxMode::Off);
    assert_eq!(of(&format!("onnx: required{SOUND}")).unwrap().spec.onnx, OnnxMode::Required);
    let hashed = SOUND.replace("  - one_hot: [city]", "  - hash_buckets: {columns: [city], buckets: 8}");
    of(&hashed).unwrap();
    let error = of(&format!("onnx: required{hashed}")).unwrap_err();
    assert_eq!(error.to_string(), "`hash_buckets` has no form in ONNX");
    assert_eq!(error.places(), ["`onnx: required`", "`p.yaml`"]);
}

#[test]
fn slips_of_the_hand_are_named_with_their_place() {
    assert_eq!(
        message(&SOUND.replace("evaluate:", "evalute:")),
        "`p.yaml`: unknown key `evalute` (at `evalute`) / did you mean `evaluate`?"
    );
    assert_eq!(
        message(&SOUND.replace("at_most", "at_mots")),
        "`p.yaml`: unknown key `at_mots` (at `evaluate.require[0].at_mots`) / did you mean `at_most`?"
    );
    assert!(message(&SOUND.replace("standardize", "standardise")).contains("unknown name `standardise`"));
    assert!(message(&SOUND.replace("train: {ridge", "train: {rigde")).contains("did you mean `ridge`?"));
    assert!(message(&SOUND.replace("alpha: 0.4", "alhpa: 0.4")).contains("did you mean `alpha`?"));
    assert!(message(&SOUND.replace("label: y", "labels: y")).contains("did you mean `label`?"));
    let of_alpha = |alpha: &str| message(&SOUND.replace("alpha: 0.4", &format!("alpha: {alpha}")));
    assert!(of_alpha("big").contains("expected a number, {grid: [number, ...]"));
    assert!(of_alpha("big").contains("(at `train.ridge.alpha`)"));
    assert_eq!(
        of_alpha("{grid: [1], fold: 3}"),
        "`p.yaml`: unknown key `fold` (at `train.ridge.alpha.fold`) / did you mean `folds`?"
    );
    let read = |alpha: &str| {
        from_yaml::<sluice_training::ModelSpec>(&format!("ridge: {{alpha: {alpha}}}"), "p.yaml").unwrap()
    };
    let sluice_training::ModelSpec::Ridge(options) = read("{log_grid: [1e-4, 1e4, 33]}") else {
        panic!("ridge is read as another family");
    };
    let expected = r#"{"alpha":{"log_grid":[0.0001,10000.0,33],"folds":5}}"#;
    assert_eq!(serde_json::to_string(&options).unwrap(), expected);
    assert!(of_alpha("{folds: 3}").contains("needs one of `grid`, `log_grid` and `path`, but has none"));
    assert!(message(&SOUND.replace("pipeline: tips", "")).starts_with("`p.yaml`: key `pipeline` is missing"));
    assert!(message("a: [1").starts_with("`p.yaml` is not valid YAML"));
    assert!(message("").contains("it is empty"));
}

#[test]
fn what_contradicts_itself_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let message = |text: &str| {
        let path = folder.path().join("p.yaml");
        fs_err::write(&path, text).unwrap();
        format!("{:?}", PipelineFile::read(&path).unwrap_err())
    };
    assert!(
        message(&SOUND.replace("0.2, seed", "0.3, seed")).contains("the shares of the subsets add up to 1.1")
    );
    assert!(message(&SOUND.replace("key: [id]", "key: [y]")).contains("column `y` has two roles"));
    assert!(message(&SOUND.replace("label: y, ", "")).contains("names no label"));
    assert!(message(&SOUND.replace("alpha: 0.4", "alpha: -1")).contains("`ridge.alpha` is -1"));
    assert!(
        message(&SOUND.replace("trips: trips.csv", "a: b.csv, c: d.csv")).contains("2 inputs but no query")
    );
    assert!(message(&SOUND.replace("trips: trips.csv", "")).contains("names no source"));
    assert!(
        message(&SOUND.replace("pipeline: tips", "pipeline: ../tips"))
            .contains("cannot be the name of a model")
    );
    assert!(
        message(&SOUND.replace("metric: rmse, at_most", "metric: rmes, at_most"))
            .contains("did you mean `rmse`?")
    );
}
