//! `sluice runs lineage`: from a model back to its data, as text, as a drawing, as a page.

use std::path::Path;

use clap::{Args, ValueEnum};
use sluice_core::Result;
use sluice_core::artifact::{Artifact, MANIFEST_FILE};
use sluice_pipeline::ledger::{
    Ledger, LedgerError, Lineage, artifact_note, artifact_title, execution_note, to_graphviz, to_mermaid,
    to_text,
};
use sluice_report::html::{LineageEdge, LineageNode, LineagePage, lineage_page};

use super::PlaceArgument;
use super::places::{ledger_of, ledgers};
use crate::session::Session;

/// How a lineage is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum LineageFormat {
    /// A tree.
    Text,
    /// A flow chart of Mermaid.
    Mermaid,
    /// A graph for `dot`.
    Graphviz,
    /// A page that needs no network.
    Html,
    /// Artifacts, executions and the edges between them.
    Json,
}

#[derive(Debug, Args)]
pub(crate) struct LineageArguments {
    /// A run (its number, PIPELINE.NUMBER, or `latest`), an artifact's folder, or the first six digits or more of its
    /// digest.
    #[arg(value_name = "RUN|ARTIFACT", default_value = "latest")]
    of: String,
    /// How it is written to stdout.
    #[arg(long, value_enum, default_value = "text")]
    format: LineageFormat,
    #[command(flatten)]
    place: PlaceArgument,
}

pub(super) fn run(arguments: &LineageArguments, session: &Session) -> Result<()> {
    let lineage = lineage(arguments)?;
    let printer =
        if arguments.format == LineageFormat::Json { session.printer.as_json() } else { session.printer };
    printer.result(&lineage, || match arguments.format {
        LineageFormat::Mermaid => to_mermaid(&lineage),
        LineageFormat::Graphviz => to_graphviz(&lineage),
        LineageFormat::Html => lineage_page(&lineage.of, &page(&lineage)),
        LineageFormat::Text | LineageFormat::Json if lineage.artifacts.is_empty() => {
            format!("`{}` has neither read nor made anything\n", lineage.of)
        }
        LineageFormat::Text | LineageFormat::Json => to_text(&lineage),
    });
    Ok(())
}

/// A name of digits may be that of a run or the beginning of a digest; runs come first.
fn lineage(arguments: &LineageArguments) -> Result<Lineage> {
    let (of, out) = (arguments.of.as_str(), arguments.place.out.as_slice());
    if Path::new(of).join(MANIFEST_FILE).is_file() {
        let digest = Artifact::open_any(of)?.digest().to_owned();
        return of_artifact(out, &digest);
    }
    match ledger_of(out, of).and_then(|ledger| ledger.lineage_of_run(of)) {
        Err(error) if Ledger::may_be_digest(of) && matches!(error.kind(), sluice_core::ErrorKind::Usage) => {
            of_artifact(out, of)
        }
        outcome => outcome,
    }
}

/// Of the first ledger that knows the artifact.
fn of_artifact(out: &[std::path::PathBuf], digest: &str) -> Result<Lineage> {
    let mut last = None;
    for folder in ledgers(out)? {
        match Ledger::open(&folder)?.lineage_of_artifact(digest) {
            Err(error) if matches!(error.downcast_ref(), Some(LedgerError::NoSuchArtifact { .. })) => {
                last = Some(error);
            }
            outcome => return outcome,
        }
    }
    let path = "sluice-runs".to_owned();
    Err(last.unwrap_or_else(|| LedgerError::NoSuchArtifact { digest: digest.into(), path }.into()))
}

fn page(lineage: &Lineage) -> LineagePage {
    let mut nodes = Vec::new();
    for artifact in &lineage.artifacts {
        let summary = &artifact.artifact;
        let mut details = vec![
            ("type".to_owned(), summary.kind.clone()),
            ("where".to_owned(), summary.uri.clone()),
            ("digest".to_owned(), summary.digest.clone()),
        ];
        details.extend(summary.properties.iter().map(|(name, value)| (name.clone(), value_text(value))));
        let (title, note) = (artifact_title(artifact), artifact_note(artifact));
        nodes.push(LineageNode { is_step: false, title, note, details });
    }
    for execution in &lineage.executions {
        let details = vec![
            ("state".to_owned(), execution.state.clone()),
            ("what it did".to_owned(), execution.summary.clone()),
        ];
        let (title, note) = (execution.step.clone(), execution_note(execution));
        nodes.push(LineageNode { is_step: true, title, note, details });
    }
    let artifact = |id: i64| lineage.artifacts.iter().position(|artifact| artifact.artifact.id == id);
    let execution = |id: i64| {
        let place = lineage.executions.iter().position(|execution| execution.id == id)?;
        Some(lineage.artifacts.len() + place)
    };
    let edges = lineage.edges.iter().filter_map(|edge| {
        let (artifact, execution) = (artifact(edge.artifact)?, execution(edge.execution)?);
        let (from, to) = if edge.is_output { (execution, artifact) } else { (artifact, execution) };
        Some(LineageEdge { from, to, label: edge.channel.clone(), is_aside: edge.is_aside() })
    });
    let figures = vec![
        ("of".to_owned(), lineage.of.clone()),
        ("artifacts".to_owned(), lineage.artifacts.len().to_string()),
        ("steps".to_owned(), lineage.executions.len().to_string()),
    ];
    LineagePage { figures, edges: edges.collect(), nodes }
}

fn value_text(value: &serde_json::Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
