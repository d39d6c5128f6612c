//! How a query can be answered: row by row (each batch alone, in flat memory and the order of the input), or as a
//! whole (its answer is sorted by a key); and whether the sums in it depend on the order of the rows.

use std::ops::ControlFlow;

use sqlparser::ast::{
    Expr, Function, GroupByExpr, Query, Select, SelectItem, SetExpr, TableFactor, Visit, Visitor,
};

/// Functions of polars' SQL whose value in a row follows from that row alone.
const ROW_FUNCTIONS: &[&str] = &[
    "abs",
    "acos",
    "acosd",
    "array_contains",
    "array_get",
    "array_length",
    "array_lower",
    "array_mean",
    "array_reverse",
    "array_sum",
    "array_to_string",
    "array_upper",
    "asin",
    "asind",
    "atan",
    "atan2",
    "atan2d",
    "atand",
    "bit_and",
    "bit_count",
    "bit_length",
    "bit_not",
    "bit_or",
    "bit_xor",
    "bitand",
    "bitcount",
    "bitnot",
    "bitor",
    "bitxor",
    "cbrt",
    "ceil",
    "ceiling",
    "char_length",
    "character_length",
    "coalesce",
    "concat",
    "concat_ws",
    "cos",
    "cosd",
    "cot",
    "cotd",
    "date",
    "date_part",
    "datetime",
    "degrees",
    "div",
    "ends_with",
    "exp",
    "floor",
    "greatest",
    "if",
    "ifnull",
    "initcap",
    "least",
    "left",
    "length",
    "ln",
    "log",
    "log10",
    "log1p",
    "log2",
    "lower",
    "lpad",
    "ltrim",
    "mod",
    "normalize",
    "nullif",
    "octet_length",
    "pi",
    "pow",
    "power",
    "radians",
    "regexp_like",
    "replace",
    "reverse",
    "right",
    "round",
    "rpad",
    "rtrim",
    "sign",
    "sin",
    "sind",
    "split_part",
    "sqrt",
    "starts_with",
    "strftime",
    "string_to_array",
    "strpos",
    "strptime",
    "substr",
    "tan",
    "tand",
    "time",
    "timestamp",
    "trunc",
    "truncate",
    "upper",
    "xor",
];

/// Aggregates whose value is the same bits in whatever order the rows are met.
const ORDER_FREE: &[&str] = &["count", "max", "min"];

/// How a query can be answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// Batch by batch, from one table.
    RowWise {
        /// The table.
        table: String,
    },
    /// From all rows at once.
    Whole {
        /// What makes it so, in words that follow "the query".
        reason: String,
        /// Whether sums in it depend on the order of rows, so that it must be met in a fixed one.
        ordered: bool,
        /// Whether it joins.
        joins: bool,
    },
}

/// The shape of a query.
pub(super) fn shape(query: &Query) -> Shape {
    let mut walk = Walk::default();
    let _ = query.visit(&mut walk);
    if let Some(table) = plain_table(query)
        && walk.reason.is_none()
    {
        return Shape::RowWise { table };
    }
    Shape::Whole {
        reason: walk.reason.unwrap_or_else(|| "does more than select columns and filter rows".into()),
        ordered: walk.ordered,
        joins: walk.joins,
    }
}

/// The table of a query that selects from one and does nothing that looks at several rows, apart from what its
/// expressions do.
fn plain_table(query: &Query) -> Option<String> {
    if query.with.is_some() || query.order_by.is_some() || !query.pipe_operators.is_empty() {
        return None;
    }
    let SetExpr::Select(select) = &*query.body else { return None };
    let has_column = select.projection.iter().any(reads_a_column);
    let groups =
        !matches!(&select.group_by, GroupByExpr::Expressions(by, with) if by.is_empty() && with.is_empty());
    let plain = has_column
        && !groups
        && select.distinct.is_none()
        && select.having.is_none()
        && select.qualify.is_none()
        && select.lateral_views.is_empty()
        && select.sort_by.is_empty();
    let [from] = select.from.as_slice() else { return None };
    match &from.relation {
        TableFactor::Table { name, .. } if plain && from.joins.is_empty() => {
            name.0.last()?.as_ident().map(|name| name.value.clone())
        }
        _ => None,
    }
}

