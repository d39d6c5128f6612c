//! From text to a bound expression: names become columns, literals values, and every operator is given
//! operands of kinds that it can take.

mod functions;
mod kinds;
mod literals;
mod operators;

use arrow::array::new_null_array;
use arrow::datatypes::DataType;
use sluice_core::column::ColumnKind;
use sluice_core::options::quoted;
use sqlparser::ast::{Expr, Ident, Spanned, UnaryOperator};
use sqlparser::dialect::GenericDialect;
use sqlparser::parser::{Parser, ParserError};
use sqlparser::tokenizer::{Location, Token, Tokenizer};

use crate::error::{ExpressionError, Position};
use crate::node::{Kernel, Node, Test};

/// Words, signs and literals of an expression at most: what the parser builds is taken apart by recursion.
const MAX_TOKENS: usize = 4_096;
/// Operators and functions inside one another at most. Chains of `AND` and of `OR` count once.
const MAX_DEPTH: usize = 200;

/// A bound expression and what it answers.
pub(crate) struct Bound {
    pub(crate) node: Node,
    pub(crate) kind: ColumnKind,
    /// Indices of the columns that it reads, in the order in which they first stand in the text.
    pub(crate) columns: Vec<usize>,
}

/// A part of an expression while it is bound.
#[derive(Clone, Debug)]
struct Term {
    node: Node,
    kind: ColumnKind,
    /// The literal behind it, which can still become another kind.
    literal: Option<Literal>,
}

#[derive(Clone, Debug)]
enum Literal {
    /// Digits with a sign, a point, an exponent.
    Number(String),
    /// Text in quotes.
    Text(String),
}

impl Term {
    fn new(node: Node, kind: ColumnKind) -> Self {
        Self { node, kind, literal: None }
    }

    /// Null of a kind.
    fn null(kind: ColumnKind) -> Self {
        let data_type = kind.normal_type().unwrap_or(DataType::Null);
        Self::new(Node::Constant(new_null_array(&data_type, 1)), kind)
    }

    /// A function that is null where an argument is.
    fn call(kernel: Kernel, arguments: Vec<Self>, kind: ColumnKind) -> Self {
        if arguments.iter().any(|argument| argument.kind == ColumnKind::Null) {
            return Self::null(kind);
        }
        let arguments = arguments.into_iter().map(|argument| argument.node).collect();
        Self::new(Node::Call { kernel, arguments }, kind)
    }
}

type BindResult<T> = Result<T, ExpressionError>;

struct Binder<'a> {
    text: &'a str,
    columns: &'a [(String, ColumnKind)],
    used: Vec<usize>,
    depth: usize,
}

pub(crate) fn bind(text: &str, columns: &[(String, ColumnKind)]) -> BindResult<Bound> {
    let tree = parse(text)?;
    let mut binder = Binder { text, columns, used: Vec::new(), depth: 0 };
    let term = binder.bind(&tree)?;
    Ok(Bound { node: term.node, kind: term.kind, columns: binder.used })
}

fn position(location: Location) -> Option<Position> {
    (location.line > 0).then_some(Position { line: location.line, column: location.column })
}

fn parse(text: &str) -> BindResult<Expr> {
    let syntax =
        |problem: String, position| ExpressionError::Syntax { text: text.to_owned(), problem, position };
    let tokens = Tokenizer::new(&GenericDialect, text)
        .tokenize_with_location()
        .map_err(|error| syntax(error.message.clone(), position(error.location)))?;
    let num_tokens = tokens.iter().filter(|token| !matches!(token.token, Token::Whitespace(_))).count();
    if num_tokens > MAX_TOKENS {
        return Err(ExpressionError::TooComplex {
            found: format!("{num_tokens} words, signs and literals"),
            limit: MAX_TOKENS,
        });
    }
    let of_parser = |error: ParserError| {
        let message = error.to_string();
        let message = message.strip_prefix("sql parser error: ").unwrap_or(&message);
        let (problem, place) = split_position(message);
        syntax(problem, place)
    };
    let mut parser = Parser::new(&GenericDialect).with_tokens_with_locations(tokens);
    let tree = parser.parse_expr().map_err(of_parser)?;
    let next = parser.peek_token();
    if next.token != Token::EOF {
        let problem = format!("the expression ends before `{}`", next.token);
        return Err(syntax(problem, position(next.span.start)));
    }
    Ok(tree)
}

/// The position that a text like `…, found: FROM at Line: 2, Column: 8` names, and the text before it.
fn split_position(problem: &str) -> (String, Option<Position>) {
    let parsed = problem.rsplit_once(" at Line: ").and_then(|(before, place)| {
        let (line, column) = place.split_once(", Column: ")?;
        let position = Position { line: line.trim().parse().ok()?, column: column.trim().parse().ok()? };
        Some((before.to_owned(), Some(position)))
    });
    parsed.unwrap_or_else(|| (problem.to_owned(), None))
}

