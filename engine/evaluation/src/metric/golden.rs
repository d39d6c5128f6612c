//! Every metric against scikit-learn (and numpy or scipy, where it has none), with and without weights, over rows that
//! the tests make themselves: the same generator in Python made the numbers beside the calls.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Float64Array};
use arrow::datatypes::Float64Type;
use sluice_core::batch::Batch;
use sluice_core::error::Result;
use sluice_core::execution::Execution;
use sluice_core::features::{FeatureBatch, FeatureColumn, FeatureKind, FeatureSpace, FeatureSpec};
use sluice_core::seam::{BatchTransform, Predictor, Task};
use sluice_testkit::close::assert_relative;
use sluice_testkit::datasets::external;
use sluice_testkit::memory::MemorySource;

use super::{Metric, confusion};
use crate::fixture::{numbers, table, texts};
use crate::gate::Columns;
use crate::{Baseline, EvaluateOptions, Evaluation, evaluate};

/// Columns of the data as the predictions of a task.
pub(crate) struct Given {
    digest: String,
    columns: Vec<String>,
    task: Task,
    space: FeatureSpace,
}

impl Given {
    pub(crate) fn predictor(columns: &[&str], task: Task) -> Arc<dyn Predictor> {
        let spec = |name: &&str| FeatureSpec {
            name: (*name).to_owned(),
            kind: FeatureKind::Number,
            sources: Vec::new(),
        };
        Arc::new(Self {
            digest: columns.join(" "),
            columns: columns.iter().map(|name| (*name).to_owned()).collect(),
            task,
            space: FeatureSpace { features: columns.iter().map(spec).collect() },
        })
    }
}

impl BatchTransform for Given {
    fn inputs(&self) -> Vec<String> {
        self.columns.clone()
    }

    fn space(&self) -> &FeatureSpace {
        &self.space
    }

    fn apply(&self, batch: &Batch) -> Result<FeatureBatch> {
        let column = |name: &String| -> Result<FeatureColumn> {
            Ok(FeatureColumn::Numbers(batch.require(name)?.as_primitive::<Float64Type>().clone()))
        };
        let columns = self.columns.iter().map(column).collect::<Result<Vec<_>>>()?;
        Ok(FeatureBatch { rows: batch.rows(), columns })
    }
}

impl Predictor for Given {
    fn digest(&self) -> &str {
        &self.digest
    }

    fn label(&self) -> &str {
        "y"
    }

    fn label_columns(&self) -> Vec<String> {
        match &self.task {
            Task::MultiLabel { labels } => labels.clone(),
            _ => vec![self.label().to_owned()],
        }
    }

    fn label_sets(&self, columns: &[&ArrayRef]) -> Result<Vec<Float64Array>> {
        Ok(columns.iter().map(|column| column.as_primitive::<Float64Type>().clone()).collect())
    }

    fn task(&self) -> Task {
        self.task.clone()
    }
}

/// Numbers from 0 to 1: the upper 53 bits of a linear congruential generator (Knuth's MMIX).
pub(super) fn uniforms(seed: u64) -> impl FnMut() -> f64 {
    let mut state = seed;
    move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 11) as f64 / 9_007_199_254_740_992.0
    }
}

pub(super) const ROWS: usize = 500;

