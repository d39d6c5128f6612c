//! Networks from outside: pipelines, single steps, packages, explanations, ONNX, and what is refused.

use arrow::array::AsArray;
use arrow::datatypes::{DataType, Float64Type};
use serde_json::Value;

use crate::support::{Place, files};

/// Customers that leave the rather, the fewer minutes they use, of a town and a plan.
fn rows() -> String {
    let mut text = "id,minutes,age,plan,town,churned,paid\n".to_owned();
    for id in 0..1500_u32 {
        let minutes = f64::from(id * 7919 % 1009) / 10.0;
        let age = 20 + id * 31 % 53;
        let plan = ["basic", "family", "pro"][(id * 31 % 7 % 3) as usize];
        let town = format!("t{}", id * 17 % 23);
        let pull = 2.0 - minutes / 20.0 + if plan == "pro" { -1.5 } else { 0.5 };
        let draw = f64::from(id.wrapping_mul(2_654_435_761) >> 8) / f64::from(1 << 24);
        let churned = if draw < 1.0 / (1.0 + (-pull).exp()) { "left" } else { "stayed" };
        let paid = minutes * 0.4 + f64::from(age) * 0.1 + if plan == "pro" { 20.0 } else { 5.0 };
        text.push_str(&format!("{id},{minutes},{age},{plan},{town},{churned},{paid}\n"));
    }
    text
}

/// A pipeline over them; `train` is its model.
fn pipeline(label: &str, train: &str) -> String {
    format!(
        "pipeline: customers
data:
  inputs: {{ rows: rows.csv }}
  roles: {{ label: {label}, key: [id] }}
  subsets: {{ by: hash, train: 0.6, validation: 0.2, eval: 0.2, seed: 1 }}
transform:
  - standardize: [minutes, age]
  - one_hot: [plan]
  - vocabulary: {{ columns: [town], top: 12, output: number, as: [town_id] }}
train: {{ network: {train} }}
evaluate: {{ accept_any: true, slices: [plan] }}
"
    )
}

const SMALL: &str = "{ architecture: { mlp: { hidden: [16, 8] } }, epochs: 6, batch_size: 64, \
                     optimizer: { adamw: { learning_rate: 0.01 } }, early_stopping: { patience: 3 } }";

fn place(label: &str, train: &str) -> Place {
    let place = Place::new();
    place.write("rows.csv", &rows());
    place.write("pipeline.yaml", &pipeline(label, train));
    place
}

fn ran(label: &str, train: &str) -> Place {
    let place = place(label, train);
    let _ = place.sluice(&["run", "pipeline.yaml", "--out", "out"]).exits(0);
    place
}

const MODEL: &str = "out/runs/0001/model";
const DATASET: &str = "out/runs/0001/dataset";
const TRANSFORM: &str = "out/runs/0001/transform";

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("no number: {value}"))
}

#[test]
fn two_classes_go_all_the_way() {
    let place = ran("churned", SMALL);
    let model = place.json(&format!("{MODEL}/model.json"));
    assert_eq!(model["family"], "network");
    assert_eq!(model["classes"][1]["class"], "stayed");
    let epochs = model["training"]["epochs"].as_array().unwrap();
    assert!(number(&epochs[epochs.len() - 1]["training_loss"]) < number(&epochs[0]["training_loss"]));
    assert!(number(&epochs[0]["validation_loss"]) > 0.0);
    // A category has one id more than levels, for what is none of them.
    let categorical = &model["network"]["inputs"]["categorical"];
    assert_eq!((&categorical[0]["name"], &categorical[0]["ids"]), (&"plan".into(), &4.into()));
    assert_eq!((&categorical[1]["name"], &categorical[1]["ids"]), (&"town_id".into(), &13.into()));
    let history = place.parquet(&format!("{MODEL}/history.parquet"));
    assert_eq!(history.num_rows(), epochs.len());
    let onnx = place.json(&format!("{MODEL}/onnx.json"));
    assert!(number(&onnx["files"]["verified_rows"]) >= 100.0, "{onnx:#}");
    // Of two classes `mse` is the Brier score.
    let evaluation = place.json("out/runs/0001/evaluation/metrics.json");
    let overall = &evaluation["slices"][0]["candidate"];
    assert!(overall.to_string().contains("auc") || overall["mse"].is_number(), "{evaluation:#}");
    // Once more: the step is cached; another option runs it.
    let again = place.sluice(&["run", "pipeline.yaml", "--out", "out"]).exits(0);
    assert!(again.stderr.contains("cached") || again.stdout.contains("cached"), "{again:#?}");
    place.write("pipeline.yaml", &pipeline("churned", &SMALL.replace("epochs: 6", "epochs: 2")));
    let _ = place.sluice(&["run", "pipeline.yaml", "--out", "out"]).exits(0);
    let other = place.json("out/runs/0003/model/model.json");
    assert_eq!(other["training"]["epochs"].as_array().unwrap().len(), 2);
}

