//! The accumulator of one scan: analyzers with the values that they read.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use sluice_core::accumulator::{Accumulator, Heaviest, Input};
use sluice_core::batch::{Batch, Delivered, Inputs, RowIdentity};
use sluice_core::error::Result;
use sluice_core::group::GroupMap;
use sluice_core::spill::Scratch;

use super::ValueId;
use super::analyzer::{Analyze, Analyzer, Rows};
use super::builder::Blueprint;
use crate::graph::Program;
use crate::value::Value;

/// Less than this is not put on disk, unless nothing may be kept.
const LEAST_RUN_BYTES: usize = 1 << 16;

/// An analyzer of a step, before the names of its values are looked up.
pub(super) struct Gathering {
    pub(super) step: usize,
    pub(super) values: Vec<ValueId>,
    /// The `impute` whose fill the analyzer is told afterwards.
    pub(super) filled_by: Option<usize>,
    analyzer: Analyzer,
}

impl Gathering {
    pub(super) fn new(
        step: usize,
        values: Vec<ValueId>,
        filled_by: Option<usize>,
        analyzer: Analyzer,
    ) -> Self {
        Self { step, values, filled_by, analyzer }
    }

    pub(super) fn into_entry(mut self, blueprint: &Blueprint) -> Entry {
        let first = self.values.first().and_then(|value| blueprint.values[*value].kind.column());
        self.analyzer.prepare(first);
        let is_source = matches!(self.values[..], [value] if blueprint.values[value].step.is_none());
        let names = |of: fn(&super::builder::ValueInfo) -> &String| {
            self.values.iter().map(|value| of(&blueprint.values[*value]).clone()).collect()
        };
        Entry {
            counted: is_source && self.analyzer.takes_counted(),
            values: names(|info| &info.id),
            names: names(|info| &info.name),
            analyzer: Some(self.analyzer),
        }
    }
}

/// An analyzer with the values that it reads.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Entry {
    /// Whether it reads one source column, which may come counted or apart.
    pub(super) counted: bool,
    values: Vec<String>,
    names: Vec<String>,
    /// Taken out when the scan is over.
    pub(super) analyzer: Option<Analyzer>,
}

/// What one scan of the training rows gathers for a transform. An accumulator, so that it can share the scan with
/// others.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Analysis {
    #[serde(with = "as_text")]
    program: Program,
    entries: Vec<Entry>,
    /// What identifies a row, where an analyzer or a value depends on its fold.
    identity: Option<RowIdentity>,
}

/// A program in a state, in the words of `transform.json`: the kinds of columns have forms that only formats with names
/// can tell apart.
mod as_text {
    use serde::de::Error as _;
    use serde::ser::Error as _;
    use serde::{Deserialize as _, Deserializer, Serializer};

    use crate::graph::Program;

