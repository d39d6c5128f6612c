//! Which source columns the value of each output column is made from.
//!
//! Columns are followed through aliases, expressions, common table expressions, subqueries, joins and unions. What
//! only decides which rows there are (`WHERE`, `HAVING`, join conditions, grouping) does not count; what a value is
//! computed from does, conditions of `CASE` and the partition and order of a window included. Where a name cannot
//! be resolved the lineage is unknown, and said to be.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;

use sqlparser::ast::{
    ExcludeSelectItem, Expr, Ident, ObjectName, Query, RenameSelectItem, Select, SelectItem,
    SelectItemQualifiedWildcardKind, SetExpr, SetQuantifier, TableFactor, TableWithJoins, Visit, Visitor,
    WildcardAdditionalOptions,
};

use sluice_core::role::Lineage;

/// The source columns of one output column.
type ColumnLineage = Option<BTreeSet<String>>;

/// A column of a table in scope or of an answer. It has no name where an expression was given none.
#[derive(Clone, Debug)]
struct Derived {
    name: Option<String>,
    from: ColumnLineage,
}

/// A table in scope under its alias.
#[derive(Clone, Debug)]
struct Relation {
    alias: String,
    columns: Vec<Derived>,
}

/// The tables that a name can stand for: inputs and common table expressions.
type Tables = BTreeMap<String, Vec<Derived>>;

/// The inputs' columns as tables in scope.
fn tables(inputs: &BTreeMap<String, Vec<String>>) -> Tables {
    inputs
        .iter()
        .map(|(input, columns)| {
            let columns = columns.iter().map(|column| Derived {
                name: Some(column.clone()),
                from: Some(BTreeSet::from([format!("{input}.{column}")])),
            });
            (input.clone(), columns.collect())
        })
        .collect()
}

/// Names and lineage as the text alone tells them; `None` when a column has no name in it.
pub(super) fn outline(
    query: &Query,
    inputs: &BTreeMap<String, Vec<String>>,
) -> Option<(Vec<String>, Lineage)> {
    let derived = of_query(query, &tables(inputs), &[]);
    let names: Vec<String> = derived.iter().map(|column| column.name.clone()).collect::<Option<_>>()?;
    // Of two columns of a name polars renames the second, in a way that only its own plan tells.
    if names.iter().collect::<BTreeSet<_>>().len() < names.len() {
        return None;
    }
    let lineage = names.iter().map(|name| (name.clone(), by_name(&derived, name))).collect();
    Some((names, lineage))
}

/// The lineage of the answer's columns, whose names polars has given in `outputs`.
pub(super) fn lineage(query: &Query, inputs: &BTreeMap<String, Vec<String>>, outputs: &[String]) -> Lineage {
    let derived = of_query(query, &tables(inputs), &[]);
    let by_position = derived.len() == outputs.len();
    outputs
        .iter()
        .enumerate()
        .map(|(index, output)| {
            let at_place = by_position.then(|| &derived[index]);
            let from = match at_place {
                Some(column) if column.name.as_ref().is_none_or(|name| name == output) => column.from.clone(),
                // Of two columns of a name polars calls the second `name:table`.
                _ => by_name(&derived, output)
                    .or_else(|| by_name(&derived, output.rsplit_once(':').map_or("", |(name, _)| name))),
            };
            (output.clone(), from)
        })
        .collect()
}

/// The union over all columns of a name; unknown where there is none.
fn by_name(columns: &[Derived], name: &str) -> ColumnLineage {
    let mut found = columns.iter().filter(|column| column.name.as_deref() == Some(name)).peekable();
    found.peek()?;
    found.try_fold(BTreeSet::new(), |mut all, column| {
        all.extend(column.from.as_ref()?.iter().cloned());
        Some(all)
    })
}

fn join(left: ColumnLineage, right: ColumnLineage) -> ColumnLineage {
    let (mut left, right) = (left?, right?);
    left.extend(right);
    Some(left)
}

fn of_query(query: &Query, tables: &Tables, outer: &[Relation]) -> Vec<Derived> {
    let mut tables = tables.clone();
    for table in query.with.iter().flat_map(|with| &with.cte_tables) {
        let mut columns = of_query(&table.query, &tables, outer);
        rename(&mut columns, table.alias.columns.iter().map(|column| &column.name));
        tables.insert(table.alias.name.value.clone(), columns);
    }
    of_body(&query.body, &tables, outer)
}

