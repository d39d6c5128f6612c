//! Samples of numbers with their distances by SciPy 1.17.1: `scipy.stats.ks_2samp(a, b).statistic`,
//! `scipy.stats.wasserstein_distance(a, b)` and `scipy.stats.energy_distance(a, b)`; and what saved statistics keep of
//! such a sample.

use sluice_core::column::ColumnKind;
use sluice_core::statistics::{ColumnStatistics, NumericStatistics, Quantiles};
use sluice_summaries::Ranks;

use super::Cumulative;
use crate::statistics::histograms;

pub(super) struct Sample {
    pub(super) name: &'static str,
    pub(super) current: &'static [f64],
    pub(super) reference: &'static [f64],
    pub(super) ks: f64,
    pub(super) wasserstein: f64,
    pub(super) energy: f64,
}

pub(super) fn sorted(values: &[f64]) -> Vec<f64> {
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    values
}

/// Different values with their counts, ascending.
fn counted(values: &[f64]) -> Vec<(f64, u64)> {
    let mut merged: Vec<(f64, u64)> = Vec::new();
    for value in sorted(values) {
        match merged.last_mut().filter(|last| last.0.total_cmp(&value).is_eq()) {
            Some(last) => last.1 += 1,
            None => merged.push((value, 1)),
        }
    }
    merged
}

/// All values.
pub(super) fn cumulative(values: &[f64]) -> Cumulative {
    Cumulative::of_values(counted(values).into_iter()).unwrap()
}

/// A column of these values as statistics hold it.
pub(super) fn column(values: &[f64]) -> ColumnStatistics {
    column_of(&counted(values))
}

/// The same of different values, ascending, with their counts.
pub(super) fn column_of(values: &[(f64, u64)]) -> ColumnStatistics {
    let ranks = Ranks::exact(values.iter().copied());
    let count = ranks.count();
    let at = |q: f64| {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "within the values")]
        let rank = (q * count as f64).ceil() as u64;
        (q, ranks.value_at(rank.clamp(1, count)).unwrap())
    };
    let quantiles =
        [0.0, 0.01, 0.05, 0.1, 0.2, 0.25, 0.3, 0.4, 0.5, 0.6, 0.7, 0.75, 0.8, 0.9, 0.95, 0.99, 1.0];
    let zeros = values.iter().filter(|(value, _)| value.abs() < f64::MIN_POSITIVE);
    let mut column = ColumnStatistics::new("x", ColumnKind::Float);
    column.presence.num_rows = count;
    column.numeric = Some(NumericStatistics {
        num_finite: count,
        num_zeros: zeros.map(|(_, count)| count).sum(),
        mean: None,
        standard_deviation: None,
        min: ranks.min(),
        max: ranks.max(),
        exact_range: None,
        quantiles: Some(Quantiles { values: quantiles.map(at).to_vec(), rank_error_fraction: 0.0 }),
        histograms: histograms(&ranks),
    });
    column
}

/// What saved statistics know of these values.
pub(super) fn saved(values: &[f64]) -> Cumulative {
    Cumulative::of_statistics(&column(values)).unwrap()
}

