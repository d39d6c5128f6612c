//! Metrics of sets of labels against scikit-learn, with and without weights.

use std::sync::Arc;

use sluice_core::group::Grouping;
use sluice_core::seam::{Predictor, Task};
use sluice_testkit::close::assert_relative;
use sluice_testkit::laws;
use sluice_testkit::memory::MemorySource;

use super::golden::{Given, ROWS, Rows, agree, columns, errors_equal_quotients, evaluated, uniforms};
use super::{Definition, Metric, TaskKind};
use crate::fixture::{numbers, table};
use crate::measure::{MeasureOptions, Measures, Missing};

/// Four labels of unequal size, with probabilities in steps of 1/20, so that many are equal; some rows have no label,
/// some all.
fn labels() -> Rows {
    let mut next = uniforms(17);
    let mut rows = Vec::new();
    for _ in 0..ROWS {
        let (mut truths, mut scores) = (Vec::new(), Vec::new());
        for share in [0.15, 0.4, 0.6, 0.85] {
            let (first, second) = (next(), next());
            let truth = f64::from(u8::from(first < share));
            truths.push(truth);
            scores.push((20.0 * (0.3 * truth + 0.7 * second)).floor() / 20.0);
        }
        rows.push([truths, scores, vec![0.25 + next()]].concat());
    }
    let mut columns = columns(&["la", "lb", "lc", "ld", "a", "b", "c", "d", "w"], &rows);
    // The baseline has probabilities half of the way to equal ones, and two of them exchanged.
    for (name, from) in [("a2", 4), ("b2", 6), ("c2", 5), ("d2", 7)] {
        let values = columns[from].1.iter().map(|p| 0.25 + 0.5 * p).collect();
        columns.push((name, values));
    }
    columns
}

fn task() -> Task {
    Task::MultiLabel { labels: ["la", "lb", "lc", "ld"].map(str::to_owned).to_vec() }
}

fn candidate() -> Arc<dyn Predictor> {
    Given::predictor(&["a", "b", "c", "d"], task())
}

fn baseline() -> Arc<dyn Predictor> {
    Given::predictor(&["a2", "b2", "c2", "d2"], task())
}

