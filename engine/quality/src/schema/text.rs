//! `schema.pbtxt`, as TFDV reads and writes it. Comments are not kept, as nowhere in protobuf text.

use prost_reflect::DynamicMessage;
use sluice_core::schema::Schema;

use super::{codec, unchecked};
use crate::error::QualityError;
use crate::protobuf;

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

    /// Rules of the file that validation does not look at yet, such as a drift comparator; what
    /// only describes (annotations, tensor representations) is none.
    #[must_use]
    pub fn unchecked_rules(&self) -> Vec<String> {
        unchecked::rules(&self.message)
    }

    /// Everything the file says.
    pub(crate) fn message(&self) -> &DynamicMessage {
        &self.message
    }
}

impl From<Schema> for SchemaFile {
    fn from(schema: Schema) -> Self {
        Self { message: codec::encode(&schema), schema }
    }
}

/// Reads a schema; `file_name` is for the messages of errors.
///
/// # Errors
/// A [`QualityError`] that names file and line where the text is not a schema, or file and name where it refers
/// to what is not there.
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
    let message = protobuf::read(protobuf::descriptor("Schema"), text, file_name)?;
    let schema = codec::decode(&message, file_name)?;
    Ok(SchemaFile { message, schema })
}

/// The text of a schema, laid out as protobuf's Python printer does it.
#[must_use]
pub fn write_schema(file: &SchemaFile) -> String {
    protobuf::print(&file.message)
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
