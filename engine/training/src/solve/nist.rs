//! Agreement with the certified values of NIST's Statistical Reference Datasets (linear regression).
//!
//! Certified values have 15 digits, computed by NIST with 500. Longley stands here in full (public data), so
//! that the test always runs; the other sets are read from the folder that `SLUICE_DATASETS` names.

use super::{PreparedRows, RidgeSolution, Rows, ridge};
use serde_json::Value;

/// The digits that a value shares with the certified one: minus the logarithm of the relative error, of the
/// absolute error where the certified value is 0, at most 15.
fn digits(value: f64, certified: f64) -> f64 {
    let error = (value - certified).abs();
    let relative = if certified == 0.0 { error } else { error / certified.abs() };
    if relative < 1e-15 { 15.0 } else { -relative.log10() }
}

fn least(digits: impl Iterator<Item = f64>) -> f64 {
    digits.fold(15.0, |least, next| if next < least { next } else { least })
}

/// Label first, then x1 to x6.
const LONGLEY: [[f64; 7]; 16] = [
    [60323.0, 83.0, 234_289.0, 2356.0, 1590.0, 107_608.0, 1947.0],
    [61122.0, 88.5, 259_426.0, 2325.0, 1456.0, 108_632.0, 1948.0],
    [60171.0, 88.2, 258_054.0, 3682.0, 1616.0, 109_773.0, 1949.0],
    [61187.0, 89.5, 284_599.0, 3351.0, 1650.0, 110_929.0, 1950.0],
    [63221.0, 96.2, 328_975.0, 2099.0, 3099.0, 112_075.0, 1951.0],
    [63639.0, 98.1, 346_999.0, 1932.0, 3594.0, 113_270.0, 1952.0],
    [64989.0, 99.0, 365_385.0, 1870.0, 3547.0, 115_094.0, 1953.0],
    [63761.0, 100.0, 363_112.0, 3578.0, 3350.0, 116_219.0, 1954.0],
    [66019.0, 101.2, 397_469.0, 2904.0, 3048.0, 117_388.0, 1955.0],
    [67857.0, 104.6, 419_180.0, 2822.0, 2857.0, 118_734.0, 1956.0],
    [68169.0, 108.4, 442_769.0, 2936.0, 2798.0, 120_445.0, 1957.0],
    [66513.0, 110.8, 444_546.0, 4681.0, 2637.0, 121_950.0, 1958.0],
    [68655.0, 112.6, 482_704.0, 3813.0, 2552.0, 123_366.0, 1959.0],
    [69564.0, 114.2, 502_601.0, 3931.0, 2514.0, 125_368.0, 1960.0],
    [69331.0, 115.7, 518_173.0, 4806.0, 2572.0, 127_852.0, 1961.0],
    [70551.0, 116.9, 554_894.0, 4007.0, 2827.0, 130_081.0, 1962.0],
];

/// Intercept, then the six coefficients, each with its standard error.
const LONGLEY_CERTIFIED: [(f64, f64); 7] = [
    (-3_482_258.634_595_82, 890_420.383_607_373),
    (15.061_872_271_373_3, 84.914_925_774_766_9),
    (-0.035_819_179_292_591_0, 0.033_491_007_772_243_2),
    (-2.020_229_803_816_83, 0.488_399_681_651_699),
    (-1.033_226_867_173_59, 0.214_274_163_161_675),
    (-0.051_104_105_653_580_7, 0.226_073_200_069_37),
    (1_829.151_464_613_55, 455.478_499_142_212),
];

fn estimates(solution: &RidgeSolution, intercept: bool) -> Vec<f64> {
    let first = intercept.then_some(solution.intercept);
    first.into_iter().chain(solution.coefficients.iter().copied()).collect()
}

fn standard_errors(solution: &RidgeSolution) -> Vec<f64> {
    let first = solution.diagnostics.intercept_standard_error;
    let others = solution.diagnostics.standard_errors.clone().unwrap();
    first.into_iter().chain(others).collect()
}

