//! Schema: read from a file, or inferred from the training rows.

use std::collections::BTreeMap;
use std::path::Path;

use sluice_core::artifact::{Artifact, Draft};
use sluice_core::error::{CommonError, Result};
use sluice_core::schema::{Domain, FeatureType};
use sluice_core::statistics::DatasetStatistics;
use sluice_quality::schema::{InferOptions, SchemaFile, infer_schema_file, read_schema_file, write_schema};
use sluice_source::CsvType;

use crate::step::made_from;

/// The artifact's kind.
pub const SCHEMA_KIND: &str = "schema";
/// The version of its format.
pub const SCHEMA_VERSION: u32 = 1;
/// The file that TFDV reads too.
pub const SCHEMA_FILE: &str = "schema.pbtxt";

/// Infers a schema from the statistics of one subset, as it is inferred where nothing else is asked for.
#[must_use]
pub fn infer(statistics: &DatasetStatistics) -> SchemaFile {
    infer_schema_file(statistics, &InferOptions::default())
}

/// Reads a schema from a file (protobuf text; binary where it is named `.pb` or `.binpb`), or from a schema artifact.
///
/// # Errors
/// Unavailable when it cannot be read; malformed, with line, column and field, when it is no schema.
pub fn read(path: &Path) -> Result<SchemaFile> {
    let inside = path.join(SCHEMA_FILE);
    let path = if path.is_dir() {
        Artifact::open(path, SCHEMA_KIND, SCHEMA_VERSION)?;
        inside.as_path()
    } else {
        path
    };
    let bytes = fs_err::read(path).map_err(CommonError::on("read", path))?;
    Ok(read_schema_file(&bytes, &path.display().to_string())?)
}

/// The types that a schema gives the columns of text files: `INT` is an integer, `FLOAT` a float, `BYTES` text. A
/// feature without a type, or of a boolean domain, which text files spell in several ways, is left to be inferred.
#[must_use]
pub fn column_types(schema: &SchemaFile) -> BTreeMap<String, CsvType> {
    let features = schema.schema().features.iter();
    features
        .filter(|feature| !matches!(feature.domain, Some(Domain::Boolean { .. })))
        .filter_map(|feature| {
            let column_type = match feature.feature_type? {
                FeatureType::Int => CsvType::Integer,
                FeatureType::Float => CsvType::Float,
                FeatureType::Bytes => CsvType::Text,
                FeatureType::Struct => return None,
            };
            Some((feature.name.clone(), column_type))
        })
        .collect()
}

/// Opens a schema artifact.
///
/// # Errors
/// `ArtifactError`; malformed when it holds no schema.
pub fn open(folder: &Path) -> Result<(SchemaFile, Artifact)> {
    let artifact = Artifact::open(folder, SCHEMA_KIND, SCHEMA_VERSION)?;
    Ok((read(folder)?, artifact))
}

/// Writes the artifact; `origin` says where the schema came from: `inferred-from` or `file`, and its digest.
///
/// # Errors
/// What writing meets.
pub fn publish(schema: &SchemaFile, origin: (&str, &str), target: &Path) -> Result<Artifact> {
    let mut draft = Draft::new(target)?;
    draft.write_bytes(SCHEMA_FILE, write_schema(schema).as_bytes())?;
    draft.publish(SCHEMA_KIND, SCHEMA_VERSION, made_from([origin]))
}
