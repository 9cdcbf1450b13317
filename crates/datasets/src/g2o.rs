//! Planar g2o files with scans in them, such as the MIT Killian Court.
//!
//! `VERTEX_SE2 id x y th` lines alternate with `ROBOTLASER1` lines (as in CARMEN logs), which
//! belong to the vertex before them; `EDGE_SE2 i j dx dy dth` and an information matrix stand
//! anywhere.
//!
//! # What the poses are
//! Some files hold poses as they were before any optimisation: the chain of the edges from each
//! vertex to the next. These poses then stand in for odometry, and nothing is a reference. In
//! others the poses have been optimised. That shows in the chain: it drifts away from them. Then
//! the chain of edges stands in for odometry and the poses are the reference.
//!
//! Killian Court, as circulated, is of the second kind, though it is often called an initial
//! guess: its 1115 loop edges (up to 2471 vertices apart) agree with its poses to 0.02 m in the
//! median and 0.20 m at most, while the chain of its 3872 sequential edges leaves the poses by up
//! to 90 m and 38 degrees. The poses know the whole log; using them as motion would leak it.
//! The sequential edges agree with neighbouring poses to 3 mm and 0.03 degrees (median), which is
//! better than wheels: they are likely scan-matched, so motion from them is still optimistic.

use std::collections::BTreeMap;

use sedge_spacetime::Pose2;
use sedge_world_model::EpisodeScan;

use crate::carmen::{Drive, check_next};
use crate::fields::{Fields, Problem};
use crate::lines::Lines;
use crate::reading::count_skipped;
use crate::scan_line::{ScanKeyword, ScanLine};
use crate::{LogError, OdometrySource};

/// A chain that stays this near the poses, plus this share of the way driven, is where they came
/// from; what is left is the rounding of the edges.
const CHAIN_TOLERANCE_M: f64 = 0.05;
const CHAIN_TOLERANCE_SHARE: f64 = 0.001;

/// A scan with the vertex it belongs to.
#[derive(Debug)]
struct Node {
    scan: ScanLine,
    vertex: Option<usize>,
    world_from_base: Pose2,
}

#[derive(Debug, Default)]
struct Graph {
    nodes: Vec<Node>,
    last_vertex: Option<(usize, Pose2)>,
    edges: BTreeMap<(usize, usize), Pose2>,
    skipped_lines: BTreeMap<String, u64>,
}

/// Reads a text to its end or to its first defect.
pub(crate) fn read(lines: &mut Lines<'_>) -> (Drive, Option<LogError>) {
    let mut graph = Graph::default();
    let defect = loop {
        match lines.advance() {
            Ok(true) => {}
            Ok(false) => break None,
            Err(error) => break Some(error),
        }
        if let Err(problem) = graph.read_line(&lines.text()) {
            break Some(lines.error(problem));
        }
    };
    (graph.into_drive(), defect)
}

impl Graph {
    fn read_line(&mut self, line: &str) -> Result<(), Problem> {
        let mut fields = Fields::of(line);
        let Some(keyword) = fields.next_token() else {
            return Ok(());
        };
        match keyword {
            "VERTEX_SE2" => {
                let vertex = fields.count("a vertex", 0, usize::MAX)?;
                self.last_vertex = Some((vertex, fields.pose("a vertex's pose")?));
            }
            "EDGE_SE2" => {
                let from = fields.count("a vertex", 0, usize::MAX)?;
                let to = fields.count("a vertex", 0, usize::MAX)?;
                let from_to = fields.pose("an edge's movement")?;
                fields.tail(6, "an information matrix")?;
                self.edges.entry((from, to)).or_insert(from_to);
            }
            "ROBOTLASER1" => {
                let scan = ScanLine::parse(ScanKeyword::RobotLaser1, &mut fields)?;
                check_next(self.nodes.last().map(|node| &node.scan), &scan)?;
                // A vertex has one scan; a second one goes by the pose on its own line.
                let vertex = self.last_vertex.take();
                let on_line = scan.poses.map(|poses| poses.robot).unwrap_or_default();
                let world_from_base = vertex.map_or(on_line, |(_, pose)| pose);
                self.nodes.push(Node {
                    scan,
                    vertex: vertex.map(|(id, _)| id),
                    world_from_base,
                });
            }
            _ if keyword.starts_with('#') => {}
            _ => count_skipped(&mut self.skipped_lines, keyword),
        }
        Ok(())
    }

    /// The poses that following the edges from node to node gives, starting at the first node's
    /// pose; `None` if no edge joins any two of them. Where an edge is missing, the poses say.
    fn chain(&self) -> Option<Vec<Pose2>> {
        let mut world_from_base = self.nodes.first()?.world_from_base;
        let mut chain = vec![world_from_base];
        let mut n_edges = 0_u64;
        for pair in self.nodes.windows(2) {
            let key = pair[0].vertex.zip(pair[1].vertex);
            let edge = key.and_then(|key| self.edges.get(&key));
            n_edges += u64::from(edge.is_some());
            let by_poses = || pair[0].world_from_base.between(pair[1].world_from_base);
            world_from_base = world_from_base * edge.copied().unwrap_or_else(by_poses);
            chain.push(world_from_base);
        }
        (n_edges > 0).then_some(chain)
    }

    fn leaves_poses(&self, chain: &[Pose2]) -> bool {
        let mut driven_m = 0.0;
        let mut previous = self.nodes.first().map(|node| node.world_from_base);
        self.nodes.iter().zip(chain).any(|(node, chained)| {
            let pose = node.world_from_base;
            driven_m += previous.map_or(0.0, |previous| previous.between(pose).distance_m());
            previous = Some(pose);
            let apart_m = pose.between(*chained).distance_m();
            apart_m > CHAIN_TOLERANCE_M + CHAIN_TOLERANCE_SHARE * driven_m
        })
    }

    fn into_drive(self) -> Drive {
        let chain = self.chain().filter(|chain| self.leaves_poses(chain));
        let source = if chain.is_some() {
            OdometrySource::Edges
        } else {
            OdometrySource::Scans
        };
        let mut drive = Drive {
            source: Some(source),
            ..Drive::default()
        };
        drive.skipped_lines = self.skipped_lines;
        for (idx, node) in self.nodes.into_iter().enumerate() {
            let ScanLine { stamp, scan, .. } = node.scan;
            let chained = chain.as_ref().map(|chain| chain[idx]);
            drive.keep(Some(stamp), chained.unwrap_or(node.world_from_base));
            let reference = chained.map(|_| node.world_from_base);
            drive.scans.push(EpisodeScan {
                stamp,
                scan,
                reference,
                moving: None,
            });
        }
        drive
    }
}

#[cfg(test)]
mod tests;