#[test]
fn longley_keeps_13_digits() {
    let values: Vec<f64> = LONGLEY.iter().flat_map(|row| &row[1..]).copied().collect();
    let label: Vec<f64> = LONGLEY.iter().map(|row| row[0]).collect();
    let rows = Rows { features: 6, values: &values, label: &label, weights: None, intercept: true };
    let prepared = PreparedRows::new(rows).unwrap();
    for solution in [prepared.ridge(0.0).unwrap(), ridge(&prepared.normal(), 0.0).unwrap()] {
        let found = estimates(&solution, true).into_iter().zip(standard_errors(&solution));
        for (found, certified) in found.zip(LONGLEY_CERTIFIED) {
            assert!(digits(found.0, certified.0) > 13.0, "{found:?} {certified:?}");
            assert!(digits(found.1, certified.1) > 13.0, "{found:?} {certified:?}");
        }
        assert!(digits(solution.diagnostics.residual_square, 836_424.055_505_915) > 13.0);
        assert!(digits(solution.r_squared().unwrap(), 0.995_479_004_577_296) > 13.0);
        assert!(digits(solution.diagnostics.effective_degrees.unwrap(), 7.0) > 13.0);
    }
}

#[test]
#[expect(clippy::print_stdout, reason = "a test says what it skipped and the digits it reached")]
fn certified_sets_keep_13_digits() {
    for name in ["Norris", "Pontius", "NoInt1", "Longley", "Wampler1", "Wampler2", "Wampler3"] {
        let Some(set) = open(name) else {
            println!("skipped: no file for `{name}`, set SLUICE_DATASETS");
            continue;
        };
        let (digits, of_errors, through_sums) = agreement(&set);
        println!(
            "{name}: {digits:.1} digits, standard errors {of_errors:.1}, through sums {through_sums:.1}"
        );
        assert!(digits > 13.0 && of_errors > 13.0 && through_sums > 13.0, "{name}");
    }
}

fn open(name: &str) -> Option<Value> {
    let file = sluice_testkit::datasets::external(&format!("nist/linear/{name}.json"))?;
    let text = std::fs::read_to_string(file).ok()?;
    Some(serde_json::from_str(&text).unwrap())
}

/// The least digits of the coefficients from rows, of their standard errors, and of the coefficients from
/// sums.
fn agreement(set: &Value) -> (f64, f64, f64) {
    let names = |key: &str| -> Vec<String> { serde_json::from_value(set[key].clone()).unwrap() };
    let columns = names("columns");
    let place = |name: &str| columns.iter().position(|column| column == name).unwrap();
    let data: Vec<Vec<f64>> = serde_json::from_value(set["data"].clone()).unwrap();
    let terms: Vec<(usize, u32)> = names("design_terms")
        .iter()
        .filter(|term| *term != "1")
        .map(|term| match term.split_once('^') {
            Some((name, power)) => (place(name), power.parse().unwrap()),
            None => (place(term), 1),
        })
        .collect();
    // Multiplied out: the powers of these sets are integers that f64 holds, and stay exact.
    let power = |x: f64, times: u32| (0..times).fold(1.0, |product, _| product * x);
    let values: Vec<f64> =
        data.iter().flat_map(|row| terms.iter().map(|&(column, times)| power(row[column], times))).collect();
    let label: Vec<f64> = data.iter().map(|row| row[place(set["y"].as_str().unwrap())]).collect();
    let intercept = set["intercept"].as_bool().unwrap();
    let rows = Rows { features: terms.len(), values: &values, label: &label, weights: None, intercept };
    let prepared = PreparedRows::new(rows).unwrap();
    let solution = prepared.ridge(0.0).unwrap();
    let from_sums = ridge(&prepared.normal(), 0.0).unwrap();
    let certified = set["certified"]["coefficients"].as_array().unwrap();
    let all = |found: Vec<f64>, key: &str| {
        least(found.into_iter().zip(certified).map(|(value, c)| digits(value, c[key].as_f64().unwrap())))
    };
    (
        all(estimates(&solution, intercept), "estimate"),
        all(standard_errors(&solution), "std_err"),
        all(estimates(&from_sums, intercept), "estimate"),
    )
}