fn of_body(body: &SetExpr, tables: &Tables, outer: &[Relation]) -> Vec<Derived> {
    match body {
        SetExpr::Select(select) => of_select(select, tables, outer),
        SetExpr::Query(query) => of_query(query, tables, outer),
        SetExpr::SetOperation { left, right, set_quantifier, .. } => {
            let (left, right) = (of_body(left, tables, outer), of_body(right, tables, outer));
            let by_name_wanted = matches!(
                set_quantifier,
                SetQuantifier::ByName | SetQuantifier::AllByName | SetQuantifier::DistinctByName
            );
            if by_name_wanted {
                let mut names: Vec<&Option<String>> = Vec::new();
                for column in left.iter().chain(&right) {
                    if !names.contains(&&column.name) {
                        names.push(&column.name);
                    }
                }
                let both: Vec<Derived> = left.iter().chain(&right).cloned().collect();
                return names
                    .into_iter()
                    .map(|name| Derived {
                        name: name.clone(),
                        from: name.as_deref().and_then(|name| by_name(&both, name)),
                    })
                    .collect();
            }
            left.into_iter()
                .zip(right)
                .map(|(left, right)| Derived { name: left.name, from: join(left.from, right.from) })
                .collect()
        }
        SetExpr::Values(_)
        | SetExpr::Insert(_)
        | SetExpr::Update(_)
        | SetExpr::Delete(_)
        | SetExpr::Merge(_)
        | SetExpr::Table(_) => Vec::new(),
    }
}

/// Gives the columns the names of a list such as `AS t(a, b)`.
fn rename<'a>(columns: &mut [Derived], names: impl Iterator<Item = &'a Ident>) {
    for (column, name) in columns.iter_mut().zip(names) {
        column.name = Some(name.value.clone());
    }
}

fn of_select(select: &Select, tables: &Tables, outer: &[Relation]) -> Vec<Derived> {
    let mut scope = Vec::new();
    for from in &select.from {
        relations(from, tables, outer, &mut scope);
    }
    // The innermost scope comes first: its names hide those outside.
    let inner = scope.len();
    scope.extend(outer.iter().cloned());
    let resolver = Resolver { scope: &scope, inner, tables };
    let mut answer = Vec::new();
    for item in &select.projection {
        match item {
            SelectItem::UnnamedExpr(expression) => {
                let name = match expression {
                    Expr::Identifier(name) => Some(name.value.clone()),
                    Expr::CompoundIdentifier(parts) => parts.last().map(|name| name.value.clone()),
                    _ => None,
                };
                answer.push(Derived { name, from: resolver.of(expression) });
            }
            SelectItem::ExprWithAlias { expr, alias } => {
                answer.push(Derived { name: Some(alias.value.clone()), from: resolver.of(expr) });
            }
            SelectItem::ExprWithAliases { expr, aliases } => {
                let from = resolver.of(expr);
                answer.extend(
                    aliases
                        .iter()
                        .map(|alias| Derived { name: Some(alias.value.clone()), from: from.clone() }),
                );
            }
            SelectItem::Wildcard(options) => {
                let columns = scope[..inner].iter().flat_map(|relation| relation.columns.iter().cloned());
                answer.extend(resolver.wildcard(columns.collect(), options));
            }
            SelectItem::QualifiedWildcard(kind, options) => {
                let alias = match kind {
                    SelectItemQualifiedWildcardKind::ObjectName(name) => last_name(name),
                    SelectItemQualifiedWildcardKind::Expr(_) => None,
                };
                let columns =
                    scope[..inner].iter().filter(|relation| Some(&relation.alias) == alias.as_ref());
                let columns = columns.flat_map(|relation| relation.columns.iter().cloned()).collect();
                answer.extend(resolver.wildcard(columns, options));
            }
        }
    }
    answer
}

fn last_name(name: &ObjectName) -> Option<String> {
    name.0.last()?.as_ident().map(|name| name.value.clone())
}

fn relations(from: &TableWithJoins, tables: &Tables, outer: &[Relation], scope: &mut Vec<Relation>) {
    relation(&from.relation, tables, outer, scope);
    for join in &from.joins {
        relation(&join.relation, tables, outer, scope);
    }
}

