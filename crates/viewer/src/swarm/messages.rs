//! Who sends what to whom: senders on the left, kinds of messages in the middle, receivers right.

use std::collections::{BTreeMap, BTreeSet};

use rerun::components::GraphType;
use rerun::{GraphEdges, GraphNodes};

use crate::color::{self, Rgb};

/// Flows that are drawn.
pub(super) const FLOWS_MAX: usize = 8192;
/// Distances in the graph, in its own units.
const COLUMN: f32 = 190.0;
const ROW: f32 = 36.0;
/// Columns are no higher than so many rows.
const ROWS_MAX: usize = 24;

/// How often somebody's messages of one kind reach somebody.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MessageFlow<'a> {
    /// Who sends.
    pub from: &'a str,
    /// Who receives.
    pub to: &'a str,
    /// What, such as `model.belief`.
    pub kind: &'a str,
    /// Messages per second.
    pub hz: f64,
}

/// The same on its way to the drawing thread.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Flow {
    from: String,
    to: String,
    kind: String,
    hz: f64,
}

impl Flow {
    /// `None` for a rate that is none.
    pub(super) fn new(flow: &MessageFlow<'_>) -> Option<Self> {
        (flow.hz.is_finite() && flow.hz >= 0.0).then(|| Self {
            from: flow.from.to_owned(),
            to: flow.to.to_owned(),
            kind: flow.kind.to_owned(),
            hz: flow.hz,
        })
    }
}

/// One node to be.
#[derive(Debug, PartialEq)]
struct Node {
    id: String,
    label: String,
    place: [f32; 2],
    color: Rgb,
}

/// The graph's nodes.
pub(super) fn nodes(flows: &[Flow]) -> GraphNodes {
    let nodes = placed(flows);
    let is_readable = nodes.len() <= 3 * ROWS_MAX;
    GraphNodes::new(nodes.iter().map(|node| node.id.as_str()))
        .with_labels(nodes.iter().map(|node| node.label.as_str()))
        .with_positions(nodes.iter().map(|node| node.place))
        .with_colors(nodes.iter().map(|node| node.color))
        .with_show_labels(is_readable)
}

/// The graph's edges, each once.
pub(super) fn edges(flows: &[Flow]) -> GraphEdges {
    let mut edges = BTreeSet::new();
    for flow in flows.iter().filter(|flow| flow.hz > 0.0) {
        edges.insert((sender_id(&flow.from), kind_id(&flow.kind)));
        edges.insert((kind_id(&flow.kind), receiver_id(&flow.to)));
    }
    let pairs = edges.iter().map(|(from, to)| (from.as_str(), to.as_str()));
    GraphEdges::new(pairs).with_graph_type(GraphType::Directed)
}

fn sender_id(name: &str) -> String {
    format!("from {name}")
}

fn kind_id(kind: &str) -> String {
    format!("kind {kind}")
}

fn receiver_id(name: &str) -> String {
    format!("to {name}")
}

fn placed(flows: &[Flow]) -> Vec<Node> {
    let (mut senders, mut kinds, mut receivers) =
        (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
    for flow in flows {
        *senders.entry(flow.from.as_str()).or_insert(0.0) += flow.hz;
        *kinds.entry(flow.kind.as_str()).or_insert(0.0) += flow.hz;
        *receivers.entry(flow.to.as_str()).or_insert(0.0) += flow.hz;
    }
    let mut nodes = Vec::new();
    let mut column = |x: f32, of: &BTreeMap<&str, f64>, id: &dyn Fn(&str) -> String, color| {
        let names: Vec<_> = in_order(of);
        let n_rows = names.len().clamp(1, ROWS_MAX) as f32;
        let step = n_rows * ROW / names.len().max(1) as f32;
        for (row, (name, hz)) in names.into_iter().enumerate() {
            nodes.push(Node {
                id: id(name),
                label: format!("{name}  {hz:.0}/s"),
                place: [x, (row as f32 + 0.5) * step - 0.5 * n_rows * ROW],
                color,
            });
        }
    };
    column(-COLUMN, &senders, &sender_id, color::ROBOT);
    column(0.0, &kinds, &kind_id, color::SENSED);
    column(COLUMN, &receivers, &receiver_id, color::ROBOT);
    nodes
}

/// Names as people count: `crane2` before `crane10`.
fn in_order<'a>(names: &BTreeMap<&'a str, f64>) -> Vec<(&'a str, f64)> {
    let mut names: Vec<_> = names.iter().map(|(name, hz)| (*name, *hz)).collect();
    names.sort_by_key(|(name, _)| {
        let stem = name.trim_end_matches(|c: char| c.is_ascii_digit());
        (stem, name.len(), *name)
    });
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flow(from: &str, to: &str, hz: f64) -> Flow {
        Flow::new(&MessageFlow {
            from,
            to,
            kind: "model.belief",
            hz,
        })
        .unwrap()
    }

    #[test]
    fn nodes_carry_sums_and_stand_in_three_columns() {
        let flows = [
            flow("crane10", "crane2", 10.0),
            flow("crane2", "crane10", 5.0),
        ];
        let nodes = placed(&flows);
        let labels: Vec<_> = nodes.iter().map(|node| node.label.as_str()).collect();
        let expected = [
            "crane2  5/s",
            "crane10  10/s",
            "model.belief  15/s",
            "crane2  10/s",
            "crane10  5/s",
        ];
        assert_eq!(labels, expected);
        let columns: BTreeSet<_> = nodes.iter().map(|node| node.place[0] as i32).collect();
        assert_eq!(columns.len(), 3);
    }

    #[test]
    fn a_rate_that_is_none_is_no_flow() {
        let bad = MessageFlow {
            from: "a",
            to: "b",
            kind: "c",
            hz: f64::NAN,
        };
        assert_eq!(Flow::new(&bad), None);
        assert!(placed(&[]).is_empty());
    }

    #[test]
    fn columns_of_many_are_no_higher_than_of_a_few() {
        let names: Vec<_> = (0..500).map(|i| format!("crane{i}")).collect();
        let flows: Vec<_> = names.iter().map(|name| flow(name, "all", 1.0)).collect();
        let highest = placed(&flows)
            .iter()
            .map(|node| node.place[1])
            .fold(0.0, f32::max);
        assert!(highest <= 0.5 * ROW * ROWS_MAX as f32);
    }
}
