//! Models of public data through the real binary score on held-out rows what scikit-learn's do
//! (`tests/data/models.json`, written by `models.py` beside it).

use std::path::Path;

use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::Float64Type;
use serde_json::Value;
use sluice_testkit::assert_relative;
use sluice_testkit::datasets::external;

use crate::support::{Place, data};

fn expected(set: &str) -> Value {
    let text = fs_err::read(data("models.json")).unwrap();
    serde_json::from_slice::<Value>(&text).unwrap()[set].take()
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap()
}

/// Runs the pipeline, and predicts the held-out rows: their predictions, with these columns beside them.
fn held_out(place: &Place, keep: &str) -> RecordBatch {
    let _ = place.sluice(&["run", "pipeline.yaml", "--out", "out"]).exits(0);
    let [model, dataset] = ["model", "dataset"].map(|artifact| format!("out/runs/0001/{artifact}"));
    let predict = ["predict", &model, &dataset, "--subset", "eval", "--keep", keep, "--out", "predictions"];
    let _ = place.sluice(&predict).exits(0);
    place.parquet("predictions/part-00000.parquet")
}

/// Asserts that predictions are those of scikit-learn, row by row; they are the same up to the rounding of the fit.
#[track_caller]
fn assert_predictions(found: &[f64], expected: &Value, tolerance: f64) {
    assert_eq!(found.len() as u64, expected["rows"].as_u64().unwrap());
    let every = usize::try_from(expected["every"].as_u64().unwrap()).unwrap();
    let some = expected["predictions"].as_array().unwrap();
    assert_eq!(some.len(), found.len().div_ceil(every));
    for (found, expected) in found.iter().step_by(every).zip(some) {
        assert_relative(*found, number(expected), tolerance);
    }
}

fn predictions(rows: &RecordBatch) -> Vec<f64> {
    rows.column_by_name("prediction").unwrap().as_primitive::<Float64Type>().values().to_vec()
}

const ADULT: &str = "\
pipeline: adult
data:
  inputs: { people: people.csv }
  roles: { label: income, key: [id] }
  subsets: { by: subset }
transform:
  - standardize: [age, fnlwgt, education_num, capital_gain, capital_loss, hours_per_week]
  - one_hot: [workclass, education, marital_status, occupation, relationship, race, sex, native_country]
train: { logistic: { alpha: 1.0, positive: '>50K' } }
evaluate: { metrics: [mse], require: [{ metric: mse, at_most: 0.11 }] }
";

/// The rows of UCI's two files in one, with a name for each column and a missing value where they have a question mark.
fn people(folder: &Path) -> String {
    let mut text =
        "id,age,workclass,fnlwgt,education,education_num,marital_status,occupation,relationship,race,sex,\
                    capital_gain,capital_loss,hours_per_week,native_country,income,subset\n"
            .to_owned();
    let mut id = 0;
    for (file, subset) in [("adult.data", "train"), ("adult.test", "eval")] {
        for line in fs_err::read_to_string(folder.join(file)).unwrap().lines() {
            let cells: Vec<&str> = line.trim_end_matches('.').split(", ").collect();
            if cells.len() == 15 {
                let cells = cells.join(",").replace('?', "");
                text.push_str(&format!("{id},{cells},{subset}\n"));
                id += 1;
            }
        }
    }
    text
}

/// Logarithmic loss, area under the ROC curve and Brier score of probabilities.
fn of_probabilities(rows: &[(f64, bool)]) -> [f64; 3] {
    let count = rows.len() as f64;
    let losses = rows.iter().map(|(chance, is)| if *is { -chance.ln() } else { -(-chance).ln_1p() });
    let squares = rows.iter().map(|(chance, is)| (chance - f64::from(*is)).powi(2));
    // The chance that of two rows, one of each class, the right one is above; half where they are alike.
    let mut sorted = rows.to_vec();
    sorted.sort_by(|one, other| one.0.total_cmp(&other.0));
    let (mut below, mut pairs) = (0.0, 0.0);
    for alike in sorted.chunk_by(|one, other| one.0.to_bits() == other.0.to_bits()) {
        let positive = alike.iter().filter(|(_, is)| *is).count() as f64;
        let negative = alike.len() as f64 - positive;
        pairs += positive * (below + negative / 2.0);
        below += negative;
    }
    let area = pairs / (below * (count - below));
    [losses.sum::<f64>() / count, area, squares.sum::<f64>() / count]
}

#[test]
fn adult_logistic_scores_as_in_scikit_learn() {
    let Some(folder) = external("adult") else { return };
    let place = Place::new();
    place.write("people.csv", &people(&folder));
    place.write("pipeline.yaml", ADULT);
    let rows = held_out(&place, "income");
    let expected = expected("adult");
    let found = predictions(&rows);
    assert_predictions(&found, &expected, 1e-10);
    let labels = rows.column_by_name("income").unwrap();
    let labels = arrow::compute::cast(labels, &arrow::datatypes::DataType::Utf8).unwrap();
    let is_rich = labels.as_string::<i32>().iter().map(|label| label.unwrap() == ">50K");
    let scored: Vec<(f64, bool)> = found.into_iter().zip(is_rich).collect();
    let [loss, area, brier] = of_probabilities(&scored);
    assert_relative(loss, number(&expected["log_loss"]), 1e-12);
    assert_relative(area, number(&expected["auc"]), 1e-12);
    assert_relative(brier, number(&expected["brier"]), 1e-12);
    // Of two classes `mse` is the Brier score.
    let evaluation = place.json("out/runs/0001/evaluation/evaluation.json");
    assert_relative(number(&evaluation["slices"][0]["candidate"]["mse"]), brier, 1e-12);
}

const HOUSING: &str = "\
pipeline: housing
data:
  inputs: { blocks: blocks.csv }
  roles: { label: median_house_value, key: [id] }
  subsets: { by: subset }
transform:
  - impute: { columns: [NUMBERS], with: mean }
  - standardize: [NUMBERS]
  - one_hot: [ocean_proximity]
train: { ridge: { alpha: 10.0 } }
evaluate: { metrics: [rmse, mae, r2], require: [{ metric: r2, at_least: 0.6 }] }
";

#[test]
fn california_housing_ridge_scores_as_in_scikit_learn() {
    let Some(file) = external("housing/housing.csv") else { return };
    let place = Place::new();
    let text = fs_err::read_to_string(file).unwrap();
    let mut lines = text.lines();
    let header = lines.next().unwrap();
    let mut blocks = format!("id,{header},subset\n");
    for (id, line) in lines.enumerate() {
        let subset = if id % 5 == 0 { "eval" } else { "train" };
        blocks.push_str(&format!("{id},{line},{subset}\n"));
    }
    place.write("blocks.csv", &blocks);
    let numbers = header.split(',').filter(|name| !["median_house_value", "ocean_proximity"].contains(name));
    let numbers = numbers.collect::<Vec<_>>().join(", ");
    place.write("pipeline.yaml", &HOUSING.replace("NUMBERS", &numbers));
    let rows = held_out(&place, "median_house_value");
    let expected = expected("housing");
    assert_predictions(&predictions(&rows), &expected, 1e-10);
    let evaluation = place.json("out/runs/0001/evaluation/evaluation.json");
    for metric in ["rmse", "mae", "r2"] {
        let found = number(&evaluation["slices"][0]["candidate"][metric]);
        assert_relative(found, number(&expected[metric]), 1e-12);
    }
}