/// Columns by name.
pub(super) type Rows = Vec<(&'static str, Vec<f64>)>;

pub(super) fn columns(names: &[&'static str], rows: &[Vec<f64>]) -> Rows {
    let column = |place: usize| rows.iter().map(|row| row[place]).collect();
    names.iter().enumerate().map(|(place, name)| (*name, column(place))).collect()
}

/// Amounts from 0.5 to 10.5, predicted within a half of them; weights from 0.25 to 1.25.
fn amounts() -> Rows {
    let mut next = uniforms(7);
    let rows: Vec<Vec<f64>> = (0..ROWS)
        .map(|_| {
            let draws = [next(), next(), next(), next()];
            let y = 0.5 + 10.0 * draws[0];
            vec![y, 0.1 + y * (0.5 + draws[1]), 0.25 + draws[2], 5.0 + draws[3]]
        })
        .collect();
    columns(&["y", "c", "w", "b"], &rows)
}

/// Two classes and two probabilities of the second.
pub(super) fn chances() -> Rows {
    let mut next = uniforms(11);
    let rows: Vec<Vec<f64>> = (0..ROWS)
        .map(|_| {
            let draws = [next(), next(), next(), next()];
            let y = f64::from(u8::from(draws[3] < 0.2 + 0.5 * draws[0]));
            let other = 0.7 * draws[0] + 0.3 * draws[3];
            vec![y, 0.8 * draws[0] + 0.2 * draws[1], 0.25 + draws[2], other]
        })
        .collect();
    columns(&["y", "c", "w", "b"], &rows)
}

/// The figures of some metrics of some rows.
pub(super) fn evaluated(
    rows: &Rows,
    candidate: &Arc<dyn Predictor>,
    baseline: Option<&Arc<dyn Predictor>>,
    metrics: &[&str],
    weight: Option<&str>,
) -> Evaluation {
    let arrays: Vec<(&str, ArrayRef)> = rows.iter().map(|(name, values)| (*name, numbers(values))).collect();
    let source = MemorySource::new(&table(&arrays), 77);
    let options = EvaluateOptions {
        metrics: metrics.iter().map(|name| (*name).to_owned()).collect(),
        weight: weight.map(str::to_owned),
        label_shift: 0.75,
        ..EvaluateOptions::default()
    };
    let baseline = baseline.map_or(Baseline::None, |model| Baseline::Model(Arc::clone(model)));
    evaluate(&source, candidate, &baseline, &options, &Execution::with_threads(2)).unwrap()
}

/// Each metric with its value without weights and with them.
pub(super) fn agree(rows: &Rows, model: &Arc<dyn Predictor>, expected: &[(&str, f64, f64)]) {
    let names: Vec<&str> = expected.iter().map(|(name, ..)| *name).collect();
    for (weight, is_second) in [(None, false), (Some("w"), true)] {
        let evaluation = evaluated(rows, model, None, &names, weight);
        let slice = &evaluation.slices[0];
        for (name, plain, weighted) in expected {
            let value = slice.candidate[*name];
            let value = value.unwrap_or_else(|| panic!("{name}: {:?}", slice.undefined));
            assert_relative(value, if is_second { *weighted } else { *plain }, 1e-12);
        }
    }
}

#[test]
fn numbers_equal_scikit_learn() {
    // scikit-learn 1.9.1, SciPy 1.17.1 and numpy averages; y, p, w are the columns y, c, w.
    let expected = [
        ("rmse", 1.720_028_501_513_543_7, 1.679_882_253_392_505_3), // root_mean_squared_error
        ("mse", 2.958_498_046_018_927, 2.822_004_385_263_081_6),    // mean_squared_error
        ("mae", 1.319_649_400_960_366, 1.280_742_520_737_177_9),    // mean_absolute_error
        ("r2", 0.628_526_464_346_350_2, 0.651_474_115_060_390_2),   // r2_score
        ("mape", 0.245_650_435_226_437_65, 0.240_224_109_672_252_27), // mean_absolute_percentage_error
        ("smape", 0.247_489_630_894_190_1, 0.242_102_788_692_377_56), // average(2 * abs(p - y) / (abs(y) + abs(p)))
        ("msle", 0.054_800_866_345_139_84, 0.052_682_843_445_944_184), // mean_squared_log_error
        ("rmsle", 0.234_095_848_628_590_23, 0.229_527_435_061_572_08), // root_mean_squared_log_error
        ("explained_variance", 0.628_747_245_069_743_1, 0.651_580_349_924_790_2), // explained_variance_score
        ("pearson", 0.850_723_785_696_197_2, 0.856_230_360_333_890_4), // pearsonr; weighted: numpy
        ("squared_pearson", 0.723_730_959_549_269_2, 0.733_130_429_957_503_9),
        ("max_error", 4.939_964_928_237_703, 4.939_964_928_237_703), // max_error
        ("quantile_loss", 0.659_824_700_480_183, 0.640_371_260_368_588_9), // mean_pinball_loss
        ("quantile_loss(quantile=0.9)", 0.643_051_641_619_921_9, 0.628_639_725_165_945_6), // alpha=0.9
        ("huber_loss", 0.910_611_628_269_740_7, 0.875_634_963_049_753_7), // average(scipy.special.huber(1, y - p))
        ("huber_loss(delta=2.5)", 1.390_483_412_751_421_4, 1.328_463_860_983_671_9),
        ("poisson_deviance", 0.449_911_573_112_803_94, 0.431_076_156_245_506_27), // mean_poisson_deviance
        ("gamma_deviance", 0.092_246_759_164_126_2, 0.089_105_888_904_923_76),    // mean_gamma_deviance
        ("tweedie_deviance", 0.194_436_047_861_452_44, 0.186_948_119_457_885_8), // mean_tweedie_deviance(power=1.5)
        ("tweedie_deviance(power=3)", 0.030_133_625_429_086_73, 0.029_384_079_999_453_253), // power=3
        ("mean_prediction", 5.513_651_981_976_602, 5.456_662_763_255_355_5),     // average(p)
        ("mean_label", 5.471_719_334_825_948, 5.427_333_925_248_747),            // average(y)
        ("calibration_ratio", 1.007_663_523_032_653_4, 1.005_403_912_567_488_5),
    ];
    agree(&amounts(), &Given::predictor(&["c"], Task::Regression), &expected);
}

#[test]
fn rates_at_thresholds_equal_scikit_learn() {
    // scikit-learn 1.9.1 of y and p > threshold.
    let expected = [
        ("accuracy", 0.628, 0.632_011_538_398_63), // accuracy_score
        ("precision", 0.596_837_944_664_031_6, 0.591_714_160_276_572_8), // precision_score
        ("recall", 0.642_553_191_489_361_7, 0.638_654_332_555_182_3), // recall_score
        ("f1", 0.618_852_459_016_393_4, 0.614_288_831_836_268_8), // f1_score
        ("f_beta", 0.632_858_340_318_524_7, 0.628_679_807_537_860_7), // fbeta_score(beta=2)
        ("false_positive_rate", 0.384_905_660_377_358_5, 0.373_620_469_282_487_04), // 1 - recall_score of the other class
        ("false_negative_rate", 0.357_446_808_510_638_26, 0.361_345_667_444_817_66), // 1 - recall_score
        ("specificity", 0.615_094_339_622_641_5, 0.626_379_530_717_513), // recall_score of the other class
        ("negative_predictive_value", 0.659_919_028_340_081, 0.671_546_533_441_901), // precision_score of the other class
        ("false_discovery_rate", 0.403_162_055_335_968_4, 0.408_285_839_723_427_25), // 1 - precision_score
        ("false_omission_rate", 0.340_080_971_659_919, 0.328_453_466_558_099_04), // 1 - precision_score of the other class
        ("prevalence", 0.47, 0.458_826_770_126_231_85),                           // average(y)
        ("selection_rate", 0.506, 0.495_225_100_741_974_6),                       // average(p > 0.5)
        ("threat_score", 0.448_071_216_617_210_67, 0.443_302_216_182_821_73),     // jaccard_score
        ("balanced_accuracy", 0.628_823_765_556_001_6, 0.632_516_931_636_347_5),  // balanced_accuracy_score
        ("mcc", 0.257_201_866_615_117_85, 0.264_145_790_623_391_6),               // matthews_corrcoef
        ("cohen_kappa", 0.256_535_294_587_896_7, 0.263_443_854_864_182_65),       // cohen_kappa_score
        ("informedness", 0.257_647_531_112_003_2, 0.265_033_863_272_694_96), // balanced_accuracy_score(adjusted=True)
        ("markedness", 0.256_756_973_004_112_6, 0.263_260_693_718_473_6),    // both precision_scores - 1
        ("fowlkes_mallows_index", 0.619_273_870_065_437_7, 0.614_736_376_095_383_5), // sqrt(precision_score * recall_score)
        ("positive_likelihood_ratio", 1.669_378_389_653_733_8, 1.709_366_549_915_411_8), // class_likelihood_ratios
        ("negative_likelihood_ratio", 0.581_125_179_480_485_6, 0.576_879_750_573_744_7), // class_likelihood_ratios
        ("diagnostic_odds_ratio", 2.872_665_732_959_850_6, 2.963_124_547_560_102),       // their quotient
        ("prevalence_threshold", 0.436_291_747_982_110_1, 0.433_383_072_504_252_34), // TFMA's formula on confusion_matrix
        ("accuracy(threshold=0.3)", 0.58, 0.567_074_849_746_505_3),
        ("precision(threshold=0.3)", 0.533_692_722_371_967_6, 0.517_624_089_314_178_6),
        ("recall(threshold=0.3)", 0.842_553_191_489_361_7, 0.829_002_758_052_223_8),
        ("f1(threshold=0.3)", 0.653_465_346_534_653_5, 0.637_313_593_613_462_3),
        ("mcc(threshold=0.3)", 0.216_418_831_532_074_53, 0.196_427_636_353_567_7),
        ("cohen_kappa(threshold=0.3)", 0.183_705_200_964_005_22, 0.166_390_205_481_364_85),
        ("selection_rate(threshold=0.3)", 0.742, 0.734_835_695_932_942_1),
        ("f_beta(threshold=0.3,beta=0.5)", 0.575_916_230_366_492_2, 0.559_666_979_346_278_8), // fbeta_score(beta=0.5)
    ];
    agree(&chances(), &binary("c"), &expected);
}

pub(crate) fn binary(column: &str) -> Arc<dyn Predictor> {
    Given::predictor(&[column], Task::Binary { positive: None })
}

/// TFMA's own test of its confusion metrics, and those of `golden.json` with weights.
#[test]
fn rates_equal_those_of_tfma() {
    let Some(path) = external("reference/tfma_confusion_matrix.json") else { return };
    let golden: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let examples = golden["examples"].as_array().unwrap();
    let column = |key: &str| examples.iter().map(|example| example[key].as_f64().unwrap()).collect();
    let rows: Rows = vec![("y", column("labels")), ("c", column("predictions"))];
    let mut checked = 0;
    for case in golden["expected"].as_array().unwrap() {
        let Ok(metric) = Metric::find(case["name"].as_str().unwrap()) else { continue };
        if confusion::DEFINITIONS.iter().all(|known| known.name != metric.name) {
            continue;
        }
        let evaluation = evaluated(&rows, &binary("c"), None, &[&metric.name], None);
        let expected = case["expected"].as_f64().unwrap();
        assert_relative(evaluation.slices[0].candidate[&metric.name].unwrap(), expected, 1e-12);
        checked += 1;
    }
    assert_eq!(checked, 28);
    let matrix = &evaluated(&rows, &binary("c"), None, &["recall"], None).slices[0].tables["candidate"];
    let [only] = matrix.confusion[..] else { panic!("{matrix:?}") };
    let counts = [only.true_positives, only.false_positives, only.true_negatives, only.false_negatives];
    for (count, expected) in counts.into_iter().zip([1.0, 3.0, 2.0, 4.0]) {
        assert_relative(count, expected, 0.0);
    }
}

#[test]
fn weighted_rates_equal_those_of_tfma() {
    // tensorflow/model-analysis 422dbd3, confusion_matrix_metrics_test.py and calibration_test.py.
    let rows: Rows = vec![("y", vec![0.0, 1.0, 0.0]), ("c", vec![1.0, 0.7, 0.5]), ("w", vec![0.5, 0.7, 0.9])];
    let expected = [
        ("binary_accuracy", 0.761_904_761_904_761_9),
        ("recall", 1.0),
        ("fall_out", 0.357_142_857_142_857_15),
        ("false_discovery_rate", 0.416_666_666_666_666_7),
        ("matthews_correlation_coefficient", 0.612_372_435_695_794_5),
        ("mean_label", 0.333_333_333_333_333_3),
        ("mean_prediction", 0.685_714_285_714_285_6),
        ("calibration", 2.057_142_857_142_857_4),
    ];
    for (name, expected) in expected {
        let name = &Metric::find(name).unwrap().name;
        let evaluation = evaluated(&rows, &binary("c"), None, &[name], Some("w"));
        assert_relative(evaluation.slices[0].candidate[name].unwrap(), expected, 1e-15);
    }
    let squared: Rows = vec![
        ("y", vec![1.0, 4.0, 3.0, 3.0]),
        ("c", vec![1.0, 2.0, 3.0, 4.0]),
        ("w", vec![1.0, 2.0, 3.0, 4.0]),
    ];
    let regression = Given::predictor(&["c"], Task::Regression);
    let evaluation = evaluated(&squared, &regression, None, &["squared_pearson"], Some("w"));
    assert_relative(evaluation.slices[0].candidate["squared_pearson"].unwrap(), 1.0 / 15.0, 1e-14);
}

#[test]
fn rates_that_do_not_exist_say_why() {
    let rows: Rows = vec![("y", vec![0.0, 0.0]), ("c", vec![0.0, 0.25])];
    for (name, reason) in [
        ("precision", "there are no rows predicted positive"),
        ("recall", "there are no positive rows"),
        ("f1", "there are no positive rows, nor predicted so"),
        ("mcc", "there are no positive rows"),
        ("cohen_kappa", "all rows are of one class"),
        ("balanced_accuracy", "there are no positive rows"),
        ("diagnostic_odds_ratio", "there are no false negatives"),
    ] {
        let evaluation = evaluated(&rows, &binary("c"), None, &[name], None);
        assert_eq!(evaluation.slices[0].undefined[name], reason);
        assert_eq!(evaluation.slices[0].candidate[name], None);
    }
}

/// Standard errors of changes against the difference quotient of each row's weight (the infinitesimal jackknife).
pub(super) fn errors_equal_quotients(
    rows: &Rows,
    candidate: &Arc<dyn Predictor>,
    baseline: &Arc<dyn Predictor>,
    names: &[&str],
) {
    // Some rows do, and are quick.
    let rows: &Rows = &rows.iter().map(|(name, values)| (*name, values[..150].to_vec())).collect();
    let whole = evaluated(rows, candidate, Some(baseline), names, Some("w"));
    let mut variances = vec![0.0; names.len()];
    let step = 1e-5;
    for row in 0..150 {
        let mut nudged = rows.clone();
        let weights = &mut nudged.iter_mut().find(|(name, _)| *name == "w").unwrap().1;
        let weight = weights[row];
        weights[row] += step;
        let moved = evaluated(&nudged, candidate, Some(baseline), names, Some("w"));
        for (name, variance) in names.iter().zip(&mut variances) {
            let difference = |evaluation: &Evaluation| {
                evaluation.slices[0].changes.as_ref().unwrap()[*name].difference.unwrap()
            };
            *variance += (weight * (difference(&moved) - difference(&whole)) / step).powi(2);
        }
    }
    for (name, variance) in names.iter().zip(variances) {
        let change = &whole.slices[0].changes.as_ref().unwrap()[*name];
        let degrees = change.degrees_of_freedom.unwrap();
        let expected = (variance * (degrees + 1.0) / degrees).sqrt();
        assert_relative(change.standard_error.unwrap(), expected, 1e-3);
    }
}

#[test]
fn errors_of_rates_equal_the_infinitesimal_jackknife() {
    let names =
        ["mcc", "cohen_kappa", "f_beta", "markedness", "negative_likelihood_ratio", "prevalence_threshold"];
    errors_equal_quotients(&chances(), &binary("c"), &binary("b"), &names);
    let names = ["log_loss", "normalized_entropy", "coefficient_of_discrimination", "pearson"];
    errors_equal_quotients(&chances(), &binary("c"), &binary("b"), &names);
}

#[test]
fn probabilities_equal_scikit_learn() {
    // scikit-learn 1.9.1 of y and p, and numpy where it has none.
    let expected = [
        ("log_loss", 0.688_001_846_598_175_4, 0.683_897_196_422_036_2), // log_loss
        ("brier_score", 0.239_615_465_120_681_24, 0.238_383_157_956_817_9), // brier_score_loss
        ("r2", 0.038_075_210_274_261_97, 0.039_957_377_295_113_616),    // d2_brier_score
        // Σ over bins of |Σ w (p - y)| / Σ w, with the bins of numpy.searchsorted over k / bins.
        ("expected_calibration_error", 0.085_859_066_898_338_58, 0.097_349_798_667_534_38),
        ("expected_calibration_error(bins=15)", 0.100_006_217_827_481_55, 0.101_643_035_977_325_46),
        // average(p[y == 1]) - average(p[y == 0]), and their quotient.
        ("coefficient_of_discrimination", 0.134_694_112_602_009_1, 0.139_913_815_280_711_78),
        ("relative_coefficient_of_discrimination", 1.304_007_812_420_986, 1.317_585_923_141_333_2),
        ("normalized_entropy", 0.995_162_694_331_547_4, 0.991_510_477_890_200_7), // log_loss / entropy of mean(y)
    ];
    agree(&chances(), &binary("c"), &expected);
}

#[test]
fn discrimination_equals_that_of_tfma() {
    // tensorflow/model-analysis 422dbd3, tjur_discrimination_test.py.
    let rows: Rows = vec![
        ("y", vec![0.0, 1.0, 1.0, 0.0]),
        ("c", vec![0.8, 0.3, 0.9, 0.2]),
        ("w", vec![1.0, 2.0, 3.0, 4.0]),
    ];
    let names = ["coefficient_of_discrimination", "relative_coefficient_of_discrimination"];
    let slice = &evaluated(&rows, &binary("c"), None, &names, Some("w")).slices[0];
    assert_relative(slice.candidate[names[0]].unwrap(), 0.34, 1e-14);
    assert_relative(slice.candidate[names[1]].unwrap(), 2.0625, 1e-14);
}

#[test]
fn calibration_curves_have_the_rows_of_each_range() {
    // A probability on an end belongs below it; 0 belongs to the first range.
    let rows: Rows = vec![
        ("y", vec![0.0, 0.0, 1.0, 1.0, 1.0, 0.0]),
        ("c", vec![0.0, 0.3, 0.3, 0.300_000_000_000_000_04, 1.0, 0.7]),
        ("b", vec![0.5; 6]),
        ("w", vec![1.0, 1.0, 3.0, 1.0, 0.5, 0.0]),
    ];
    let names = ["expected_calibration_error"];
    let evaluation = evaluated(&rows, &binary("c"), Some(&binary("b")), &names, Some("w"));
    let slice = &evaluation.slices[0];
    let bins = &slice.curves["candidate"].calibration;
    let seen: Vec<(f64, u64, f64, f64)> =
        bins.iter().map(|bin| (bin.high, bin.rows, bin.weight, bin.mean_label)).collect();
    assert_eq!(seen, [(0.1, 1, 1.0, 0.0), (0.3, 2, 4.0, 0.75), (0.4, 1, 1.0, 1.0), (1.0, 1, 0.5, 1.0)]);
    assert_relative(bins[1].mean_prediction, 0.3, 1e-15);
    assert_eq!(slice.curves["baseline"].calibration.len(), 1);
    let expected = (4.0 * 0.45 + 0.7) / 6.5;
    assert_relative(slice.candidate[names[0]].unwrap(), expected, 1e-14);
    let note = slice.changes.as_ref().unwrap()[names[0]].note.as_deref();
    assert_eq!(note, Some("its error is known from `intervals: bootstrap` or `jackknife` only"));
}

#[test]
fn one_class_is_said() {
    let rows: Rows = vec![("y", vec![1.0, 1.0]), ("c", vec![0.5, 0.25])];
    for name in ["normalized_entropy", "coefficient_of_discrimination"] {
        let evaluation = evaluated(&rows, &binary("c"), None, &[name], None);
        assert_eq!(evaluation.slices[0].undefined[name], "all rows are of one class");
    }
}

#[test]
fn counts_are_whole() {
    let error = Metric::find("expected_calibration_error(bins=2.5)").unwrap_err().to_string();
    assert!(error.contains("a whole number, at least 1 and at most 1000"), "{error}");
}

#[test]
fn of_many_slices_only_the_whole_is_drawn() {
    let drawn = |slices: usize| {
        let key: Vec<String> = (0..slices).map(|slice| format!("s{slice}")).collect();
        let key: Vec<&str> = (0..2 * slices).map(|row| key[row % slices].as_str()).collect();
        let labels: Vec<f64> = (0..2 * slices).map(|row| (row % 2) as f64).collect();
        let columns = [("y", numbers(&labels)), ("c", numbers(&vec![0.5; 2 * slices])), ("g", texts(&key))];
        let options = EvaluateOptions {
            slices: vec![Columns(vec!["g".into()])],
            metrics: vec!["expected_calibration_error".into(), "recall".into()],
            ..EvaluateOptions::default()
        };
        let source = MemorySource::new(&table(&columns), 50);
        let execution = Execution::with_threads(1);
        let evaluation = evaluate(&source, &binary("c"), &Baseline::None, &options, &execution).unwrap();
        assert!(evaluation.slices.iter().all(|slice| slice.tables["candidate"].confusion.len() == 1));
        evaluation.slices.iter().filter(|slice| !slice.curves.is_empty()).count()
    };
    assert_eq!((drawn(20), drawn(80)), (21, 1));
}
