//! Ingest: named inputs, their spans and a query over them → subsets → Parquet.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use sluice_core::error::Result;
use sluice_core::execution::Execution;
use sluice_core::plan::PlannedColumn;
use sluice_core::role::Lineage;
use sluice_core::seam::BatchSource;
use sluice_ingest::{
    Dataset, DatasetFormat, FoundSpan, IngestOptions, NamedSource, Query, QueryError, SpanSelection,
    select_spans,
};
use sluice_source::{FileSource, SourceOptions, SpanLocation};

use crate::spec::PipelineFile;
use crate::step::{self, EVAL, TRAIN};

/// What is read.
#[derive(Clone, Debug)]
pub struct InputOptions {
    /// Where each input is, by its name.
    pub inputs: BTreeMap<String, String>,
    /// The folder that relative locations start from.
    pub base: PathBuf,
    /// How files are read.
    pub source: SourceOptions,
    /// A schema that gives the columns of CSV files their types.
    pub schema: Option<PathBuf>,
    /// SQL over the inputs.
    pub query: Option<String>,
    /// The spans that are read; the latest without.
    pub spans: Option<SpanSelection>,
}

/// Inputs that were opened, ready to be ingested.
#[derive(Debug)]
pub struct Inputs {
    sources: Vec<NamedSource>,
    query: Option<Query>,
}

/// An input that was opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenedInput {
    /// Its name.
    pub name: String,
    /// Where it is, as the options say.
    pub location: String,
    /// The digest of its plan.
    pub digest: String,
    /// Its rows.
    pub rows: u64,
    /// Its files.
    pub files: usize,
    /// Their length.
    pub size_bytes: u64,
}

impl InputOptions {
    /// How files are read, with the types that the schema gives.
    fn source(&self) -> Result<SourceOptions> {
        let mut source = self.source.clone();
        if let Some(schema) = &self.schema {
            source.schema_types = step::schema::column_types(&step::schema::read(schema)?);
        }
        Ok(source)
    }
}

/// Parses the query and sees that its answer has an order; several inputs need one.
///
/// # Errors
/// [`QueryError`].
pub fn check_query(options: &InputOptions, key: &[String]) -> Result<Option<Query>> {
    let names: Vec<String> = options.inputs.keys().cloned().collect();
    match &options.query {
        Some(text) => {
            let query = Query::parse(text, &names)?;
            query.check_key(key)?;
            Ok(Some(query))
        }
        None if names.len() > 1 => Err(QueryError::NoQuery { count: names.len() }.into()),
        None => Ok(None),
    }
}

/// The columns that steps after ingest meet, as far as the headers of the inputs tell.
#[derive(Clone, Debug, Default)]
pub struct Outline {
    /// Their names, in order.
    pub names: Vec<String>,
    /// What they are made from.
    pub lineage: Lineage,
    /// The same columns with their kinds, where no cell has to be looked at to tell them.
    pub columns: Option<Vec<PlannedColumn>>,
}

/// What the headers of the inputs alone tell of the columns; `None` where only the data tell their names.
///
/// # Errors
/// What opening headers meets, and a query that does not fit the kinds of its columns.
pub fn outline(options: &InputOptions, key: &[String]) -> Result<Option<Outline>> {
    let query = check_query(options, key)?;
    let source = options.source()?;
    let spans = select_spans(&options.inputs, &options.base, options.spans.as_ref())?;
    let mut headers: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut kinds: Option<BTreeMap<String, Vec<PlannedColumn>>> = Some(BTreeMap::new());
    for (name, location) in &options.inputs {
        if query.as_ref().is_some_and(|query| !query.reads(name)) {
            continue;
        }
        let location = match spans.get(name).and_then(|spans| spans.last()) {
            Some(span) => &span.location,
            None => location,
        };
        let header = sluice_source::header(location, &options.base, &source)?;
        headers.insert(name.clone(), header.names);
        kinds = kinds.zip(header.columns).map(|(mut kinds, columns)| {
            kinds.insert(name.clone(), columns);
            kinds
        });
    }
    Ok(match query {
        Some(query) => match query.outline(&headers) {
            Some((names, lineage)) => {
                let columns = kinds.map(|kinds| query.columns(&kinds)).transpose()?.flatten();
                Some(Outline { names, lineage, columns })
            }
            None => None,
        },
        None => {
            let names: Vec<String> = headers.values().flatten().cloned().collect();
            let lineage = headers.iter().flat_map(|(name, columns)| {
                columns.iter().map(move |column| (column.clone(), Some([format!("{name}.{column}")].into())))
            });
            let columns = kinds.map(|kinds| kinds.into_values().flatten().collect());
            Some(Outline { names, lineage: lineage.collect(), columns })
        }
    })
}