/// Whether a selected item has a value for each row: a lone constant would be one row.
fn reads_a_column(item: &SelectItem) -> bool {
    let expression = match item {
        SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. } => expr,
        SelectItem::ExprWithAliases { .. } => return false,
        SelectItem::Wildcard(_) | SelectItem::QualifiedWildcard(..) => return true,
    };
    let found = sqlparser::ast::visit_expressions(expression, |inner| match inner {
        Expr::Identifier(_) | Expr::CompoundIdentifier(_) => ControlFlow::Break(()),
        _ => ControlFlow::Continue(()),
    });
    found.is_break()
}

/// What of a query looks at several rows.
#[derive(Default)]
struct Walk {
    queries: usize,
    reason: Option<String>,
    ordered: bool,
    joins: bool,
}

impl Walk {
    fn because(&mut self, reason: impl FnOnce() -> String) {
        if self.reason.is_none() {
            self.reason = Some(reason());
        }
    }

    fn function(&mut self, function: &Function) {
        let name = function.name.to_string().to_lowercase();
        if function.over.is_some() {
            self.ordered = true;
            self.because(|| format!("computes `{name}` over a window of rows"));
        } else if !ROW_FUNCTIONS.contains(&name.as_str()) {
            self.ordered |= !ORDER_FREE.contains(&name.as_str());
            self.because(|| format!("uses `{name}`, which looks at several rows"));
        }
    }
}

impl Visitor for Walk {
    type Break = ();

    fn pre_visit_query(&mut self, _query: &Query) -> ControlFlow<()> {
        self.queries += 1;
        if self.queries > 1 {
            self.because(|| "has a subquery".into());
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_select(&mut self, select: &Select) -> ControlFlow<()> {
        if select.from.len() > 1 || select.from.iter().any(|from| !from.joins.is_empty()) {
            self.joins = true;
            self.because(|| "joins tables".into());
        }
        if select.distinct.is_some() {
            self.because(|| "selects distinct rows".into());
        }
        if !matches!(&select.group_by, GroupByExpr::Expressions(by, _) if by.is_empty()) {
            self.because(|| "groups rows".into());
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expression: &Expr) -> ControlFlow<()> {
        if let Expr::Function(function) = expression {
            self.function(function);
        }
        ControlFlow::Continue(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::parse::parse;
    use super::*;

    fn of(text: &str) -> Shape {
        shape(&parse(text, &["trips".to_owned(), "zones".to_owned()]).unwrap())
    }

    #[test]
    fn filters_and_expressions_go_row_by_row() {
        let table = "trips".to_owned();
        for text in [
            "SELECT * FROM trips",
            "SELECT *, fare / miles AS rate, 1 AS one FROM trips AS t WHERE fare >= 0 AND t.company IN ('a', 'b')",
            "SELECT CASE WHEN fare > 10 THEN 'dear' ELSE lower(company) END AS kind FROM trips",
        ] {
            assert_eq!(of(text), Shape::RowWise { table: table.clone() }, "{text}");
        }
    }

    #[test]
    fn what_looks_at_several_rows_does_not() {
        for (text, expected, sums) in [
            ("SELECT company, AVG(fare) AS fare FROM trips GROUP BY company", "groups rows", true),
            ("SELECT company, COUNT(*) AS n FROM trips GROUP BY company", "groups rows", false),
            ("SELECT SUM(fare) AS fare FROM trips", "uses `sum`", true),
            ("SELECT *, ROW_NUMBER() OVER (ORDER BY id) AS n FROM trips", "over a window", true),
            ("SELECT DISTINCT company FROM trips", "distinct rows", false),
            ("SELECT * FROM trips JOIN zones ON trips.zone = zones.id", "joins tables", false),
            ("SELECT * FROM trips, zones", "joins tables", false),
            ("SELECT * FROM trips WHERE zone IN (SELECT id FROM zones)", "has a subquery", false),
            ("SELECT 1 AS one FROM trips", "does more", false),
            ("SELECT * FROM trips UNION ALL SELECT * FROM zones", "does more", false),
            ("SELECT * FROM trips ORDER BY fare", "does more", false),
            ("SELECT some_new_function(fare) AS x FROM trips", "several rows", true),
        ] {
            let Shape::Whole { reason, ordered, .. } = of(text) else { panic!("{text}") };
            assert!(reason.contains(expected), "{text}: {reason}");
            assert_eq!(ordered, sums, "{text}");
        }
    }
}
