//! Evaluation of a bound expression on one batch.
//!
//! Coded text (a dictionary) stays coded through functions of that one column and constants: they are
//! computed once per different value. Failures travel beside the values, so that `CASE`, `COALESCE`, `AND`
//! and `OR` can drop those of what they do not choose.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, Int32Array, UInt32Array};
use arrow::buffer::{BooleanBuffer, NullBuffer};
use arrow::compute::kernels::boolean::{and_kleene, or_kleene};
use arrow::compute::{cast, interleave, take};
use arrow::datatypes::{DataType, Float64Type, Int32Type};
use sluice_core::error::Result;

use crate::kernels::{Failures, Operand, internal, ordering, unexpected};
use crate::node::{Kernel, Node, Test};

/// What a node answers.
struct Evaluated {
    data: Data,
    /// Rows without an answer, null in the data; row 0 of a constant stands for all rows.
    failures: Failures,
}

enum Data {
    Scalar(ArrayRef),
    Array(ArrayRef),
    /// One value per code.
    Coded {
        codes: Int32Array,
        values: ArrayRef,
    },
}

impl Evaluated {
    /// One argument for row-by-row work.
    fn operand(self, rows: usize) -> Result<(Operand, Failures)> {
        let failures = self.failures;
        Ok(match self.data {
            Data::Scalar(array) => {
                let failures = match failures.0.into_iter().next() {
                    Some((_, failure)) => Failures((0..rows).map(|row| (row, failure.clone())).collect()),
                    None => Failures::none(),
                };
                (Operand { array, is_scalar: true }, failures)
            }
            Data::Array(array) => (Operand { array, is_scalar: false }, failures),
            Data::Coded { codes, values } => {
                let array = take(&values, &codes, None).map_err(internal)?;
                (Operand { array, is_scalar: false }, failures)
            }
        })
    }

    fn of(array: ArrayRef, failures: Failures, is_scalar: bool) -> Self {
        Self { data: if is_scalar { Data::Scalar(array) } else { Data::Array(array) }, failures }
    }
}

/// The columns that an expression reads, and how many rows they have.
pub(crate) struct Rows<'a> {
    pub(crate) columns: Vec<&'a ArrayRef>,
    pub(crate) rows: usize,
}

