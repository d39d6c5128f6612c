//! `schema.pbtxt`, as TFDV reads and writes it, and the same in binary form. Comments are not kept, as nowhere in
//! protobuf text.

use std::collections::BTreeSet;

use prost_reflect::DynamicMessage;
use prost_reflect::prost::Message;
use sluice_core::schema::Schema;

use super::{codec, unchecked};
use crate::error::QualityError;
use crate::protobuf::{self, Fields};

/// A schema with everything its file says, also what [`Schema`] has no word for.
#[derive(Clone, Debug, PartialEq)]
pub struct SchemaFile {
    message: DynamicMessage,
    schema: Schema,
}

impl SchemaFile {
    /// What stages work with.
    #[must_use]
    pub fn schema(&self) -> &Schema {
        &self.schema
    }

    /// Puts another schema in place. What did not change stays as the file had it, and so does what [`Schema`] has no
    /// word for: annotations, tensor representations, fields of newer versions.
    pub fn replace(&mut self, schema: Schema) {
        codec::patch(&mut self.message, &self.schema, &schema);
        self.schema = schema;
    }

    /// Rules of the file that validation does not look at: what this version does not check, and fields of newer
    /// versions of the format. What only describes (annotations, tensor representations) is none.
    #[must_use]
    pub fn unchecked_rules(&self) -> Vec<String> {
        let mut rules = unchecked::rules(&self.message);
        rules.extend(self.unknown_fields());
        rules
    }

    /// Fields that this version has no definition of, each with its place. Those read from text are kept and written
    /// again; those from binary form are kept in binary form.
    #[must_use]
    pub fn unknown_fields(&self) -> Vec<String> {
        unchecked::unknown(&self.message)
    }

    /// Everything the file says.
    pub(crate) fn message(&self) -> &DynamicMessage {
        &self.message
    }

    /// The same, to be changed where [`Schema`] says the same before and after.
    pub(super) fn message_mut(&mut self) -> &mut DynamicMessage {
        &mut self.message
    }

    /// Puts a message and what it says in place.
    pub(super) fn adopt(&mut self, message: DynamicMessage, schema: Schema) {
        *self = Self { message, schema };
    }

    /// The names of all lists of strings at the top of the file, used or not.
    pub(super) fn list_names(&self) -> BTreeSet<String> {
        self.message.messages("string_domain").iter().filter_map(|list| list.text("name")).collect()
    }
}

impl From<Schema> for SchemaFile {
    fn from(schema: Schema) -> Self {
        Self { message: codec::encode(&schema, &BTreeSet::new()), schema }
    }
}

/// Reads a schema; `file_name` is for the messages of errors. A field that the format does not have, but whose name
/// is nearly one that it has, is an error; other such fields are taken for those of a newer version and kept word
/// for word ([`SchemaFile::unknown_fields`]).
///
/// # Errors
/// A [`QualityError`] that names file, line and column where the text is not a schema, or file and name where it
/// refers to what is not there.
///
/// # Examples
/// ```
/// use sluice_quality::schema::{read_schema, write_schema};
///
/// let text = "feature {\n  name: \"fare\"\n  type: FLOAT\n  drift_comparator {\n  }\n}\n";
/// let file = read_schema(text, "schema.pbtxt")?;
/// assert_eq!(file.schema().features[0].name, "fare");
/// assert_eq!(write_schema(&file), text);
/// # Ok::<(), sluice_quality::QualityError>(())
/// ```
pub fn read_schema(text: &str, file_name: &str) -> Result<SchemaFile, QualityError> {
    let message = protobuf::read_keeping_unknown(protobuf::descriptor("Schema"), text, file_name)?;
    let schema = codec::decode(&message, file_name)?;
    Ok(SchemaFile { message, schema })
}

/// Reads the content of a file: protobuf's binary form where its name ends with `.pb` or `.binpb`, else text.
///
/// # Errors
/// As [`read_schema`]; [`QualityError::Empty`], since an empty file is more often an accident than a schema without
/// rules; [`QualityError::BinaryMalformed`]; [`QualityError::NotText`].
pub fn read_schema_file(bytes: &[u8], file_name: &str) -> Result<SchemaFile, QualityError> {
    if bytes.trim_ascii().is_empty() {
        return Err(QualityError::Empty { file: file_name.into() });
    }
    if is_binary(file_name) {
        let message = DynamicMessage::decode(protobuf::descriptor("Schema"), bytes)
            .map_err(|source| QualityError::BinaryMalformed { file: file_name.into(), source })?;
        let schema = codec::decode(&message, file_name)?;
        return Ok(SchemaFile { message, schema });
    }
    let text = std::str::from_utf8(bytes).map_err(|error| QualityError::NotText {
        file: file_name.into(),
        line: 1 + bytes[..error.valid_up_to()].iter().filter(|byte| **byte == b'\n').count(),
        source: error,
    })?;
    read_schema(text, file_name)
}

