//! A lineage as text, and in the languages of programs that draw: Mermaid and Graphviz.

use std::collections::BTreeSet;
use std::time::Duration;

use sluice_report::{count, duration, significant};

use super::lineage::{Lineage, LineageArtifact, LineageExecution};

/// Digits of a digest that are shown.
const DIGITS: usize = 12;
/// Characters of what an execution did.
const WIDTH: usize = 60;

/// What an artifact is called in a lineage.
#[must_use]
pub fn artifact_title(artifact: &LineageArtifact) -> String {
    let summary = &artifact.artifact;
    let mut title = summary.kind.clone();
    let text = |name: &str| summary.properties.get(name).and_then(|value| value.as_str());
    let number = |name: &str| summary.properties.get(name).and_then(serde_json::Value::as_u64);
    if let Some(name) = text("name") {
        title.push_str(&format!(" {name}"));
    }
    match (summary.kind.as_str(), number("pushed_version"), number("blessed")) {
        ("PushedModel", Some(version), _) => title.push_str(&format!(" version {version}")),
        ("ModelBlessing", _, Some(blessed)) => {
            title.push_str(if blessed == 1 { " BLESSED" } else { " NOT_BLESSED" });
        }
        _ => {}
    }
    title
}

/// What is worth knowing of an artifact, in a line.
#[must_use]
pub fn artifact_note(artifact: &LineageArtifact) -> String {
    let summary = &artifact.artifact;
    let mut notes: Vec<String> = Vec::new();
    if let Some(rows) = summary.properties.get("rows").and_then(serde_json::Value::as_u64) {
        notes.push(format!("{} rows", count(rows)));
    }
    let metrics = summary.properties.iter().filter_map(|(name, value)| {
        Some(format!("{} {}", name.strip_prefix("metric.")?, significant(value.as_f64()?)))
    });
    notes.extend(metrics.take(3));
    if let Some(run) = artifact.made_by_run {
        notes.push(format!("made by run {run}"));
    }
    if summary.kind == "ExternalArtifact" || summary.kind == "PushedModel" {
        notes.push(summary.uri.clone());
    } else {
        notes.extend((!summary.digest.is_empty()).then(|| short(&summary.digest)));
    }
    notes.join(", ")
}

/// What an execution did, in a line.
#[must_use]
pub fn execution_note(execution: &LineageExecution) -> String {
    let mut notes: Vec<String> = Vec::new();
    notes.extend(execution.run.map(|run| format!("run {run}")));
    match (execution.state.as_str(), execution.seconds) {
        ("complete", Some(seconds)) => {
            notes.extend(Duration::try_from_secs_f64(seconds).ok().map(duration));
        }
        (state, _) => notes.push(state.to_owned()),
    }
    if !execution.summary.is_empty() {
        notes.push(execution.summary.chars().take(WIDTH).collect());
    }
    notes.join(", ")
}

/// The first digits of a digest.
#[must_use]
pub fn short(digest: &str) -> String {
    digest.chars().take(DIGITS).collect()
}

/// As a tree, from the ends back to the data; what was shown above is not shown again.
#[must_use]
pub fn to_text(lineage: &Lineage) -> String {
    let mut tree = Tree { lineage, shown: BTreeSet::new(), text: String::new() };
    for end in lineage.ends() {
        tree.artifact(end, "", "", "");
    }
    // What has made nothing, because it failed, is an end too.
    for execution in lineage.executions.iter().filter(|it| lineage.of_execution(it.id, true).next().is_none())
    {
        tree.execution(execution, "", "");
    }
    tree.text
}

struct Tree<'a> {
    lineage: &'a Lineage,
    shown: BTreeSet<i64>,
    text: String,
}

