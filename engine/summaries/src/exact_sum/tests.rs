use super::*;
use proptest::prelude::*;
use sluice_core::double_double::two_sum;

/// The exact sum of `terms` as an expansion (Shewchuk 1997, grow-expansion), smallest component first.
fn expansion(terms: &[f64]) -> Vec<f64> {
    let mut components: Vec<f64> = Vec::new();
    for term in terms {
        let mut carried = *term;
        for component in &mut components {
            (carried, *component) = two_sum(carried, *component);
        }
        components.push(carried);
        components.retain(|component| *component != 0.0);
    }
    components
}

fn sum_of(values: &[f64]) -> ExactSum {
    let mut sum = ExactSum::new();
    sum.add_slice(values);
    sum
}

/// Distance of the sum from the exact one is at most half a unit in its last place and the documented loss.
fn assert_within_bound(values: &[f64]) {
    let sum = sum_of(values).to_f64();
    let mut terms = values.to_vec();
    terms.push(-sum);
    let distance: f64 = expansion(&terms).iter().sum::<f64>().abs();
    let largest = values
        .iter()
        .fold(0.0, |largest: f64, value| if value.abs() > largest { value.abs() } else { largest });
    let half_unit = 0.5 * (sum.abs().next_up() - sum.abs());
    let lost = values.len() as f64 * largest * 2.0_f64.powi(-112);
    assert!(distance <= half_unit + lost, "{values:?}: {sum:e} is off by {distance:e}");
}

/// Finite numbers of any size, with a good share of close ones, subnormal ones and cancellation.
fn numbers() -> impl Strategy<Value = f64> {
    prop_oneof![
        4 => -1e3..1e3_f64,
        2 => (-300..300_i32, -1.0..1.0_f64).prop_map(|(exponent, value)| value * 10.0_f64.powi(exponent)),
        1 => (0..1_u64 << 53, any::<bool>())
            .prop_map(|(bits, negative)| if negative { -f64::from_bits(bits) } else { f64::from_bits(bits) }),
        1 => prop_oneof![Just(0.0), Just(-0.0), Just(1e300), Just(-1e300), Just(f64::MIN_POSITIVE)],
    ]
}

proptest! {
    #[test]
    fn order_and_grouping_do_not_matter(
        values in prop::collection::vec(numbers(), 0..700),
        keys in prop::collection::vec(any::<u32>(), 700),
        cut in 0..700_usize,
    ) {
        let whole = sum_of(&values);
        let mut order: Vec<usize> = (0..values.len()).collect();
        order.sort_by_key(|index| keys[*index]);
        let shuffled: Vec<f64> = order.iter().map(|index| values[*index]).collect();
        prop_assert_eq!(whole, sum_of(&shuffled));

        let mut one_by_one = ExactSum::new();
        shuffled.iter().for_each(|value| one_by_one.add(*value));
        prop_assert_eq!(whole, one_by_one);

        let (left, right) = shuffled.split_at(cut.min(shuffled.len()));
        let mut joined = sum_of(right);
        joined.merge(sum_of(left));
        prop_assert_eq!(whole, joined);
        let bytes = postcard::to_stdvec(&joined).unwrap();
        prop_assert_eq!(&bytes, &postcard::to_stdvec(&whole).unwrap());
        prop_assert_eq!(whole, postcard::from_bytes::<ExactSum>(&bytes).unwrap());
    }

    #[test]
    fn agrees_with_an_exact_expansion(values in prop::collection::vec(numbers(), 1..60)) {
        assert_within_bound(&values);
    }

    #[test]
    fn products_are_exact(a in -1e100..1e100_f64, b in -1e100..1e100_f64) {
        let mut sum = ExactSum::new();
        sum.add_product(a, b);
        let held = sum.to_double_double();
        let exact = DoubleDouble::product(a, b);
        prop_assert_eq!((held.high.to_bits(), held.low + 0.0), (exact.high.to_bits(), exact.low + 0.0));
        sum.add(-exact.high);
        sum.add(-exact.low);
        prop_assert_eq!(sum.to_f64().to_bits(), 0);
    }

    #[test]
    fn counted_equals_repeated(value in numbers(), count in 0..300_u16) {
        let mut counted = ExactSum::new();
        counted.add_counted(value, u64::from(count));
        prop_assert_eq!(counted, sum_of(&vec![value; usize::from(count)]));
    }
}

