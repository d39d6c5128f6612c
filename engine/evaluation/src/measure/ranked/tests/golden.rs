//! What classifiers' order statistics are elsewhere.

use sluice_testkit::close::assert_relative;

use super::{Rows, measured, metric, reference};
use crate::metric::{Side, Undefined};

/// scikit-learn 1.9.1 `roc_auc_score(y, score, sample_weight=…)` of the rows of [`reference`].
#[test]
fn areas_equal_scikit_learn() {
    let expected = [
        ((0, 0), [0.8630490956072352, 0.8636585022522523], [0.47971227040994485, 0.47222972972972976]),
        ((1, 0), [0.8692063492063491, 0.8823186643358414], [0.5006349206349207, 0.4841655899267817]),
        ((1, 1), [0.8640350877192982, 0.872217116013072], [0.4176065162907268, 0.4123008578431373]),
        ((1, 2), [0.8558897243107768, 0.8354535817052855], [0.5216165413533834, 0.516356201726488]),
    ];
    for (place, is_weighted) in [(0, false), (1, true)] {
        let measured = measured(&reference(), &["auc"], is_weighted, 100);
        for ((grouping, group), own, theirs) in expected {
            let slice = measured.slice(grouping, group).unwrap();
            assert_relative(slice.value(&metric("auc"), Side::Candidate).unwrap(), own[place], 1e-12);
            assert_relative(slice.value(&metric("auc"), Side::Baseline).unwrap(), theirs[place], 1e-12);
        }
    }
}

/// scikit-learn 1.9.1 `average_precision_score(y, score, sample_weight=…)` of the rows of [`reference`].
#[test]
fn average_precision_equals_scikit_learn() {
    let expected = [
        ((0, 0), [0.8786262217652135, 0.8782679624039565], [0.508321711829869, 0.5031995831895669]),
        ((1, 0), [0.9213601863730367, 0.9308220283627087], [0.5531972030174644, 0.5563712416112838]),
        ((1, 1), [0.8449891721145326, 0.8597136196787893], [0.46912304420673473, 0.4532068715795216]),
        ((1, 2), [0.8689222159067441, 0.8465783995656485], [0.5189139743912607, 0.5195677066490967]),
    ];
    for (place, is_weighted) in [(0, false), (1, true)] {
        let measured = measured(&reference(), &["average_precision"], is_weighted, 100);
        for ((grouping, group), own, theirs) in expected {
            let slice = measured.slice(grouping, group).unwrap();
            let value = |side| slice.value(&metric("average_precision"), side).unwrap();
            assert_relative(value(Side::Candidate), own[place], 1e-12);
            assert_relative(value(Side::Baseline), theirs[place], 1e-12);
            assert_eq!(slice.change(&metric("average_precision")), Err(Undefined::NoErrorOfOrder));
        }
    }
}

/// scikit-learn 1.9.1, from `roc_curve(…, drop_intermediate=False)` and `precision_recall_curve` of the rows of
/// [`reference`], the greatest where the other is far enough; `ks` without weights also as scipy 1.17.1 `ks_2samp`.
#[test]
fn rates_at_rates_equal_the_curves_of_scikit_learn() {
    let expected = [
        ("ks", [0.6350303792164257, 0.637964527027027]),
        ("precision_at_recall", [0.8455284552845529, 0.8439024390243902]),
        ("recall_at_precision(precision=0.9)", [0.7131782945736435, 0.66875]),
        ("sensitivity_at_specificity", [0.7131782945736435, 0.7078125]),
        ("specificity_at_sensitivity", [0.4054054054054054, 0.4036036036036036]),
        ("recall_at_false_positive_rate", [0.7131782945736435, 0.7078125]),
        ("threshold_at_recall", [0.49, 0.49]),
        // A walk in numpy over np.unique(c), the last step in proportion.
        ("gain", [0.17054263565891473, 0.16953125]),
    ];
    for (name, values) in expected {
        for (value, is_weighted) in values.into_iter().zip([false, true]) {
            let measured = measured(&reference(), &[name], is_weighted, 64);
            let found = measured.slice(0, 0).unwrap().value(&metric(name), Side::Candidate).unwrap();
            assert_relative(found, value, 1e-12);
        }
    }
}

/// What a classifier's metrics say of scores, without weights.
fn of_scores(y: &[f64], c: &[f64], names: &[&str]) -> Vec<f64> {
    let ones = vec![1.0; y.len()];
    let rows = Rows { y: y.to_vec(), w: ones.clone(), c: c.to_vec(), b: ones, g: vec![0; y.len()] };
    let measured = measured(&rows, names, false, 4);
    let slice = measured.slice(0, 0).unwrap();
    names.iter().map(|name| slice.value(&metric(name), Side::Candidate).unwrap()).collect()
}

/// `testConfusionMatrixMetrics` of TFMA's `confusion_matrix_metrics_test.py` (commit 422dbd37), to its 5 decimals.
#[test]
fn figures_equal_those_of_tfma() {
    let y = [1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0, 1.0, 1.0, 1.0];
    let c = [0.6, 0.3, 0.2, 0.6, 0.7, 0.8, 0.1, 0.2, 0.3, 0.4];
    let expected = [
        ("auc", 0.26),
        ("auc_pr", 0.36205),
        ("specificity_at_sensitivity(sensitivity=0.5)", 0.2),
        ("sensitivity_at_specificity(specificity=0.5)", 0.0),
        ("precision_at_recall(recall=0.5)", 0.5),
        ("recall_at_precision(precision=0.5)", 1.0),
        ("recall_at_false_positive_rate(false_positive_rate=0.6)", 0.4),
    ];
    let names = expected.map(|(name, _)| name);
    for ((name, expected), found) in expected.into_iter().zip(of_scores(&y, &c, &names)) {
        assert!((found - expected).abs() < 5e-6, "{name}: {found}");
    }
    // TFMA answers the next lower of its 10,000 thresholds, 0.29993; rows of 0.3 are above this one too.
    let threshold = of_scores(&y, &c, &["threshold_at_recall(recall=0.5)"])[0];
    assert!((0.2999..0.3).contains(&threshold), "{threshold}");
}

/// The example of scikit-learn's documentation of `precision_recall_curve` and `average_precision_score`.
#[test]
fn the_example_of_scikit_learn() {
    let found = of_scores(&[0.0, 0.0, 1.0, 1.0], &[0.1, 0.4, 0.35, 0.8], &["auc", "average_precision"]);
    assert_relative(found[0], 0.75, 1e-15);
    assert_relative(found[1], 0.833_333_333_333_333_3, 1e-15);
}

#[test]
fn gain_and_lift_split_ties_in_proportion() {
    let (y, c) = ([1.0, 1.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0], [0.9, 0.5, 0.5, 0.5, 0.5, 0.2, 0.1, 0.1]);
    let names =
        ["gain(share=0.125)", "gain(share=0.25)", "gain(share=0.5)", "gain(share=0.99)", "lift(share=0.25)"];
    let expected = [1.0 / 3.0, 1.5 / 3.0, 2.5 / 3.0, 1.0, 2.0];
    for (found, expected) in of_scores(&y, &c, &names).into_iter().zip(expected) {
        assert_relative(found, expected, 1e-15);
    }
}