#[test]
fn an_order_is_learned_within_groups() {
    // A query's offers stand together; what they paid is far apart between queries, which ranking must not care about.
    let mut text = "query,id,minutes,noise,paid\n".to_owned();
    for id in 0..3000_u32 {
        let (query, minutes) = (id / 12, f64::from(id * 7919 % 1009) / 10.0);
        let paid = minutes + 1000.0 * f64::from(query * 31 % 17);
        text.push_str(&format!("q{query},{id},{minutes},{},{paid}\n", id * 13 % 101));
    }
    let place = Place::new();
    place.write("rows.csv", &text);
    place.write(
        "pipeline.yaml",
        "pipeline: offers
data:
  inputs: { rows: rows.csv }
  roles: { label: paid, key: [query], ignored: [id] }
  subsets: { by: hash, train: 0.7, eval: 0.3 }
transform:
  - standardize: [minutes, noise]
train:
  network:
    architecture: { mlp: { hidden: [16] } }
    loss: pairwise
    group: query
    batch_size: 120
    epochs: 20
    optimizer: { adamw: { learning_rate: 0.01 } }
evaluate: { accept_any: true, metrics: [spearman] }
",
    );
    let _ = place.sluice(&["run", "pipeline.yaml", "--out", "out"]).exits(0);
    let predict =
        ["predict", MODEL, DATASET, "--subset", "eval", "--keep", "query", "--keep", "paid", "--out", "p"];
    let _ = place.sluice(&predict).exits(0);
    let table = place.parquet("p/part-00000.parquet");
    let column =
        |name: &str| arrow::compute::cast(table.column_by_name(name).unwrap(), &DataType::Float64).unwrap();
    let values = |name: &str| -> Vec<f64> { column(name).as_primitive::<Float64Type>().values().to_vec() };
    let (paid, scores) = (values("paid"), values("prediction"));
    let query = arrow::compute::cast(table.column_by_name("query").unwrap(), &DataType::Utf8).unwrap();
    let query = query.as_string::<i32>();
    let (mut right, mut pairs) = (0.0, 0.0);
    for above in 0..paid.len() {
        for below in 0..paid.len() {
            if query.value(above) == query.value(below) && paid[above] > paid[below] {
                pairs += 1.0;
                right += f64::from(u8::from(scores[above] > scores[below]));
            }
        }
    }
    assert!(pairs > 3000.0, "{pairs}");
    assert!(right > 0.97 * pairs, "{right} of {pairs} pairs in order");
    // Sorted by something else, no two neighbours are of one query.
    let mut lines: Vec<&str> = text.lines().skip(1).collect();
    lines.sort_by_key(|line| line.split(',').nth(1).map_or(0, |id| id.parse::<u32>().unwrap() % 12));
    place.write("rows.csv", &format!("query,id,minutes,noise,paid\n{}\n", lines.join("\n")));
    let outcome = place.sluice(&["run", "pipeline.yaml", "--out", "out"]).exits(4);
    assert!(outcome.stderr.contains("no two neighbouring training rows are of one group"), "{outcome:#?}");
}

#[test]
fn the_same_bits_with_any_number_of_threads() {
    let place = ran("paid", SMALL);
    let spec = format!("network: {SMALL}");
    let train = |threads: &str| {
        let arguments = [
            "train",
            DATASET,
            "--transform",
            TRANSFORM,
            "--label",
            "paid",
            "--key",
            "id",
            "--model",
            &spec,
            "--threads",
            threads,
            "--out",
            threads,
        ];
        let _ = place.sluice(&arguments).exits(0);
        let all = files(&place.path(threads));
        ["model.json", "weights.safetensors", "model.onnx"].map(|name| {
            let found = all.iter().find(|(path, _)| path.ends_with(name));
            found.unwrap_or_else(|| panic!("no {name}")).1.clone()
        })
    };
    let one = train("1");
    assert!(one == train("2") && one == train("7"), "threads show in the model");
}

