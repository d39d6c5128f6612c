//! Metrics of several classes against scikit-learn, with and without weights.

use std::sync::Arc;

use sluice_core::Accumulator;
use sluice_core::group::Grouping;
use sluice_core::seam::{Predictor, Task};
use sluice_testkit::close::assert_relative;
use sluice_testkit::laws;
use sluice_testkit::memory::MemorySource;

use super::golden::{
    Given, ROWS, Rows, agree, binary, chances, columns, errors_equal_quotients, evaluated, uniforms,
};
use super::{Definition, Metric, TaskKind};
use crate::fixture::{numbers, table};
use crate::measure::{MeasureOptions, Measures, Missing, place};

/// Four classes of unequal size with probabilities that lean to the class of the row, and others that do less.
fn classes() -> Rows {
    let mut next = uniforms(13);
    let mut rows = Vec::new();
    for _ in 0..ROWS {
        let class = place((next() * next() * 4.0).floor());
        let mut scores: Vec<f64> =
            (0..4).map(|other| next() + if other == class { 0.5 } else { 0.0 }).collect();
        let total: f64 = scores.iter().fold(0.0, |total, score| total + score);
        scores.iter_mut().for_each(|score| *score /= total);
        rows.push([vec![class as f64], scores, vec![0.25 + next()]].concat());
    }
    let mut columns = columns(&["y", "a", "b", "c", "d", "w"], &rows);
    // The baseline has the classes' probabilities half of the way to equal ones, and two of them exchanged.
    for (name, from) in [("a2", 1), ("b2", 3), ("c2", 2), ("d2", 4)] {
        let values = columns[from].1.iter().map(|p| 0.125 + 0.5 * p).collect();
        columns.push((name, values));
    }
    columns
}

fn task() -> Task {
    Task::MultiClass { classes: ["a", "b", "c", "d, \"e\""].map(str::to_owned).to_vec() }
}

fn candidate() -> Arc<dyn Predictor> {
    Given::predictor(&["a", "b", "c", "d"], task())
}

fn baseline() -> Arc<dyn Predictor> {
    Given::predictor(&["a2", "b2", "c2", "d2"], task())
}

#[test]
fn classes_equal_scikit_learn() {
    // scikit-learn 1.9.1 of y and z = P.argmax(1).
    let expected = [
        ("accuracy", 0.738, 0.738_481_969_328_605_3), // accuracy_score
        ("top_k_accuracy", 0.902, 0.897_283_879_705_964_6), // top_k_accuracy_score(k=2)
        ("top_k_accuracy(k=3)", 0.992, 0.988_986_339_159_931), // k=3
        ("log_loss", 0.919_114_418_269_648_8, 0.923_821_426_358_856_4), // log_loss
        ("brier_score", 0.504_562_486_472_075_5, 0.507_100_311_978_521_6), // brier_score_loss
        ("macro_precision", 0.607_229_228_009_671_2, 0.604_191_576_857_520_3), // precision_score(average="macro")
        ("macro_recall", 0.712_109_149_181_963_1, 0.712_838_386_541_079_6), // recall_score(average="macro")
        ("macro_f1", 0.622_972_839_358_260_1, 0.618_113_053_491_216_7),     // f1_score(average="macro")
        ("weighted_precision", 0.821_107_568_325_595_7, 0.821_263_459_015_930_7), // precision_score(average="weighted")
        ("weighted_f1", 0.766_001_371_881_012_6, 0.767_230_320_302_541), // f1_score(average="weighted")
        ("precision(class=b)", 0.789_473_684_210_526_3, 0.781_851_052_392_982_5), // precision_score(average=None)[1]
        ("recall(class=b)", 0.737_704_918_032_786_9, 0.731_484_001_504_230_3), // recall_score(average=None)[1]
        ("f1(class=b)", 0.762_711_864_406_779_6, 0.755_829_364_966_995_8),     // f1_score(average=None)[1]
        ("balanced_accuracy", 0.712_109_149_181_963_1, 0.712_838_386_541_079_6), // balanced_accuracy_score
        ("mcc", 0.601_063_155_653_440_2, 0.599_113_573_657_291_1),             // matthews_corrcoef
        ("cohen_kappa", 0.586_883_715_649_854_1, 0.585_364_119_513_835_9),     // cohen_kappa_score
        ("expected_calibration_error", 0.314_376_091_153_189_6, 0.316_446_407_808_426_26), // of P.max(1) and z == y
    ];
    agree(&classes(), &candidate(), &expected);
    for (alias, name) in [("micro_f1", "accuracy"), ("weighted_recall", "accuracy")] {
        let evaluation = evaluated(&classes(), &candidate(), None, &[alias, name], None);
        assert_eq!(evaluation.slices[0].candidate.len(), 1);
    }
}

#[test]
fn the_matrix_is_scikit_learns() {
    // confusion_matrix(y, z)
    let expected = [[223, 20, 31, 25], [8, 90, 10, 14], [4, 2, 44, 10], [3, 2, 2, 12]];
    for other in [None, Some(&baseline())] {
        let evaluation = evaluated(&classes(), &candidate(), other, &["macro_f1"], None);
        let matrix = evaluation.slices[0].tables["candidate"].classes.as_ref().unwrap();
        let found: Vec<Vec<usize>> =
            matrix.weights.iter().map(|row| row.iter().map(|weight| place(*weight)).collect()).collect();
        assert_eq!(found, expected.map(|row| row.to_vec()));
        assert_eq!(matrix.classes[1], "b");
        assert_eq!(evaluation.slices[0].tables.len(), 1 + usize::from(other.is_some()));
    }
}

