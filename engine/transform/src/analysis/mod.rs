//! Fitting: what the operations must know of the training rows, gathered in one scan.
//!
//! Operations on one column depend on one another (standardize after impute), but their constants follow from
//! summaries of the raw column: filling n missing cells with v adds (v, n) to the moments. So one scan is
//! enough for any chain. One-hot levels are the keys of a grouping by the column.

use std::collections::BTreeMap;

use arrow::array::{Array, ArrayRef};
use serde::{Deserialize, Serialize};

use sluice_core::accumulator::{Accumulator, Input};
use sluice_core::batch::Inputs;
use sluice_core::column::{Column, ColumnKind};
use sluice_core::error::Result;
use sluice_core::execution::Execution;
use sluice_core::features::{FeatureKind, FeatureSpace, FeatureSpec};
use sluice_core::fold::{State, fold};
use sluice_core::group::{GroupMap, GroupTables, Grouping, KeyPart};
use sluice_core::options::quoted;
use sluice_core::plan::PlannedColumn;
use sluice_core::role::{Lineage, Role, Roles};
use sluice_core::seam::{BatchSource, CountedColumn};
use sluice_core::statistics::Presence;
use sluice_summaries::{
    ColumnSummary, Frequencies, Moments, OfColumn, Quantiles, finite_counted, finite_rows,
};

use crate::error::TransformError;
use crate::graph::{Node, Transform};
use crate::operation::impute::Fill;
use crate::operation::one_hot::Levels;
use crate::operation::standardize::Standardize;
use crate::spec::{Constant, ImputeWith, Operation, TransformSpec};

/// The operations on one column, in order.
struct Chain<'a> {
    column: PlannedColumn,
    operations: Vec<&'a Operation>,
}

/// Fits a transform on the rows of `source` (the training rows, nothing else) in one scan.
///
/// # Errors
/// [`TransformError`] when an operation does not fit its column, and what reading meets.
pub fn fit(
    spec: &TransformSpec,
    source: &dyn BatchSource,
    roles: &Roles,
    execution: &Execution,
) -> Result<Transform> {
    let columns = &source.plan().columns;
    let analysis = Analysis::new(spec, columns, roles)?;
    execution.progress.begin("transform", source.plan().extent());
    let state = fold(source, &analysis, execution)?;
    execution.progress.end();
    finish(spec, columns, roles, state)
}

/// The transform that a folded state of [`Analysis`], made for the same columns and roles, answers.
///
/// # Errors
/// [`TransformError`] when the rows leave an operation nothing to learn from, or too many levels.
pub fn finish(
    spec: &TransformSpec,
    columns: &[PlannedColumn],
    roles: &Roles,
    state: State<Analysis>,
) -> Result<Transform> {
    let chains = chains(spec, columns, roles)?;
    let mut nodes = Vec::new();
    let mut space = FeatureSpace::default();
    for (chain, analyzed) in chains.iter().zip(state.accumulator.columns) {
        let mut fitted = fit_chain(chain, analyzed.summary, &state.groups)?;
        nodes.append(&mut fitted.0);
        space.features.push(FeatureSpec {
            name: chain.column.name.clone(),
            kind: fitted.1,
            sources: vec![chain.column.name.clone()],
        });
    }
    Ok(Transform::new(chains.into_iter().map(|chain| chain.column).collect(), nodes, space))
}

fn role_name(role: Role) -> &'static str {
    match role {
        Role::Feature => "feature",
        Role::Label => "label",
        Role::Weight => "weight",
        Role::Key => "key",
        Role::Time => "time",
        Role::Slice => "slice",
        Role::Ignored => "ignored column",
    }
}

/// Whether a column may become a feature at all.
///
/// # Errors
/// [`TransformError::Role`] for the label, a key and ignored columns.
pub fn check_role(operation: &Operation, column: &str, roles: &Roles) -> Result<(), TransformError> {
    match roles.of(column) {
        None => Ok(()),
        Some(role) => Err(TransformError::Role {
            operation: operation.name(),
            column: column.into(),
            role: role_name(role),
        }),
    }
}

