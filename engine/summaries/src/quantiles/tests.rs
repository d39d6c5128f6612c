use super::*;
use proptest::prelude::*;

const QS: [f64; 9] = [0.0, 0.001, 0.1, 0.25, 0.5, 0.75, 0.9, 0.999, 1.0];

fn of(values: &[f64], capacity: usize) -> Quantiles {
    let mut quantiles = Quantiles::with_capacity(capacity);
    quantiles.update(values);
    quantiles
}

/// Each answer's rank is within the bound of the wanted one; returns the largest distance.
fn assert_within_bound(quantiles: &Quantiles, values: &[f64]) -> u64 {
    let mut sorted: Vec<f64> = values.iter().map(|value| value + 0.0).collect();
    sorted.sort_by(f64::total_cmp);
    let ranks = quantiles.ranks();
    assert_eq!(ranks.count(), values.len() as u64);
    let mut largest = 0;
    for q in QS.into_iter().filter(|_| !values.is_empty()) {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a small count")]
        let wanted = ((q * values.len() as f64).ceil() as usize).max(1);
        let answer = ranks.quantile(q).unwrap();
        let first = sorted.partition_point(|value| *value < answer) + 1;
        let last = sorted.partition_point(|value| *value <= answer);
        assert!(first <= last, "{answer} is no value");
        let distance = first.saturating_sub(wanted).max(wanted.saturating_sub(last)) as u64;
        assert!(distance <= ranks.rank_error_rows(), "{q}: off by {distance} of {}", ranks.rank_error_rows());
        let counted = sorted.partition_point(|value| *value <= answer + 0.5) as u64;
        assert!(ranks.rank(answer + 0.5).abs_diff(counted) <= ranks.rank_error_rows());
        largest = largest.max(distance);
    }
    largest
}

/// A fixed sequence without period: multiples of the golden ratio modulo 1.
fn scattered(count: u32) -> Vec<f64> {
    (0..count).map(|index| (f64::from(index) * 0.618_033_988_749_894_9).fract() * 1000.0).collect()
}

proptest! {
    #[test]
    fn any_tree_keeps_the_bound(
        parts in prop::collection::vec(prop::collection::vec(-50.0..50.0_f64, 0..300), 1..12),
        counts in prop::collection::vec((-50..50_i8, 0..40_u64), 0..30),
        right_to_left in any::<bool>(),
    ) {
        let mut all: Vec<f64> = parts.concat();
        let mut states: Vec<Quantiles> = parts.iter().map(|part| of(part, 64)).collect();
        for (value, count) in &counts {
            states[0].update_counted(f64::from(*value), *count);
            all.extend((0..*count).map(|_| f64::from(*value)));
        }
        while states.len() > 1 {
            let later = if right_to_left { states.pop().unwrap() } else { states.remove(1) };
            let at = if right_to_left { states.len() - 1 } else { 0 };
            states[at].merge(later);
        }
        assert_within_bound(&states[0], &all);
        let bytes = postcard::to_stdvec(&states[0]).unwrap();
        let read: Quantiles = postcard::from_bytes(&bytes).unwrap();
        prop_assert_eq!(&read, &states[0]);
        prop_assert_eq!(bytes, postcard::to_stdvec(&read).unwrap());
    }

    #[test]
    fn few_distinct_values_are_exact_in_any_layout(
        values in prop::collection::vec(-20..20_i8, 1..500), cut in 0..500_usize,
    ) {
        let values: Vec<f64> = values.into_iter().map(f64::from).collect();
        let (left, right) = values.split_at(cut.min(values.len()));
        let mut joined = of(right, 64);
        joined.merge(of(left, 64));
        prop_assert!(joined.is_exact());
        prop_assert_eq!(joined.ranks().rank_error_rows(), 0);
        prop_assert_eq!(&joined, &of(&values, 64));
        prop_assert_eq!(assert_within_bound(&joined, &values), 0);
    }
}

