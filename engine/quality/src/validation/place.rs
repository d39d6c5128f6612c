//! Where a finding is: a column, or a field of a struct, by its steps.

use super::code::FindingCode;
use super::finding::{Finding, Words};
use crate::protobuf::escape;
use crate::schema::serialized_path;

/// A column or a field of a struct.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    steps: Vec<String>,
    name: String,
}

impl Place {
    /// A column or field by its steps. A column has its own name, a field its steps as TFDV joins them.
    pub(crate) fn new(steps: Vec<String>) -> Self {
        let name = match steps.as_slice() {
            [only] => only.clone(),
            several => several.iter().map(|step| serialized_path(step)).collect::<Vec<_>>().join("."),
        };
        Self { steps, name }
    }

    /// What lies below it.
    pub(crate) fn below(parent: &[String], step: &str) -> Self {
        Self::new(parent.iter().cloned().chain([step.to_owned()]).collect())
    }

    pub(crate) fn steps(&self) -> &[String] {
        &self.steps
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// A change of it in the schema, on one line.
    pub(crate) fn change(&self, body: &str) -> String {
        let mut text = body.to_owned();
        for (depth, step) in self.steps.iter().enumerate().rev() {
            text = format!("feature {{ name: \"{}\" {text} }}", escape(step));
            if depth > 0 {
                text = format!("struct_domain {{ {text} }}");
            }
        }
        text
    }

    /// An error that concerns it.
    pub(crate) fn finding(&self, code: FindingCode, words: Words) -> Finding {
        let path = if self.steps.len() > 1 { self.steps.clone() } else { Vec::new() };
        Finding { path, ..Finding::column(code, &self.name, words) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_changed_within_their_structs() {
        let place = Place::new(vec!["trip".into(), "a.b".into()]);
        assert_eq!(place.name(), "trip.'a.b'");
        assert_eq!(
            place.change("type: INT"),
            "feature { name: \"trip\" struct_domain { feature { name: \"a.b\" type: INT } } }"
        );
        assert_eq!(Place::new(vec!["a.b".into()]).name(), "a.b");
    }
}
