//! What components of TFX leave beside each other in a pipeline, so that one of them at a time can be replaced: folders of
//! statistics and anomalies per split, and the marker of a blessing.

use std::path::Path;

use sluice_core::artifact::{Artifact, Draft};
use sluice_core::error::{CommonError, Diagnostic, ErrorKind, Result};
use sluice_ingest::SPLIT_PREFIX;
use sluice_quality::schema::SchemaFile;
use sluice_quality::tfdv::write_statistics;
use sluice_quality::validation::encode_anomalies;

use crate::step::statistics::StatisticsRecord;
use crate::step::validate::ValidationRecord;
use crate::step::{file_names, made_from};

/// The version of all these layouts.
const VERSION: u32 = 1;
/// What TFX calls the statistics of a split.
pub(super) const STATISTICS_FILE: &str = "FeatureStats.pb";
/// What TFX calls the anomalies of a split.
const ANOMALIES_FILE: &str = "SchemaDiff.pb";

/// The markers of TFX, of its Evaluator and of its `InfraValidator`, and whether they bless.
const MARKERS: [(&str, bool); 4] =
    [("BLESSED", true), ("NOT_BLESSED", false), ("INFRA_BLESSED", true), ("INFRA_NOT_BLESSED", false)];

/// What is wrong with a blessing.
#[derive(Debug, thiserror::Error)]
pub enum BlessingError {
    /// The folder holds no marker.
    #[error("`{folder}` holds no blessing: neither `BLESSED` nor `NOT_BLESSED`")]
    Absent {
        /// The folder.
        folder: String,
    },
    /// It holds one that blesses and one that does not.
    #[error("`{folder}` holds both `{yes}` and `{no}`")]
    Both {
        /// The folder.
        folder: String,
        /// The marker that blesses.
        yes: &'static str,
        /// The one that does not.
        no: &'static str,
    },
}

impl Diagnostic for BlessingError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Absent { .. } => ErrorKind::Usage,
            Self::Both { .. } => ErrorKind::Malformed,
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Absent { .. } => {
                "name the folder of a ModelBlessing or InfraBlessing; an Evaluator without thresholds leaves none".into()
            }
            Self::Both { .. } => "let the component that judges the model run again".into(),
        })
    }
}

/// Writes `Split-NAME/FeatureStats.pb` for each subset, as `StatisticsGen` does; `data` is the digest of the data.
///
/// # Errors
/// What writing meets.
pub fn write_split_statistics(record: &StatisticsRecord, data: &str, target: &Path) -> Result<Artifact> {
    let mut draft = Draft::new(target)?;
    for subset in &record.subsets {
        let name = format!("{SPLIT_PREFIX}{}/{STATISTICS_FILE}", file_names::of_subset(&subset.name));
        draft.write_bytes(&name, &write_statistics(std::slice::from_ref(subset)))?;
    }
    draft.publish("tfx-statistics", VERSION, made_from([("data", data)]))
}

/// Writes `Split-NAME/SchemaDiff.pb` for each subset, as `ExampleValidator` does; `schema_digest` is that of the schema.
///
/// # Errors
/// What writing meets.
pub fn write_split_anomalies(
    record: &ValidationRecord,
    (schema, schema_digest): (&SchemaFile, &str),
    target: &Path,
) -> Result<Artifact> {
    let mut draft = Draft::new(target)?;
    for report in &record.subsets {
        let name = format!("{SPLIT_PREFIX}{}/{ANOMALIES_FILE}", file_names::of_subset(&report.subset));
        draft.write_bytes(&name, &encode_anomalies(report, schema))?;
    }
    draft.publish("tfx-anomalies", VERSION, made_from([("schema", schema_digest)]))
}

/// Writes the marker that Evaluator leaves, an empty file `BLESSED` or `NOT_BLESSED`; `model` is the digest of the model.
///
/// # Errors
/// What writing meets.
pub fn write_blessing(is_blessed: bool, model: &str, target: &Path) -> Result<Artifact> {
    let mut draft = Draft::new(target)?;
    draft.write_bytes(if is_blessed { "BLESSED" } else { "NOT_BLESSED" }, &[])?;
    draft.publish("tfx-blessing", VERSION, made_from([("model", model)]))
}

/// Whether the marker in a folder blesses.
///
/// # Errors
/// [`BlessingError`]; unavailable where the folder is not there.
pub fn read_blessing(folder: &Path) -> Result<bool> {
    let shown = || folder.display().to_string();
    fs_err::metadata(folder).map_err(CommonError::on("read", folder))?;
    let found = |wanted: bool| {
        MARKERS.iter().find(|(name, blesses)| *blesses == wanted && folder.join(name).is_file())
    };
    match (found(true), found(false)) {
        (Some((yes, _)), Some((no, _))) => Err(BlessingError::Both { folder: shown(), yes, no }.into()),
        (None, None) => Err(BlessingError::Absent { folder: shown() }.into()),
        (yes, _) => Ok(yes.is_some()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blessings_are_written_and_read() {
        let place = tempfile::tempdir().unwrap();
        let folder = place.path().join("blessing");
        for is_blessed in [true, false, true] {
            write_blessing(is_blessed, "0123", &folder).unwrap();
            assert_eq!(read_blessing(&folder).unwrap(), is_blessed);
        }
        fs_err::write(folder.join("INFRA_NOT_BLESSED"), "").unwrap();
        let error = read_blessing(&folder).unwrap_err();
        assert!(error.to_string().ends_with("holds both `BLESSED` and `INFRA_NOT_BLESSED`"), "{error}");
        let error = read_blessing(place.path()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Usage);
        assert_eq!(read_blessing(&place.path().join("absent")).unwrap_err().kind(), ErrorKind::Unavailable);
    }

    #[test]
    fn a_folder_that_tfx_made_is_filled() {
        let place = tempfile::tempdir().unwrap();
        write_blessing(true, "0123", place.path()).unwrap();
        assert!(fs_err::read(place.path().join("BLESSED")).unwrap().is_empty());
        let other = tempfile::tempdir().unwrap();
        fs_err::write(other.path().join("notes.txt"), "mine").unwrap();
        assert!(write_blessing(true, "0123", other.path()).is_err());
    }
}