/// Refuses a feature that is made from source columns that the label is made from too, unless the roles allow it.
///
/// # Errors
/// [`TransformError::Leakage`].
pub fn check_lineage(column: &str, roles: &Roles, lineage: &Lineage) -> Result<(), TransformError> {
    match roles.leak(column, lineage) {
        None => Ok(()),
        Some(shared) => Err(TransformError::Leakage {
            column: column.into(),
            label: roles.label.clone().unwrap_or_default(),
            shared: quoted(shared.iter().map(String::as_str)),
        }),
    }
}

/// Groups the operations by column, in the order in which columns are first named, and checks them.
fn chains<'a>(spec: &'a TransformSpec, columns: &[PlannedColumn], roles: &Roles) -> Result<Vec<Chain<'a>>> {
    let mut chains: Vec<Chain<'a>> = Vec::new();
    for operation in &spec.0 {
        operation.check()?;
        for name in operation.columns() {
            let Some(column) = columns.iter().find(|column| column.name == *name) else {
                return Err(TransformError::ColumnMissing {
                    operation: operation.name(),
                    column: name.clone(),
                    available: columns.iter().map(|column| column.name.clone()).collect(),
                }
                .into());
            };
            check_role(operation, name, roles)?;
            match chains.iter_mut().find(|chain| chain.column.name == *name) {
                Some(chain) => chain.operations.push(operation),
                None => chains.push(Chain { column: column.clone(), operations: vec![operation] }),
            }
        }
    }
    if chains.is_empty() {
        return Err(TransformError::Empty.into());
    }
    for chain in &chains {
        chain.check()?;
    }
    Ok(chains)
}

impl Chain<'_> {
    fn is_one_hot(&self) -> bool {
        self.operations.iter().any(|operation| matches!(operation, Operation::OneHot(_)))
    }

    fn grouping(&self) -> Grouping {
        Grouping::by([self.column.name.clone()])
    }

    /// At most one `impute`, then at most one other operation; each on a kind of column that it can take.
    fn check(&self) -> Result<()> {
        for pair in self.operations.windows(2) {
            let fits = matches!(pair[0], Operation::Impute(_)) && !matches!(pair[1], Operation::Impute(_));
            if !fits {
                return Err(TransformError::Order {
                    operation: pair[1].name(),
                    earlier: pair[0].name(),
                    column: self.column.name.clone(),
                }
                .into());
            }
        }
        let kind = &self.column.kind;
        let is_number = kind.is_number() || *kind == ColumnKind::Null;
        for operation in &self.operations {
            let expected = match operation {
                Operation::Standardize(_) | Operation::PassThrough(_) if !is_number => "numbers",
                Operation::OneHot(_)
                    if !matches!(
                        kind,
                        ColumnKind::Text
                            | ColumnKind::Integer
                            | ColumnKind::Unsigned
                            | ColumnKind::Float
                            | ColumnKind::Boolean
                            | ColumnKind::Null
                    ) =>
                {
                    "text, numbers or booleans"
                }
                Operation::Impute(_) if !is_number && *kind != ColumnKind::Text => "numbers or text",
                Operation::Impute(impute)
                    if (*kind == ColumnKind::Text || *kind == ColumnKind::Boolean && self.is_one_hot())
                        && matches!(impute.with, ImputeWith::Mean | ImputeWith::Median) =>
                {
                    "numbers for a mean or median"
                }
                _ => continue,
            };
            return Err(TransformError::Kind {
                operation: operation.name(),
                column: self.column.name.clone(),
                found: kind.to_string(),
                expected,
            }
            .into());
        }
        // Imputed text can only go on as levels: there is no other feature to make of it.
        if *kind == ColumnKind::Text && !self.is_one_hot() {
            return Err(TransformError::Kind {
                operation: "pass_through",
                column: self.column.name.clone(),
                found: kind.to_string(),
                expected: "numbers",
            }
            .into());
        }
        Ok(())
    }
}

/// What is gathered of one column; only what its operations need.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct ColumnAnalysis {
    is_text: bool,
    presence: Presence,
    moments: Option<Moments>,
    quantiles: Option<Quantiles>,
    frequencies: Option<Frequencies>,
}

