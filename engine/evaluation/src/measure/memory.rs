//! What takes the most memory of what is gathered, and what can be done about it.

use sluice_core::accumulator::Heaviest;
use sluice_core::seam::Task;

use super::Measures;

/// The part that takes the most; none where nothing grows with rows, slices or replicates.
pub(super) fn heaviest(measures: &Measures) -> Option<Heaviest> {
    let rows = measures.rows.as_ref().map(|rows| Heaviest {
        what: "the rows that metrics of order keep".into(),
        bytes: rows.size_bytes(),
        advice: Some(match measures.plan.task {
            Task::Binary { .. } => {
                "take `order_statistics: histogram`, or leave metrics of order such as `auc` out".into()
            }
            _ => "leave metrics of order such as `spearman` out".into(),
        }),
    });
    let replicates = measures.plan.replicates.as_ref().map(|plan| Heaviest {
        what: format!(
            "what {} replicates hold of {} slices",
            plan.resampling.replicates(),
            measures.slices()
        ),
        bytes: measures.sums.iter().map(|sums| sums.replicates.size_bytes()).sum(),
        advice: Some("ask for fewer replicates, fewer slices or `--intervals analytic`".into()),
    });
    let bins = (!measures.plan.score_bins.is_empty()).then(|| Heaviest {
        what: format!("{} ranges of scores of {} slices", measures.plan.score_bins.bins(), measures.slices()),
        bytes: measures.sums.iter().map(|sums| sums.score_bins.size_bytes()).sum(),
        advice: Some("ask for fewer `bins` in `order_statistics`, or fewer slices".into()),
    });
    let heaviest = rows.into_iter().chain(bins).chain(replicates).max_by_key(|part| part.bytes);
    heaviest.filter(|part| part.bytes > 0)
}