#[test]
fn sets_of_labels_equal_scikit_learn() {
    // scikit-learn 1.9.1 of Y and Z = P > threshold: {precision,recall,f1,jaccard}_score(average=...), of one label
    // average=None; accuracy_score, hamming_loss; the mean of log_loss over the columns; coverage_error,
    // label_ranking_loss and label_ranking_average_precision_score of Y and P.
    let expected = [
        ("micro_precision", 0.758_741_258_741_258_8, 0.755_149_969_419_191_9),
        ("micro_recall", 0.650_349_650_349_650_3, 0.656_152_795_475_338_3),
        ("micro_f1", 0.700_376_546_530_392_7, 0.702_179_257_013_711_4),
        ("micro_jaccard", 0.538_907_284_768_211_9, 0.541_044_871_418_833_6),
        ("macro_precision", 0.709_366_712_648_938, 0.707_061_324_211_336_9),
        ("macro_recall", 0.656_276_502_493_607_7, 0.661_893_538_962_921_4),
        ("macro_f1", 0.665_421_726_906_595_8, 0.666_583_635_081_812),
        ("macro_jaccard", 0.506_071_360_647_526_1, 0.508_011_131_192_262_9),
        ("weighted_precision", 0.803_072_800_160_181_8, 0.804_626_359_133_810_2),
        ("weighted_recall", 0.650_349_650_349_650_3, 0.656_152_795_475_338_3),
        ("weighted_f1", 0.709_976_482_824_673, 0.713_173_062_668_180_6),
        ("weighted_jaccard", 0.556_140_924_152_393_5, 0.560_552_961_717_892_3),
        ("samples_precision", 0.701_333_333_333_333_3, 0.695_839_646_306_929),
        ("samples_recall", 0.641_833_333_333_333_3, 0.647_010_242_403_822),
        ("samples_f1", 0.632_780_952_380_952_3, 0.632_754_530_636_335),
        ("samples_jaccard", 0.542_333_333_333_333_3, 0.544_214_985_686_105_4),
        ("subset_accuracy", 0.264, 0.268_932_097_138_466_8),
        ("hamming_loss", 0.278_5, 0.277_997_656_228_044_5),
        ("precision(label=lb)", 0.614_525_139_664_804_5, 0.598_761_356_112_824_9),
        ("recall(label=lb)", 0.582_010_582_010_582, 0.599_688_738_772_598_7),
        ("f1(label=lb)", 0.597_826_086_956_521_7, 0.599_224_688_629_857_9),
        ("jaccard(label=lb)", 0.426_356_589_147_286_8, 0.427_780_732_402_927_3),
        ("micro_precision(threshold=0.3)", 0.644_398_051_496_172_6, 0.641_296_411_654_900_4),
        ("micro_recall(threshold=0.3)", 0.925_074_925_074_925_1, 0.925_263_118_851_777_3),
        ("micro_f1(threshold=0.3)", 0.759_639_048_400_328_1, 0.757_542_763_490_579),
        ("micro_jaccard(threshold=0.3)", 0.612_433_862_433_862_4, 0.609_713_349_667_334_8),
        ("macro_precision(threshold=0.3)", 0.613_274_634_852_235_4, 0.611_899_427_661_265_3),
        ("macro_recall(threshold=0.3)", 0.928_670_872_256_398_7, 0.929_204_412_020_230_4),
        ("macro_f1(threshold=0.3)", 0.710_128_655_072_653_7, 0.708_950_072_771_917_6),
        ("macro_jaccard(threshold=0.3)", 0.580_202_174_647_473_3, 0.578_889_691_158_660_7),
        ("weighted_precision(threshold=0.3)", 0.727_711_959_141_338_3, 0.727_238_696_742_220_9),
        ("weighted_recall(threshold=0.3)", 0.925_074_925_074_925_1, 0.925_263_118_851_777_3),
        ("weighted_f1(threshold=0.3)", 0.796_883_546_333_917_9, 0.795_812_989_469_354_2),
        ("weighted_jaccard(threshold=0.3)", 0.684_125_569_136_332_3, 0.682_783_704_642_525_5),
        ("samples_precision(threshold=0.3)", 0.650_333_333_333_333_2, 0.649_382_565_126_176_6),
        ("samples_recall(threshold=0.3)", 0.898, 0.897_251_890_807_347_7),
        ("samples_f1(threshold=0.3)", 0.724_4, 0.722_863_157_170_323_9),
        ("samples_jaccard(threshold=0.3)", 0.616_5, 0.616_518_104_155_303_8),
        ("subset_accuracy(threshold=0.3)", 0.208, 0.216_438_340_486_503_9),
        ("hamming_loss(threshold=0.3)", 0.293, 0.295_816_539_631_562_57),
        ("precision(threshold=0.3,label=lb)", 0.505_917_159_763_313_6, 0.505_281_129_957_929_2),
        ("recall(threshold=0.3,label=lb)", 0.904_761_904_761_904_8, 0.915_140_033_176_074_6),
        ("f1(threshold=0.3,label=lb)", 0.648_956_356_736_242_9, 0.651_078_711_067_219_3),
        ("jaccard(threshold=0.3,label=lb)", 0.480_337_078_651_685_4, 0.482_666_198_842_728_54),
        ("log_loss", 0.485_009_412_649_975_2, 0.485_582_982_833_13),
        ("coverage_error", 2.49, 2.490_362_876_480_405_8),
        ("label_ranking_loss", 0.170_166_666_666_666_66, 0.170_947_329_226_623_17),
        ("label_ranking_average_precision", 0.885_277_777_777_776_7, 0.885_320_893_072_292_1),
    ];
    agree(&labels(), &candidate(), &expected);
}

#[test]
fn errors_of_changes_equal_the_infinitesimal_jackknife() {
    let names = [
        "micro_precision",
        "micro_jaccard",
        "macro_precision",
        "macro_f1",
        "weighted_recall",
        "weighted_jaccard",
        "samples_f1",
        "subset_accuracy",
        "hamming_loss",
        "log_loss",
        "coverage_error",
        "label_ranking_loss",
        "label_ranking_average_precision",
        "f1(label=lc)",
    ];
    errors_equal_quotients(&labels(), &candidate(), &baseline(), &names);
}

/// Rows of two labels: their truths and probabilities.
fn few(rows: &[[f64; 4]]) -> (Rows, Arc<dyn Predictor>) {
    let rows: Vec<Vec<f64>> = rows.iter().map(|row| row.to_vec()).collect();
    let task = Task::MultiLabel { labels: vec!["la".into(), "lb".into()] };
    (columns(&["la", "lb", "a", "b"], &rows), Given::predictor(&["a", "b"], task))
}

