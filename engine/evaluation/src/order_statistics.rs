//! Where figures of order come from: the rows themselves, or a histogram of their scores.

use serde::de::value::MapAccessDeserializer;
use serde::de::{Error, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use sluice_core::options::{OptionsError, Range, quoted};

use crate::gate::{Figures, SliceFigures, figure};
use crate::metric::{Formula, Metric, Statistic};

/// How figures that follow from the order of rows, such as `auc`, are found: `exact`, `histogram` or
/// `{histogram: {bins: 1000}}`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum OrderStatistics {
    /// From all rows, put in order.
    #[default]
    Exact,
    /// From ranges of scores of equal width: constant in memory and in states, with bounds beside each value.
    Histogram(HistogramOptions),
}

/// Options of the histogram.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct HistogramOptions {
    /// How many ranges of equal width there are between the probabilities 0 and 1.
    pub bins: u64,
}

impl Default for HistogramOptions {
    fn default() -> Self {
        Self { bins: 1000 }
    }
}

impl OrderStatistics {
    /// The numbers of ranges that are allowed.
    pub const BINS: Range = Range::closed(2.0, 65_536.0);

    /// Whether rows are put in order.
    #[must_use]
    pub fn is_exact(&self) -> bool {
        *self == Self::Exact
    }

    /// How many ranges there are; none where figures are exact.
    ///
    /// # Errors
    /// [`OptionsError::OutOfRange`] for a number of ranges.
    pub fn check(&self) -> Result<Option<usize>, OptionsError> {
        let Self::Histogram(HistogramOptions { bins }) = self else { return Ok(None) };
        Self::BINS.check("order_statistics.histogram.bins", *bins as f64)?;
        Ok(Some(usize::try_from(*bins).unwrap_or(usize::MAX)))
    }

    /// What is to be said of the values of all rows that come from ranges; nothing of exact ones.
    pub(crate) fn told(&self, overall: Option<&SliceFigures>) -> Option<String> {
        let Self::Histogram(HistogramOptions { bins }) = self else { return None };
        let of = |figures: &Figures| {
            let [low, high] = figures.bounds?;
            Some(format!("`{}` lies between {} and {}", figures.metric.name, figure(low), figure(high)))
        };
        let bounds: Vec<String> = overall.iter().flat_map(|slice| &slice.figures).filter_map(of).collect();
        let of_all =
            if bounds.is_empty() { String::new() } else { format!("; of all rows {}", bounds.join(", ")) };
        Some(format!("metrics of order come from a histogram of scores in {bins} ranges{of_all}"))
    }

    /// That the metrics that are named can be had so.
    pub(crate) fn check_metrics<'a>(
        &self,
        metrics: impl Iterator<Item = &'a Metric>,
    ) -> Result<(), OptionsError> {
        if self.is_exact() {
            return Ok(());
        }
        let of_rows = metrics.filter(|metric| match &metric.formula {
            Formula::Ranked(statistic) => !statistic.is_of_scores(),
            _ => false,
        });
        let names: Vec<&str> = of_rows.map(|metric| metric.name.as_str()).collect();
        if names.is_empty() {
            return Ok(());
        }
        Err(OptionsError::Conflict {
            name: "order_statistics".into(),
            problem: format!(
                "is `histogram`, from which {} cannot be had: it is of numbers, not of probabilities",
                quoted(names)
            ),
            hint: Some("leave it out, or take `order_statistics: exact`".into()),
        })
    }

    /// That there is anything to be had so.
    pub(crate) fn check_use<'a>(
        &self,
        mut metrics: impl Iterator<Item = &'a Metric>,
    ) -> Result<(), OptionsError> {
        if self.is_exact() || metrics.any(|metric| matches!(metric.formula, Formula::Ranked(_))) {
            return Ok(());
        }
        Err(OptionsError::Conflict {
            name: "order_statistics".into(),
            problem: "is `histogram`, but no metric follows from the order of scores".into(),
            hint: Some("leave it out, or ask for a metric such as `auc`, of a model of two classes".into()),
        })
    }
}

impl Statistic {
    /// Whether it follows from the scores of two classes, so that ranges of scores bound it.
    fn is_of_scores(self) -> bool {
        match self {
            Self::Auc | Self::Gini | Self::Steps(_) => true,
            Self::ErrorQuantile(_) | Self::Spearman => false,
        }
    }
}

impl<'de> Deserialize<'de> for OrderStatistics {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(OrderVisitor)
    }
}

struct OrderVisitor;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Sections {
    histogram: HistogramOptions,
}

impl<'de> Visitor<'de> for OrderVisitor {
    type Value = OrderStatistics;

    fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("exact, histogram or {histogram: {bins: N}}")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<OrderStatistics, E> {
        match text {
            "exact" => Ok(OrderStatistics::Exact),
            "histogram" => Ok(OrderStatistics::Histogram(HistogramOptions::default())),
            _ => Err(E::unknown_variant(text, &["exact", "histogram"])),
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<OrderStatistics, A::Error> {
        let Sections { histogram } = Sections::deserialize(MapAccessDeserializer::new(map))?;
        Ok(OrderStatistics::Histogram(histogram))
    }
}

#[cfg(test)]
mod tests {
    use sluice_core::seam::Task;

    use super::*;
    use crate::options::EvaluateOptions;

    #[test]
    fn it_is_read_in_each_form_and_written_back() {
        let read = |text: &str| serde_json::from_str::<OrderStatistics>(text);
        let histogram = |bins| OrderStatistics::Histogram(HistogramOptions { bins });
        assert_eq!(read(r#""exact""#).unwrap(), OrderStatistics::Exact);
        assert_eq!(read(r#""histogram""#).unwrap(), histogram(1000));
        assert_eq!(read(r#"{"histogram": {"bins": 64}}"#).unwrap(), histogram(64));
        for wrong in [r#""histograms""#, r#"{"histogram": {"bin": 64}}"#, r#"{"exact": {}}"#, "7"] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
        let written = serde_json::to_string(&histogram(64)).unwrap();
        assert_eq!(read(&written).unwrap(), histogram(64));
        assert_eq!(serde_json::to_string(&OrderStatistics::Exact).unwrap(), r#""exact""#);
        for bins in [0, 1, 65_537] {
            let error = histogram(bins).check().unwrap_err().to_string();
            assert!(error.contains("order_statistics.histogram.bins"), "{error}");
        }
    }

    #[test]
    fn what_a_histogram_cannot_tell_is_refused_by_name() {
        let order_statistics = OrderStatistics::Histogram(HistogramOptions::default());
        let options = |metrics: &[&str]| EvaluateOptions {
            metrics: metrics.iter().map(|name| (*name).into()).collect(),
            order_statistics,
            ..EvaluateOptions::default()
        };
        let error = options(&["rmse", "spearman"]).check().unwrap_err().to_string();
        assert!(error.contains("`spearman` cannot be had"), "{error}");
        let task = Task::Binary { positive: None };
        assert!(options(&["auc", "ks"]).check().unwrap().for_task(&task).is_ok());
        assert!(options(&[]).check().unwrap().for_task(&task).is_ok());
        for (metrics, task) in [(&["log_loss"][..], task), (&[], Task::Regression)] {
            let error = options(metrics).check().unwrap().for_task(&task).unwrap_err().to_string();
            assert!(error.contains("no metric follows from the order of scores"), "{error}");
        }
    }
}
