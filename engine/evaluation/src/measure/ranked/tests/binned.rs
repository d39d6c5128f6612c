//! Figures from ranges of scores: the true value lies within the bounds, and is the value where ranges hold one score.

use super::*;

const OF_STEPS: [&str; 15] = [
    "auc",
    "gini",
    "average_precision",
    "auc_pr",
    "ks",
    "gain",
    "gain(share=0.4)",
    "lift(share=0.25)",
    "precision_at_recall(recall=0.5)",
    "recall_at_precision(precision=0.6)",
    "sensitivity_at_specificity(specificity=0.7)",
    "specificity_at_sensitivity(sensitivity=0.6)",
    "recall_at_false_positive_rate(false_positive_rate=0.3)",
    "threshold_at_recall",
    "threshold_at_recall(recall=0.3)",
];

const SLICES: [(usize, usize); 4] = [(0, 0), (1, 0), (1, 1), (1, 2)];

fn binned(rows: &Rows, bins: usize, is_weighted: bool, resampling: Option<Resampling>) -> Measured {
    let metrics: Vec<Arc<Metric>> = OF_STEPS.iter().map(|name| metric(name)).collect();
    let measures =
        measures(&metrics, [&classifier("c"), &classifier("b")], is_weighted).with_score_bins(bins);
    let measures = match resampling {
        Some(resampling) => measures.with_replicates(resampling, &[]),
        None => measures,
    };
    let execution = Execution::with_threads(2);
    let state = fold(&rows.source(17), &measures, &execution).unwrap();
    state.accumulator.finish().rank(&execution).unwrap()
}

#[test]
fn where_a_range_has_one_score_figures_are_those_of_the_rows() {
    // The candidate's scores are hundredths, the baseline's 28ths: some ranges of 700 have one of either, none two.
    let rows = reference();
    for is_weighted in [false, true] {
        let exact = measured(&rows, &OF_STEPS, is_weighted, 17);
        let binned = binned(&rows, 700, is_weighted, None);
        for (grouping, group) in SLICES {
            let (exact, binned) =
                (exact.slice(grouping, group).unwrap(), binned.slice(grouping, group).unwrap());
            for (name, side) in
                OF_STEPS.into_iter().flat_map(|name| [(name, Side::Candidate), (name, Side::Baseline)])
            {
                let expected = exact.value(&metric(name), side).unwrap();
                let found = binned.value(&metric(name), side).unwrap();
                let [low, high] = binned.bounds(&metric(name), side).unwrap();
                assert_eq!((low.to_bits(), high.to_bits()), (found.to_bits(), found.to_bits()), "{name}");
                if is_weighted {
                    assert_relative(found, expected, 1e-13);
                } else {
                    assert_eq!(found.to_bits(), expected.to_bits(), "{name} {found} {expected}");
                    assert_eq!(
                        binned.interval(&metric(name), side, 0.05),
                        exact.interval(&metric(name), side, 0.05)
                    );
                }
                assert_eq!(exact.bounds(&metric(name), side), None);
            }
            assert_eq!(binned.change(&metric("auc")), Err(Undefined::NoErrorOfOrder));
            if !is_weighted {
                assert_eq!(binned.curves(Side::Baseline), exact.curves(Side::Baseline));
            }
        }
    }
}

#[test]
fn bounds_of_an_area_are_half_the_pairs_that_share_a_range() {
    let rows = reference();
    for (is_weighted, bins) in [(false, 10), (true, 10), (true, 2)] {
        let found = binned(&rows, bins, is_weighted, None);
        let rows = if is_weighted { rows.clone() } else { rows.unweighted() };
        for (grouping, group) in SLICES {
            let rows = if grouping == 0 { rows.clone() } else { rows.of_group(group) };
            let range = |score: f64| (1..bins).take_while(|end| score > *end as f64 / bins as f64).count();
            let (mut shared, mut pairs, mut above) = (0.0, 0.0, 0.0);
            for positive in (0..rows.y.len()).filter(|row| rows.y[*row] > 0.5) {
                for negative in (0..rows.y.len()).filter(|row| rows.y[*row] < 0.5) {
                    let pair = rows.w[positive] * rows.w[negative];
                    pairs += pair;
                    match range(rows.c[positive]).cmp(&range(rows.c[negative])) {
                        std::cmp::Ordering::Greater => above += pair,
                        std::cmp::Ordering::Equal => shared += pair,
                        std::cmp::Ordering::Less => {}
                    }
                }
            }
            let slice = found.slice(grouping, group).unwrap();
            let value = slice.value(&metric("auc"), Side::Candidate).unwrap();
            let [low, high] = slice.bounds(&metric("auc"), Side::Candidate).unwrap();
            assert_relative(value, (above + shared / 2.0) / pairs, 1e-13);
            assert_relative(low, above / pairs, 1e-12);
            assert_relative(high, (above + shared) / pairs, 1e-12);
        }
    }
}