/// Whether a file of this name holds protobuf's binary form.
#[must_use]
pub fn is_binary(file_name: &str) -> bool {
    file_name.ends_with(".pb") || file_name.ends_with(".binpb")
}

/// The text of a schema, laid out as protobuf's Python printer does it.
#[must_use]
pub fn write_schema(file: &SchemaFile) -> String {
    protobuf::print(&file.message)
}

/// The content of a file of this name: binary form where [`is_binary`], else text.
#[must_use]
pub fn write_schema_file(file: &SchemaFile, file_name: &str) -> Vec<u8> {
    if is_binary(file_name) { file.message.encode_to_vec() } else { write_schema(file).into_bytes() }
}

#[cfg(test)]
mod tests {
    use sluice_core::Diagnostic;
    use sluice_core::schema::{Domain, Feature, FeatureType, Lifecycle, Shape};
    use sluice_testkit::datasets::external;

    use super::*;

    /// The lines without comments.
    fn bare(text: &str) -> String {
        text.lines().filter(|line| !line.starts_with('#')).map(|line| format!("{line}\n")).collect()
    }

    #[test]
    fn files_of_tfdv_come_back_as_they_were() {
        for (name, num_features) in [
            ("taxi/taxi_inferred_schema.pbtxt", 18),
            ("taxi/taxi_user_schema.pbtxt", 18),
            ("penguins/penguin_schema.pbtxt", 5),
        ] {
            let Some(path) = external(name) else { continue };
            let text = std::fs::read_to_string(path).unwrap();
            let file = read_schema(&text, name).unwrap();
            assert_eq!(file.schema().features.len(), num_features);
            assert_eq!(write_schema(&file), bare(&text), "{name}");
        }
    }

    #[test]
    fn what_the_plain_type_holds_comes_back() {
        let mut features: Vec<Feature> = [
            Domain::Int { min: Some(-1), max: Some(i64::MAX), is_categorical: false },
            Domain::Float {
                min: Some(0.1),
                max: None,
                disallow_nan: true,
                disallow_inf: false,
                is_categorical: false,
            },
            Domain::Strings {
                name: "list".into(),
                values: vec!["a".into(), "\"ü\"\n".into()],
                is_categorical: None,
            },
            Domain::Strings { name: "list".into(), values: vec!["other".into()], is_categorical: None },
            Domain::Boolean { true_value: Some("yes".into()), false_value: None },
        ]
        .into_iter()
        .enumerate()
        .map(|(index, domain)| Feature { domain: Some(domain), ..Feature::new(format!("column {index}")) })
        .collect();
        features[0].feature_type = Some(FeatureType::Int);
        features[1].presence.min_fraction = Some(0.25);
        features[2].shape = Shape::scalar();
        features[3].min_domain_mass = 0.9;
        features[4].lifecycle = Lifecycle::Deprecated;
        let schema = Schema { features, min_rows: Some(3), ..Schema::default() };
        let text = write_schema(&schema.clone().into());
        assert_eq!(*read_schema(&text, "schema.pbtxt").unwrap().schema(), schema, "{text}");
        assert_eq!(write_schema(&Schema::default().into()), "");
    }

    #[test]
    fn stages_decide_what_is_validated() {
        for (line, is_live) in [
            ("", true),
            ("deprecated: true", false),
            ("lifecycle_stage: BETA", true),
            ("lifecycle_stage: ALPHA", false),
            ("lifecycle_stage: DISABLED", false),
            ("lifecycle_stage: VALIDATION_DERIVED", true),
        ] {
            let file = read_schema(&format!("feature {{ name: 'a' {line} }}"), "s").unwrap();
            assert_eq!(file.schema().features[0].is_live(), is_live, "{line}");
        }
    }