#[test]
fn errors_of_rates_equal_the_infinitesimal_jackknife() {
    let names = [
        "accuracy",
        "log_loss",
        "brier_score",
        "top_k_accuracy",
        "macro_precision",
        "macro_f1",
        "weighted_f1",
        "balanced_accuracy",
        "mcc",
        "cohen_kappa",
        "recall(class=c)",
        "f1(class=c)",
    ];
    errors_equal_quotients(&classes(), &candidate(), &baseline(), &names);
}

#[test]
fn intervals_are_the_same_with_and_without_a_baseline() {
    let names = ["macro_f1", "precision(class=b)", "mcc"];
    let alone = evaluated(&classes(), &candidate(), None, &names, Some("w"));
    let paired = evaluated(&classes(), &candidate(), Some(&baseline()), &names, Some("w"));
    for name in names {
        let (alone, paired) = (&alone.slices[0].intervals[name], &paired.slices[0].intervals[name]);
        assert_relative(alone.low, paired.low, 1e-12);
        assert_relative(alone.high, paired.high, 1e-12);
        assert!(alone.low < alone.high);
    }
}

#[test]
fn of_equal_probabilities_the_first_counts() {
    let rows: Rows = vec![
        ("y", vec![0.0, 1.0, 2.0, 3.0]),
        ("a", vec![0.25; 4]),
        ("b", vec![0.25; 4]),
        ("c", vec![0.25; 4]),
        ("d", vec![0.25; 4]),
    ];
    let names = ["accuracy", "top_k_accuracy", "top_k_accuracy(k=3)", "macro_recall"];
    let slice = &evaluated(&rows, &candidate(), None, &names, None).slices[0];
    for (name, expected) in names.iter().zip([0.25, 0.5, 0.75, 0.25]) {
        assert_relative(slice.candidate[*name].unwrap(), expected, 1e-15);
    }
}

#[test]
fn a_class_is_named_and_known() {
    let of = |name: &str| Metric::find(name).unwrap().for_task(&task());
    assert_eq!(of("precision( class = b )").unwrap().name, "precision(class=b)");
    let quoted = "recall(class=\"d, \"\"e\"\"\")";
    assert_eq!(of(quoted).unwrap().name, quoted);
    let rows = classes();
    let slice = &evaluated(&rows, &candidate(), None, &[quoted], None).slices[0];
    assert_relative(slice.candidate[quoted].unwrap(), 12.0 / 19.0, 1e-15);
    let error = of("precision(class=setosa)").unwrap_err().to_string();
    assert_eq!(error, "`class` has no choice `setosa`");
    let error = of("precision").unwrap_err().to_string();
    assert_eq!(error, "`metric` is `precision`, which is of one class, and the model has several");
    assert!(of("precision(threshold=0.3)").unwrap_err().to_string().contains("threshold"));
    let error = of("rmse").unwrap_err().to_string();
    assert_eq!(
        error,
        "`metric` `rmse` is for labels of numbers or of two classes, the model predicts several classes"
    );
    let two = Metric::find("accuracy").unwrap().for_task(&Task::Binary { positive: None }).unwrap();
    assert_eq!(two.tasks, [TaskKind::Binary]);
    assert!(Metric::find("macro_f1").unwrap().for_task(&Task::Regression).is_err());
}

#[test]
fn many_classes_have_values_and_say_what_they_lack() {
    let names: Vec<String> = (0..70).map(|class| format!("p{class}")).collect();
    let mut next = uniforms(5);
    let mut rows: Vec<(&'static str, Vec<f64>)> =
        vec![("y", (0..140).map(|row| f64::from(row % 70)).collect())];
    for (class, name) in names.iter().enumerate() {
        let column = (0..140).map(|row| if row % 70 == class { 0.6 } else { 0.7 * next() * next() });
        rows.push((Box::leak(name.clone().into_boxed_str()), column.collect()));
    }
    let columns: Vec<&str> = names.iter().map(String::as_str).collect();
    let few = |count: usize| {
        let task = Task::MultiClass { classes: names[..count].to_vec() };
        Given::predictor(&columns[..count], task)
    };
    let evaluation = evaluated(&rows, &few(70), Some(&few(70)), &["macro_f1", "accuracy"], None);
    let slice = &evaluation.slices[0];
    assert!(slice.candidate["macro_f1"].unwrap() > 0.0);
    assert!(!slice.intervals.contains_key("macro_f1") && slice.intervals.contains_key("accuracy"));
    let note = slice.changes.as_ref().unwrap()["macro_f1"].note.as_deref();
    assert_eq!(note, Some("its error is known from `intervals: bootstrap` or `jackknife` only"));
}

#[test]
fn splits_threads_and_shards_change_nothing() {
    let arrays = |rows: &Rows| -> Vec<(&'static str, arrow::array::ArrayRef)> {
        rows.iter().map(|(name, values)| (*name, numbers(values))).collect()
    };
    for (rows, model, other, task) in [
        (classes(), candidate(), Some(baseline()), TaskKind::MultiClass),
        (classes(), candidate(), None, TaskKind::MultiClass),
        (chances(), binary("c"), Some(binary("b")), TaskKind::Binary),
    ] {
        let metrics: Vec<Arc<Metric>> = Definition::defaults(task)
            .iter()
            .map(|name| Metric::find(name).unwrap().for_task(&model.task()).unwrap())
            .collect();
        let options = MeasureOptions {
            metrics: &metrics,
            groupings: vec![Grouping::overall(), Grouping::by(["y"])],
            weight: Some("w".into()),
            missing: Missing::Refuse,
            label_shift: 0.0,
        };
        let measures = Measures::new(&model, other.as_ref(), &options);
        laws::check(&MemorySource::new(&table(&arrays(&rows)), 61).with_batch_rows(13), &measures);
        assert!(measures.size_bytes() > 0);
    }
}