fn relation(factor: &TableFactor, tables: &Tables, outer: &[Relation], scope: &mut Vec<Relation>) {
    match factor {
        TableFactor::Table { name, alias, .. } => {
            let Some(table) = last_name(name) else { return };
            let mut columns = tables.get(&table).cloned().unwrap_or_default();
            if let Some(alias) = alias {
                rename(&mut columns, alias.columns.iter().map(|column| &column.name));
            }
            let alias = alias.as_ref().map_or(table, |alias| alias.name.value.clone());
            scope.push(Relation { alias, columns });
        }
        TableFactor::Derived { subquery, alias, .. } => {
            // A lateral subquery sees the tables before it; any other resolves the same without them.
            let seen: Vec<Relation> = scope.iter().chain(outer).cloned().collect();
            let mut columns = of_query(subquery, tables, &seen);
            if let Some(alias) = alias {
                rename(&mut columns, alias.columns.iter().map(|column| &column.name));
            }
            let alias = alias.as_ref().map_or_else(String::new, |alias| alias.name.value.clone());
            scope.push(Relation { alias, columns });
        }
        TableFactor::NestedJoin { table_with_joins, .. } => relations(table_with_joins, tables, outer, scope),
        // Parsing has refused everything else.
        _ => {}
    }
}

/// Resolves names in the tables that are in scope.
struct Resolver<'a> {
    scope: &'a [Relation],
    /// How many of them are the query's own.
    inner: usize,
    tables: &'a Tables,
}

impl Resolver<'_> {
    fn of(&self, expression: &Expr) -> ColumnLineage {
        let mut walk = Walk { resolver: self, depth: 0, found: Some(BTreeSet::new()) };
        let _ = expression.visit(&mut walk);
        walk.found
    }

    /// A name alone: of the innermost tables that have it; several (a join's common column) count together.
    fn column(&self, name: &str) -> ColumnLineage {
        let (inner, outer) = self.scope.split_at(self.inner);
        [inner, outer].into_iter().find_map(|relations| {
            let columns: Vec<Derived> =
                relations.iter().flat_map(|relation| relation.columns.iter().cloned()).collect();
            columns.iter().any(|column| column.name.as_deref() == Some(name)).then(|| by_name(&columns, name))
        })?
    }

    /// `table.column`, or a field of a column that is a struct.
    fn compound(&self, parts: &[Ident]) -> ColumnLineage {
        let (first, rest) = parts.split_first()?;
        let of_table = self.scope.iter().find(|relation| relation.alias == first.value);
        match (of_table, rest.first()) {
            (Some(relation), Some(column)) => by_name(&relation.columns, &column.value),
            _ => self.column(&first.value),
        }
    }

    fn wildcard(&self, mut columns: Vec<Derived>, options: &WildcardAdditionalOptions) -> Vec<Derived> {
        let mut left_out: Vec<String> = Vec::new();
        match &options.opt_exclude {
            Some(ExcludeSelectItem::Single(name)) => left_out.extend(last_name(name)),
            Some(ExcludeSelectItem::Multiple(names)) => left_out.extend(names.iter().filter_map(last_name)),
            None => {}
        }
        if let Some(except) = &options.opt_except {
            left_out.extend(
                std::iter::once(&except.first_element)
                    .chain(&except.additional_elements)
                    .map(|name| name.value.clone()),
            );
        }
        columns.retain(|column| column.name.as_ref().is_none_or(|name| !left_out.contains(name)));
        for item in options.opt_replace.iter().flat_map(|replace| &replace.items) {
            let from = self.of(&item.expr);
            for column in &mut columns {
                if column.name.as_ref() == Some(&item.column_name.value) {
                    column.from.clone_from(&from);
                }
            }
        }
        let renamed = match &options.opt_rename {
            Some(RenameSelectItem::Single(pair)) => std::slice::from_ref(pair),
            Some(RenameSelectItem::Multiple(pairs)) => pairs.as_slice(),
            None => &[],
        };
        for pair in renamed {
            for column in &mut columns {
                if column.name.as_ref() == Some(&pair.ident.value) {
                    column.name = Some(pair.alias.value.clone());
                }
            }
        }
        columns
    }
}

/// Collects the columns of an expression; a subquery counts with what it answers.
struct Walk<'a> {
    resolver: &'a Resolver<'a>,
    /// How many subqueries are open; their own names are resolved by [`of_query`].
    depth: usize,
    found: ColumnLineage,
}

impl Walk<'_> {
    fn add(&mut self, more: ColumnLineage) {
        self.found = join(self.found.take(), more);
    }
}