    #[test]
    fn everything_that_validation_needs_is_read_and_written() {
        let text = "default_environment: 'TRAINING'
            feature { name: 'a' type: INT domain: 'hour' in_environment: 'X' not_in_environment: 'SERVING'
              unique_constraints { min: 1 max: 9 } value_counts { value_count { min: 1 } value_count { max: 3 } }
              drift_comparator { infinity_norm { threshold: 0.1 }
                jensen_shannon_divergence { threshold: 0.2 source { type: QUANTILES } } }
              skew_comparator { normalized_abs_difference { threshold: 0.3 } } }
            feature { name: 's' type: STRUCT value_count { min: 1 max: 1 }
              struct_domain { feature { name: 'x' type: BYTES
                string_domain { value: 'p' is_categorical: CATEGORICAL_YES } } } }
            feature { name: 't' type: INT time_domain { integer_format: UNIX_SECONDS } }
            feature { name: 'u' type: BYTES url_domain { } }
            int_domain { name: 'hour' min: 0 max: 23 }
            sparse_feature { name: 'sp' index_feature { name: 'i' } value_feature { name: 'v' } }
            weighted_feature { name: 'w' feature { step: 'a' } weight_feature { step: 's' step: 'x' }
              lifecycle_stage: DEPRECATED }
            dataset_constraints { max_examples_count: 9
              num_examples_drift_comparator { min_fraction_threshold: 0.5 } }";
        let read = read_schema(text, "s").unwrap();
        let schema = read.schema();
        assert_eq!(
            schema.features[0].domain,
            Some(Domain::Int { min: Some(0), max: Some(23), is_categorical: false })
        );
        let drift = schema.features[0].drift.unwrap();
        assert!(drift.on_quantiles && drift.infinity_norm == Some(0.1));
        assert_eq!(schema.features[0].skew.unwrap().normalized_absolute_difference, Some(0.3));
        assert_eq!(schema.features[2].domain, Some(Domain::Time { format: "UNIX_SECONDS".into() }));
        assert_eq!(schema.features[3].domain, Some(Domain::Semantic("url_domain".into())));
        assert_eq!(schema.features[1].fields[0].name, "x");
        assert_eq!(schema.weighted_features[0].weight_path, ["s", "x"]);
        assert_eq!(schema.rows_drift.unwrap().min_fraction, Some(0.5));
        assert_eq!((schema.default_environments.len(), schema.max_rows), (1, Some(9)));
        let plain = SchemaFile::from(schema.clone());
        assert_eq!(
            *read_schema(&write_schema(&plain), "again").unwrap().schema(),
            *schema,
            "{}",
            write_schema(&plain)
        );
    }

    #[test]
    fn a_change_leaves_everything_else_as_the_file_had_it() {
        let text = "feature {\n  name: \"a\"\n  type: INT\n  int_domain {\n    name: \"range\"\n    max: 9\n  }\n  annotation {\n    tag: \"kept\"\n  }\n  \
                    group_presence {\n    required: true\n  }\n}\nfeature {\n  name: \"b\"\n  deprecated: true\n  \
                    string_domain {\n    name: \"own\"\n    value: \"x\"\n  }\n}\nstring_domain {\n  name: \"idle\"\n}\n";
        let mut file = read_schema(text, "s").unwrap();
        assert_eq!(write_schema(&file), text);
        let mut schema = file.schema().clone();
        schema.features[0].domain = Some(Domain::Int { min: None, max: Some(10), is_categorical: false });
        schema.features[1].lifecycle = Lifecycle::Unknown;
        if let Some(Domain::Strings { values, .. }) = &mut schema.features[1].domain {
            values.push("y".into());
        }
        file.replace(schema.clone());
        let wanted = text.replace("max: 9", "max: 10").replace("  deprecated: true\n", "");
        assert_eq!(write_schema(&file), wanted.replace("\"x\"\n", "\"x\"\n    value: \"y\"\n"));
        schema.features.remove(0);
        file.replace(schema.clone());
        assert_eq!(*read_schema(&write_schema(&file), "again").unwrap().schema(), schema);
    }

    #[test]
    fn binary_form_says_the_same_and_keeps_what_is_unknown() {
        let file = read_schema("feature { name: 'a' type: INT novel_rule: 3 }", "s").unwrap();
        let mut bytes = write_schema_file(&file, "schema.pb");
        assert_eq!(read_schema_file(&bytes, "schema.pb").unwrap(), file);
        assert_eq!(file.unknown_fields(), ["feature `a`: novel_rule"]);
        // Field 999, a varint.
        bytes.extend_from_slice(&[0xb8, 0x3e, 0x01]);
        let newer = read_schema_file(&bytes, "schema.pb").unwrap();
        assert_eq!(newer.unchecked_rules(), ["field number 999", "feature `a`: novel_rule"]);
        assert_eq!(write_schema_file(&newer, "schema.pb").len(), bytes.len());
        assert!(matches!(read_schema_file(b" \n", "schema.pbtxt"), Err(QualityError::Empty { .. })));
    }

    #[test]
    fn names_must_be_there_once() {
        let message = |text: &str| read_schema(text, "s").unwrap_err().to_string();
        assert_eq!(message("feature { type: INT }"), "`s`: feature 1 has no name");
        assert_eq!(
            message("feature { name: 'a' } feature { name: 'a' }"),
            "`s`: feature `a` is described twice"
        );
        let error = read_schema("feature { name: 'a' domain: 'coler' } string_domain { name: 'color' }", "s");
        assert_eq!(error.unwrap_err().hint().unwrap(), "did you mean `color`?");
    }
}