#[rustfmt::skip]
pub(super) const SAMPLES: &[Sample] = &[
    Sample {
        name: "few",
        current: &[1.0, 2.0, 3.0, 4.5, 9.0],
        reference: &[0.0, 2.0, 2.0, 7.0],
        ks: 0.35,
        wasserstein: 1.4,
        energy: 0.7842193570679061,
    },
    Sample {
        name: "normal",
        current: &[-0.802837, 0.24285, -1.656345, 0.656105, 1.143453, -0.452611, 0.430486, 0.250933, 
-0.394352, -0.862405, -2.032552, 1.410423, -0.047632, 2.522327, 0.826218, 0.277781, -0.657431, 
1.392469, -0.506289, 1.569949, -0.398361, 0.185954, -1.52267, 2.343232, -0.094026, -0.385114, 0.810848, 
-0.891372, 0.767607, -1.17124, 0.545242, -1.044126, -1.837068, -0.593768, -1.463914, 0.553278, 
0.021671, 0.509446, 0.091303, -0.353859, 0.028129, 1.052489, -0.183131, -0.762047, -0.969902, 
-0.221726, -0.749739, 1.880632, -1.178564, -1.0816, -0.305892, 0.650014, -0.268098, -0.957908, -0.8069, 
-0.350792, 0.973363, -0.977982, -0.091328, -0.613054],
        reference: &[0.98693, 1.095704, -1.697868, 4.080293, 0.784405, -0.263998, -0.840986, 0.110735, 
0.547725, 1.392738, 0.508432, 1.225923, -1.914927, -0.628576, -1.009836, 0.74688, 1.186999, -1.699129, 
0.248107, 1.588191, 1.872617, -1.173087, 1.344384, 1.007569, -0.153888, 3.444536, -1.178077, 0.083939, 
1.182196, 0.864673, 0.243136, 2.565334, 2.668017, 1.86901, 2.002468, 0.417603, -1.247193, 3.781672, 
-0.936283, 3.843911],
        ks: 0.325,
        wasserstein: 0.840401475,
        energy: 0.5948836383650541,
    },
    Sample {
        name: "ties",
        current: &[2.0, 4.0, 3.0, 3.0, 5.0, 0.0, 5.0, 1.0, 5.0, 1.0, 4.0, 3.0, 3.0, 3.0, 4.0, 3.0, 0.0, 
2.0, 3.0, 2.0, 0.0, 3.0, 0.0, 3.0, 3.0, 3.0, 4.0, 4.0, 3.0, 5.0, 4.0, 4.0, 3.0, 2.0, 4.0, 5.0, 4.0, 
0.0, 4.0, 5.0, 1.0, 3.0, 5.0, 2.0, 1.0, 5.0, 0.0, 3.0, 2.0, 4.0],
        reference: &[1.0, 2.0, 5.0, 4.0, 7.0, 5.0, 4.0, 1.0, 5.0, 6.0, 5.0, 1.0, 4.0, 1.0, 6.0, 2.0, 
3.0, 6.0, 1.0, 3.0, 5.0, 0.0, 7.0, 1.0, 4.0, 4.0, 5.0, 0.0, 7.0, 2.0, 4.0, 1.0, 7.0, 5.0, 0.0, 1.0, 
6.0, 2.0, 2.0, 3.0, 2.0, 7.0, 3.0, 3.0, 2.0, 1.0, 7.0, 3.0, 5.0, 2.0, 6.0, 4.0, 1.0, 0.0, 6.0, 3.0, 
1.0, 5.0, 4.0, 3.0, 1.0, 7.0, 6.0, 2.0, 3.0, 6.0, 5.0, 2.0, 1.0, 3.0],
        ks: 0.21428571428571427,
        wasserstein: 0.7742857142857141,
        energy: 0.4759180172925517,
    },
    Sample {
        name: "skewed",
        current: &[42.8018, 170.4807, 510.8449, 330.8071, 14.85, 12.4938, 318.6505, 225.7262, 4.1599, 
264.6425, 30.628, 43.2923, 13.1692, 177.4695, 71.6645, 9.1384, 23.9574, 31.0984, 21.2002, 29.1727, 
40.6743, 429.6722, 80.1889, 130.1961, 200.8425, 16.8383, 55.9653, 58.4269, 436.2586, 229.1452, 38.8076, 
84.4971, 10.6261, 79.5885, 13.9166, 47.237, 14.0134, 163.2655, 393.15, 16.9874, 293.8702, 10.1836, 
111.406, 18.2575, 133.9059, 83.6475, 357.9354, 175.5122, 83.8557, 138.9329, 31.4514, 41.0573, 37.227, 
129.7215, 79.4323, 5.1966, 32.4685, 93.7565, 33.8424, 21.9708, 144.7144, 275.9906, 134.6898, 8.8295, 
37.815, 142.5146, 137.8094, 23.1851, 70.099, 288.8628, 116.9245, 74.93, 9.5328, 238.2123, 97.1137, 
80.7038, 282.6149, 10.5475, 68.1035, 4.9011],
        reference: &[41.0582, 16.5725, 172.519, 54.6978, 73.3343, 71.4471, 55.9341, 211.9851, 54.9477, 
44.0962, 165.2107, 20.4537, 30.9661, 231.1932, 85.8008, 2.3382, 88.9033, 5.7175, 4.8686, 35.7443, 
103.4614, 24.7346, 168.4725, 20.6051, 157.9654, 10.1406, 83.599, 36.4979, 121.1972, 204.625, 21.0332, 
193.5827, 197.5476, 16.8473, 34.0015, 296.7671, 212.3936, 11.1814, 154.9592, 59.4083, 73.0022, 93.0114, 
82.8476, 109.1277, 95.515, 146.9686, 227.0403, 1.5522, 61.7001, 36.0058, 27.8546, 130.2903, 108.7528, 
136.4819, 29.9948, 12.2292, 465.077, 169.3141, 292.7596, 31.7484, 40.5269, 37.5788, 78.2774, 306.7601, 
109.7001, 44.1255, 109.7415, 10.5069, 87.0334, 257.7228, 76.8044, 252.8337, 75.6974, 197.5187, 
130.9512, 2.6769, 195.293, 95.228, 120.9382, 65.1464, 94.5064, 277.1754, 24.915, 13.0597, 51.2153, 
185.1613, 275.3693, 187.6762, 121.7985, 235.8408],
        ks: 0.11388888888888889,
        wasserstein: 21.507005555555562,
        energy: 1.6006105434748072,
    },
    Sample {
        name: "zeros",
        current: &[0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.42701, 0.0, 0.0, 0.0, 0.38724, 0.0, 0.0, 
1.26722, 2.31285, 0.0, 0.0, 0.0, 0.03362, 0.40373, 0.0, 2.30426, 0.0, 0.541, 1.19382, 0.0, 0.3166, 
0.66507, 0.0, 0.0, 0.23268, 0.54425, 0.17003, 0.0, 0.0, 0.0, 0.0, 0.0, 0.75989, 0.0, 0.0, 0.0, 1.80013, 
0.0, 0.0, 0.0, 0.0, 0.0, 0.4732, 0.0, 1.61396, 1.65502, 0.0, 0.0, 0.45593, 0.0, 0.0, 0.0, 1.75208, 
0.29802, 3.56112, 0.0, 0.0, 0.0, 0.0, 0.1333, 0.0, 0.0],
        reference: &[0.86152, 1.71159, 0.0, 0.17075, 0.0, 0.2451, 0.45115, 0.226, 0.96969, 0.02658, 
0.08061, 0.0, 0.0, 0.83605, 0.0, 0.13483, 1.56227, 0.0, 0.54168, 0.0, 0.0, 0.90996, 1.41513, 0.0, 0.0, 
1.89395, 0.0, 0.0, 0.0, 1.13077, 0.0, 0.85833, 0.0, 0.78329, 0.0, 0.0, 4.96544, 0.44687, 0.7022, 
1.0523, 0.26305, 0.0, 3.217, 0.0, 0.0, 0.56846, 0.0, 0.0, 0.0, 2.84715],
        ks: 0.19714285714285715,
        wasserstein: 0.2445482571428574,
        energy: 0.22999157997009992,
    },
];
