//! The quantiles of the standard normal distribution: Wichura, "Algorithm AS 241: the percentage points of the normal
//! distribution", Applied Statistics 37 (1988), function PPND16, whose relative error is about 1e-16. Shares of 0 and 1
//! give infinities, NaN stays NaN.

#![allow(clippy::excessive_precision, reason = "the digits that the paper prints")]

/// Numerator and denominator of a ratio of polynomials, highest power first; the denominator ends with 1.
pub type Ratio = ([f64; 8], [f64; 8]);

/// For shares within 0.425 of a half.
pub const CENTRAL: Ratio = (
    [
        2.509_080_928_730_122_672_7e3,
        3.343_057_558_358_812_810_5e4,
        6.726_577_092_700_870_085_3e4,
        4.592_195_393_154_987_145_7e4,
        1.373_169_376_550_946_112_5e4,
        1.971_590_950_306_551_442_7e3,
        1.331_416_678_917_843_774_5e2,
        3.387_132_872_796_366_608,
    ],
    [
        5.226_495_278_852_854_561e3,
        2.872_908_573_572_194_267_4e4,
        3.930_789_580_009_271_061e4,
        2.121_379_430_158_659_586_7e4,
        5.394_196_021_424_751_107_7e3,
        6.871_870_074_920_579_083e2,
        4.231_333_070_160_091_125_2e1,
        1.0,
    ],
);

/// For shares from e^−25 on.
pub const MIDDLE: Ratio = (
    [
        7.745_450_142_783_414_076_4e-4,
        2.272_384_498_926_918_458_33e-2,
        2.417_807_251_774_506_117_7e-1,
        1.270_458_252_452_368_382_58,
        3.647_848_324_763_204_605_04,
        5.769_497_221_460_691_405_5,
        4.630_337_846_156_545_295_9,
        1.423_437_110_749_683_577_34,
    ],
    [
        1.050_750_071_644_416_843_24e-9,
        5.475_938_084_995_344_946e-4,
        1.519_866_656_361_645_719_66e-2,
        1.481_039_764_274_800_745_9e-1,
        6.897_673_349_851_000_045_5e-1,
        1.676_384_830_183_803_849_4,
        2.053_191_626_637_758_821_87,
        1.0,
    ],
);

/// For smaller shares.
pub const FAR: Ratio = (
    [
        2.010_334_399_292_288_132_65e-7,
        2.711_555_568_743_487_578_15e-5,
        1.242_660_947_388_078_438_6e-3,
        2.653_218_952_657_612_309_3e-2,
        2.965_605_718_285_048_912_3e-1,
        1.784_826_539_917_291_335_8,
        5.463_784_911_164_114_369_9,
        6.657_904_643_501_103_777_2,
    ],
    [
        2.044_263_103_389_939_785_64e-15,
        1.421_511_758_316_445_888_7e-7,
        1.846_318_317_510_054_681_8e-5,
        7.868_691_311_456_132_591e-4,
        1.487_536_129_085_061_485_25e-2,
        1.369_298_809_227_358_053_1e-1,
        5.998_322_065_558_879_376_9e-1,
        1.0,
    ],
);

fn ratio((numerator, denominator): &Ratio, x: f64) -> f64 {
    let polynomial = |coefficients: &[f64; 8]| coefficients.iter().fold(0.0, |sum, c| sum * x + c);
    polynomial(numerator) / polynomial(denominator)
}

/// The number below which a share of the standard normal distribution lies.
pub(crate) fn quantile(share: f64) -> f64 {
    let from_half = share - 0.5;
    if from_half.abs() <= 0.425 {
        return ratio(&CENTRAL, 0.180_625 - from_half * from_half) * from_half;
    }
    let tail = if from_half < 0.0 { share } else { 1.0 - share };
    if tail <= 0.0 {
        return if from_half < 0.0 { f64::NEG_INFINITY } else { f64::INFINITY };
    }
    let depth = (-tail.ln()).sqrt();
    let distance = if depth <= 5.0 { ratio(&MIDDLE, depth - 1.6) } else { ratio(&FAR, depth - 5.0) };
    distance.copysign(from_half)
}

/// The share below a number: where [`quantile`] reaches it, found by halving. Within 2^-60 for numbers up to ±8.
pub(super) fn share(value: f64) -> f64 {
    if value.is_nan() {
        return value;
    }
    // The smaller tail, whose digits are not lost beside 1.
    let (mut low, mut high) = (0.0, 0.5);
    for _ in 0..60 {
        let middle = low + (high - low) / 2.0;
        if quantile(middle) < -value.abs() { low = middle } else { high = middle }
    }
    if value < 0.0 { high } else { 1.0 - high }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_agrees_with_scipy() {
        // scipy 1.17.1: scipy.stats.norm.ppf
        for (share, expected) in [
            (1e-300, -37.047_096_299_361_2),
            (1e-12, -7.034_483_825_301_131),
            (1e-7, -5.199_337_582_192_816_5),
            (0.01, -2.326_347_874_040_840_8),
            (0.074, -1.446_632_067_158_978_5),
            (0.25, -0.674_489_750_196_081_7),
            (0.5, 0.0),
            (0.975, 1.959_963_984_540_054),
        ] {
            sluice_testkit::assert_relative(quantile(share), expected, 2e-15);
        }
        for value in [-5.0, -1.5, -0.1, 0.0, 0.3, 2.0, 4.5] {
            assert!((quantile(share(value)) - value).abs() < 1e-10, "{value}");
        }
        assert!(quantile(f64::NAN).is_nan());
        assert_eq!((quantile(0.0), quantile(1.0)), (f64::NEG_INFINITY, f64::INFINITY));
    }
}
