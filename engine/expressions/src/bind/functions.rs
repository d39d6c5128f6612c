//! Functions by name, and those that SQL writes in its own way (`EXTRACT(YEAR FROM x)`, `TRIM(x)`).

use sluice_core::column::ColumnKind;
use sluice_core::options::suggest;
use sqlparser::ast::{
    CeilFloorKind, DateTimeField, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments,
    TrimWhereField,
};

use super::kinds::{is_temporal, wide_decimal};
use super::{BindResult, Binder, Literal, Term};
use crate::error::{ExpressionError, listed};
use crate::node::{
    Comparison, FloatFunction, FloatTest, Kernel, Node, Part, Rounding, TextFunction, TextTest, Unit,
};

/// All there are, for the error about one that is not.
const FUNCTIONS: [&str; 54] = [
    "abs",
    "ceil",
    "ceiling",
    "coalesce",
    "contains",
    "date_diff",
    "date_trunc",
    "day",
    "dayofweek",
    "dayofyear",
    "ends_with",
    "exp",
    "extract",
    "floor",
    "greatest",
    "hour",
    "ifnull",
    "is_finite",
    "is_inf",
    "is_nan",
    "isfinite",
    "isinf",
    "isnan",
    "isodow",
    "least",
    "length",
    "ln",
    "log10",
    "log2",
    "lower",
    "ltrim",
    "minute",
    "mod",
    "month",
    "nullif",
    "octet_length",
    "pow",
    "power",
    "quarter",
    "regexp_matches",
    "replace",
    "round",
    "rtrim",
    "second",
    "sign",
    "sqrt",
    "starts_with",
    "substr",
    "substring",
    "trim",
    "upper",
    "year",
    "character_length",
    "char_length",
];

fn part(name: &str) -> Option<Part> {
    Some(match name.to_lowercase().as_str() {
        "year" => Part::Year,
        "quarter" => Part::Quarter,
        "month" => Part::Month,
        "day" => Part::Day,
        "dayofweek" | "dow" => Part::DayOfWeek,
        "isodow" => Part::IsoDayOfWeek,
        "dayofyear" | "doy" => Part::DayOfYear,
        "hour" => Part::Hour,
        "minute" => Part::Minute,
        "second" => Part::Second,
        _ => return None,
    })
}

fn unit(name: &str) -> Option<Unit> {
    Some(match name.to_lowercase().as_str() {
        "year" => Unit::Year,
        "quarter" => Unit::Quarter,
        "month" => Unit::Month,
        "week" => Unit::Week,
        "day" => Unit::Day,
        "hour" => Unit::Hour,
        "minute" => Unit::Minute,
        "second" => Unit::Second,
        _ => return None,
    })
}

/// How many arguments a function takes, in words.
fn in_words(range: &std::ops::RangeInclusive<usize>) -> String {
    match (*range.start(), *range.end()) {
        (1, 1) => "one argument".into(),
        (low, high) if low == high => format!("{low} arguments"),
        (low, usize::MAX) => format!("{low} or more arguments"),
        (low, high) => format!("{low} or {high} arguments"),
    }
}

/// A function call while it is bound.
struct Call<'a> {
    name: String,
    arguments: Vec<&'a Expr>,
    tree: &'a Expr,
}

