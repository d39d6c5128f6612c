//! Results in the XML of `JUnit`, which every CI system shows: suites of cases that passed, failed or were skipped.
//!
//! Any text is safe: what XML 1.0 cannot hold (control characters, unpaired code points) is written as `\u{1}`.

/// Cases that belong together: a subset of the data.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Suite {
    /// Its name.
    pub name: String,
    /// In the order in which they are shown.
    pub cases: Vec<Case>,
}

/// One check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Case {
    /// What was checked: a column.
    pub class: String,
    /// By which rule.
    pub name: String,
    /// How it went.
    pub outcome: Outcome,
}

/// How a check went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// As it should; with a note where there is something to be read.
    Passed(Option<String>),
    /// Not as it should: each with a kind, a sentence and the details.
    Failed(Vec<Failure>),
    /// It could not be decided; why.
    Skipped(String),
}

/// What is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// A stable word.
    pub kind: String,
    /// One sentence.
    pub message: String,
    /// Everything else.
    pub details: String,
}

impl Suite {
    /// Cases, those that failed, those that were skipped.
    fn counts(&self) -> (usize, usize, usize) {
        let of = |is: fn(&Outcome) -> bool| self.cases.iter().filter(|case| is(&case.outcome)).count();
        let failed = of(|outcome| matches!(outcome, Outcome::Failed(_)));
        (self.cases.len(), failed, of(|outcome| matches!(outcome, Outcome::Skipped(_))))
    }
}

/// The document. It holds no time and no host: the same results give the same bytes.
///
/// # Examples
/// ```
/// use sluice_report::junit::{Case, Outcome, Suite, junit};
///
/// let case = Case { class: "fare".into(), name: "type".into(), outcome: Outcome::Passed(None) };
/// let text = junit("validation", &[Suite { name: "train".into(), cases: vec![case] }]);
/// assert!(text.contains("<testcase classname=\"fare\" name=\"type\"/>"));
/// ```
#[must_use]
pub fn junit(name: &str, suites: &[Suite]) -> String {
    let counts = suites.iter().map(Suite::counts);
    let (tests, failures, skipped) =
        counts.fold((0, 0, 0), |all, one| (all.0 + one.0, all.1 + one.1, all.2 + one.2));
    let mut text = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    text.push_str(&format!(
        "<testsuites name=\"{}\" tests=\"{tests}\" failures=\"{failures}\" errors=\"0\" \
         skipped=\"{skipped}\">\n",
        escaped(name)
    ));
    for suite in suites {
        let (tests, failures, skipped) = suite.counts();
        text.push_str(&format!(
            "  <testsuite name=\"{}\" tests=\"{tests}\" failures=\"{failures}\" errors=\"0\" \
             skipped=\"{skipped}\">\n",
            escaped(&suite.name)
        ));
        for case in &suite.cases {
            write_case(&mut text, case);
        }
        text.push_str("  </testsuite>\n");
    }
    text.push_str("</testsuites>\n");
    text
}

fn write_case(text: &mut String, case: &Case) {
    let head =
        format!("    <testcase classname=\"{}\" name=\"{}\"", escaped(&case.class), escaped(&case.name));
    text.push_str(&head);
    match &case.outcome {
        Outcome::Passed(None) => {
            text.push_str("/>\n");
            return;
        }
        Outcome::Passed(Some(note)) => {
            text.push_str(&format!(">\n      <system-out>{}</system-out>\n", escaped(note)));
        }
        Outcome::Failed(failures) => {
            text.push_str(">\n");
            for failure in failures {
                text.push_str(&format!(
                    "      <failure type=\"{}\" message=\"{}\">{}</failure>\n",
                    escaped(&failure.kind),
                    escaped(&failure.message),
                    escaped(&failure.details)
                ));
            }
        }
        Outcome::Skipped(reason) => {
            text.push_str(&format!(">\n      <skipped message=\"{}\"/>\n", escaped(reason)));
        }
    }
    text.push_str("    </testcase>\n");
}

/// The text for an attribute or an element.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&apos;"),
            // Kept through the normalisation of attributes.
            '\n' => escaped.push_str("&#10;"),
            '\r' => escaped.push_str("&#13;"),
            '\t' => escaped.push_str("&#9;"),
            '\u{fffe}' | '\u{ffff}' => escaped.extend(character.escape_unicode()),
            _ if character.is_control() => escaped.extend(character.escape_unicode()),
            _ => escaped.push(character),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    fn case(name: &str, outcome: Outcome) -> Case {
        Case { class: "fare".into(), name: name.into(), outcome }
    }

    #[test]
    fn counts_and_cases_are_written() {
        let failure =
            Failure { kind: "float-too-big".into(), message: "big".into(), details: "9 > 3".into() };
        let suite = Suite {
            name: "eval".into(),
            cases: vec![
                case("type", Outcome::Passed(None)),
                case("float_domain.max", Outcome::Failed(vec![failure.clone(), failure])),
                case("domain", Outcome::Skipped("not known".into())),
                case("feature", Outcome::Passed(Some("a note".into()))),
            ],
        };
        let text = junit("validation", &[suite.clone(), suite]);
        assert!(text.contains(
            "<testsuites name=\"validation\" tests=\"8\" failures=\"2\" errors=\"0\" skipped=\"2\">"
        ));
        assert!(text.contains("<failure type=\"float-too-big\" message=\"big\">9 &gt; 3</failure>"));
        assert!(text.contains("<skipped message=\"not known\"/>"));
        assert!(text.contains("<system-out>a note</system-out>"));
        assert_eq!(text.matches("<testcase").count() - 2, text.matches("</testcase>").count());
    }

    #[test]
    fn any_text_stays_well_formed() {
        let hostile = "</failure>\u{0}\u{1}\u{1b}[31m\u{7f}\u{fffe} \"'&<![CDATA[ ]]> é \u{1f600}\r\n";
        let text = junit(
            hostile,
            &[Suite { name: hostile.into(), cases: vec![case(hostile, Outcome::Passed(None))] }],
        );
        let is_legal = |c: char| c == '\n' || (!c.is_control() && c != '\u{fffe}' && c != '\u{ffff}');
        assert!(text.chars().all(is_legal), "{text:?}");
        assert!(text.contains("&lt;/failure&gt;\\u{0}\\u{1}\\u{1b}[31m"), "{text}");
        assert_eq!(text.matches('<').count(), text.matches('>').count());
    }
}