#[test]
fn contributions_add_up_to_the_prediction() {
    let place = ran("paid", SMALL);
    let predict =
        ["predict", MODEL, DATASET, "--subset", "eval", "--explain", "--keep", "paid", "--out", "p"];
    let _ = place.sluice(&predict).exits(0);
    let table = place.parquet("p/part-00000.parquet");
    let column = |name: &str| -> Vec<f64> {
        let array = table.column_by_name(name).unwrap_or_else(|| panic!("no {name} in {:?}", table.schema()));
        let array = array.as_any().downcast_ref::<arrow::array::Float64Array>().unwrap();
        array.iter().map(Option::unwrap).collect()
    };
    let features = ["minutes", "age", "plan", "town_id"];
    let (base, prediction) = (column("base_value"), column("prediction"));
    let own = features.map(|feature| column(&format!("contribution_{feature}")));
    for row in 0..table.num_rows() {
        let sum = own.iter().fold(base[row], |sum, column| sum + column[row]);
        assert!(
            (sum - prediction[row]).abs() < 1e-4 * (1.0 + prediction[row].abs()),
            "{sum} {}",
            prediction[row]
        );
    }
    let explained = ["explain", MODEL, DATASET, "--permutation", "--partial-dependence", "minutes", "--json"];
    let explained = place.sluice(&explained).exits(0).json();
    assert_eq!(explained["method"], "integrated_gradients");
    let first = |list: &Value, name: &str| list[0][name].as_str().unwrap().to_owned();
    // What was paid follows minutes and plan; the town says nothing.
    assert_ne!(first(&explained["contributions"][0]["features"], "feature"), "town_id");
    let permuted = explained["permutation"]["columns"].as_array().unwrap();
    assert_ne!(permuted[0]["column"], "town", "{explained:#}");
    let curve = explained["partial_dependence"][0]["curves"][0]["averages"].as_array().unwrap();
    assert!(number(&curve[curve.len() - 1]) > number(&curve[0]), "{explained:#}");
}

#[test]
fn damaged_weights_are_refused() {
    let place = ran("paid", SMALL);
    let copy = place.path("copy");
    let _ = std::process::Command::new("cp").arg("-rL").arg(place.path(MODEL)).arg(&copy).status().unwrap();
    let weights: Vec<_> =
        files(&copy).into_keys().filter(|path| path.ends_with("weights.safetensors")).collect();
    let path = copy.join(&weights[0]);
    let mut bytes = fs_err::read(&path).unwrap();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    fs_err::write(&path, bytes).unwrap();
    let outcome = place.sluice(&["predict", "copy", DATASET, "--out", "p"]).exits(4);
    assert!(outcome.stderr.contains("weights.safetensors"), "{outcome:#?}");
    assert!(!place.path("p").exists());
}

#[test]
fn every_architecture_has_an_onnx_that_does_the_same() {
    for (label, spec) in [
        ("churned", "{ architecture: { wide_and_deep: { hidden: [8] } }, activation: gelu, epochs: 1 }"),
        ("plan", "{ architecture: { residual: { width: 12, blocks: 2 } }, norm: layer, epochs: 1 }"),
        (
            "paid",
            "{ architecture: { interactions: { dimension: 4, bottom: [8], hidden: [8] } }, activation: silu, epochs: 1, \
              numeric_embedding: { piecewise_linear: { bins: 5 } } }",
        ),
        (
            "paid",
            "{ architecture: { mlp: { hidden: [8, 8] } }, norm: batch, dropout: 0.1, activation: elu, epochs: 1, \
              numeric_embedding: { periodic: { frequencies: 3 } }, loss: { huber: {} } }",
        ),
    ] {
        let place = Place::new();
        place.write("rows.csv", &rows());
        let text = pipeline(label, &spec.replace("epochs: 1", "epochs: 1, batch_size: 128"));
        let text = if label == "plan" { text.replace("  - one_hot: [plan]\n", "") } else { text };
        place.write("pipeline.yaml", &format!("{text}onnx: required\n"));
        let _ = place.sluice(&["run", "pipeline.yaml", "--out", "out"]).exits(0);
        let onnx = place.json(&format!("{MODEL}/onnx.json"));
        assert!(number(&onnx["files"]["verified_rows"]) >= 100.0, "{onnx:#}");
    }
}