fn analysis_of(chain: &Chain<'_>) -> ColumnAnalysis {
    let imputes = |wanted: &ImputeWith| {
        chain
            .operations
            .iter()
            .any(|operation| matches!(operation, Operation::Impute(impute) if impute.with == *wanted))
    };
    let standardizes =
        chain.operations.iter().any(|operation| matches!(operation, Operation::Standardize(_)));
    ColumnAnalysis {
        is_text: chain.column.kind == ColumnKind::Text,
        presence: Presence::default(),
        moments: (standardizes || imputes(&ImputeWith::Mean)).then(Moments::default),
        quantiles: imputes(&ImputeWith::Median).then(Quantiles::default),
        frequencies: imputes(&ImputeWith::MostFrequent).then(Frequencies::default),
    }
}

impl ColumnSummary for ColumnAnalysis {
    type Output = Self;

    fn empty(&self) -> Self {
        Self {
            is_text: self.is_text,
            presence: Presence::default(),
            moments: self.moments.as_ref().map(|_| Moments::default()),
            quantiles: self.quantiles.as_ref().map(|_| Quantiles::default()),
            frequencies: self.frequencies.as_ref().map(|_| Frequencies::default()),
        }
    }

    fn rows(&mut self, name: &str, values: &ArrayRef) -> Result<()> {
        if self.is_text {
            let view = Column::view(values);
            self.presence.num_rows += values.len() as u64;
            for row in 0..values.len() {
                match (view.text(row), &mut self.frequencies) {
                    (Some(text), Some(frequencies)) => frequencies.update(text),
                    (Some(_), None) => {}
                    (None, _) => self.presence.num_missing += 1,
                }
            }
            return Ok(());
        }
        let mut finite = Vec::new();
        finite_rows(name, values, "the transform", &mut self.presence, &mut finite)?;
        if let Some(moments) = &mut self.moments {
            moments.update(&finite);
        }
        if let Some(quantiles) = &mut self.quantiles {
            quantiles.update(&finite);
        }
        self.count_numbers(finite.iter().map(|value| (*value, 1)));
        Ok(())
    }

    fn counted(&mut self, column: &CountedColumn) -> Result<()> {
        if self.is_text {
            let view = Column::view(&column.values);
            self.presence.num_rows += column.rows();
            self.presence.num_missing += column.nulls;
            if let Some(frequencies) = &mut self.frequencies {
                for (row, &count) in column.counts.iter().enumerate() {
                    if let Some(text) = view.text(row) {
                        frequencies.update_counted(text, count);
                    }
                }
            }
            return Ok(());
        }
        let mut finite = Vec::new();
        finite_counted(column, "the transform", &mut self.presence, &mut finite)?;
        if let Some(moments) = &mut self.moments {
            moments.update_counted(finite.iter().copied());
        }
        if let Some(quantiles) = &mut self.quantiles {
            finite.iter().for_each(|(value, count)| quantiles.update_counted(*value, *count));
        }
        self.count_numbers(finite.into_iter());
        Ok(())
    }

    fn absent(&mut self, rows: u64) {
        self.presence.num_rows += rows;
        self.presence.num_absent += rows;
    }

    fn merge(&mut self, later: Self) {
        self.presence.merge(&later.presence);
        if let (Some(mine), Some(later)) = (&mut self.moments, later.moments) {
            mine.merge(later);
        }
        if let (Some(mine), Some(later)) = (&mut self.quantiles, later.quantiles) {
            mine.merge(later);
        }
        if let (Some(mine), Some(later)) = (&mut self.frequencies, later.frequencies) {
            mine.merge(later);
        }
    }

    fn finish(self) -> Self {
        self
    }

    fn size_bytes(&self) -> usize {
        size_of::<Self>()
            + self.moments.as_ref().map_or(0, Moments::size_bytes)
            + self.quantiles.as_ref().map_or(0, Quantiles::size_bytes)
            + self.frequencies.as_ref().map_or(0, Frequencies::size_bytes)
    }
}

impl ColumnAnalysis {
    /// Counts numbers by their shortest text, which reads back as the same number.
    fn count_numbers(&mut self, values: impl Iterator<Item = (f64, u64)>) {
        use std::fmt::Write as _;
        let Some(frequencies) = &mut self.frequencies else { return };
        let mut text = String::new();
        for (value, count) in values {
            text.clear();
            // Writing to a string cannot fail; adding 0.0 makes one zero of two.
            let _ = write!(text, "{}", value + 0.0);
            frequencies.update_counted(&text, count);
        }
    }