#[test]
fn rounds_once() {
    assert_eq!(sum_of(&[1e16, 1.0, -1e16]).to_f64().to_bits(), 1.0_f64.to_bits());
    assert_eq!(sum_of(&[1.0, f64::EPSILON / 2.0]).to_f64().to_bits(), 1.0_f64.to_bits());
    let above_the_tie = [1.0, f64::EPSILON / 2.0, f64::EPSILON / 1e9];
    assert_eq!(sum_of(&above_the_tie).to_f64().to_bits(), 1.0_f64.next_up().to_bits());
    assert_eq!(sum_of(&[0.1; 10]).to_f64().to_bits(), 1.0_f64.to_bits());
    assert_eq!(sum_of(&[-0.1; 10]).to_f64().to_bits(), (-1.0_f64).to_bits());
    let sum = sum_of(&[1e16, 0.5, 1e-10]).to_double_double();
    assert_eq!((sum.high.to_bits(), sum.low.to_bits()), (1e16_f64.to_bits(), (0.5 + 1e-10_f64).to_bits()));
}

#[test]
fn edges_of_the_range() {
    for value in [f64::MAX, f64::MIN, f64::MIN_POSITIVE, 5e-324, -5e-324, 1.5e-310, 0.1] {
        assert_eq!(sum_of(&[value]).to_f64().to_bits(), value.to_bits());
    }
    assert_eq!(sum_of(&[f64::MAX, f64::MAX]).to_f64().to_bits(), f64::INFINITY.to_bits());
    assert_eq!(sum_of(&[f64::MAX, f64::MAX, -f64::MAX]).to_f64().to_bits(), f64::MAX.to_bits());
    let mut product = ExactSum::new();
    product.add_product(f64::MAX, f64::MAX);
    assert_eq!(product.to_f64().to_bits(), f64::INFINITY.to_bits());
    product.add_product(f64::MAX, f64::MIN);
    assert_eq!(product.to_f64().to_bits(), 0);
    let mut tiny = ExactSum::new();
    tiny.add_product(5e-324, 5e-324);
    assert_eq!(tiny.to_f64().to_bits(), 0);
    let mut huge = ExactSum::new();
    huge.add_counted(0.1, u64::MAX);
    // 0.1 is 3602879701896397 / 2^55; times 2^64 - 1 that is 3602879701896397 * 2^9 less 0.1.
    assert_eq!(huge.to_f64().to_bits(), (3_602_879_701_896_397.0_f64 * 512.0).to_bits());
}

#[test]
fn special_values() {
    assert_eq!(ExactSum::new(), sum_of(&[0.0, -0.0]));
    assert_eq!(sum_of(&[-0.0]).to_f64().to_bits(), 0);
    assert!(sum_of(&[1.0, f64::NAN]).to_f64().is_nan());
    assert!(sum_of(&[f64::INFINITY, f64::NEG_INFINITY]).to_f64().is_nan());
    assert_eq!(sum_of(&[f64::NEG_INFINITY, 1.0]).to_f64().to_bits(), f64::NEG_INFINITY.to_bits());
    let mut product = ExactSum::new();
    product.add_weighted(&[0.0], &[f64::INFINITY]);
    assert!(product.to_f64().is_nan());
    let mut absent = ExactSum::new();
    absent.add_counted(f64::NAN, 0);
    assert_eq!(absent, ExactSum::new());
}
