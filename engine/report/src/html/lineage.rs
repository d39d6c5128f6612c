//! The page of a lineage: what was made from what, as a drawing from the data on the left to what came of them on the
//! right, and as tables with all that is known.

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

fn drawing(body: &mut String, shown: &LineagePage) {
    let columns = columns(shown);
    let mut filled = vec![0_usize; shown.nodes.len() + 1];
    let places: Vec<(usize, usize)> = columns
        .iter()
        .map(|column| {
            let row = filled[*column];
            filled[*column] += 1;
            (MARGIN + column * (WIDTH + GAP_X), MARGIN + row * (HEIGHT + GAP_Y))
        })
        .collect();
    let width = places.iter().map(|(x, _)| x + WIDTH).max().unwrap_or(0) + MARGIN;
    let height = places.iter().map(|(_, y)| y + HEIGHT).max().unwrap_or(0) + MARGIN;
    put!(
        body,
        "<div class=\"scroll\"><svg width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {width} {height}\" \
         fill=\"none\" font-size=\"12\" role=\"img\"><title>What was made from what</title>"
    );
    for edge in &shown.edges {
        let ((from_x, from_y), (to_x, to_y)) = (places[edge.from], places[edge.to]);
        let (start, end) = (from_x + WIDTH, to_x);
        let (from_y, to_y) = (from_y + HEIGHT / 2, to_y + HEIGHT / 2);
        let dashes = if edge.is_aside { " stroke-dasharray=\"5 4\"" } else { "" };
        put!(
            body,
            "<path d=\"M{start} {from_y}C{} {from_y} {} {to_y} {end} {to_y}\" stroke=\"var(--soft)\"{dashes}>\
             <title>{}</title></path>",
            start + GAP_X / 2,
            end.saturating_sub(GAP_X / 2),
            escape(&edge.label, NAME)
        );
    }
    for (index, (node, (x, y))) in shown.nodes.iter().zip(&places).enumerate() {
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