impl Inputs {
    /// Opens the inputs that are read.
    ///
    /// # Errors
    /// [`QueryError`], [`sluice_ingest::SpanError`], and what opening meets.
    pub fn open(options: &InputOptions, key: &[String], execution: &Execution) -> Result<Self> {
        let query = check_query(options, key)?;
        let how = options.source()?;
        let spans = select_spans(&options.inputs, &options.base, options.spans.as_ref())?;
        let mut sources = Vec::new();
        for (name, location) in &options.inputs {
            if query.as_ref().is_some_and(|query| !query.reads(name)) {
                continue;
            }
            let source = match spans.get(name) {
                None => sluice_source::open(location, &options.base, &how, execution)?,
                Some(spans) => {
                    let spans: Vec<SpanLocation> = spans.iter().map(location_of).collect();
                    sluice_source::open_spans(location, &spans, &options.base, &how, execution)?
                }
            };
            sources.push(NamedSource { name: name.clone(), source });
        }
        Ok(Self { sources, query })
    }

    /// The digest of each input's plan, by its name.
    #[must_use]
    pub fn digests(&self) -> Vec<(&str, &str)> {
        self.sources.iter().map(|input| (input.name.as_str(), input.source.plan().digest.as_str())).collect()
    }

    /// What was opened where these options say.
    #[must_use]
    pub fn opened(&self, options: &InputOptions) -> Vec<OpenedInput> {
        let opened = |input: &NamedSource| {
            let plan = input.source.plan();
            OpenedInput {
                name: input.name.clone(),
                location: options.inputs.get(&input.name).cloned().unwrap_or_default(),
                digest: plan.digest.clone(),
                rows: plan.rows(),
                files: plan.files.len(),
                size_bytes: plan.files.iter().map(|file| file.size_bytes).sum(),
            }
        };
        self.sources.iter().map(opened).collect()
    }

    /// Rows of all inputs.
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.sources.iter().map(|input| input.source.plan().rows()).sum()
    }

    /// Reads the inputs and writes their subsets to `target`.
    ///
    /// # Errors
    /// What reading, the query, sharing out and writing meet.
    pub fn ingest(self, options: &IngestOptions, target: &Path, execution: &Execution) -> Result<Dataset> {
        let several = self.sources.len() > 1;
        let mut all_notes = Vec::new();
        for input in &self.sources {
            let of = if several { format!("`{}`: ", input.name) } else { String::new() };
            all_notes.extend(notes(&input.source).into_iter().map(|note| format!("{of}{note}")));
        }
        match self.query {
            Some(query) => {
                sluice_ingest::ingest_query(query, self.sources, all_notes, options, target, execution)
            }
            None => match self.sources.first() {
                Some(input) => sluice_ingest::ingest(&input.source, all_notes, options, target, execution),
                None => Err(QueryError::NoQuery { count: 0 }.into()),
            },
        }
    }
}

fn location_of(span: &FoundSpan) -> SpanLocation {
    SpanLocation { span: span.span, version: span.version, location: span.location.clone() }
}

/// What the reader inferred that may surprise.
#[must_use]
pub fn notes(source: &FileSource) -> Vec<String> {
    source
        .inference()
        .iter()
        .filter_map(|column| Some(format!("`{}`: {}", column.column, column.note.as_ref()?)))
        .collect()
}

/// The options of a pipeline file.
#[must_use]
pub fn options(file: &PipelineFile) -> IngestOptions {
    IngestOptions {
        subsets: file.spec.data.subsets.clone(),
        key: file.spec.data.roles.key.clone(),
        required: vec![TRAIN.into(), EVAL.into()],
        time: file.spec.data.roles.time.clone(),
        format: DatasetFormat::default(),
    }
}