#[test]
fn what_does_not_exist_is_said_and_counts_as_nothing_in_means() {
    // No row has the second label, none is predicted to.
    let (rows, model) = few(&[[1.0, 0.0, 0.9, 0.1], [0.0, 0.0, 0.2, 0.3], [1.0, 0.0, 0.4, 0.5]]);
    let names = [
        "macro_recall",
        "weighted_recall",
        "samples_recall",
        "micro_precision",
        "recall(label=lb)",
        "macro_f1",
    ];
    let slice = &evaluated(&rows, &model, None, &names, None).slices[0];
    for (name, expected) in [
        ("macro_recall", 0.25),
        ("weighted_recall", 0.5),
        ("samples_recall", 1.0 / 3.0),
        ("macro_f1", 1.0 / 3.0),
    ] {
        assert_relative(slice.candidate[name].unwrap(), expected, 1e-15);
    }
    assert_eq!(slice.candidate["recall(label=lb)"], None);
    assert_eq!(slice.undefined["recall(label=lb)"], "there are no labels");
    // Neither labels nor predictions.
    let (rows, model) = few(&[[0.0, 0.0, 0.1, 0.2], [0.0, 0.0, 0.2, 0.1]]);
    let names =
        ["micro_f1", "weighted_f1", "samples_f1", "subset_accuracy", "label_ranking_loss", "coverage_error"];
    let slice = &evaluated(&rows, &model, None, &names, None).slices[0];
    assert_eq!((slice.candidate["micro_f1"], slice.candidate["weighted_f1"]), (None, None));
    assert_eq!(slice.undefined["micro_f1"], "there are no labels, nor predictions of one");
    for (name, expected) in
        [("samples_f1", 0.0), ("subset_accuracy", 1.0), ("label_ranking_loss", 0.0), ("coverage_error", 0.0)]
    {
        assert_relative(slice.candidate[name].unwrap(), expected, 0.0);
    }
}

#[test]
fn a_label_is_named_and_known_and_metrics_of_other_tasks_are_refused() {
    let of = |name: &str| Metric::find(name).unwrap().for_task(&task());
    assert_eq!(of("precision( label = lb )").unwrap().name, "precision(label=lb)");
    for (name, message) in [
        ("precision(label=politics)", "`label` has no choice `politics`"),
        ("recall", "`metric` is `recall`, which is of one label, and the model has several"),
        (
            "rmse",
            "`metric` `rmse` is for labels of numbers or of two classes, the model predicts sets of labels",
        ),
        ("auc", "`metric` `auc` is for labels of two classes, the model predicts sets of labels"),
    ] {
        assert_eq!(of(name).unwrap_err().to_string(), message);
    }
    let two = Task::Binary { positive: None };
    let error = Metric::find("subset_accuracy").unwrap().for_task(&two).unwrap_err().to_string();
    assert_eq!(
        error,
        "`metric` `subset_accuracy` is for labels of sets of labels, the model predicts two classes"
    );
    // The same names mean other metrics of several classes.
    let classes = Task::MultiClass { classes: ["a", "b", "c"].map(str::to_owned).to_vec() };
    let of_classes = |name: &str| Metric::find(name).unwrap().for_task(&classes).unwrap().name.clone();
    assert_eq!((of_classes("micro_f1"), of_classes("macro_f1")), ("accuracy".into(), "macro_f1".into()));
    assert_eq!(of("micro_f1(threshold=0.25)").unwrap().name, "micro_f1(threshold=0.25)");
}

#[test]
fn means_over_many_labels_have_errors_from_replicates_only() {
    let names: Vec<String> = (0..12).map(|label| format!("l{label}")).collect();
    let scores: Vec<String> = (0..12).map(|label| format!("p{label}")).collect();
    let mut next = uniforms(5);
    let mut rows: Rows = Vec::new();
    for name in names.iter().chain(&scores) {
        let is_truth = name.starts_with('l');
        let values = (0..60).map(|_| if is_truth { (2.0 * next()).floor() } else { next() }).collect();
        rows.push((Box::leak(name.clone().into_boxed_str()), values));
    }
    let scores: Vec<&str> = scores.iter().map(String::as_str).collect();
    let model = Given::predictor(&scores, Task::MultiLabel { labels: names });
    let names = ["macro_f1", "micro_f1", "f1(label=l3)"];
    let slice = &evaluated(&rows, &model, Some(&model), &names, None).slices[0];
    assert!(slice.candidate["macro_f1"].is_some());
    assert_eq!(slice.intervals.keys().collect::<Vec<_>>(), ["f1(label=l3)", "micro_f1"]);
    let note = slice.changes.as_ref().unwrap()["macro_f1"].note.as_deref();
    assert_eq!(note, Some("its error is known from `intervals: bootstrap` or `jackknife` only"));
}

#[test]
fn splits_threads_and_shards_change_nothing() {
    let rows = labels();
    let arrays: Vec<(&str, arrow::array::ArrayRef)> =
        rows.iter().map(|(name, values)| (*name, numbers(values))).collect();
    let metrics: Vec<Arc<Metric>> = Definition::defaults(TaskKind::MultiLabel)
        .iter()
        .map(|name| Metric::find(name).unwrap().for_task(&task()).unwrap())
        .collect();
    let options = MeasureOptions {
        metrics: &metrics,
        groupings: vec![Grouping::overall(), Grouping::by(["la"])],
        weight: Some("w".into()),
        missing: Missing::Refuse,
        label_shift: 0.0,
    };
    for other in [None, Some(&baseline())] {
        let measures = Measures::new(&candidate(), other, &options);
        laws::check(&MemorySource::new(&table(&arrays), 61).with_batch_rows(13), &measures);
    }
}
