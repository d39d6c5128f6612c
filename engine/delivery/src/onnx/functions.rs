//! Functions of one number. What ONNX lacks in double precision is put together:
//!
//! - log2 and log10 are log(x) / log(2) and log(x) / log(10), the last digit apart.
//! - log1p is log(u) · x / (u − 1) with u = 1 + x, which is exact to a few digits in the last place near 0
//!   (Goldberg, What Every Computer Scientist Should Know About Floating-Point Arithmetic, theorem 4); x
//!   where u is 1, log(u) past 2^53.
//! - round is (x + c) − c with c = ±2^52, where doubles are integers and the addition rounds halves to
//!   even.
//! - expm1 is (u − 1) · x / log(u) with u = e^x (W. Kahan, in Higham, Accuracy and Stability of Numerical
//!   Algorithms, section 1.14.1); x where u is 1, −1 and ∞ where u − 1 is.
//! - arcsine is the ratio of polynomials of FreeBSD's `e_asin.c` (Sun Microsystems, 1993), which is within a last
//!   digit; past 1/2 by asin x = π/2 − 2 asin √((1 − x) / 2).
//! - sign and the others follow by comparisons.

use sluice_onnx::{Edge, GraphBuilder, Operator};
use sluice_transform::constants::Function;

use super::bound::Bound;

/// From here on every double is an integer.
const INTEGERS: f64 = 4_503_599_627_370_496.0;

/// (asin x / x − 1) / x² as a ratio of polynomials of x², highest power first.
const ARCSINE: ([f64; 6], [f64; 5]) = (
    [
        3.479_331_075_960_212e-5,
        7.915_349_942_898_145e-4,
        -4.005_553_450_067_941e-2,
        2.012_125_321_348_629_3e-1,
        -3.255_658_186_224_009e-1,
        1.666_666_666_666_666_6e-1,
    ],
    [
        7.703_815_055_590_194e-2,
        -6.882_839_716_054_533e-1,
        2.020_945_760_233_505_7,
        -2.403_394_911_734_414,
        1.0,
    ],
);

/// The function of x, with its bound.
pub(crate) fn export(function: Function, x: &Edge, bound: Bound, graph: &mut GraphBuilder) -> (Edge, Bound) {
    let exact = bound.after_function(Bound::EXACT);
    let near = bound.after_function(Bound::FUNCTION);
    match function {
        Function::Abs => (graph.node(&Operator::Abs, &[x]), bound),
        Function::Ceil => (graph.node(&Operator::Ceil, &[x]), exact),
        Function::Cos => (graph.node(&Operator::Cos, &[x]), near),
        Function::Exp => (graph.node(&Operator::Exp, &[x]), near),
        Function::Floor => (graph.node(&Operator::Floor, &[x]), exact),
        Function::Log => (graph.node(&Operator::Log, &[x]), near),
        Function::Log1p => (log1p(x, graph), near),
        Function::Log10 => (logarithm(x, std::f64::consts::LN_10, graph), near),
        Function::Log2 => (logarithm(x, std::f64::consts::LN_2, graph), near),
        Function::Negate => (graph.node(&Operator::Neg, &[x]), bound),
        Function::Reciprocal => {
            let one = graph.number(1.0);
            (graph.node(&Operator::Div, &[&one, x]), exact)
        }
        Function::Round => (round(x, graph), exact),
        Function::Sigmoid => (sigmoid(x, graph), near),
        Function::Sign => (sign(x, graph), exact),
        Function::Sin => (graph.node(&Operator::Sin, &[x]), near),
        Function::Sqrt => (graph.node(&Operator::Sqrt, &[x]), exact),
        Function::Square => (graph.node(&Operator::Mul, &[x, x]), exact),
        Function::Tanh => (graph.node(&Operator::Tanh, &[x]), near),
    }
}

fn logarithm(x: &Edge, of_base: f64, graph: &mut GraphBuilder) -> Edge {
    let log = graph.node(&Operator::Log, &[x]);
    let of_base = graph.number(of_base);
    graph.node(&Operator::Div, &[&log, &of_base])
}

/// log(1 + x).
pub(crate) fn log1p(x: &Edge, graph: &mut GraphBuilder) -> Edge {
    let (one, zero, large) = (graph.number(1.0), graph.number(0.0), graph.number(2.0 * INTEGERS));
    let u = graph.node(&Operator::Add, &[x, &one]);
    let log = graph.node(&Operator::Log, &[&u]);
    let rounded = graph.node(&Operator::Sub, &[&u, &one]);
    let correction = graph.node(&Operator::Div, &[x, &rounded]);
    let near_zero = graph.node(&Operator::Mul, &[&log, &correction]);
    let is_tiny = graph.node(&Operator::Equal, &[&rounded, &zero]);
    let finite = graph.node(&Operator::Where, &[&is_tiny, x, &near_zero]);
    let is_large = graph.node(&Operator::Greater, &[x, &large]);
    graph.node(&Operator::Where, &[&is_large, &log, &finite])
}

