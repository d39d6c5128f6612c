//! JSON Schema of a row: an object whose properties are columns, or an array of such. Drafts 4 to 2020-12, as far as they
//! say the same.
//!
//! References within the file are followed; a choice between null and one other schema is that schema, not required.
//! `required` means that the key is there: where null is not among the types, every row has a value.

use serde_json::{Map, Value};
use sluice_core::schema::{Feature, FeatureType, Schema, ValueCount};

use super::draft::{ColumnDraft, NEW_COLUMNS, ROW_RULE, Remarks};
use super::{Imported, SchemaOrigin};

/// Keywords that say nothing of the data.
const ABOUT: [&str; 13] = [
    "$schema",
    "$id",
    "$comment",
    "$anchor",
    "title",
    "description",
    "default",
    "examples",
    "deprecated",
    "readOnly",
    "writeOnly",
    "$defs",
    "definitions",
];
/// References and arrays within one another, at most.
const MAX_DEPTH: usize = 32;

pub(super) fn import(value: &Value) -> Result<Imported, String> {
    let document = Document { root: value };
    let (mut row, _) = document.resolved(value, 0)?;
    if type_names(row) == ["array"] {
        let items = row.get("items").ok_or("an array whose items are not described")?;
        row = document.resolved(items, 0)?.0;
    }
    let mut remarks = Remarks::default();
    let features = document.properties(row, None, &mut remarks, 0)?;
    let schema = Schema { features, ..Schema::default() };
    Ok(Imported { origin: SchemaOrigin::JsonSchema, schema, remarks: remarks.0 })
}

struct Document<'a> {
    root: &'a Value,
}

impl<'a> Document<'a> {
    /// The schema that a reference or a choice with null leads to, and whether null is allowed.
    fn resolved(&self, value: &'a Value, depth: usize) -> Result<(&'a Value, bool), String> {
        if depth > MAX_DEPTH {
            return Err("references lead in a circle, or too deep".into());
        }
        if let Some(reference) = value.get("$ref").and_then(Value::as_str) {
            let pointer =
                reference.strip_prefix('#').ok_or_else(|| format!("`{reference}` is in another file"))?;
            let found = self.root.pointer(pointer).ok_or_else(|| format!("`{reference}` leads nowhere"))?;
            return self.resolved(found, depth + 1);
        }
        let choices = ["anyOf", "oneOf"].into_iter().find_map(|key| value.get(key)?.as_array());
        if let Some(choices) = choices {
            let is_null = |choice: &&Value| type_names(choice) == ["null"];
            let others: Vec<&Value> = choices.iter().filter(|choice| !is_null(choice)).collect();
            if let [only] = others.as_slice() {
                let (found, may_be_null) = self.resolved(only, depth + 1)?;
                return Ok((found, may_be_null || others.len() < choices.len()));
            }
        }
        if let Some([only]) = value.get("allOf").and_then(Value::as_array).map(Vec::as_slice) {
            return self.resolved(only, depth + 1);
        }
        Ok((value, type_names(value).contains(&"null")))
    }

    /// The properties of an object as features.
    fn properties(
        &self,
        object: &'a Value,
        owner: Option<&str>,
        remarks: &mut Remarks,
        depth: usize,
    ) -> Result<Vec<Feature>, String> {
        let properties = object.get("properties").and_then(Value::as_object);
        let properties = properties.ok_or("it describes no object with `properties`")?;
        let required: Vec<&str> = object
            .get("required")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .collect();
        for (keyword, value) in object.as_object().into_iter().flatten() {
            match keyword.as_str() {
                "properties" | "required" | "type" => {}
                keyword if ABOUT.contains(&keyword) => {}
                "additionalProperties" if value.as_bool() == Some(true) => {}
                "additionalProperties" | "unevaluatedProperties" => {
                    remarks.left_out(owner, keyword, NEW_COLUMNS);
                }
                keyword => remarks.left_out(owner, keyword, ROW_RULE),
            }
        }
        let mut features = Vec::new();
        for (name, value) in properties {
            let shown = owner.map_or_else(|| name.clone(), |owner| format!("{owner}.{name}"));
            let (found, may_be_null) = self.resolved(value, depth)?;
            let mut draft = ColumnDraft::new(&shown);
            draft.must_exist = required.contains(&name.as_str());
            if draft.must_exist && !may_be_null {
                draft.min_fraction = Some(1.0);
            }
            self.describe(&mut draft, found, remarks, depth + 1)?;
            let mut feature = draft.finish(remarks);
            feature.name.clone_from(name);
            features.push(feature);
        }
        Ok(features)
    }