impl Tree<'_> {
    fn artifact(&mut self, artifact: &LineageArtifact, channel: &str, first: &str, rest: &str) {
        let id = artifact.artifact.id;
        let maker = self.lineage.maker(id);
        let is_new = self.shown.insert(id);
        let above = if is_new || maker.is_none() { "" } else { " (above)" };
        let title = artifact_title(artifact);
        let role = if channel.is_empty() || is_plain(channel, artifact) {
            String::new()
        } else {
            format!(" as {channel}")
        };
        self.line(&format!("{first}{title}{role}{above}  {}", artifact_note(artifact)));
        if let Some(maker) = maker.filter(|_| is_new) {
            self.execution(maker, &format!("{rest}└─ "), &format!("{rest}   "));
        }
    }

    fn execution(&mut self, execution: &LineageExecution, first: &str, rest: &str) {
        // Executions are kept apart from artifacts by the sign of their numbers.
        let seen = !self.shown.insert(-execution.id);
        let above = if seen { " (above)" } else { "" };
        self.line(&format!("{first}{}{above}  {}", execution.step, execution_note(execution)));
        if seen {
            return;
        }
        let lineage = self.lineage;
        let inputs: Vec<_> = lineage.of_execution(execution.id, false).collect();
        for (index, (edge, input)) in inputs.iter().enumerate() {
            let (branch, trunk) =
                if index + 1 == inputs.len() { ("└─ ", "   ") } else { ("├─ ", "│  ") };
            self.artifact(input, &edge.channel, &format!("{rest}{branch}"), &format!("{rest}{trunk}"));
        }
    }

    fn line(&mut self, line: &str) {
        let shown =
            line.chars().flat_map(|c| if c.is_control() { c.escape_default().collect() } else { vec![c] });
        self.text.extend(shown);
        self.text.truncate(self.text.trim_end().len());
        self.text.push('\n');
    }
}

/// Whether a channel says no more than the type does.
fn is_plain(channel: &str, artifact: &LineageArtifact) -> bool {
    let kind = &artifact.artifact.kind;
    let known = super::kinds::ArtifactKind::ALL.into_iter().find(|known| known.name() == *kind);
    let is_name = artifact.artifact.properties.get("name").is_some_and(|name| name == channel);
    is_name || known.is_some_and(|known| known.channel() == channel)
}

/// As a flow chart of Mermaid, which Markdown on many forges draws.
#[must_use]
pub fn to_mermaid(lineage: &Lineage) -> String {
    // In a quoted label the characters that end it, or begin markup, are written as entities.
    let quoted = |text: &str| -> String {
        text.chars()
            .map(|c| match c {
                '"' | '#' | '<' | '>' | '&' | '`' | '\\' => format!("#{};", u32::from(c)),
                c if c.is_control() => " ".to_owned(),
                c => c.to_string(),
            })
            .collect()
    };
    let mut text = String::from("flowchart LR\n");
    for artifact in &lineage.artifacts {
        let (title, note) = (quoted(&artifact_title(artifact)), quoted(&artifact_note(artifact)));
        text.push_str(&format!("  a{}([\"{title}<br/>{note}\"])\n", artifact.artifact.id));
    }
    for execution in &lineage.executions {
        let (step, note) = (quoted(&execution.step), quoted(&execution_note(execution)));
        text.push_str(&format!("  e{}[\"{step}<br/>{note}\"]\n", execution.id));
    }
    for edge in &lineage.edges {
        let (artifact, execution, channel) = (edge.artifact, edge.execution, quoted(&edge.channel));
        text.push_str(&if edge.is_output {
            format!("  e{execution} --> a{artifact}\n")
        } else {
            format!("  a{artifact} -- \"{channel}\" --> e{execution}\n")
        });
    }
    text
}

/// In the language of Graphviz, for `dot`.
#[must_use]
pub fn to_graphviz(lineage: &Lineage) -> String {
    let quoted = |text: &str| -> String {
        text.chars()
            .map(|c| match c {
                '"' | '\\' => format!("\\{c}"),
                c if c.is_control() => " ".to_owned(),
                c => c.to_string(),
            })
            .collect()
    };
    let mut text = String::from("digraph lineage {\n  rankdir = LR;\n  node [fontname = \"sans-serif\"];\n");
    for artifact in &lineage.artifacts {
        let (title, note) = (quoted(&artifact_title(artifact)), quoted(&artifact_note(artifact)));
        let id = artifact.artifact.id;
        text.push_str(&format!("  a{id} [shape = ellipse, label = \"{title}\\n{note}\"];\n"));
    }
    for execution in &lineage.executions {
        let (step, note) = (quoted(&execution.step), quoted(&execution_note(execution)));
        text.push_str(&format!("  e{} [shape = box, label = \"{step}\\n{note}\"];\n", execution.id));
    }
    for edge in &lineage.edges {
        let (artifact, execution, channel) = (edge.artifact, edge.execution, quoted(&edge.channel));
        text.push_str(&if edge.is_output {
            format!("  e{execution} -> a{artifact};\n")
        } else {
            format!("  a{artifact} -> e{execution} [label = \"{channel}\"];\n")
        });
    }
    text.push_str("}\n");
    text
}