    fn num_to_fill(&self) -> u64 {
        self.presence.num_missing + self.presence.num_nan
    }
}

/// What the operations of a transform must know of the training rows: the summaries of all columns, and the
/// groupings that find levels. An accumulator, so that it can share a scan with others.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Analysis {
    columns: Vec<OfColumn<ColumnAnalysis>>,
    groupings: Vec<Grouping>,
}

impl Analysis {
    /// The analysis that a transform of these columns needs.
    ///
    /// # Errors
    /// [`TransformError`] when an operation does not fit its column.
    pub fn new(spec: &TransformSpec, columns: &[PlannedColumn], roles: &Roles) -> Result<Self> {
        let chains = chains(spec, columns, roles)?;
        Ok(Self {
            columns: chains
                .iter()
                .map(|chain| OfColumn::new(&chain.column.name, analysis_of(chain)))
                .collect(),
            groupings: chains.iter().filter(|chain| chain.is_one_hot()).map(Chain::grouping).collect(),
        })
    }
}

impl Accumulator for Analysis {
    type Output = ();

    fn inputs(&self) -> Inputs {
        self.groupings.iter().fold(self.columns.inputs(), Inputs::with_grouping)
    }

    fn empty(&self) -> Self {
        Self { columns: self.columns.empty(), groupings: self.groupings.clone() }
    }

    fn update(&mut self, input: Input<'_>) -> Result<()> {
        self.columns.update(input)
    }

    fn merge(&mut self, later: Self, groups: &GroupMap) -> Result<()> {
        self.columns.merge(later.columns, groups)
    }

    fn finish(self) {}

    fn size_bytes(&self) -> usize {
        self.columns.size_bytes()
    }
}

fn fit_chain(
    chain: &Chain<'_>,
    mut analysis: ColumnAnalysis,
    groups: &GroupTables,
) -> Result<(Vec<Node>, FeatureKind)> {
    let name = &chain.column.name;
    let no_values = |operation: &Operation| TransformError::NoValues {
        operation: operation.name(),
        column: name.clone(),
    };
    let mut nodes = Vec::new();
    let mut kind = FeatureKind::Number;
    let mut fill: Option<Fill> = None;
    for operation in &chain.operations {
        match operation {
            Operation::PassThrough(_) => {}
            Operation::Impute(impute) => {
                let value =
                    fill_value(chain, &impute.with, &analysis)?.ok_or_else(|| no_values(operation))?;
                if let (Some(moments), Fill::Number(value)) = (&mut analysis.moments, &value) {
                    let count = analysis.presence.num_missing + analysis.presence.num_nan;
                    moments.update_counted((count > 0).then_some((*value, count)).into_iter());
                }
                nodes.push(Node::Impute { column: name.clone(), fill: value.clone() });
                fill = Some(value);
            }
            Operation::Standardize(_) => {
                let fitted = analysis.moments.as_ref().and_then(Standardize::fit);
                let constants = fitted.ok_or_else(|| no_values(operation))?;
                nodes.push(Node::Standardize { column: name.clone(), constants });
            }
            Operation::OneHot(one_hot) => {
                let filled = fill.as_ref().filter(|_| analysis.num_to_fill() > 0);
                let levels = levels(chain, groups, filled)?;
                if levels.len() == 0 {
                    return Err(no_values(operation).into());
                }
                if levels.len() > one_hot.max_levels() {
                    let (found, limit) = (levels.len(), one_hot.max_levels());
                    return Err(TransformError::TooManyLevels { column: name.clone(), found, limit }.into());
                }
                kind = FeatureKind::OneHot { levels: levels.labels() };
                nodes.push(Node::OneHot { column: name.clone(), levels });
            }
        }
    }
    Ok((nodes, kind))
}

