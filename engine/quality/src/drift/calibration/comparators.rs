//! Learned thresholds in the comparators of a schema, where TFDV and `validate` read them.

use sluice_core::schema::{Comparator, Schema};

use super::{Calibration, Measure, Threshold};
use crate::schema::SchemaFile;

/// What became of the thresholds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Comparators {
    /// Thresholds written.
    pub num_written: usize,
    /// What was not, and why.
    pub notes: Vec<String>,
}

/// Writes the thresholds of TFDV's distances into the features' `drift_comparator`s. Everything else of the file stays
/// as it is, other thresholds of the same comparator too.
pub fn write_comparators(file: &mut SchemaFile, calibration: &Calibration) -> Comparators {
    let mut schema: Schema = file.schema().clone();
    let mut done = Comparators::default();
    let is_learned = |one: &&Threshold| one.measure.is_of_tfdv() && one.greatest > 0.0;
    for one in calibration.thresholds.iter().filter(is_learned) {
        let Some(feature) = schema.features.iter_mut().find(|feature| feature.name == one.column) else {
            done.notes.push(format!("the schema has no feature `{}`", one.column));
            continue;
        };
        let comparator = feature.drift.get_or_insert_with(Comparator::default);
        let place = match one.measure {
            Measure::InfinityNorm => &mut comparator.infinity_norm,
            Measure::NormalizedAbsoluteDifference => &mut comparator.normalized_absolute_difference,
            Measure::JensenShannon if comparator.on_quantiles => {
                done.notes.push(format!(
                    "`{}` is compared on quantiles there, which was not measured; its threshold stays",
                    one.column
                ));
                continue;
            }
            _ => &mut comparator.jensen_shannon_divergence,
        };
        // TFDV has no distance above 1.
        *place = Some(one.threshold.min(1.0));
        done.num_written += 1;
    }
    done.notes.dedup();
    file.replace(schema);
    done
}
