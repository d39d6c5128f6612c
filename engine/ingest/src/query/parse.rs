//! From text to one `SELECT` over the inputs, and what it may not contain.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use sqlparser::ast::{Expr, Query, SetExpr, Statement, TableFactor, Visit, Visitor};
use sqlparser::dialect::GenericDialect;
use sqlparser::parser::{Parser, ParserOptions};
use sqlparser::tokenizer::Location;

use super::error::{Position, QueryError};

/// The position that a text like `…, found: FROM at Line: 2, Column: 8` names, and the text before it.
fn split_position(problem: &str) -> (String, Option<(u64, u64)>) {
    let parsed = problem.rsplit_once(" at Line: ").and_then(|(before, place)| {
        let (line, column) = place.split_once(", Column: ")?;
        Some((before.to_owned(), (line.trim().parse().ok()?, column.trim().parse().ok()?)))
    });
    match parsed {
        Some((before, place)) => (before, Some(place)),
        None => (problem.to_owned(), None),
    }
}

/// A place in the text; `None` where the parser has lost it.
pub(super) fn position(text: &str, line: u64, column: u64) -> Option<Position> {
    let index = usize::try_from(line.checked_sub(1)?).ok()?;
    let shown = text.lines().nth(index)?;
    (column > 0).then(|| Position { line, column, text: shown.replace('\t', " ") })
}

fn position_of(text: &str, location: Location) -> Option<Position> {
    position(text, location.line, location.column)
}

/// Parses a query, as polars will, and refuses what has no place in one.
pub(super) fn parse(text: &str, inputs: &[String]) -> Result<Box<Query>, QueryError> {
    let syntax = |error: sqlparser::parser::ParserError| {
        let message = error.to_string();
        let message = message.strip_prefix("sql parser error: ").unwrap_or(&message);
        let (problem, place) = split_position(message);
        let position = place.and_then(|(line, column)| position(text, line, column));
        QueryError::Syntax { problem, position }
    };
    let options = ParserOptions { trailing_commas: true, ..ParserOptions::default() };
    let mut statements = Parser::new(&GenericDialect)
        .with_options(options)
        .try_with_sql(text)
        .map_err(syntax)?
        .parse_statements()
        .map_err(syntax)?;
    let query = match (statements.pop(), statements.len()) {
        (Some(Statement::Query(query)), 0) => query,
        (None, _) => return Err(QueryError::NotSelect { found: "nothing".into() }),
        (Some(other), 0) => {
            let words = other.to_string();
            let first = words.split_whitespace().next().unwrap_or_default().to_owned();
            return Err(QueryError::NotSelect { found: format!("`{first}`") });
        }
        (Some(_), others) => {
            return Err(QueryError::NotSelect { found: format!("{} statements", others + 1) });
        }
    };
    let mut check = Check { text, inputs, named: Vec::new() };
    match query.visit(&mut check) {
        ControlFlow::Break(error) => Err(error),
        ControlFlow::Continue(()) if tables(&query).is_empty() => Err(QueryError::NoTable),
        ControlFlow::Continue(()) => Ok(query),
    }
}

/// Walks through a query and stops at what it may not contain.
struct Check<'a> {
    text: &'a str,
    inputs: &'a [String],
    /// Names of the common table expressions of the queries that are open, a list each.
    named: Vec<Vec<String>>,
}