impl Visitor for Walk<'_> {
    type Break = ();

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<()> {
        if self.depth == 0 {
            for column in of_query(query, self.resolver.tables, self.resolver.scope) {
                self.add(column.from);
            }
        }
        self.depth += 1;
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, _query: &Query) -> ControlFlow<()> {
        self.depth -= 1;
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expression: &Expr) -> ControlFlow<()> {
        if self.depth > 0 {
            return ControlFlow::Continue(());
        }
        match expression {
            Expr::Identifier(name) => self.add(self.resolver.column(&name.value)),
            Expr::CompoundIdentifier(parts) => self.add(self.resolver.compound(parts)),
            // `COUNT(*)` counts rows, `COLUMNS('…')` stands for any columns.
            Expr::Function(function) if function.name.to_string().eq_ignore_ascii_case("columns") => {
                self.found = None;
            }
            _ => {}
        }
        ControlFlow::Continue(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::parse::parse;
    use super::*;

    /// The lineage of each output as `name=a,b`, `name=?` where unknown.
    fn of(text: &str, outputs: &[&str]) -> Vec<String> {
        let columns = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let inputs = BTreeMap::from([
            ("trips".to_owned(), columns(&["id", "fare", "tips", "zone", "at"])),
            ("zones".to_owned(), columns(&["id", "name", "rate"])),
        ]);
        let query = parse(text, &columns(&["trips", "zones"])).unwrap();
        lineage(&query, &inputs, &columns(outputs))
            .into_iter()
            .map(|(name, from)| match from {
                Some(from) => format!("{name}={}", from.into_iter().collect::<Vec<_>>().join(",")),
                None => format!("{name}=?"),
            })
            .collect()
    }

    #[test]
    fn expressions_and_aliases() {
        let text = "SELECT id, tips / fare AS share, CASE WHEN zone > 3 THEN fare ELSE 0 END AS f, 1 AS one \
                    FROM trips WHERE at > 0";
        assert_eq!(
            of(text, &["id", "share", "f", "one"]),
            ["f=trips.fare,trips.zone", "id=trips.id", "one=", "share=trips.fare,trips.tips"]
        );
    }

    #[test]
    fn wildcards_with_all_they_can_carry() {
        let text =
            "SELECT * EXCLUDE (at, zone) REPLACE (fare + tips AS fare) RENAME (tips AS tip) FROM trips";
        assert_eq!(
            of(text, &["id", "fare", "tip"]),
            ["fare=trips.fare,trips.tips", "id=trips.id", "tip=trips.tips"]
        );
        assert_eq!(
            of(
                "SELECT z.*, t.fare FROM trips AS t JOIN zones AS z ON t.zone = z.id",
                &["id", "name", "rate", "fare"]
            ),
            ["fare=trips.fare", "id=zones.id", "name=zones.name", "rate=zones.rate"]
        );
    }

    #[test]
    fn through_named_and_nested_queries() {
        let text = "WITH dear AS (SELECT id AS trip, fare * rate AS cost FROM trips JOIN zones USING (id)), \
                         late(n, c) AS (SELECT trip, cost FROM dear) \
                    SELECT n, c + (SELECT MAX(tips) FROM trips) AS top FROM late";
        assert_eq!(of(text, &["n", "top"]), ["n=trips.id,zones.id", "top=trips.fare,trips.tips,zones.rate"]);
        let text = "SELECT zone, AVG(f) AS mean, COUNT(*) AS n FROM (SELECT zone, fare - tips AS f FROM trips) AS t GROUP BY zone";
        assert_eq!(of(text, &["zone", "mean", "n"]), ["mean=trips.fare,trips.tips", "n=", "zone=trips.zone"]);
    }

    #[test]
    fn unions_and_windows() {
        assert_eq!(
            of("SELECT id, fare AS x FROM trips UNION ALL SELECT id, rate FROM zones", &["id", "x"]),
            ["id=trips.id,zones.id", "x=trips.fare,zones.rate"]
        );
        assert_eq!(
            of("SELECT SUM(fare) OVER (PARTITION BY zone ORDER BY at) AS s FROM trips", &["s"]),
            ["s=trips.at,trips.fare,trips.zone"]
        );
    }

    #[test]
    fn what_cannot_be_resolved_is_unknown() {
        assert_eq!(of("SELECT nothing AS x, fare FROM trips", &["x", "fare"]), ["fare=trips.fare", "x=?"]);
        assert_eq!(of("SELECT COLUMNS('^f') FROM trips", &["fare"]), ["fare=?"]);
        assert_eq!(
            of("SELECT * FROM trips JOIN zones ON zone = zones.id", &["id", "fare", "id:zones"]),
            ["fare=trips.fare", "id=trips.id,zones.id", "id:zones=trips.id,zones.id"]
        );
    }
}