/// Halves to even.
pub(crate) fn round(x: &Edge, graph: &mut GraphBuilder) -> Edge {
    let (zero, up, down) = (graph.number(0.0), graph.number(INTEGERS), graph.number(-INTEGERS));
    let is_negative = graph.node(&Operator::Less, &[x, &zero]);
    let shift = graph.node(&Operator::Where, &[&is_negative, &down, &up]);
    let shifted = graph.node(&Operator::Add, &[x, &shift]);
    let rounded = graph.node(&Operator::Sub, &[&shifted, &shift]);
    let size = graph.node(&Operator::Abs, &[x]);
    let has_fraction = graph.node(&Operator::Less, &[&size, &up]);
    graph.node(&Operator::Where, &[&has_fraction, &rounded, x])
}

/// 1 / (1 + e^−x), as ours.
fn sigmoid(x: &Edge, graph: &mut GraphBuilder) -> Edge {
    let one = graph.number(1.0);
    let negative = graph.node(&Operator::Neg, &[x]);
    let power = graph.node(&Operator::Exp, &[&negative]);
    let sum = graph.node(&Operator::Add, &[&one, &power]);
    graph.node(&Operator::Div, &[&one, &sum])
}

/// NaN and zeros are neither above nor below 0, and stay.
fn sign(x: &Edge, graph: &mut GraphBuilder) -> Edge {
    let (zero, one, minus) = (graph.number(0.0), graph.number(1.0), graph.number(-1.0));
    let is_above = graph.node(&Operator::Greater, &[x, &zero]);
    let is_below = graph.node(&Operator::Less, &[x, &zero]);
    let below = graph.node(&Operator::Where, &[&is_below, &minus, x]);
    graph.node(&Operator::Where, &[&is_above, &one, &below])
}

/// e^x − 1.
pub(crate) fn expm1(x: &Edge, graph: &mut GraphBuilder) -> Edge {
    let (one, minus, infinite) = (graph.number(1.0), graph.number(-1.0), graph.number(f64::INFINITY));
    let u = graph.node(&Operator::Exp, &[x]);
    let less = graph.node(&Operator::Sub, &[&u, &one]);
    let log = graph.node(&Operator::Log, &[&u]);
    let product = graph.node(&Operator::Mul, &[&less, x]);
    let power = graph.node(&Operator::Div, &[&product, &log]);
    let is_tiny = graph.node(&Operator::Equal, &[&u, &one]);
    let power = graph.node(&Operator::Where, &[&is_tiny, x, &power]);
    let is_gone = graph.node(&Operator::Equal, &[&less, &minus]);
    let power = graph.node(&Operator::Where, &[&is_gone, &minus, &power]);
    let is_infinite = graph.node(&Operator::Equal, &[&u, &infinite]);
    graph.node(&Operator::Where, &[&is_infinite, &u, &power])
}

/// A polynomial by its coefficients, the highest power first.
pub(crate) fn polynomial(coefficients: &[f64], x: &Edge, graph: &mut GraphBuilder) -> Edge {
    let Some((first, rest)) = coefficients.split_first() else { return graph.number(0.0) };
    let mut sum = graph.number(*first);
    for coefficient in rest {
        let product = graph.node(&Operator::Mul, &[&sum, x]);
        let coefficient = graph.number(*coefficient);
        sum = graph.node(&Operator::Add, &[&product, &coefficient]);
    }
    sum
}

/// The angle from 0 to π/2 whose sine is x, from 0 to 1; NaN stays.
pub(crate) fn arcsine(x: &Edge, graph: &mut GraphBuilder) -> Edge {
    let (half, one, two) = (graph.number(0.5), graph.number(1.0), graph.number(2.0));
    let is_large = graph.node(&Operator::Greater, &[x, &half]);
    let square = graph.node(&Operator::Mul, &[x, x]);
    let rest = graph.node(&Operator::Sub, &[&one, x]);
    let rest = graph.node(&Operator::Mul, &[&rest, &half]);
    let square = graph.node(&Operator::Where, &[&is_large, &rest, &square]);
    let root = graph.node(&Operator::Sqrt, &[&rest]);
    let base = graph.node(&Operator::Where, &[&is_large, &root, x]);
    let numerator = polynomial(&ARCSINE.0, &square, graph);
    let numerator = graph.node(&Operator::Mul, &[&square, &numerator]);
    let denominator = polynomial(&ARCSINE.1, &square, graph);
    let ratio = graph.node(&Operator::Div, &[&numerator, &denominator]);
    let more = graph.node(&Operator::Mul, &[&base, &ratio]);
    let angle = graph.node(&Operator::Add, &[&base, &more]);
    let double = graph.node(&Operator::Mul, &[&angle, &two]);
    let right_angle = graph.number(std::f64::consts::FRAC_PI_2);
    let turned = graph.node(&Operator::Sub, &[&right_angle, &double]);
    graph.node(&Operator::Where, &[&is_large, &turned, &angle])
}