impl Binder<'_> {
    /// Functions, however they are written; what is left is not supported.
    pub(super) fn function_like(&mut self, tree: &Expr) -> BindResult<Term> {
        let call = |name: &str, arguments: Vec<_>| Call { name: name.into(), arguments, tree };
        match tree {
            Expr::Function(function) => self.function(function, tree),
            Expr::Extract { field, expr, .. } => self.extract(&field.to_string(), expr),
            Expr::Ceil { expr, field: CeilFloorKind::DateTimeField(DateTimeField::NoDateTime) } => {
                self.call(&call("ceil", vec![expr]))
            }
            Expr::Floor { expr, field: CeilFloorKind::DateTimeField(DateTimeField::NoDateTime) } => {
                self.call(&call("floor", vec![expr]))
            }
            Expr::Substring { expr, substring_from, substring_for, .. } => {
                let rest = [substring_from, substring_for].into_iter().filter_map(Option::as_deref);
                let arguments = std::iter::once(expr.as_ref()).chain(rest).collect();
                self.call(&call("substr", arguments))
            }
            Expr::Trim { trim_where, trim_what: None, expr, trim_characters: None } => {
                let name = match trim_where {
                    None | Some(TrimWhereField::Both) => "trim",
                    Some(TrimWhereField::Leading) => "ltrim",
                    Some(TrimWhereField::Trailing) => "rtrim",
                };
                self.call(&call(name, vec![expr]))
            }
            Expr::Interval(_) => Err(self.unsupported(
                "an interval by itself",
                "an INTERVAL stands beside + or - and a date or timestamp",
                tree,
            )),
            Expr::CompoundIdentifier(parts) => {
                let names: Vec<&str> = parts.iter().map(|part| part.value.as_str()).collect();
                let supported = format!(
                    "columns have no table in front; write \"{}\" if that is its name",
                    names.join(".")
                );
                Err(self.unsupported(Self::shown(tree), supported, tree))
            }
            Expr::Subquery(_) | Expr::Exists { .. } | Expr::InSubquery { .. } => Err(self.unsupported(
                "a subquery",
                "an expression sees one row; joins and aggregates belong in the query of `ingest`",
                tree,
            )),
            _ => Err(self.unsupported(
                Self::shown(tree),
                "an expression is made of columns, literals, operators, CASE, CAST and functions of one row",
                tree,
            )),
        }
    }

    fn function(&mut self, function: &Function, tree: &Expr) -> BindResult<Term> {
        let name = function.name.to_string().to_lowercase();
        let has_more = function.over.is_some()
            || function.filter.is_some()
            || function.null_treatment.is_some()
            || !function.within_group.is_empty()
            || !matches!(function.parameters, FunctionArguments::None);
        let arguments = match &function.args {
            FunctionArguments::List(list)
                if list.duplicate_treatment.is_none() && list.clauses.is_empty() =>
            {
                list.args
                    .iter()
                    .map(|argument| match argument {
                        FunctionArg::Unnamed(FunctionArgExpr::Expr(expression)) => Some(expression),
                        _ => None,
                    })
                    .collect::<Option<Vec<_>>>()
            }
            _ => None,
        };
        match arguments {
            Some(arguments) if !has_more => self.call(&Call { name, arguments, tree }),
            _ => Err(self.unsupported(
                format!("`{name}` over several rows or with named arguments"),
                "functions are of one row, with plain arguments",
                tree,
            )),
        }
    }

    fn call(&mut self, call: &Call<'_>) -> BindResult<Term> {
        match call.name.as_str() {
            "coalesce" | "ifnull" => self.coalesce(call),
            "nullif" => self.nullif(call),
            "least" | "greatest" => self.extreme(call),
            "abs" | "sign" | "floor" | "ceil" | "ceiling" | "round" | "mod" => self.number_function(call),
            "sqrt" => self.float_function(call, FloatFunction::SquareRoot),
            "exp" => self.float_function(call, FloatFunction::Exponential),
            "ln" => self.float_function(call, FloatFunction::NaturalLogarithm),
            "log10" => self.float_function(call, FloatFunction::DecimalLogarithm),
            "log2" => self.float_function(call, FloatFunction::BinaryLogarithm),
            "pow" | "power" => {
                let terms = self.numbers(call, 2..=2)?;
                Ok(Term::call(Kernel::Power, terms, ColumnKind::Float))
            }
            "isnan" | "is_nan" => self.float_test(call, FloatTest::Nan),
            "isfinite" | "is_finite" => self.float_test(call, FloatTest::Finite),
            "isinf" | "is_inf" => self.float_test(call, FloatTest::Infinite),
            "length" | "char_length" | "character_length" => {
                let terms = self.texts(call, 1)?;
                Ok(Term::call(Kernel::Characters, terms, ColumnKind::Integer))
            }
            "octet_length" => self.octet_length(call),
            "lower" => self.text_function(call, TextFunction::Lower, 1),
            "upper" => self.text_function(call, TextFunction::Upper, 1),
            "trim" => self.text_function(call, TextFunction::Trim { left: true, right: true }, 1),
            "ltrim" => self.text_function(call, TextFunction::Trim { left: true, right: false }, 1),
            "rtrim" => self.text_function(call, TextFunction::Trim { left: false, right: true }, 1),
            "replace" => self.text_function(call, TextFunction::Replace, 3),
            "substr" | "substring" => self.substring(call),
            "starts_with" => self.text_test(call, TextTest::StartsWith),
            "ends_with" => self.text_test(call, TextTest::EndsWith),
            "contains" => self.text_test(call, TextTest::Contains),
            "regexp_matches" => self.regular_expression(call),
            "date_trunc" => self.truncate(call),
            "date_diff" => self.difference(call),
            name if part(name).is_some() => {
                self.expect(call, 1..=1)?;
                self.extract(name, call.arguments[0])
            }
            name => {
                let supported = suggest(name, FUNCTIONS)
                    .filter(|hint| hint.starts_with("did"))
                    .unwrap_or_else(|| listed("functions are", FUNCTIONS));
                Err(self.unsupported(format!("the function `{name}`"), supported, call.tree))
            }
        }
    }

    fn expect(&self, call: &Call<'_>, range: std::ops::RangeInclusive<usize>) -> BindResult<()> {
        if range.contains(&call.arguments.len()) {
            return Ok(());
        }
        Err(ExpressionError::Arity {
            text: self.text.into(),
            function: call.name.clone(),
            expected: in_words(&range),
            found: call.arguments.len(),
            position: Self::place(call.tree),
        })
    }

    fn bind_all<'t>(&mut self, call: &Call<'t>) -> BindResult<Vec<(Term, &'t Expr)>> {
        call.arguments.iter().map(|tree| Ok((self.bind(tree)?, *tree))).collect()
    }

    fn numbers(&mut self, call: &Call<'_>, range: std::ops::RangeInclusive<usize>) -> BindResult<Vec<Term>> {
        self.expect(call, range)?;
        call.arguments.iter().map(|tree| self.numeric(&call.name, tree)).collect()
    }

    fn texts(&mut self, call: &Call<'_>, count: usize) -> BindResult<Vec<Term>> {
        self.expect(call, count..=count)?;
        call.arguments.iter().map(|tree| self.text_operand(&call.name, tree)).collect()
    }

    fn coalesce(&mut self, call: &Call<'_>) -> BindResult<Term> {
        self.expect(call, if call.name == "ifnull" { 2..=2 } else { 1..=usize::MAX })?;
        let terms = self.bind_all(call)?;
        let (terms, kind) = self.unify(&call.name, terms)?;
        Ok(Term::new(Node::Coalesce(terms.into_iter().map(|term| term.node).collect()), kind))
    }

    fn extreme(&mut self, call: &Call<'_>) -> BindResult<Term> {
        self.expect(call, 1..=usize::MAX)?;
        let terms = self.bind_all(call)?;
        let (terms, kind) = self.unify(&call.name, terms)?;
        if kind == ColumnKind::Null {
            return Ok(Term::null(kind));
        }
        let arguments = terms.into_iter().map(|term| term.node).collect();
        Ok(Term::new(Node::Extreme { greatest: call.name == "greatest", arguments }, kind))
    }

    /// The first, unless it equals the second.
    fn nullif(&mut self, call: &Call<'_>) -> BindResult<Term> {
        self.expect(call, 2..=2)?;
        let (first, second) = (self.bind(call.arguments[0])?, self.bind(call.arguments[1])?);
        let kind = first.kind.clone();
        if kind.normal_type().is_none() {
            return Err(self.operands(&call.name, &[&first], "single values", call.tree));
        }
        let otherwise = Box::new(first.node.clone());
        let (left, right) =
            self.comparable(&call.name, (first, call.arguments[0]), (second, call.arguments[1]))?;
        let equal = Term::call(Kernel::Compare(Comparison::Equal), vec![left, right], ColumnKind::Boolean);
        let branches = vec![(equal.node, Term::null(kind.clone()).node)];
        Ok(Term::new(Node::Case { branches, otherwise }, kind))
    }

    fn number_function(&mut self, call: &Call<'_>) -> BindResult<Term> {
        let takes = match call.name.as_str() {
            "mod" => 2..=2,
            "round" => 1..=2,
            _ => 1..=1,
        };
        self.expect(call, takes)?;
        if call.name == "mod" {
            let modulo = sqlparser::ast::BinaryOperator::Modulo;
            return self.binary(call.arguments[0], &modulo, call.arguments[1], call.tree);
        }
        let term = self.numeric(&call.name, call.arguments[0])?;
        let kind = match (&term.kind, call.name.as_str()) {
            (ColumnKind::Decimal { scale, .. }, "floor" | "ceil" | "ceiling" | "round") => {
                wide_decimal(*scale)
            }
            (kind, _) => kind.clone(),
        };
        let kernel = match call.name.as_str() {
            "abs" => Kernel::Absolute,
            "sign" => return Ok(Term::call(Kernel::Sign, vec![term], ColumnKind::Integer)),
            "floor" => Kernel::Round(Rounding::Floor),
            "ceil" | "ceiling" => Kernel::Round(Rounding::Ceiling),
            _ => Kernel::Round(Rounding::Nearest(self.places(call)?)),
        };
        Ok(Term::call(kernel, vec![term], kind))
    }

    /// The digits after the point of `round(x, 2)`.
    fn places(&mut self, call: &Call<'_>) -> BindResult<i32> {
        let Some(tree) = call.arguments.get(1) else { return Ok(0) };
        let literal = self.bind(tree)?.literal;
        let places = match &literal {
            Some(Literal::Number(text)) => text.parse().ok().filter(|places| (-300..=300).contains(places)),
            _ => None,
        };
        places.ok_or_else(|| self.wrong_literal(&tree.to_string(), "a whole number from -300 to 300", tree))
    }

    fn float_function(&mut self, call: &Call<'_>, function: FloatFunction) -> BindResult<Term> {
        let terms = self.numbers(call, 1..=1)?;
        Ok(Term::call(Kernel::Float(function), terms, ColumnKind::Float))
    }

    fn float_test(&mut self, call: &Call<'_>, test: FloatTest) -> BindResult<Term> {
        let terms = self.numbers(call, 1..=1)?;
        Ok(Term::call(Kernel::FloatTest(test), terms, ColumnKind::Boolean))
    }

    fn octet_length(&mut self, call: &Call<'_>) -> BindResult<Term> {
        self.expect(call, 1..=1)?;
        let term = self.bind(call.arguments[0])?;
        if !matches!(term.kind, ColumnKind::Text | ColumnKind::Binary | ColumnKind::Null) {
            return Err(self.operands(&call.name, &[&term], "text or binary", call.tree));
        }
        Ok(Term::call(Kernel::Bytes, vec![term], ColumnKind::Integer))
    }

    fn text_function(&mut self, call: &Call<'_>, function: TextFunction, count: usize) -> BindResult<Term> {
        let terms = self.texts(call, count)?;
        Ok(Term::call(Kernel::Text(function), terms, ColumnKind::Text))
    }

    fn text_test(&mut self, call: &Call<'_>, test: TextTest) -> BindResult<Term> {
        let terms = self.texts(call, 2)?;
        Ok(Term::call(Kernel::TextTest(test), terms, ColumnKind::Boolean))
    }

    fn substring(&mut self, call: &Call<'_>) -> BindResult<Term> {
        self.expect(call, 2..=3)?;
        let mut terms = vec![self.text_operand(&call.name, call.arguments[0])?];
        for tree in &call.arguments[1..] {
            let term = self.bind(tree)?;
            if !matches!(term.kind, ColumnKind::Integer | ColumnKind::Unsigned | ColumnKind::Null) {
                return Err(self.operands(&call.name, &[&term], "whole numbers as positions", tree));
            }
            terms.push(term);
        }
        Ok(Term::call(Kernel::Text(TextFunction::Substring), terms, ColumnKind::Text))
    }

    fn regular_expression(&mut self, call: &Call<'_>) -> BindResult<Term> {
        self.expect(call, 2..=2)?;
        let term = self.text_operand(&call.name, call.arguments[0])?;
        let text = self.literal_text(&call.name, call.arguments[1])?;
        let pattern = regex::Regex::new(&text).map_err(|error| {
            let problem = error.to_string();
            let last = problem.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned();
            self.wrong_literal(&text, &format!("a regular expression ({last})"), call.arguments[1])
        })?;
        Ok(Term::call(Kernel::Matches { pattern, is_negated: false }, vec![term], ColumnKind::Boolean))
    }

    fn temporal(&mut self, operator: &str, tree: &Expr) -> BindResult<(Term, i64)> {
        let term = self.bind(tree)?;
        let term = match &term.literal {
            Some(Literal::Text(text)) => Term::timestamp(text)
                .ok_or_else(|| self.wrong_literal(text, "a timestamp such as '2024-02-29 12:30:00'", tree))?,
            _ => term,
        };
        if !is_temporal(&term.kind) && term.kind != ColumnKind::Null {
            return Err(self.operands(operator, &[&term], "a date or timestamp", tree));
        }
        let offset = self.offset(operator, &term, tree)?;
        Ok((term, offset))
    }

    fn extract(&mut self, name: &str, tree: &Expr) -> BindResult<Term> {
        let Some(part) = part(name) else {
            return Err(self.unsupported(
                format!("the part {name} of a date"),
                "parts are year, quarter, month, day, dow (0 is Sunday), isodow (1 is Monday), doy, hour, \
                 minute, second",
                tree,
            ));
        };
        let (term, offset) = self.temporal(name, tree)?;
        Ok(Term::call(Kernel::Part { part, offset }, vec![term], ColumnKind::Integer))
    }

    fn unit(&mut self, call: &Call<'_>) -> BindResult<Unit> {
        let text = self.literal_text(&call.name, call.arguments[0])?;
        unit(&text).ok_or_else(|| {
            let expected = "'year', 'quarter', 'month', 'week', 'day', 'hour', 'minute' or 'second'";
            self.wrong_literal(&text, expected, call.arguments[0])
        })
    }

    fn truncate(&mut self, call: &Call<'_>) -> BindResult<Term> {
        self.expect(call, 2..=2)?;
        let unit = self.unit(call)?;
        let (term, offset) = self.temporal(&call.name, call.arguments[1])?;
        let kind = term.kind.clone();
        Ok(Term::call(Kernel::Truncate { unit, offset }, vec![term], kind))
    }

    fn difference(&mut self, call: &Call<'_>) -> BindResult<Term> {
        self.expect(call, 3..=3)?;
        let unit = self.unit(call)?;
        let (from, offset) = self.temporal(&call.name, call.arguments[1])?;
        let (to, other) = self.temporal(&call.name, call.arguments[2])?;
        if offset != other {
            let expected = "two dates or timestamps of one zone";
            return Err(self.operands(&call.name, &[&from, &to], expected, call.tree));
        }
        Ok(Term::call(Kernel::Difference { unit, offset }, vec![from, to], ColumnKind::Integer))
    }
}
