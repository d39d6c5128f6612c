//! The page of a lineage: what was made from what, as a drawing from the data on the left to what came of them on the
//! right, and as tables with all that is known.

use std::collections::{BTreeMap, BTreeSet};

use crate::html::escape::{NAME, SENTENCE, escape};
use crate::html::{page, put};

/// What a page of a lineage shows.
#[derive(Clone, Debug, PartialEq)]
pub struct LineagePage {
    /// What it is about, each with its name.
    pub figures: Vec<(String, String)>,
    /// Artifacts and the steps between them.
    pub nodes: Vec<LineageNode>,
    /// From one of the nodes to another, by their places in the list.
    pub edges: Vec<LineageEdge>,
}

/// An artifact, or a step.
#[derive(Clone, Debug, PartialEq)]
pub struct LineageNode {
    /// Whether it is a step; else an artifact.
    pub is_step: bool,
    /// What it is.
    pub title: String,
    /// What is worth knowing of it, in a line.
    pub note: String,
    /// All that is known of it.
    pub details: Vec<(String, String)>,
}

/// What went from one to another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LineageEdge {
    /// Where it begins.
    pub from: usize,
    /// Where it ends.
    pub to: usize,
    /// As what.
    pub label: String,
    /// Whether it is beside the way from the data: what something is compared with.
    pub is_aside: bool,
}

const WIDTH: usize = 200;
const HEIGHT: usize = 46;
const GAP_X: usize = 60;
const GAP_Y: usize = 22;
const MARGIN: usize = 12;
/// How high a way past the boxes of a column is.
const LANE: usize = 16;
/// Characters that a box has room for.
const CHARACTERS: usize = 27;

/// A page of a lineage. One file, self-contained.
#[must_use]
pub fn lineage_page(title: &str, shown: &LineagePage) -> String {
    let mut body = String::new();
    put!(
        body,
        "<header><p class=\"eyebrow\">Lineage</p><h1>{}</h1></header><section><table class=\"figures\"><tbody>",
        escape(title, NAME * 2)
    );
    rows(&mut body, &shown.figures);
    body.push_str("</tbody></table></section><section><h2>From the data</h2>");
    drawing(&mut body, shown);
    body.push_str("</section>");
    for (is_step, title) in [(false, "Artifacts"), (true, "Steps")] {
        put!(body, "<section><h2>{title}</h2>");
        for (index, node) in shown.nodes.iter().enumerate().filter(|(_, node)| node.is_step == is_step) {
            put!(
                body,
                "<article id=\"n{index}\"><h3>{}</h3><p class=\"note\">{}</p>\
                 <table class=\"figures\"><tbody>",
                escape(&node.title, NAME),
                escape(&node.note, SENTENCE)
            );
            rows(&mut body, &node.details);
            body.push_str("</tbody></table></article>");
        }
        body.push_str("</section>");
    }
    page::document(title, "lineage", &body)
}

fn rows(body: &mut String, rows: &[(String, String)]) {
    for (title, value) in rows {
        put!(
            body,
            "<tr><th scope=\"row\">{}</th><td>{}</td></tr>",
            escape(title, NAME),
            escape(value, SENTENCE)
        );
    }
}

/// The column of each node: one more than the furthest of those it comes from. What lies in a circle stops somewhere.
fn columns(shown: &LineagePage) -> Vec<usize> {
    let mut columns = vec![0; shown.nodes.len()];
    for _ in 0..shown.nodes.len() {
        let mut has_moved = false;
        for edge in shown.edges.iter().filter(|edge| !edge.is_aside) {
            let wanted = columns[edge.from] + 1;
            if columns[edge.to] < wanted && wanted < shown.nodes.len() {
                columns[edge.to] = wanted;
                has_moved = true;
            }
        }
        if !has_moved {
            break;
        }
    }
    columns
}

/// Where nodes are drawn, and the ways past them.
struct Layout {
    /// The column of each node.
    columns: Vec<usize>,
    /// The upper end of each node.
    tops: Vec<usize>,
    /// In the columns between the ends of an edge, by where it begins and the column: how high it passes.
    lanes: BTreeMap<(usize, usize), usize>,
    height: usize,
}