    fn describe(
        &self,
        draft: &mut ColumnDraft,
        value: &'a Value,
        remarks: &mut Remarks,
        depth: usize,
    ) -> Result<(), String> {
        if depth > MAX_DEPTH {
            return Err(format!("`{}` is described too deep", draft.name));
        }
        let types: Vec<&str> = type_names(value).into_iter().filter(|name| *name != "null").collect();
        match types.as_slice() {
            ["integer"] => draft.feature_type = Some(FeatureType::Int),
            ["number"] => draft.feature_type = Some(FeatureType::Float),
            ["string"] => draft.feature_type = Some(FeatureType::Bytes),
            ["boolean"] => {
                draft.feature_type = Some(FeatureType::Int);
                draft.is_boolean = true;
            }
            ["object"] if value.get("properties").is_some() => {
                draft.feature_type = Some(FeatureType::Struct);
                let name = draft.name.clone();
                draft.fields = self.properties(value, Some(&name), remarks, depth)?;
                return Ok(());
            }
            ["array"] => return self.array(draft, value, remarks, depth),
            [] => {}
            several => remarks.left_out(
                Some(&draft.name),
                &format!("type {}", several.join(", ")),
                "a column has one type",
            ),
        }
        keywords(draft, value.as_object(), remarks);
        Ok(())
    }

    fn array(
        &self,
        draft: &mut ColumnDraft,
        value: &'a Value,
        remarks: &mut Remarks,
        depth: usize,
    ) -> Result<(), String> {
        let count = |key: &str| value.get(key).and_then(Value::as_i64);
        let own = ValueCount { min: count("minItems"), max: count("maxItems") };
        draft.list.get_or_insert_default().push(own);
        for keyword in value.as_object().into_iter().flatten().map(|(keyword, _)| keyword.as_str()) {
            if !["type", "items", "minItems", "maxItems"].contains(&keyword) && !ABOUT.contains(&keyword) {
                remarks.left_out(Some(&draft.name), keyword, ROW_RULE);
            }
        }
        match value.get("items") {
            Some(items) => {
                let (found, _) = self.resolved(items, depth)?;
                self.describe(draft, found, remarks, depth + 1)
            }
            None => Ok(()),
        }
    }
}

/// The keywords of values.
fn keywords(draft: &mut ColumnDraft, value: Option<&Map<String, Value>>, remarks: &mut Remarks) {
    let name = draft.name.clone();
    for (keyword, value) in value.into_iter().flatten() {
        let keyword = keyword.as_str();
        match (keyword, value.as_f64()) {
            ("type", _) => {}
            ("minimum", Some(bound)) => draft.at_least(bound, true, keyword),
            ("maximum", Some(bound)) => draft.at_most(bound, true, keyword),
            ("exclusiveMinimum", Some(bound)) => draft.at_least(bound, false, keyword),
            ("exclusiveMaximum", Some(bound)) => draft.at_most(bound, false, keyword),
            ("enum", _) => draft.one_of(value.as_array().map_or(&[], Vec::as_slice), keyword, remarks),
            ("const", _) => draft.one_of(std::slice::from_ref(value), keyword, remarks),
            _ if ABOUT.contains(&keyword) => {}
            _ => remarks.left_out(Some(&name), keyword, ROW_RULE),
        }
    }
}

/// The types that a schema names.
fn type_names(value: &Value) -> Vec<&str> {
    match value.get("type") {
        Some(Value::String(name)) => vec![name.as_str()],
        Some(Value::Array(names)) => names.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    }
}
