//! The page of a lineage.

use crate::html::tests::checker::check;
use crate::html::{LineageEdge, LineageNode, LineagePage, lineage_page};

fn node(is_step: bool, title: &str) -> LineageNode {
    LineageNode {
        is_step,
        title: title.into(),
        note: "run <7>".into(),
        details: vec![("digest".into(), "abc".into())],
    }
}

fn edge(from: usize, to: usize, is_aside: bool) -> LineageEdge {
    LineageEdge { from, to, label: "examples".into(), is_aside }
}

#[test]
fn a_page_draws_what_was_made_from_what_from_left_to_right() {
    let nodes =
        vec![node(false, "Model"), node(true, "train"), node(false, "</script>"), node(false, "PushedModel")];
    let edges = vec![edge(1, 0, false), edge(2, 1, false), edge(3, 1, true)];
    let shown = LineagePage { figures: vec![("run".into(), "tips.0007".into())], nodes, edges };
    let html = lineage_page("tips", &shown);
    let found = check(&html);
    assert_eq!((found.count("rect"), found.count("path"), found.count("svg")), (4, 3, 1));
    assert!(!html.contains("<7>") && !html.contains("</script>&"), "markup of data is in the page");
    // The data, the step, the model; what is only compared with stands left.
    let x: Vec<&str> = found.attributes("x").collect();
    assert_eq!([x[0], x[3], x[6], x[9]], ["532", "272", "12", "12"]);
}

#[test]
fn a_long_edge_passes_between_the_boxes() {
    let nodes = (0..5).map(|n| node(n % 2 == 1, "it")).collect();
    let mut edges: Vec<LineageEdge> = (0..3).map(|n| edge(n, n + 1, false)).collect();
    edges.extend([edge(0, 4, false), edge(4, 2, false), edge(0, 3, false)]);
    let html = lineage_page("long", &LineagePage { figures: vec![], nodes, edges });
    let found = check(&html);
    // "…C242 35 242 20 272 20H472…": along the second column, 20 from the top.
    let mut paths = found.attributes("d").filter(|path| path.starts_with("M212"));
    let path = paths.find(|path| path.matches('H').count() == 2).unwrap();
    let lanes: Vec<i64> =
        path.split('H').take(2).map(|before| before.rsplit(' ').next().unwrap().parse().unwrap()).collect();
    let numbers =
        |name: &str| -> Vec<i64> { found.attributes(name).filter_map(|text| text.parse().ok()).collect() };
    // Of each box: its own corner, and two lines of text.
    let boxes: Vec<(i64, i64)> = numbers("x").into_iter().zip(numbers("y")).step_by(3).collect();
    assert_eq!(boxes.len(), 5);
    for (lane, left) in lanes.iter().zip([272, 532]) {
        let mut crossed = boxes.iter().filter(|(x, y)| *x == left && (*y..=y + 46).contains(lane));
        assert_eq!(crossed.next(), None, "{path}");
    }
}

#[test]
fn a_circle_has_an_end() {
    let nodes = (0..3).map(|n| node(n == 1, "it")).collect();
    let shown = LineagePage {
        figures: vec![],
        nodes,
        edges: vec![edge(0, 1, false), edge(1, 2, false), edge(2, 0, false)],
    };
    let _ = check(&lineage_page("circle", &shown));
    let _ = check(&lineage_page("nothing", &LineagePage { figures: vec![], nodes: vec![], edges: vec![] }));
}