impl Layout {
    /// Column by column from the left, each in the order of what it comes from, so that few edges cross. An edge to a
    /// column further on has a lane of its own in those between, so that it does not run through their boxes.
    fn of(shown: &LineagePage) -> Self {
        let columns = columns(shown);
        let count = columns.iter().max().map_or(0, |last| last + 1);
        let tops = vec![MARGIN; columns.len()];
        let mut layout = Self { columns, tops, lanes: BTreeMap::new(), height: MARGIN };
        for column in 0..count {
            let nodes = (0..layout.columns.len()).filter(|node| layout.columns[*node] == column);
            let mut boxes: Vec<(Option<usize>, usize, bool)> =
                nodes.map(|node| (layout.origin(shown, node), node, false)).collect();
            let passing: BTreeSet<usize> = shown
                .edges
                .iter()
                .filter(|edge| layout.between(edge).contains(&column))
                .map(|edge| edge.from)
                .collect();
            boxes.extend(passing.into_iter().map(|from| (Some(layout.exit(from, column)), from, true)));
            boxes.sort();
            let mut y = MARGIN;
            for (_, node, is_lane) in boxes {
                if is_lane {
                    layout.lanes.insert((node, column), y + LANE / 2);
                    y += LANE;
                } else {
                    layout.tops[node] = y;
                    y += HEIGHT + GAP_Y;
                }
            }
            layout.height = std::cmp::max(layout.height, y + MARGIN);
        }
        layout
    }

    /// The columns that an edge passes.
    fn between(&self, edge: &LineageEdge) -> std::ops::Range<usize> {
        self.columns[edge.from] + 1..self.columns[edge.to]
    }

    fn middle(&self, node: usize) -> usize {
        self.tops[node] + HEIGHT / 2
    }

    /// How high an edge of a node comes into a column.
    fn exit(&self, from: usize, column: usize) -> usize {
        let lane = column.checked_sub(1).and_then(|before| self.lanes.get(&(from, before)));
        lane.copied().unwrap_or_else(|| self.middle(from))
    }

    /// How high the edges to a node come from, on average; nothing where there are none.
    fn origin(&self, shown: &LineagePage, node: usize) -> Option<usize> {
        let column = self.columns[node];
        let edges = shown.edges.iter().filter(|edge| edge.to == node && self.columns[edge.from] < column);
        let heights: Vec<usize> = edges.map(|edge| self.exit(edge.from, column)).collect();
        (!heights.is_empty()).then(|| heights.iter().sum::<usize>() / heights.len())
    }

    fn left(column: usize) -> usize {
        MARGIN + column * (WIDTH + GAP_X)
    }

    /// The way of an edge, as a path of SVG.
    fn path(&self, edge: &LineageEdge) -> String {
        let (mut x, mut y) = (Self::left(self.columns[edge.from]) + WIDTH, self.middle(edge.from));
        let mut path = format!("M{x} {y}");
        for column in self.between(edge) {
            let lane = self.lanes.get(&(edge.from, column)).copied().unwrap_or(y);
            let left = Self::left(column);
            put!(path, "{}H{}", bend((x, y), (left, lane)), left + WIDTH);
            (x, y) = (left + WIDTH, lane);
        }
        path + &bend((x, y), (Self::left(self.columns[edge.to]), self.middle(edge.to)))
    }
}

/// The way from one column into another.
fn bend((x, y): (usize, usize), (to_x, to_y): (usize, usize)) -> String {
    format!("C{} {y} {} {to_y} {to_x} {to_y}", x + GAP_X / 2, to_x.saturating_sub(GAP_X / 2))
}

fn drawing(body: &mut String, shown: &LineagePage) {
    let layout = Layout::of(shown);
    let width = layout.columns.iter().map(|column| Layout::left(*column) + WIDTH).max().unwrap_or(0) + MARGIN;
    let height = layout.height;
    put!(
        body,
        "<div class=\"scroll\"><svg width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {width} {height}\" \
         fill=\"none\" font-size=\"12\" role=\"img\"><title>What was made from what</title>"
    );
    for edge in &shown.edges {
        let dashes = if edge.is_aside { " stroke-dasharray=\"5 4\"" } else { "" };
        put!(
            body,
            "<path d=\"{}\" stroke=\"var(--soft)\"{dashes}><title>{}</title></path>",
            layout.path(edge),
            escape(&edge.label, NAME)
        );
    }
    for (index, node) in shown.nodes.iter().enumerate() {
        let (x, y) = (Layout::left(layout.columns[index]), layout.tops[index]);
        let (radius, fill) = if node.is_step { (3, "var(--wash)") } else { (HEIGHT / 2, "var(--paper)") };
        put!(
            body,
            "<a href=\"#n{index}\"><title>{}, {}</title><rect x=\"{x}\" y=\"{y}\" width=\"{WIDTH}\" height=\"{HEIGHT}\" \
             rx=\"{radius}\" fill=\"{fill}\" stroke=\"var(--soft)\"/>\
             <text x=\"{}\" y=\"{}\" text-anchor=\"middle\" font-weight=\"600\" fill=\"var(--ink)\">{}</text>\
             <text x=\"{}\" y=\"{}\" text-anchor=\"middle\" fill=\"var(--soft)\">{}</text></a>",
            escape(&node.title, NAME),
            escape(&node.note, SENTENCE),
            x + WIDTH / 2,
            y + 19,
            escape(&node.title, CHARACTERS),
            x + WIDTH / 2,
            y + 35,
            escape(&node.note, CHARACTERS)
        );
    }
    body.push_str("</svg></div>");
}