#[test]
fn ascending_counts_keep_the_bound() {
    for lengths in [&[10, 3000][..], &[5000], &[60_000, 100, 5000, 40_000]] {
        let (mut quantiles, mut all) = (Quantiles::new(), Vec::new());
        for (number, length) in lengths.iter().enumerate() {
            let values = (0..*length).map(|n| f64::from(n) * (number as f64 + 0.5));
            let pairs: Vec<(i64, u64)> =
                values.map(|value| (key_of_f64(value), value.to_bits() % 3 + 1)).collect();
            quantiles.update_ascending(&pairs);
            for (key, count) in pairs {
                all.extend((0..count).map(|_| f64_of_key(key)));
            }
        }
        let distance = assert_within_bound(&quantiles, &all);
        assert!(distance as f64 <= all.len() as f64 / 1000.0, "{distance}");
    }
}

#[test]
fn a_long_column_stays_within_a_small_bound() {
    let values = scattered(1_000_000);
    let quantiles = of(&values, QUANTILES_CAPACITY);
    let farthest = assert_within_bound(&quantiles, &values);
    assert!(!quantiles.is_exact());
    assert!(quantiles.rank_error_fraction() < 0.001, "{}", quantiles.rank_error_fraction());
    assert!(farthest < 1000, "{farthest}");
    assert!(quantiles.size_bytes() < 900_000, "{}", quantiles.size_bytes());
}

#[test]
fn a_chain_of_merges_costs_no_more_than_a_tree() {
    let values = scattered(300_000);
    let mut chain = Quantiles::with_capacity(256);
    for part in values.chunks(3000) {
        chain.merge(of(part, 256));
    }
    assert_within_bound(&chain, &values);
    assert!(chain.rank_error_fraction() < 0.012, "{}", chain.rank_error_fraction());
}

#[test]
fn heavy_values_and_zeros() {
    let mut quantiles = Quantiles::with_capacity(16);
    quantiles.update_counted(7.0, 1_000_000);
    quantiles.update(&scattered(1000));
    assert_eq!(quantiles.quantile(0.5), Some(7.0));
    assert!(quantiles.rank_error_fraction() < 0.001);
    let zeros = of(&[-0.0, 0.0, f64::NEG_INFINITY], 16);
    assert_eq!(zeros.quantile(1.0).map(f64::to_bits), Some(0));
    assert_eq!(zeros.quantile(0.0), Some(f64::NEG_INFINITY));
    assert_eq!(zeros.ranks().rank(0.0), 3);
}

#[test]
fn empty_is_neutral_and_has_no_quantiles() {
    let empty = Quantiles::new();
    assert_eq!((empty.quantile(0.5), empty.is_exact(), empty.count()), (None, true, 0));
    let mut left = empty.clone();
    left.merge(of(&[1.0, 2.0], QUANTILES_CAPACITY));
    let mut right = of(&[1.0, 2.0], QUANTILES_CAPACITY);
    right.merge(empty);
    assert_eq!(left, right);
}

#[test]
fn a_malformed_state_is_refused() {
    let entries = vec![(2, 1), (1, 1)];
    let runs = vec![Run { entries, undercount: 0 }];
    let stored = Stored { capacity: 16, min: 1, max: 2, runs, squared_strata: 0 };
    assert_eq!(Quantiles::try_from(stored), Err(QuantilesError::RunMalformed));
}

#[test]
fn a_sample_by_strata_stays_within_its_bound() {
    let values = scattered(400_000);
    let mut sampled = Quantiles::new();
    for (split, part) in values.chunks(100_000).enumerate() {
        let extremes = part.iter().map(|value| key_of_f64(*value));
        let extremes = (extremes.clone().min().unwrap(), extremes.max().unwrap());
        let mut state = Quantiles::new();
        let mut strata = Strata::new(8, split as u64, part.len());
        // In blocks, of which one fills no stratum.
        strata.add(&part[..8192], extremes, key_of_f64);
        strata.add(&part[8192..], extremes, key_of_f64);
        strata.add(&part[..5], extremes, key_of_f64);
        assert_eq!(strata.count(), 100_005);
        state.update_strata(strata);
        sampled.merge(state);
    }
    let mut all = values.clone();
    values.chunks(100_000).for_each(|part| all.extend_from_slice(&part[..5]));
    let farthest = assert_within_bound(&sampled, &all);
    assert!(!sampled.is_exact());
    assert!(farthest < 2500, "{farthest}: about four standard deviations of the sampling");
    assert!(sampled.rank_error_fraction() < 0.016, "{}", sampled.rank_error_fraction());
    let bytes = postcard::to_stdvec(&sampled).unwrap();
    assert_eq!(postcard::from_bytes::<Quantiles>(&bytes).unwrap(), sampled);
}