#[test]
fn what_cannot_be_is_refused_with_its_place() {
    let place = place("churned", SMALL);
    let refused = |code: i32, text: &str, parts: &[&str]| {
        place.write("other.yaml", text);
        let outcome = place.sluice(&["run", "other.yaml", "--out", "refused"]);
        place.assert_failure(&outcome, code, parts);
    };
    let with = |spec: &str| pipeline("churned", spec);
    let mlp = "architecture: { mlp: { hidden: [8] } }";
    let rate =
        |rate: &str| with(&format!("{{ {mlp}, optimizer: {{ adamw: {{ learning_rate: {rate} }} }} }}"));
    refused(2, &rate("0"), &["learning_rate` is 0"]);
    refused(2, &rate(".nan"), &["line 10", "non-finite float"]);
    refused(2, &with(&format!("{{ {mlp}, learning_rat: 1 }}")), &["unknown key `learning_rat`"]);
    refused(2, &with(&format!("{{ {mlp}, device: \"cuda:3\" }}")), &["cuda:3"]);
    refused(2, &with(&format!("{{ {mlp}, batch_size: 60000 }}")), &["batch_size` is 60000", "training rows"]);
    refused(
        2,
        &with(&format!("{{ {mlp}, early_stopping: {{ patience: 2, subset: nosuch }} }}")),
        &["nosuch", "validation"],
    );
    // One class.
    let one = "SELECT id, minutes, age, plan, town, paid, 'left' AS churned FROM rows";
    let one = with(&format!("{{ {mlp}, batch_size: 64 }}"))
        .replace("  roles:", &format!("  query: \"{one}\"\n  roles:"));
    refused(4, &one, &["churned", "left", "nothing to tell apart"]);
    // A number that is none, in a file and a row.
    let bad = "SELECT id, CASE WHEN id = 700 THEN NULL ELSE minutes END AS minutes, age, plan, town, churned FROM rows";
    let bad = with(&format!("{{ {mlp}, batch_size: 64 }}"))
        .replace("  roles:", &format!("  query: \"{bad}\"\n  roles:"));
    let bad = bad.replace("  - standardize: [minutes, age]", "  - pass_through: [minutes, age]");
    refused(4, &bad, &["feature `minutes` is null", "row"]);
    // An id below 0.
    let default = with(&format!("{{ {mlp}, batch_size: 64 }}"))
        .replace("output: number", "default: -1, output: number");
    refused(4, &default, &["feature `town_id` has the id -1, its ids are 0 to 11", "row"]);
}

#[test]
fn the_sample_pipeline_passes() {
    let place = Place::new();
    let file = crate::support::diabetes("network.yaml");
    let _ = place.sluice(&["run", &file, "--out", "out"]).exits(0).says(&["PASS"]);
}

/// Sends a signal to a training once it has noted how far it is.
fn stopped(place: &Place, arguments: &[&str], signal: &str, after: std::time::Duration) -> Option<i32> {
    let mut child = place.command(arguments).spawn().unwrap();
    std::thread::sleep(after);
    let kill = std::process::Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap();
    assert!(kill.success() || child.try_wait().unwrap().is_some());
    child.wait().unwrap().code()
}

#[test]
#[expect(clippy::too_many_lines, reason = "one story of stops")]
fn a_training_that_was_stopped_goes_on_to_the_same_bytes() {
    let place = ran("paid", SMALL);
    let spec = "network: { architecture: { mlp: { hidden: [64, 64] } }, dropout: 0.1, epochs: 120, batch_size: 16, \
                early_stopping: { patience: 120 } }";
    let arguments = |out: &'static str| {
        vec![
            "train",
            DATASET,
            "--transform",
            TRANSFORM,
            "--label",
            "paid",
            "--key",
            "id",
            "--onnx",
            "off",
            "--model",
            spec,
            "--out",
            out,
        ]
    };
    let started = std::time::Instant::now();
    let _ = place.sluice(&arguments("whole")).exits(0);
    let whole = started.elapsed();
    let resumed = [arguments("resumed"), vec!["--resume", "--checkpoint-seconds", "0"]].concat();
    let mut stops = 0;
    for part in [0.3, 0.5, 0.4] {
        let signal = if stops % 2 == 0 { "-INT" } else { "-KILL" };
        match stopped(&place, &resumed, signal, whole.mul_f64(part)) {
            Some(0) => break,
            Some(130) | None => stops += 1,
            other => panic!("{signal} ended with {other:?}"),
        }
        assert!(!place.path("resumed").exists(), "half a model");
        assert!(place.path(".resumed.checkpoint").exists(), "no note after {signal}");
    }
    assert!(stops >= 2, "only {stops} stops");
    // Of another training it is none.
    let other = spec.replace("0.1, epochs", "0.2, epochs");
    let mut others = resumed.clone();
    let place_of_spec = others.iter().position(|word| *word == spec).unwrap();
    others[place_of_spec] = &other;
    let outcome = place.sluice(&others);
    let outcome = outcome.exits(4);
    assert!(outcome.stderr.contains(".resumed.checkpoint"), "{outcome:#?}");
    let _ = place.sluice(&resumed).exits(0);
    for name in ["model.json", "weights.safetensors"] {
        let of = |folder: &str| {
            let all = files(&place.path(folder));
            all.into_iter().find(|(path, _)| path.ends_with(name)).unwrap().1
        };
        assert!(of("whole") == of("resumed"), "{name} differs after {stops} stops");
    }
    assert!(!place.path(".resumed.checkpoint").exists());
    let linear = [
        "train",
        DATASET,
        "--transform",
        TRANSFORM,
        "--label",
        "paid",
        "--alpha",
        "1",
        "--resume",
        "--out",
        "x",
    ];
    let outcome = place.sluice(&linear).exits(2);
    assert!(outcome.stderr.contains("`--resume` is for networks"), "{outcome:#?}");
}
