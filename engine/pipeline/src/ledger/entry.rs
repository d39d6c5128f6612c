//! What is written to a ledger: a run, its steps, their artifacts.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::Value;
use sluice_core::artifact::{MANIFEST_FILE, Manifest, hex_digest};

use super::kinds::{ArtifactKind, ExecutionState};
use crate::run::StepName;

/// Named values.
pub type Properties = BTreeMap<String, Value>;

/// Milliseconds since 1970-01-01 UTC.
pub(crate) fn milliseconds(moment: SystemTime) -> i64 {
    let since = moment.duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// A run.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct RunEntry {
    /// The pipeline.
    pub(crate) pipeline: String,
    /// Its number in the folder of runs.
    pub(crate) number: u64,
    /// Its number in the world, a UUID.
    pub(crate) uuid: String,
    /// When it began, in milliseconds.
    pub(crate) started: i64,
    /// Who, where, with what.
    pub(crate) properties: Properties,
}

impl RunEntry {
    /// Its name: unique among the runs of a ledger.
    pub(crate) fn name(&self) -> String {
        format!("{}.{:04}", self.pipeline, self.number)
    }
}

/// A step of a run, as far as it is known.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct StepEntry {
    /// Which.
    pub(crate) step: StepName,
    /// How it stands.
    pub(crate) state: ExecutionState,
    /// When it began, in milliseconds.
    pub(crate) started: i64,
    /// When this was so.
    pub(crate) at: i64,
    /// Its options.
    pub(crate) parameters: Properties,
    /// What is known of how it went.
    pub(crate) properties: Properties,
    /// What it reads.
    pub(crate) inputs: Vec<Port>,
    /// What it has made.
    pub(crate) outputs: Vec<Port>,
}

/// An artifact under the name by which a step knows it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Port {
    /// The name.
    pub(crate) channel: String,
    /// The artifact.
    pub(crate) artifact: ArtifactEntry,
}

/// An artifact.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ArtifactEntry {
    /// What it is.
    pub(crate) kind: ArtifactKind,
    /// What tells it from others of its kind.
    pub(crate) name: String,
    /// Of its content.
    pub(crate) digest: String,
    /// Where it is.
    pub(crate) uri: String,
    /// What is known of it.
    pub(crate) properties: Properties,
}

impl ArtifactEntry {
    /// An artifact that its content tells from others: the same wherever it lies.
    pub(crate) fn of_content(kind: ArtifactKind, digest: &str, uri: String, properties: Properties) -> Self {
        Self { kind, name: digest.into(), digest: digest.into(), uri, properties }
    }

    /// An artifact that its place tells from others with the same content.
    pub(crate) fn of_place(kind: ArtifactKind, digest: &str, uri: String, properties: Properties) -> Self {
        let name = hex_digest(format!("{uri}\n{digest}").as_bytes());
        Self { kind, name, digest: digest.into(), uri, properties }
    }

    /// The artifact in a folder, as its manifest tells; nothing where there is none.
    pub(crate) fn of_folder(kind: ArtifactKind, folder: &Path, mut properties: Properties) -> Option<Self> {
        let bytes = fs_err::read(folder.join(MANIFEST_FILE)).ok()?;
        let manifest: Manifest = serde_json::from_slice(&bytes).ok()?;
        let size: u64 = manifest.files.values().map(|file| file.size_bytes).sum();
        properties.insert("size_bytes".into(), size.into());
        properties.insert("format_version".into(), manifest.format_version.into());
        Some(Self::of_content(kind, &hex_digest(&bytes), uri_of(folder), properties))
    }

    /// Under the name that its kind has.
    pub(crate) fn in_channel(self) -> Port {
        Port { channel: self.kind.channel().into(), artifact: self }
    }
}

/// A path as a ledger has it: absolute, so that it means something elsewhere too.
pub(crate) fn uri_of(path: &Path) -> String {
    let absolute = fs_err::canonicalize(path).or_else(|_| std::path::absolute(path));
    absolute.unwrap_or_else(|_| path.to_owned()).display().to_string()
}

/// Nothing deeper than this is taken apart.
const MAX_DEPTH: usize = 6;

/// The leaves of options by dotted name; what says nothing (null, empty lists and sections) is left out.
pub(crate) fn flattened(options: &Value) -> Properties {
    let mut flat = Properties::new();
    flatten("", options, 0, &mut flat);
    flat
}

fn flatten(name: &str, value: &Value, depth: usize, flat: &mut Properties) {
    match value {
        Value::Null => {}
        Value::Array(items) if items.is_empty() => {}
        Value::Object(fields) if depth < MAX_DEPTH => {
            for (key, value) in fields {
                let name = if name.is_empty() { key.clone() } else { format!("{name}.{key}") };
                flatten(&name, value, depth + 1, flat);
            }
        }
        _ => {
            let name = if name.is_empty() { "value" } else { name };
            flat.insert(name.into(), value.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn options_are_flat_and_say_what_is_said() {
        let flat = flattened(
            &json!({"ridge": {"alpha": 0.4, "folds": null, "list": [1, 2]}, "onnx": "off", "none": {}, "empty": []}),
        );
        let names: Vec<&str> = flat.keys().map(String::as_str).collect();
        assert_eq!(names, ["onnx", "ridge.alpha", "ridge.list"]);
        assert_eq!(flat["ridge.alpha"], json!(0.4));
    }

    #[test]
    fn the_same_content_in_two_places_is_one_artifact_unless_its_place_tells() {
        let of = |make: fn(ArtifactKind, &str, String, Properties) -> ArtifactEntry, uri: &str| {
            make(ArtifactKind::Model, "abc", uri.to_owned(), Properties::new()).name
        };
        assert_eq!(of(ArtifactEntry::of_content, "a"), of(ArtifactEntry::of_content, "b"));
        assert_ne!(of(ArtifactEntry::of_place, "a"), of(ArtifactEntry::of_place, "b"));
    }
}