impl Visitor for Check<'_> {
    type Break = QueryError;

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<QueryError> {
        let names = query.with.iter().flat_map(|with| &with.cte_tables);
        self.named.push(names.map(|table| table.alias.name.value.clone()).collect());
        if query.limit_clause.is_some() || query.fetch.is_some() {
            return ControlFlow::Break(QueryError::Unordered { what: "LIMIT, OFFSET or FETCH" });
        }
        if !matches!(*query.body, SetExpr::Select(_) | SetExpr::Query(_) | SetExpr::SetOperation { .. }) {
            return ControlFlow::Break(QueryError::NotSelect { found: format!("`{}`", query.body) });
        }
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, _query: &Query) -> ControlFlow<QueryError> {
        self.named.pop();
        ControlFlow::Continue(())
    }

    fn pre_visit_select(&mut self, select: &sqlparser::ast::Select) -> ControlFlow<QueryError> {
        if select.top.is_some() {
            return ControlFlow::Break(QueryError::Unordered { what: "TOP" });
        }
        if matches!(select.distinct, Some(sqlparser::ast::Distinct::On(_))) {
            return ControlFlow::Break(QueryError::Unordered { what: "DISTINCT ON" });
        }
        if select.into.is_some() {
            return ControlFlow::Break(QueryError::NotSelect { found: "`SELECT INTO`".into() });
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_table_factor(&mut self, factor: &TableFactor) -> ControlFlow<QueryError> {
        match factor {
            TableFactor::Table { args: None, sample: None, .. } | TableFactor::NestedJoin { .. } => {
                ControlFlow::Continue(())
            }
            TableFactor::Derived { sample: None, .. } => ControlFlow::Continue(()),
            TableFactor::Table { sample: Some(_), .. } | TableFactor::Derived { sample: Some(_), .. } => {
                ControlFlow::Break(QueryError::Unordered { what: "TABLESAMPLE" })
            }
            other => ControlFlow::Break(QueryError::NotTable { found: other.to_string() }),
        }
    }

    fn pre_visit_relation(&mut self, relation: &sqlparser::ast::ObjectName) -> ControlFlow<QueryError> {
        let Some(name) = relation.0.last().and_then(|part| part.as_ident()) else {
            return ControlFlow::Break(QueryError::NotTable { found: relation.to_string() });
        };
        let is_known = relation.0.len() == 1
            && (self.inputs.contains(&name.value)
                || self.named.iter().flatten().any(|known| *known == name.value));
        if is_known {
            return ControlFlow::Continue(());
        }
        let position = position_of(self.text, name.span.start);
        ControlFlow::Break(QueryError::UnknownTable {
            table: relation.to_string(),
            inputs: self.inputs.to_vec(),
            position,
        })
    }
}

/// Where a name first stands in a query as a column.
pub(super) fn find_column(query: &Query, name: &str, text: &str) -> Option<Position> {
    let mut found = None;
    let _ = sqlparser::ast::visit_expressions(query, |expression| {
        let identifier = match expression {
            Expr::Identifier(identifier) => Some(identifier),
            Expr::CompoundIdentifier(parts) => parts.iter().find(|part| part.value == name),
            _ => None,
        };
        match identifier {
            Some(identifier) if identifier.value == name => {
                found = position_of(text, identifier.span.start);
                ControlFlow::Break(())
            }
            _ => ControlFlow::Continue(()),
        }
    });
    found
}

/// The tables that a query reads, inputs and its own, by name.
pub(super) fn tables(query: &Query) -> BTreeSet<String> {
    let mut tables = BTreeSet::new();
    let _ = sqlparser::ast::visit_relations(query, |relation| {
        tables.extend(relation.0.last().and_then(|part| part.as_ident()).map(|name| name.value.clone()));
        ControlFlow::<()>::Continue(())
    });
    tables
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(text: &str) -> QueryError {
        parse(text, &["trips".to_owned(), "zones".to_owned()]).unwrap_err()
    }

    #[test]
    fn what_is_no_query_over_the_inputs_is_refused_with_its_place() {
        let QueryError::Syntax { problem, position } = error("SELECT *\n  FORM trips") else {
            panic!("not a syntax error")
        };
        let position = position.unwrap();
        assert_eq!((position.line, position.text.as_str()), (2, "  FORM trips"), "{problem}");
        assert!(matches!(error("DROP TABLE trips"), QueryError::NotSelect { .. }));
        assert!(matches!(error(""), QueryError::NotSelect { .. }));
        assert!(matches!(error("SELECT 1 FROM trips; SELECT 2 FROM trips"), QueryError::NotSelect { .. }));
        assert!(matches!(error("VALUES (1)"), QueryError::NotSelect { .. }));
        assert!(matches!(error("SELECT 1 AS one, FORM trips"), QueryError::NoTable));
        assert!(matches!(error("SELECT * FROM read_csv('/etc/passwd')"), QueryError::NotTable { .. }));
        assert!(matches!(error("SELECT * FROM trips LIMIT 5"), QueryError::Unordered { .. }));
        assert!(matches!(
            error("SELECT * FROM (SELECT * FROM trips FETCH FIRST 1 ROWS ONLY) AS t"),
            QueryError::Unordered { .. }
        ));
        let QueryError::UnknownTable { table, position, .. } = error("SELECT * FROM tripz") else {
            panic!("not an unknown table")
        };
        assert_eq!((table.as_str(), position.unwrap().column), ("tripz", 15));
    }

    #[test]
    fn named_subqueries_are_tables() {
        let text = "WITH cheap AS (SELECT * FROM trips WHERE fare < 5) \
                    SELECT * FROM cheap JOIN zones ON cheap.zone = zones.id";
        let query = parse(text, &["trips".to_owned(), "zones".to_owned()]).unwrap();
        assert_eq!(tables(&query).into_iter().collect::<Vec<_>>(), ["cheap", "trips", "zones"]);
    }
}