impl Rows<'_> {
    /// The answer for each row in normal form, without codes that the columns do not have, and its failures.
    pub(crate) fn answer(&self, node: &Node) -> Result<(ArrayRef, Failures)> {
        if let Node::Column(index) = node {
            return Ok((Arc::clone(self.columns[*index]), Failures::none()));
        }
        let (operand, failures) = self.evaluate(node)?.operand(self.rows)?;
        let array = self.spread(&operand)?;
        let is_plain_text = *array.data_type() == DataType::Utf8;
        let array = if is_plain_text { cast(&array, &DataType::Utf8View).map_err(internal)? } else { array };
        Ok((array, failures))
    }

    /// One value per row.
    fn spread(&self, operand: &Operand) -> Result<ArrayRef> {
        if !operand.is_scalar {
            return Ok(Arc::clone(&operand.array));
        }
        take(&operand.array, &UInt32Array::from(vec![0; self.rows]), None).map_err(internal)
    }

    fn evaluate(&self, node: &Node) -> Result<Evaluated> {
        Ok(match node {
            Node::Column(index) => Evaluated { data: self.column(*index)?, failures: Failures::none() },
            Node::Constant(value) => Evaluated::of(Arc::clone(value), Failures::none(), true),
            Node::Call { kernel, arguments } => self.call(kernel, arguments)?,
            Node::And(arguments) => self.connect(arguments, true)?,
            Node::Or(arguments) => self.connect(arguments, false)?,
            Node::Is { test, negated, argument } => self.is(*test, *negated, argument)?,
            Node::Distinct { sides, negated } => self.distinct(&sides.0, &sides.1, *negated)?,
            Node::Case { branches, otherwise } => self.case(branches, otherwise)?,
            Node::Coalesce(arguments) => self.coalesce(arguments)?,
            Node::Extreme { greatest, arguments } => self.extreme(*greatest, arguments)?,
        })
    }

    fn column(&self, index: usize) -> Result<Data> {
        let array = self.columns[index];
        let Some(dictionary) = array.as_dictionary_opt::<Int32Type>() else {
            return Ok(Data::Array(Arc::clone(array)));
        };
        let (codes, values) = (dictionary.keys().clone(), Arc::clone(dictionary.values()));
        if values.len() > self.rows {
            return Ok(Data::Array(take(&values, &codes, None).map_err(internal)?));
        }
        Ok(Data::Coded { codes, values })
    }

    fn call(&self, kernel: &Kernel, arguments: &[Node]) -> Result<Evaluated> {
        let evaluated = arguments.iter().map(|node| self.evaluate(node)).collect::<Result<Vec<_>>>()?;
        let num_scalars = evaluated.iter().filter(|it| matches!(it.data, Data::Scalar(_))).count();
        let num_coded = evaluated.iter().filter(|it| matches!(it.data, Data::Coded { .. })).count();
        let has_failures = evaluated.iter().any(|it| !it.failures.0.is_empty());
        if num_coded == 1 && num_scalars + 1 == arguments.len() && !has_failures {
            return Self::call_on_values(kernel, evaluated);
        }
        let is_scalar = num_scalars == arguments.len();
        let rows = if is_scalar { 1 } else { self.rows };
        let mut failures = Failures::none();
        let mut operands = Vec::with_capacity(evaluated.len());
        for argument in evaluated {
            let (operand, failed) = argument.operand(rows)?;
            failures.join(failed);
            operands.push(operand);
        }
        // What has failed is null already, so that nothing fails twice.
        let (array, failed) = kernel.run(&operands, rows)?;
        failures.join(failed);
        Ok(Evaluated::of(array, failures, is_scalar))
    }

    /// One coded column and constants: once per different value.
    fn call_on_values(kernel: &Kernel, arguments: Vec<Evaluated>) -> Result<Evaluated> {
        let mut coded = None;
        let mut operands = Vec::with_capacity(arguments.len());
        for argument in arguments {
            operands.push(match argument.data {
                Data::Coded { codes, values } => {
                    coded = Some((codes, values.len()));
                    Operand { array: values, is_scalar: false }
                }
                Data::Scalar(array) => Operand { array, is_scalar: true },
                Data::Array(array) => Operand { array, is_scalar: false },
            });
        }
        let Some((codes, num_values)) = coded else {
            return Err(unexpected("codes", &DataType::Null));
        };
        let (values, failed) = kernel.run(&operands, num_values)?;
        let mut failures = Failures::none();
        if !failed.0.is_empty() {
            for (row, code) in codes.iter().enumerate() {
                let code = code.and_then(|code| usize::try_from(code).ok());
                let at = code.and_then(|code| failed.0.binary_search_by_key(&code, |(value, _)| *value).ok());
                failures.0.extend(at.map(|at| (row, failed.0[at].1.clone())));
            }
        }
        Ok(Evaluated { data: Data::Coded { codes, values }, failures })
    }

    /// AND where `all`, else OR. A row that is decided takes no failures from what follows.
    fn connect(&self, arguments: &[Node], all: bool) -> Result<Evaluated> {
        let mut so_far: Option<BooleanArray> = None;
        let mut failures = Failures::none();
        for argument in arguments {
            let (operand, mut failed) = self.evaluate(argument)?.operand(self.rows)?;
            let next = self.spread(&operand)?.as_boolean().clone();
            so_far = Some(match so_far {
                None => next,
                Some(before) => {
                    failed.0.retain(|(row, _)| before.is_null(*row) || before.value(*row) == all);
                    let joined = if all { and_kleene(&before, &next) } else { or_kleene(&before, &next) };
                    joined.map_err(internal)?
                }
            });
            failures.join(failed);
        }
        let array = so_far.unwrap_or_else(|| BooleanArray::from(vec![all; self.rows]));
        Ok(Evaluated::of(Arc::new(array), failures, false))
    }

    fn is(&self, test: Test, negated: bool, argument: &Node) -> Result<Evaluated> {
        let (operand, failures) = self.evaluate(argument)?.operand(self.rows)?;
        let nulls = operand.nulls(self.rows);
        let is_null = |row| nulls.as_ref().is_some_and(|nulls: &NullBuffer| nulls.is_null(row));
        let buffer = match test {
            Test::Null => BooleanBuffer::collect_bool(self.rows, |row| is_null(row) != negated),
            Test::True | Test::False => {
                let values = operand.array.as_boolean();
                let wanted = test == Test::True;
                BooleanBuffer::collect_bool(self.rows, |row| {
                    (!is_null(row) && values.value(operand.index(row)) == wanted) != negated
                })
            }
        };
        Ok(Evaluated::of(Arc::new(BooleanArray::new(buffer, None)), failures, false))
    }

    fn distinct(&self, left: &Node, right: &Node, negated: bool) -> Result<Evaluated> {
        let (left, mut failures) = self.evaluate(left)?.operand(self.rows)?;
        let (right, failed) = self.evaluate(right)?.operand(self.rows)?;
        failures.join(failed);
        let (left_nulls, right_nulls) = (left.nulls(self.rows), right.nulls(self.rows));
        let is_null = |nulls: &Option<NullBuffer>, row| nulls.as_ref().is_some_and(|it| it.is_null(row));
        let (left_nan, right_nan) = (nan_of(&left), nan_of(&right));
        let order = ordering(&left, &right)?;
        let is_distinct = |row| match (is_null(&left_nulls, row), is_null(&right_nulls, row)) {
            (false, false) => {
                order(row) != Some(std::cmp::Ordering::Equal) && !(left_nan(row) && right_nan(row))
            }
            (left, right) => left != right,
        };
        let buffer = BooleanBuffer::collect_bool(self.rows, |row| is_distinct(row) != negated);
        Ok(Evaluated::of(Arc::new(BooleanArray::new(buffer, None)), failures, false))
    }

    fn case(&self, branches: &[(Node, Node)], otherwise: &Node) -> Result<Evaluated> {
        let mut choice = vec![branches.len(); self.rows];
        let mut failures = Failures::none();
        let mut results = Vec::with_capacity(branches.len() + 1);
        for (number, (condition, _)) in branches.iter().enumerate() {
            let (operand, mut failed) = self.evaluate(condition)?.operand(self.rows)?;
            failed.0.retain(|(row, _)| choice[*row] == branches.len());
            failures.join(failed);
            let (nulls, values) = (operand.nulls(self.rows), operand.array.as_boolean());
            for (row, chosen) in choice.iter_mut().enumerate() {
                let is_null = nulls.as_ref().is_some_and(|nulls| nulls.is_null(row));
                if *chosen == branches.len() && !is_null && values.value(operand.index(row)) {
                    *chosen = number;
                }
            }
        }
        for result in branches.iter().map(|(_, result)| result).chain([otherwise]) {
            let number = results.len();
            let (operand, mut failed) = self.evaluate(result)?.operand(self.rows)?;
            failed.0.retain(|(row, _)| choice[*row] == number);
            failures.join(failed);
            results.push(operand);
        }
        Ok(Evaluated::of(choose(&results, &choice)?, failures, false))
    }

    fn coalesce(&self, arguments: &[Node]) -> Result<Evaluated> {
        let last = arguments.len().saturating_sub(1);
        let mut choice = vec![last; self.rows];
        let mut is_open = vec![true; self.rows];
        let mut failures = Failures::none();
        let mut operands = Vec::with_capacity(arguments.len());
        for (number, argument) in arguments.iter().enumerate() {
            let (operand, mut failed) = self.evaluate(argument)?.operand(self.rows)?;
            failed.0.retain(|(row, _)| is_open[*row]);
            failures.join(failed);
            let nulls = operand.nulls(self.rows);
            for row in 0..self.rows {
                if is_open[row] && nulls.as_ref().is_none_or(|nulls| nulls.is_valid(row)) {
                    (choice[row], is_open[row]) = (number, false);
                }
            }
            operands.push(operand);
        }
        Ok(Evaluated::of(choose(&operands, &choice)?, failures, false))
    }

    /// Null is passed over; NaN is not: it makes the answer NaN.
    fn extreme(&self, greatest: bool, arguments: &[Node]) -> Result<Evaluated> {
        let mut best: Option<Operand> = None;
        let mut failures = Failures::none();
        for argument in arguments {
            let (next, failed) = self.evaluate(argument)?.operand(self.rows)?;
            failures.join(failed);
            best = Some(match best {
                None => next,
                Some(before) => {
                    let (nulls, next_nulls) = (before.nulls(self.rows), next.nulls(self.rows));
                    let is_null = |nulls: &Option<NullBuffer>, row| {
                        nulls.as_ref().is_some_and(|nulls| nulls.is_null(row))
                    };
                    let order = ordering(&next, &before)?;
                    let (is_nan, next_is_nan) = (nan_of(&before), nan_of(&next));
                    let wanted =
                        if greatest { std::cmp::Ordering::Greater } else { std::cmp::Ordering::Less };
                    let takes_next = |row| match (is_null(&nulls, row), is_null(&next_nulls, row)) {
                        (true, _) => true,
                        (false, true) => false,
                        (false, false) => !is_nan(row) && (next_is_nan(row) || order(row) == Some(wanted)),
                    };
                    let choice: Vec<usize> = (0..self.rows).map(|row| usize::from(takes_next(row))).collect();
                    drop((order, is_nan, next_is_nan));
                    let array = choose(&[before, next], &choice)?;
                    Operand { array, is_scalar: false }
                }
            });
        }
        let Some(best) = best else { return Err(unexpected("arguments", &DataType::Null)) };
        Ok(Evaluated::of(best.array, failures, best.is_scalar))
    }
}

/// Whether a value is NaN.
fn nan_of(operand: &Operand) -> Box<dyn Fn(usize) -> bool + '_> {
    match operand.array.as_primitive_opt::<Float64Type>() {
        Some(values) => Box::new(move |row| values.value(operand.index(row)).is_nan()),
        None => Box::new(|_| false),
    }
}

/// For each row the value of the operand of that number.
fn choose(operands: &[Operand], choice: &[usize]) -> Result<ArrayRef> {
    let has_views = operands.iter().any(|it| *it.array.data_type() == DataType::Utf8View);
    let arrays: Vec<ArrayRef> = operands
        .iter()
        .map(|operand| match operand.array.data_type() {
            DataType::Utf8 if has_views => cast(&operand.array, &DataType::Utf8View).map_err(internal),
            _ => Ok(Arc::clone(&operand.array)),
        })
        .collect::<Result<_>>()?;
    let places: Vec<(usize, usize)> =
        choice.iter().enumerate().map(|(row, &number)| (number, operands[number].index(row))).collect();
    let arrays: Vec<&dyn Array> = arrays.iter().map(AsRef::as_ref).collect();
    interleave(&arrays, &places).map_err(internal)
}
