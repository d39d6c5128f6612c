//! Planning: operations bound to columns. Every operation reads the newest value of a name and writes values
//! under names; kinds and roles are checked here, before any row is read.

use std::collections::{BTreeMap, BTreeSet};

use sluice_core::column::ColumnKind;
use sluice_core::error::Result;
use sluice_core::options::OptionsError;
use sluice_core::plan::PlannedColumn;
use sluice_core::role::{Role, Roles};

use crate::error::TransformError;
use crate::operation::Fitting;
use crate::spec::TransformSpec;
use crate::value::ValueKind;

/// A value of the graph, as an index.
pub(crate) type ValueId = usize;

/// What is known of a value before any row is read.
#[derive(Clone, Debug)]
pub(crate) struct ValueInfo {
    /// The name under which it was written.
    pub(crate) name: String,
    /// Unique in the graph: the name, with the number of the version where there are several.
    pub(crate) id: String,
    /// What it holds.
    pub(crate) kind: ValueKind,
    /// The source columns that it depends on.
    pub(crate) sources: BTreeSet<String>,
    /// The step that makes it; `None` for source columns.
    pub(crate) step: Option<usize>,
}

/// A value that an operation reads.
#[derive(Clone, Debug)]
pub(crate) struct Input {
    pub(crate) value: ValueId,
    pub(crate) name: String,
    pub(crate) kind: ValueKind,
}

/// An operation on values.
#[derive(Debug)]
pub(crate) struct Step {
    pub(crate) operation: &'static str,
    pub(crate) inputs: Vec<ValueId>,
    /// Values that only fitting reads, numbered on from the inputs: labels and weights.
    pub(crate) fitted_on: Vec<ValueId>,
    pub(crate) outputs: Vec<ValueId>,
    pub(crate) fitting: Option<Box<dyn Fitting>>,
}

/// Operations bound to columns.
#[derive(Debug)]
pub(crate) struct Blueprint {
    pub(crate) values: Vec<ValueInfo>,
    pub(crate) steps: Vec<Step>,
    /// The values that models see, by name, in the order in which the names were first written.
    pub(crate) features: Vec<(String, ValueId)>,
}

/// Binds operations to columns, one after the other.
#[derive(Debug)]
pub(crate) struct Builder<'a> {
    columns: &'a [PlannedColumn],
    roles: &'a Roles,
    operation: &'static str,
    values: Vec<ValueInfo>,
    label: Option<ValueId>,
    newest: BTreeMap<String, ValueId>,
    versions: BTreeMap<String, usize>,
    steps: Vec<Step>,
    features: Vec<String>,
}

pub(crate) fn role_name(role: Role) -> &'static str {
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

impl Blueprint {
    /// Binds the operations to the columns of the data.
    ///
    /// # Errors
    /// [`TransformError`] when an operation does not fit its columns, [`OptionsError`] for an option out of range.
    pub(crate) fn new(spec: &TransformSpec, columns: &[PlannedColumn], roles: &Roles) -> Result<Self> {
        let mut builder = Builder {
            columns,
            roles,
            operation: "transform",
            values: Vec::new(),
            label: None,
            newest: BTreeMap::new(),
            versions: BTreeMap::new(),
            steps: Vec::new(),
            features: Vec::new(),
        };
        for operation in &spec.0 {
            operation.check()?;
            builder.operation = operation.name();
            operation.as_plan().plan(&mut builder)?;
        }
        builder.finish()
    }
}

