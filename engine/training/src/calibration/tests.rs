use linfa::prelude::*;
use ndarray::{Array1, Array2};
use proptest::prelude::*;
use sluice_testkit::assert_relative;

use super::{Calibration, CalibrationError, CalibrationMethod, ScoredRow};

/// Four hundred rows with ties, of which the label is the more often positive the higher the score; weights 1 to 2.
fn rows() -> Vec<ScoredRow> {
    let row = |i: u32| {
        let score = (f64::from((i * 7919 + 13) % 1009) / 1009.0 * 50.0).round() / 50.0;
        let chance = f64::from((i * 104_729 + 7) % 1013) / 1013.0;
        ScoredRow { score, is_positive: chance < score.powf(1.5), weight: 1.0 + f64::from(i % 3) * 0.5 }
    };
    (0..400).map(row).collect()
}

#[test]
fn isotonic_steps_are_those_of_scikit_learn() {
    let found = Calibration::fit(CalibrationMethod::Isotonic, &rows()).unwrap();
    // scikit-learn 1.9.1, IsotonicRegression(y_min=0, y_max=1, out_of_bounds="clip") with sample_weight.
    for (score, expected) in [
        (-1.0, 0.0),
        (0.0, 0.0),
        (0.01, 0.0),
        (0.25, 0.09375),
        (0.333, 0.208_955_223_880_597),
        (0.5, 0.275),
        (0.77, 0.685_869_314_246_132_6),
        (0.99, 1.0),
        (2.0, 1.0),
    ] {
        assert_relative(1.0 + found.probability(score), 1.0 + expected, 1e-15);
    }
    assert!(found.probability(f64::NAN).is_nan());
}

#[test]
fn isotonic_steps_err_no_more_than_linfas() {
    let mut rows = rows();
    for (place, row) in (0_u32..).zip(&mut rows) {
        row.weight = 1.0;
        row.score += f64::from(place) * 1e-6;
    }
    rows.sort_by(|a, b| a.score.total_cmp(&b.score));
    let scores = Array2::from_shape_fn((400, 1), |(row, _)| rows[row].score);
    let labels = Array1::from_shape_fn(400, |row| f64::from(u8::from(rows[row].is_positive)));
    let theirs = linfa_linear::IsotonicRegression::new().fit(&Dataset::new(scores, labels)).unwrap();
    let ours = Calibration::fit(CalibrationMethod::Isotonic, &rows).unwrap();
    let error = |probability: &dyn Fn(f64) -> f64| {
        let square =
            |row: &ScoredRow| (probability(row.score) - f64::from(u8::from(row.is_positive))).powi(2);
        rows.iter().map(square).sum::<f64>()
    };
    let of_ours = error(&|score| ours.probability(score));
    let of_theirs = error(&|score| {
        let found: Array1<f64> = theirs.predict(&Array2::from_elem((1, 1), score));
        found[0]
    });
    // Ours is the rising function with the least error; linfa draws lines between the ends of its steps.
    assert!(of_ours > 0.0 && of_ours <= of_theirs, "{of_ours} {of_theirs}");
}

#[test]
fn the_curve_is_that_of_scikit_learn() {
    let found = Calibration::fit(CalibrationMethod::Sigmoid, &rows()).unwrap();
    // The minimum by SciPy's BFGS (gradient 6e-10); scikit-learn 1.9.1's _SigmoidCalibration of the log-odds agrees
    // with it to 1e-11.
    let expected = |score: f64| {
        let odds = (score / (1.0 - score)).ln();
        1.0 / (1.0 + (-(1.188_334_488_191_534_3 * odds - 0.628_199_384_780_992_4)).exp())
    };
    for score in [0.001, 0.1, 0.5, 0.83, 0.999] {
        assert_relative(found.probability(score), expected(score), 1e-9);
    }
    assert!(found.probability(0.0) >= 0.0 && found.probability(1.0) <= 1.0);
    assert!(found.probability(f64::NAN).is_nan());
}

#[test]
fn one_class_and_sure_scores() {
    let row = |score, is_positive| ScoredRow { score, is_positive, weight: 1.0 };
    for method in [CalibrationMethod::Isotonic, CalibrationMethod::Sigmoid] {
        let refused = Calibration::fit(method, &[row(0.2, true), row(0.7, true)]).unwrap_err();
        assert_eq!(refused, CalibrationError::OneClass { rows: 2 });
        assert_eq!(Calibration::fit(method, &[]).unwrap_err(), CalibrationError::OneClass { rows: 0 });
        // All scores alike, and scores of 0 and 1 that are right without exception.
        let alike = Calibration::fit(method, &[row(0.4, true), row(0.4, false)]).unwrap();
        assert_relative(alike.probability(0.4), 0.5, 1e-6);
        let sure = [row(0.0, false), row(1.0, true), row(1.0, true), row(0.0, false)];
        let sure = Calibration::fit(method, &sure).unwrap();
        assert!(sure.probability(0.0) < 0.5 && sure.probability(1.0) > 0.5);
    }
}

proptest! {
    #[test]
    fn calibrated_probabilities_rise_with_the_score(
        rows in prop::collection::vec((0.0..1.0_f64, any::<bool>(), 0.1..3.0_f64), 2..60),
        scores in prop::collection::vec(0.0..1.0_f64, 2..20),
    ) {
        let rows: Vec<ScoredRow> = rows
            .into_iter()
            .map(|(score, is_positive, weight)| ScoredRow { score, is_positive, weight })
            .collect();
        let Ok(found) = Calibration::fit(CalibrationMethod::Isotonic, &rows) else { return Ok(()) };
        let mut scores = scores;
        scores.sort_by(f64::total_cmp);
        let found: Vec<f64> = scores.iter().map(|score| found.probability(*score)).collect();
        prop_assert!(found.is_sorted() && found.iter().all(|found| (0.0..=1.0).contains(found)));
        // On the rows themselves the mean is the share of the positive ones.
        let all = Calibration::fit(CalibrationMethod::Isotonic, &rows).unwrap();
        let sum = |of: &dyn Fn(&ScoredRow) -> f64| rows.iter().map(|row| row.weight * of(row)).sum::<f64>();
        let (mean, share) = (sum(&|row| all.probability(row.score)), sum(&|row| f64::from(u8::from(row.is_positive))));
        prop_assert!((mean - share).abs() < 1e-9 * (1.0 + share));
    }

    #[test]
    fn the_order_of_rows_decides_nothing(seed in any::<u64>()) {
        let mut shuffled = rows();
        let step = 1 + usize::try_from(seed % 199).unwrap() * 2;
        shuffled = (0..shuffled.len()).map(|place| shuffled[place * step % 400]).collect();
        if step % 5 == 0 {
            return Ok(());
        }
        let of = |rows: &[ScoredRow]| Calibration::fit(CalibrationMethod::Isotonic, rows).unwrap();
        prop_assert_eq!(of(&shuffled), of(&rows()));
    }
}
