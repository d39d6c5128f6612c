//! Paths as TFDV serialises them: steps joined by dots, quoted where a step could be read as something else.

/// The path of a column that stands at the top.
pub(crate) fn serialized_path(step: &str) -> String {
    if is_plain(step) {
        return step.to_owned();
    }
    format!("'{}'", step.replace('\'', "''"))
}

/// The path of a field of a struct, by its steps.
pub(crate) fn serialized_steps(steps: &[String]) -> String {
    steps.iter().map(|step| serialized_path(step)).collect::<Vec<_>>().join(".")
}

/// Without dot, quote and parenthesis, or one group in parentheses without inner ones.
fn is_plain(step: &str) -> bool {
    if let Some(inner) = step.strip_prefix('(').and_then(|rest| rest.strip_suffix(')')) {
        return !inner.contains(['(', ')']);
    }
    !step.contains(['.', '\'', '(', ')'])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_could_be_misread_is_quoted() {
        for (step, path) in [
            ("fare", "fare"),
            ("trip miles", "trip miles"),
            ("a.b", "'a.b'"),
            ("it's", "'it''s'"),
            ("(a.b)", "(a.b)"),
            ("((a))", "'((a))'"),
            ("a(b)", "'a(b)'"),
            ("", ""),
        ] {
            assert_eq!(serialized_path(step), path);
        }
        assert_eq!(serialized_steps(&["trips".into(), "a.b".into()]), "trips.'a.b'");
    }
}