impl Builder<'_> {
    /// The newest value of a name: what an earlier operation wrote, else the source column.
    ///
    /// # Errors
    /// [`TransformError::ColumnMissing`] with the nearest name, [`TransformError::Role`] for the label and the like.
    pub(crate) fn read(&mut self, name: &str) -> Result<Input, TransformError> {
        let value = match self.newest.get(name) {
            Some(value) => *value,
            None => self.source(name)?,
        };
        Ok(Input { value, name: name.to_owned(), kind: self.values[value].kind.clone() })
    }

    fn source(&mut self, name: &str) -> Result<ValueId, TransformError> {
        let Some(column) = self.columns.iter().find(|column| column.name == name) else {
            let written =
                self.newest.keys().filter(|known| !self.columns.iter().any(|column| column.name == **known));
            return Err(TransformError::ColumnMissing {
                operation: self.operation,
                column: name.to_owned(),
                available: self
                    .columns
                    .iter()
                    .map(|column| column.name.clone())
                    .chain(written.cloned())
                    .collect(),
            });
        };
        if let Some(role) = self.roles.of(name) {
            return Err(TransformError::Role {
                operation: self.operation.to_owned(),
                column: name.to_owned(),
                role: role_name(role),
            });
        }
        Ok(self.value(name, ValueKind::Column(column.kind.clone()), BTreeSet::from([name.to_owned()]), None))
    }

    /// The label, for what is fitted on it. No operation may read it, or it would have to be there in prediction.
    ///
    /// # Errors
    /// [`TransformError::LabelMissing`] when no column has this role or the data lack it.
    pub(crate) fn label(&mut self) -> Result<Input, TransformError> {
        let name = self.roles.label.as_deref();
        let column = name.and_then(|name| self.columns.iter().find(|column| column.name == name));
        let column = column.ok_or(TransformError::LabelMissing { operation: self.operation })?;
        let value = *self.label.get_or_insert_with(|| {
            self.values.push(ValueInfo {
                name: column.name.clone(),
                id: column.name.clone(),
                kind: ValueKind::Column(column.kind.clone()),
                sources: BTreeSet::from([column.name.clone()]),
                step: None,
            });
            self.values.len() - 1
        });
        Ok(Input { value, name: column.name.clone(), kind: self.values[value].kind.clone() })
    }

    /// The name itself for a source column and for the first value of a new name, else with a version.
    fn id(&mut self, name: &str, step: Option<usize>) -> String {
        let is_source = |id: &str| self.columns.iter().any(|column| column.name == id);
        let version = self.versions.entry(name.to_owned()).or_insert(0);
        loop {
            *version += 1;
            let id = if *version == 1 { name.to_owned() } else { format!("{name}#{version}") };
            // A source column may be called `age#2`.
            if step.is_none() || !is_source(&id) {
                return id;
            }
        }
    }

    fn value(
        &mut self,
        name: &str,
        kind: ValueKind,
        sources: BTreeSet<String>,
        step: Option<usize>,
    ) -> ValueId {
        let id = self.id(name, step);
        self.values.push(ValueInfo { name: name.to_owned(), id, kind, sources, step });
        let value = self.values.len() - 1;
        self.newest.insert(name.to_owned(), value);
        value
    }

    /// The names that an expression may read, with their kinds; levels and terms have none.
    pub(crate) fn known_columns(&self) -> Vec<(String, ColumnKind)> {
        let written = self.newest.iter().filter_map(|(name, value)| {
            self.values[*value].kind.column().map(|kind| (name.clone(), kind.clone()))
        });
        let sources = self.columns.iter().filter(|column| !self.newest.contains_key(&column.name));
        written.chain(sources.map(|column| (column.name.clone(), column.kind.clone()))).collect()
    }

    /// A value that holds numbers, or nothing at all.
    ///
    /// # Errors
    /// As [`Builder::read`]; [`TransformError::Kind`].
    pub(crate) fn number(&mut self, name: &str) -> Result<Input, TransformError> {
        let input = self.read(name)?;
        if input.kind.is_number() { Ok(input) } else { Err(self.unsuitable(&input, "numbers")) }
    }

    /// Values that have a name in each row each, which together are a key.
    ///
    /// # Errors
    /// As [`Builder::scalar`].
    pub(crate) fn scalars(&mut self, names: &[String]) -> Result<Vec<Input>, TransformError> {
        names.iter().map(|name| self.scalar(name)).collect()
    }

    /// A value that has a name in each row: text, a number that is no decimal, a boolean.
    ///
    /// # Errors
    /// As [`Builder::read`]; [`TransformError::Kind`].
    pub(crate) fn scalar(&mut self, name: &str) -> Result<Input, TransformError> {
        let input = self.read(name)?;
        let fits = matches!(
            input.kind.column(),
            Some(
                ColumnKind::Text
                    | ColumnKind::Integer
                    | ColumnKind::Unsigned
                    | ColumnKind::Float
                    | ColumnKind::Boolean
                    | ColumnKind::Null
            )
        );
        if fits { Ok(input) } else { Err(self.unsuitable(&input, "text, numbers or booleans")) }
    }

    /// That the operation at hand cannot take a value.
    pub(crate) fn unsuitable(&self, input: &Input, expected: &'static str) -> TransformError {
        TransformError::Kind {
            operation: self.operation,
            column: input.name.clone(),
            found: input.kind.to_string(),
            expected,
        }
    }

    /// Columns with the names of what they become: their own, or those of `as`.
    ///
    /// # Errors
    /// [`OptionsError::Conflict`] when there are not as many names as columns.
    pub(crate) fn renamed<'n>(
        &self,
        columns: &'n [String],
        names: &'n [String],
    ) -> Result<Vec<(&'n str, &'n str)>, OptionsError> {
        if !names.is_empty() && names.len() != columns.len() {
            return Err(OptionsError::Conflict {
                name: format!("{}.as", self.operation),
                problem: format!("gives {} names to {} columns", names.len(), columns.len()),
                hint: Some("give one name for each column, or none".into()),
            });
        }
        let names = if names.is_empty() { columns } else { names };
        Ok(columns.iter().map(String::as_str).zip(names.iter().map(String::as_str)).collect())
    }

    /// Adds a step that reads `inputs` and writes values under names.
    ///
    /// # Errors
    /// [`TransformError::NameTaken`] when a name already stands for something that the step does not read.
    pub(crate) fn step<'n>(
        &mut self,
        inputs: &[Input],
        outputs: impl IntoIterator<Item = (&'n str, ValueKind)>,
        fitting: impl Fitting + 'static,
    ) -> Result<(), TransformError> {
        self.step_on(inputs, &[], outputs, fitting)
    }

    /// The same, for what is also fitted on values that it does not read when applied.
    ///
    /// # Errors
    /// As [`Builder::step`].
    pub(crate) fn step_on<'n>(
        &mut self,
        inputs: &[Input],
        fitted_on: &[Input],
        outputs: impl IntoIterator<Item = (&'n str, ValueKind)>,
        fitting: impl Fitting + 'static,
    ) -> Result<(), TransformError> {
        let number = self.steps.len();
        let sources: BTreeSet<String> =
            inputs.iter().flat_map(|input| self.values[input.value].sources.iter().cloned()).collect();
        let mut written = Vec::new();
        for (name, kind) in outputs {
            let is_source = self.columns.iter().any(|column| column.name == name);
            let is_taken = is_source || self.newest.contains_key(name);
            if is_taken && !inputs.iter().any(|input| input.name == name) {
                return Err(TransformError::NameTaken { operation: self.operation, name: name.to_owned() });
            }
            written.push(self.value(name, kind, sources.clone(), Some(number)));
            self.feature(name);
        }
        self.steps.push(Step {
            operation: self.operation,
            inputs: inputs.iter().map(|input| input.value).collect(),
            fitted_on: fitted_on.iter().map(|input| input.value).collect(),
            outputs: written,
            fitting: Some(Box::new(fitting)),
        });
        Ok(())
    }

    fn feature(&mut self, name: &str) {
        if !self.features.iter().any(|known| known == name) {
            self.features.push(name.to_owned());
        }
    }

    /// Makes a feature of a value as it is.
    ///
    /// # Errors
    /// As [`Builder::number`]; levels and terms are features as they are.
    pub(crate) fn keep(&mut self, name: &str) -> Result<()> {
        let input = self.read(name)?;
        if !input.kind.is_feature() {
            return Err(self.unsuitable(&input, "numbers").into());
        }
        self.feature(name);
        Ok(())
    }

    /// Takes a value out of the features.
    ///
    /// # Errors
    /// [`TransformError::ColumnMissing`] when no earlier operation wrote it.
    pub(crate) fn forget(&mut self, name: &str) -> Result<()> {
        let Some(place) = self.features.iter().position(|known| known == name) else {
            return Err(TransformError::ColumnMissing {
                operation: self.operation,
                column: name.to_owned(),
                available: self.features.clone(),
            }
            .into());
        };
        self.features.remove(place);
        Ok(())
    }

    fn finish(mut self) -> Result<Blueprint> {
        if self.features.is_empty() {
            return Err(TransformError::Empty.into());
        }
        let mut features = Vec::new();
        // Text that was only imputed, dates that were only derived: there is no feature to make of them.
        self.operation = "pass_through";
        for name in &self.features {
            let value = self.newest[name];
            let info = &self.values[value];
            if !info.kind.is_feature() {
                let input = Input { value, name: name.clone(), kind: info.kind.clone() };
                return Err(self.unsuitable(&input, "numbers").into());
            }
            features.push((name.clone(), value));
        }
        Ok(Blueprint { values: self.values, steps: self.steps, features })
    }
}
