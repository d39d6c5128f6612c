//! Figures that TFDV's format has no field for. They travel as custom statistics whose names begin with
//! `sluice_`; TFDV shows them beside its own and ignores them otherwise.

use std::collections::BTreeMap;

use sluice_core::statistics::{Bucket as PlainBucket, CustomStatistic, Histogram, Quantiles};

use super::message::{Bucket, Buckets, Custom, QUANTILES, Rank, Ranks, STANDARD};

/// Names with this beginning are ours.
pub(crate) const PREFIX: &str = "sluice_";

/// The custom statistics of a column, by name; ours by what follows the prefix.
#[derive(Debug, Default)]
pub(crate) struct Customs(BTreeMap<String, CustomStatistic>);

impl Customs {
    /// Those that a column has of other programs.
    pub(crate) fn of(custom: &BTreeMap<String, CustomStatistic>) -> Self {
        let foreign = custom.iter().filter(|(name, _)| !name.starts_with(PREFIX));
        Self(foreign.map(|(name, value)| (name.clone(), value.clone())).collect())
    }

    fn put(&mut self, name: &str, value: CustomStatistic) {
        let _ = self.0.insert(format!("{PREFIX}{name}"), value);
    }

    pub(crate) fn number(&mut self, name: &str, value: f64) {
        self.put(name, CustomStatistic::Number(value));
    }

    /// A number where it is not zero: bounds, and counts of what is rare.
    pub(crate) fn number_unless_zero(&mut self, name: &str, value: f64) {
        if value != 0.0 {
            self.number(name, value);
        }
    }

    pub(crate) fn text(&mut self, name: &str, value: impl Into<String>) {
        self.put(name, CustomStatistic::Text(value.into()));
    }

    pub(crate) fn counts(&mut self, name: &str, counts: Vec<(String, f64)>) {
        if !counts.is_empty() {
            self.put(name, CustomStatistic::Counts(counts));
        }
    }

    /// Quantiles: each q as a label, its value as the count.
    pub(crate) fn quantiles(&mut self, name: &str, quantiles: Option<&Quantiles>) {
        let Some(quantiles) = quantiles else { return };
        self.counts(name, quantiles.values.iter().map(|(q, value)| (q.to_string(), *value)).collect());
        self.number_unless_zero(&format!("{name}_rank_error"), quantiles.rank_error_fraction);
    }

    /// The messages, by name.
    pub(crate) fn into_messages(self) -> Vec<Custom> {
        self.0
            .into_iter()
            .map(|(name, value)| {
                let mut message = Custom::default();
                match value {
                    CustomStatistic::Number(number) => message.num = Some(number),
                    CustomStatistic::Text(text) => message.str = Some(text),
                    CustomStatistic::Histogram(histogram) => {
                        // TFDV's own come in pairs, and their names say which is which.
                        let is_quantiles = name.ends_with("quantiles");
                        message.histogram =
                            Some(buckets(&histogram, if is_quantiles { QUANTILES } else { STANDARD }));
                    }
                    CustomStatistic::Counts(counts) => message.rank_histogram = Some(ranks(counts)),
                }
                message.name = name;
                message
            })
            .collect()
    }

    /// Those of a feature; of several with one name the last.
    pub(crate) fn of_messages(messages: Vec<Custom>) -> Self {
        let read = messages.into_iter().filter_map(|message| {
            let Custom { name, num, str, histogram, rank_histogram } = message;
            let value = num
                .map(CustomStatistic::Number)
                .or_else(|| str.map(CustomStatistic::Text))
                .or_else(|| histogram.map(|histogram| CustomStatistic::Histogram(plain(&histogram))))
                .or_else(|| Some(CustomStatistic::Counts(counts(rank_histogram?))))?;
            Some((name, value))
        });
        Self(read.collect())
    }

    pub(crate) fn take_number(&mut self, name: &str) -> Option<f64> {
        match self.0.remove(&format!("{PREFIX}{name}")) {
            Some(CustomStatistic::Number(value)) => Some(value),
            _ => None,
        }
    }

    pub(crate) fn take_text(&mut self, name: &str) -> Option<String> {
        match self.0.remove(&format!("{PREFIX}{name}")) {
            Some(CustomStatistic::Text(value)) => Some(value),
            _ => None,
        }
    }

    pub(crate) fn take_counts(&mut self, name: &str) -> Option<Vec<(String, f64)>> {
        match self.0.remove(&format!("{PREFIX}{name}")) {
            Some(CustomStatistic::Counts(value)) => Some(value),
            _ => None,
        }
    }

    pub(crate) fn take_quantiles(&mut self, name: &str) -> Option<Quantiles> {
        let values = self.take_counts(name)?;
        let rank_error_fraction = self.take_number(&format!("{name}_rank_error")).unwrap_or(0.0);
        let values = values.into_iter().filter_map(|(q, value)| Some((q.parse().ok()?, value)));
        Some(Quantiles { values: values.collect(), rank_error_fraction })
    }

    /// What is left: the figures of other programs, and ours that this version does not know.
    pub(crate) fn into_rest(self) -> BTreeMap<String, CustomStatistic> {
        self.0
    }

    /// A count that another program wrote.
    pub(crate) fn foreign_number(&self, name: &str) -> Option<f64> {
        match self.0.get(name) {
            Some(CustomStatistic::Number(value)) => Some(*value),
            _ => None,
        }
    }
}

/// A histogram of finite bounds.
pub(crate) fn buckets(histogram: &Histogram, kind: u64) -> Buckets {
    let bucket = |bucket: &PlainBucket| Bucket {
        low_value: bucket.low,
        high_value: bucket.high,
        sample_count: bucket.count,
    };
    Buckets { num_nan: 0, buckets: histogram.buckets.iter().map(bucket).collect(), r#type: kind }
}

/// A histogram as it stands there; its bounds may be infinite.
pub(crate) fn plain(buckets: &Buckets) -> Histogram {
    let bucket = |bucket: &Bucket| PlainBucket {
        low: bucket.low_value,
        high: bucket.high_value,
        count: bucket.sample_count,
    };
    Histogram { buckets: buckets.buckets.iter().map(bucket).collect(), max_error: 0.0 }
}

/// Counts by label, one rank each.
pub(crate) fn ranks(counts: Vec<(String, f64)>) -> Ranks {
    let buckets = (0_u64..).zip(counts).map(|(rank, (label, sample_count))| Rank {
        low_rank: rank,
        high_rank: rank,
        label,
        sample_count,
    });
    Ranks { buckets: buckets.collect() }
}

pub(crate) fn counts(ranks: Ranks) -> Vec<(String, f64)> {
    ranks.buckets.into_iter().map(|rank| (rank.label, rank.sample_count)).collect()
}