#[test]
fn replicates_are_those_of_the_rows_where_a_range_has_one_score() {
    let rows = reference();
    let metrics: Vec<Arc<Metric>> = OF_STEPS.iter().map(|name| metric(name)).collect();
    for resampling in [Resampling::Bootstrap { replicates: 40, seed: 3 }, Resampling::Jackknife] {
        let measures = measures(&metrics, [&classifier("c"), &classifier("b")], true);
        let measures = measures.with_replicates(resampling, &[]);
        let execution = Execution::with_threads(1);
        let exact = fold(&rows.source(17), &measures, &execution).unwrap();
        let exact = exact.accumulator.finish().rank(&execution).unwrap();
        let binned = binned(&rows, 700, true, Some(resampling));
        for (grouping, group) in SLICES {
            let (exact, binned) =
                (exact.slice(grouping, group).unwrap(), binned.slice(grouping, group).unwrap());
            for metric in &metrics {
                let (expected, found) = (exact.change(metric), binned.change(metric));
                assert_eq!(expected.is_ok(), found.is_ok(), "{}", metric.name);
                let (Ok(expected), Ok(found)) = (expected, found) else { continue };
                assert_relative(found.standard_error, expected.standard_error, 1e-10);
                let of =
                    |slice: &crate::measure::MeasuredSlice<'_>| slice.interval(metric, Side::Baseline, 0.05);
                assert_relative(of(&binned).unwrap().low, of(&exact).unwrap().low, 1e-10);
            }
        }
    }
}

#[test]
fn states_of_ranges_obey_the_laws_and_do_not_join_those_of_rows() {
    let rows = reference();
    let metrics = [metric("auc"), metric("ks")];
    for is_weighted in [false, true] {
        let exact = measures(&metrics, [&classifier("c"), &classifier("b")], is_weighted);
        let binned = exact.clone().with_score_bins(64);
        laws::check(&rows.source(17), &binned);
        let boot = Resampling::Bootstrap { replicates: 24, seed: 1 };
        laws::check(&rows.source(17), &binned.clone().with_replicates(boot, &[]));
        let groups = sluice_core::group::GroupMap::default();
        let mut state = exact;
        let error = state.merge(binned, &groups).unwrap_err().to_string();
        assert!(error.contains("where figures of order come from differs"), "{error}");
    }
}

#[test]
fn a_state_of_ranges_does_not_grow_with_rows() {
    let state = |times: usize| {
        let rows = replicated::repeated(&reference(), times);
        let measures =
            measures(&[metric("auc")], [&classifier("c"), &classifier("b")], false).with_score_bins(100);
        let held = fold(&rows.source(1000), &measures, &Execution::with_threads(1)).unwrap();
        let bytes = laws::state_bytes(&rows.source(1000), &measures, 1).len();
        (bytes, held.accumulator.size_bytes())
    };
    let (few, many) = (state(1), state(40));
    // Counts have some digits more.
    assert!(many.0 < few.0 + few.0 / 4, "{few:?} {many:?}");
    assert_eq!(few.1, many.1);
}

proptest! {
    #[test]
    fn the_true_value_lies_within_the_bounds(
        rows in prop::collection::vec((0..4_u8, 0..5_u8, 0.0..1.0_f64, 0..=20_u8, 0..3_usize), 4..80),
        bins in 2..40_usize,
        is_weighted in any::<bool>(),
    ) {
        let rows = Rows {
            // Positive rows are rather scored high.
            y: rows.iter().map(|(noise, _, c, _, _)| f64::from(u8::from(*c * 3.0 > f64::from(*noise)))).collect(),
            w: rows.iter().map(|(_, w, _, _, _)| f64::from(*w) / 2.0).collect(),
            c: rows.iter().map(|(_, _, c, _, _)| *c).collect(),
            b: rows.iter().map(|(_, _, _, b, _)| f64::from(*b) / 20.0).collect(),
            g: rows.iter().map(|(_, _, _, _, g)| *g).collect(),
        };
        let (exact, binned) = (measured(&rows, &OF_STEPS, is_weighted, 17), binned(&rows, bins, is_weighted, None));
        for (grouping, group) in SLICES {
            let (Some(exact), Some(binned)) = (exact.slice(grouping, group), binned.slice(grouping, group)) else {
                continue;
            };
            for name in OF_STEPS {
                for side in [Side::Candidate, Side::Baseline] {
                    let (truth, value) = (exact.value(&metric(name), side), binned.value(&metric(name), side));
                    prop_assert_eq!(truth.err(), value.err());
                    let (Ok(truth), Ok(value)) = (truth, value) else { continue };
                    let [low, high] = binned.bounds(&metric(name), side).unwrap();
                    for held in [truth, value] {
                        prop_assert!(low - 1e-12 <= held && held <= high + 1e-12, "{} {} {} {} {}", name, low, truth, value, high);
                    }
                }
            }
        }
    }
}