    pub(super) fn serialize<S: Serializer>(program: &Program, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&serde_json::to_string(program).map_err(S::Error::custom)?)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Program, D::Error> {
        serde_json::from_str(&String::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

impl Analysis {
    pub(super) fn new(program: Program, entries: Vec<Entry>, identity: &RowIdentity) -> Self {
        let analyzers = || entries.iter().filter_map(|entry| entry.analyzer.as_ref());
        let needs_identity = program.leaves_out_folds() || analyzers().any(Analyze::needs_identity);
        let identity = needs_identity.then(|| identity.clone());
        Self { program, entries, identity }
    }

    pub(super) fn into_entries(self) -> Vec<Entry> {
        self.entries
    }

    /// The columns that analyzers read row by row.
    fn computed(&self) -> impl Iterator<Item = &Entry> {
        self.entries.iter().filter(|entry| !entry.counted)
    }

    /// Hands a column that comes by itself to the analyzers that take it so.
    fn alone(&mut self, column: &str, add: impl Fn(&mut Analyzer, &str) -> Result<()>) -> Result<()> {
        for entry in self.entries.iter_mut().filter(|entry| entry.counted && entry.values[0] == column) {
            if let Some(analyzer) = &mut entry.analyzer {
                add(analyzer, &entry.names[0])?;
            }
        }
        Ok(())
    }

    fn update_rows(&mut self, batch: &Batch) -> Result<()> {
        for entry in self.entries.iter_mut().filter(|entry| entry.counted) {
            let Some(analyzer) = &mut entry.analyzer else { continue };
            match batch.delivered(&entry.values[0]) {
                Delivered::Rows(values) => {
                    let value = Value::Column(Arc::clone(values));
                    let (names, values) = (vec![entry.names[0].as_str()], vec![&value]);
                    analyzer.rows(&Rows { names, values, hashes: None })?;
                }
                Delivered::Apart => {}
                Delivered::Absent => analyzer.absent(batch.rows() as u64),
            }
        }
        if self.computed().next().is_none() {
            return Ok(());
        }
        let hashes = self.identity.as_ref().and_then(|_| batch.row_hashes());
        // These are the training rows: what comes of them must not know their own labels.
        let values = self.program.values(batch, hashes)?;
        for entry in self.entries.iter_mut().filter(|entry| !entry.counted) {
            let Some(analyzer) = &mut entry.analyzer else { continue };
            let read = entry.values.iter().map(|id| values.get(id)).collect::<Result<Vec<_>>>()?;
            let names = entry.names.iter().map(String::as_str).collect();
            analyzer.rows(&Rows { names, values: read, hashes })?;
        }
        Ok(())
    }
}

impl Accumulator for Analysis {
    type Output = ();

    fn inputs(&self) -> Inputs {
        let mut inputs = Inputs::default();
        for entry in self.entries.iter().filter(|entry| entry.counted) {
            inputs = inputs.with_counted(&entry.values[0]);
        }
        let reads = self.computed().flat_map(|entry| &entry.values).map(String::as_str);
        let inputs = self.program.sources_of(reads).into_iter().fold(inputs, Inputs::with_column);
        match &self.identity {
            Some(identity) => inputs.with_identity(identity),
            None => inputs,
        }
    }

    fn empty(&self) -> Self {
        let entries = self.entries.iter();
        let entries = entries
            .map(|entry| Entry { analyzer: entry.analyzer.as_ref().map(Analyze::empty), ..entry.clone() });
        Self { program: self.program.clone(), entries: entries.collect(), identity: self.identity.clone() }
    }

    fn update(&mut self, input: Input<'_>) -> Result<()> {
        match input {
            Input::Rows(batch) => self.update_rows(batch),
            Input::Counted(counted) => self.alone(&counted.column, |analyzer, _| analyzer.counted(counted)),
            Input::Apart(rows) => {
                let value = Value::Column(Arc::clone(&rows.values));
                self.alone(rows.column, |analyzer, name| {
                    analyzer.rows(&Rows { names: vec![name], values: vec![&value], hashes: None })
                })
            }
        }
    }

    fn merge(&mut self, later: Self, _: &GroupMap) -> Result<()> {
        for (mine, later) in self.entries.iter_mut().zip(later.entries) {
            if let (Some(mine), Some(later)) = (&mut mine.analyzer, later.analyzer) {
                mine.merge(later)?;
            }
        }
        Ok(())
    }

    fn finish(self) {}

    fn size_bytes(&self) -> usize {
        let size =
            |entry: &Entry| size_of::<Entry>() + entry.analyzer.as_ref().map_or(0, Analyze::size_bytes);
        self.entries.iter().map(size).sum()
    }

    fn heaviest(&self) -> Option<Heaviest> {
        let entries = self.entries.iter().map(|entry| {
            let what = format!("what the transform learns of `{}`", entry.names.join("`, `"));
            let bytes = entry.analyzer.as_ref().map_or(0, Analyze::size_bytes);
            Some(Heaviest { what, bytes, advice: Some("leave it out of the transform".into()) })
        });
        entries.fold(None, Heaviest::of)
    }

    fn shed(&mut self, share: usize, scratch: &Scratch) -> Result<()> {
        let analyzers = || self.entries.iter().filter_map(|entry| entry.analyzer.as_ref());
        let tables = analyzers().filter(|analyzer| analyzer.sheddable_bytes() > 0).count();
        // Small tables stay: many small runs cost more than they save.
        let least = std::cmp::max(share / 2 / std::cmp::max(tables, 1), LEAST_RUN_BYTES.min(share));
        let mut analyzers = self.entries.iter_mut().filter_map(|entry| entry.analyzer.as_mut());
        analyzers.try_for_each(|analyzer| analyzer.shed(least, scratch))
    }
}