impl Binder<'_> {
    fn bind(&mut self, tree: &Expr) -> BindResult<Term> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(ExpressionError::TooComplex {
                found: "operators and functions inside one another".into(),
                limit: MAX_DEPTH,
            });
        }
        let term = self.bind_one(tree);
        self.depth -= 1;
        term
    }

    fn bind_one(&mut self, tree: &Expr) -> BindResult<Term> {
        match tree {
            Expr::Identifier(name) => self.column(name),
            Expr::Nested(inner) => self.bind(inner),
            Expr::Value(value) => self.literal(&value.value, tree),
            Expr::TypedString(typed) => self.typed_literal(typed, tree),
            Expr::BinaryOp { left, op, right } => self.binary(left, op, right, tree),
            Expr::UnaryOp { op: UnaryOperator::Not, expr } => self.not(expr),
            Expr::UnaryOp { op: UnaryOperator::Minus, expr } => self.negate(expr),
            Expr::UnaryOp { op: UnaryOperator::Plus, expr } => self.numeric("+", expr),
            Expr::IsNull(inner) => self.is_null(inner, false),
            Expr::IsNotNull(inner) => self.is_null(inner, true),
            Expr::IsTrue(inner) => self.is_truth(inner, Test::True, false),
            Expr::IsNotTrue(inner) => self.is_truth(inner, Test::True, true),
            Expr::IsFalse(inner) => self.is_truth(inner, Test::False, false),
            Expr::IsNotFalse(inner) => self.is_truth(inner, Test::False, true),
            Expr::IsUnknown(inner) => self.is_truth(inner, Test::Null, false),
            Expr::IsNotUnknown(inner) => self.is_truth(inner, Test::Null, true),
            Expr::IsDistinctFrom(left, right) => self.distinct(left, right, false),
            Expr::IsNotDistinctFrom(left, right) => self.distinct(left, right, true),
            Expr::Between { expr, negated, low, high } => self.between(expr, *negated, low, high),
            Expr::InList { expr, list, negated } => self.in_list(expr, list, *negated),
            Expr::Like { negated, any: false, expr, pattern, escape_char } => {
                self.like("LIKE", (expr, pattern), escape_char.as_ref(), false, *negated)
            }
            Expr::ILike { negated, any: false, expr, pattern, escape_char } => {
                self.like("ILIKE", (expr, pattern), escape_char.as_ref(), true, *negated)
            }
            Expr::Case { operand, conditions, else_result, .. } => {
                self.case(operand.as_deref(), conditions, else_result.as_deref())
            }
            Expr::Cast { kind, expr, data_type, array: false, format: None } => {
                self.cast(kind, expr, data_type, tree)
            }
            _ => self.function_like(tree),
        }
    }

    fn column(&mut self, name: &Ident) -> BindResult<Term> {
        let Some(index) = self.columns.iter().position(|(column, _)| *column == name.value) else {
            return Err(ExpressionError::UnknownColumn {
                text: self.text.into(),
                column: name.value.clone(),
                available: self.columns.iter().map(|(column, _)| column.clone()).collect(),
                position: position(name.span.start),
            });
        };
        let kind = self.columns[index].1.clone();
        let place = self.used.iter().position(|used| *used == index).unwrap_or_else(|| {
            self.used.push(index);
            self.used.len() - 1
        });
        if kind == ColumnKind::Null {
            return Ok(Term::null(ColumnKind::Null));
        }
        Ok(Term::new(Node::Column(place), kind))
    }

    /// The place where a part begins, where the parser knows it.
    fn place(tree: &Expr) -> Option<Position> {
        position(tree.span().start)
    }

    fn unsupported(
        &self,
        what: impl Into<String>,
        supported: impl Into<String>,
        tree: &Expr,
    ) -> ExpressionError {
        ExpressionError::Unsupported {
            text: self.text.into(),
            what: what.into(),
            supported: supported.into(),
            position: Self::place(tree),
        }
    }

    /// Operands of kinds that an operator cannot take.
    fn operands(&self, operator: &str, found: &[&Term], expected: &str, tree: &Expr) -> ExpressionError {
        let kinds: Vec<String> = found.iter().map(|term| term.kind.to_string()).collect();
        ExpressionError::Operands {
            text: self.text.into(),
            operator: operator.into(),
            found: kinds.join(" and "),
            expected: expected.into(),
            position: Self::place(tree),
        }
    }

    fn wrong_literal(&self, literal: &str, expected: &str, tree: &Expr) -> ExpressionError {
        ExpressionError::Literal {
            text: self.text.into(),
            literal: literal.into(),
            expected: expected.into(),
            position: Self::place(tree),
        }
    }

    /// A condition: true, false or null.
    fn condition(&mut self, operator: &str, tree: &Expr) -> BindResult<Term> {
        let term = self.bind(tree)?;
        match term.kind {
            ColumnKind::Boolean => Ok(term),
            ColumnKind::Null => Ok(Term::null(ColumnKind::Boolean)),
            _ => Err(self.operands(operator, &[&term], "true or false", tree)),
        }
    }

    /// The first few words of a part that nobody knows.
    fn shown(tree: &Expr) -> String {
        let text = tree.to_string();
        let start: String = text.chars().take(40).collect();
        quoted([start.as_str()])
    }
}