/// What `impute` puts in; `None` when there is nothing to learn it from.
fn fill_value(chain: &Chain<'_>, with: &ImputeWith, analysis: &ColumnAnalysis) -> Result<Option<Fill>> {
    let kind = &chain.column.kind;
    Ok(match with {
        ImputeWith::Mean => analysis.moments.as_ref().and_then(Moments::mean).map(Fill::Number),
        ImputeWith::Median => {
            analysis.quantiles.as_ref().and_then(|quantiles| quantiles.quantile(0.5)).map(Fill::Number)
        }
        ImputeWith::MostFrequent => {
            analysis.frequencies.as_ref().and_then(|counts| most_frequent(kind, counts))
        }
        ImputeWith::Constant(constant) => Some(match (kind, constant) {
            (ColumnKind::Text, Constant::Text(text)) => Fill::Text(text.clone()),
            (ColumnKind::Boolean, Constant::Boolean(value)) => Fill::Boolean(*value),
            (ColumnKind::Text | ColumnKind::Boolean, _) | (_, Constant::Text(_) | Constant::Boolean(_)) => {
                let value = match constant {
                    Constant::Boolean(value) => value.to_string(),
                    Constant::Number(value) => value.to_string(),
                    Constant::Text(text) => format!("`{text}`"),
                };
                let (column, found) = (chain.column.name.clone(), kind.to_string());
                return Err(TransformError::Constant { column, value, found }.into());
            }
            (_, Constant::Number(value)) => Fill::Number(*value),
        }),
    })
}

/// The most frequent value; of several the smallest, numbers by value and text by bytes.
fn most_frequent(kind: &ColumnKind, counts: &Frequencies) -> Option<Fill> {
    let by_value = counts.by_value();
    let most = by_value.iter().map(|(_, count)| *count).max()?;
    let candidates = by_value.iter().filter(|(_, count)| *count == most).map(|(text, _)| *text);
    if *kind == ColumnKind::Text {
        return candidates.min().map(|text| Fill::Text(text.to_owned()));
    }
    let value = candidates.filter_map(|text| text.parse::<f64>().ok()).min_by(f64::total_cmp)?;
    Some(if *kind == ColumnKind::Boolean { Fill::Boolean(value > 0.5) } else { Fill::Number(value) })
}

fn levels(chain: &Chain<'_>, groups: &GroupTables, fill: Option<&Fill>) -> Result<Levels> {
    let mut labels: Vec<String> = groups
        .table(&chain.grouping())?
        .keys()
        .iter()
        .filter_map(|key| match key.as_slice() {
            [KeyPart::Value(text)] => Some(text.clone()),
            _ => None,
        })
        .collect();
    labels.extend(fill.map(Fill::label));
    Ok(match chain.column.kind {
        ColumnKind::Integer | ColumnKind::Unsigned => sorted_integers(chain, &labels, fill)?,
        ColumnKind::Float => {
            let mut levels: Vec<f64> = labels
                .iter()
                .filter_map(|label| label.parse().ok())
                .filter(|level: &f64| level.is_finite())
                .collect();
            levels.sort_by(f64::total_cmp);
            levels.dedup_by(|a, b| a.to_bits() == b.to_bits());
            Levels::Float(levels)
        }
        ColumnKind::Boolean => {
            let seen: BTreeMap<bool, ()> = labels
                .iter()
                .filter_map(|label| label.parse::<bool>().ok())
                .map(|level| (level, ()))
                .collect();
            Levels::Boolean(seen.into_keys().collect())
        }
        _ => {
            labels.sort();
            labels.dedup();
            Levels::Text(labels)
        }
    })
}

/// The levels of integers; floats where the imputed value is not an integer.
fn sorted_integers(chain: &Chain<'_>, labels: &[String], fill: Option<&Fill>) -> Result<Levels> {
    let too_large = || TransformError::Kind {
        operation: "one_hot",
        column: chain.column.name.clone(),
        found: "unsigned integers past 2^63 - 1".into(),
        expected: "integers up to 2^63 - 1",
    };
    let whole = !matches!(fill, Some(Fill::Number(value)) if value.fract() != 0.0);
    if whole {
        let levels: Option<Vec<i64>> = labels.iter().map(|label| label.parse().ok()).collect();
        let mut levels = levels.ok_or_else(too_large)?;
        levels.sort_unstable();
        levels.dedup();
        return Ok(Levels::Integer(levels));
    }
    let mut levels: Vec<f64> = labels.iter().filter_map(|label| label.parse().ok()).collect();
    levels.sort_by(f64::total_cmp);
    levels.dedup_by(|a, b| a.to_bits() == b.to_bits());
    Ok(Levels::Float(levels))
}

#[cfg(test)]
mod tests;
