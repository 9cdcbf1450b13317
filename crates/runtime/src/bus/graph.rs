//! Who sends what to whom, as text and as a Mermaid diagram.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{Agreement, StreamView};

/// A stream and both its sides.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct GraphStream {
    /// Its whole name.
    pub key: String,
    /// Its message type.
    pub message_type: String,
    /// The schema's version, where one is known.
    pub version: Option<String>,
    /// What it is for, such as `state`.
    pub class: String,
    /// Messages a second, where two came.
    pub rate_hz: Option<f64>,
    /// Who sends: programs as `agent/stream` by their manifests, else agents by what they sent,
    /// else the agent in the key.
    pub publishers: Vec<String>,
    /// Programs that listen, as `agent/stream`, by their manifests.
    pub subscribers: Vec<String>,
    /// Whether it is refused for its schema, here or by somebody who listens.
    pub refused: bool,
}

/// Agents, or their programs where those have manifests, and the streams between them.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Graph {
    /// Every agent or program that sends or listens, in the order of names.
    pub agents: Vec<String>,
    /// Every stream, in the order of keys.
    pub streams: Vec<GraphStream>,
}

impl Graph {
    /// From what a bus knows.
    pub fn of(views: &[StreamView]) -> Self {
        let streams: Vec<GraphStream> = views.iter().map(GraphStream::of).collect();
        let sides = streams
            .iter()
            .flat_map(|stream| stream.publishers.iter().chain(&stream.subscribers));
        let mut agents: Vec<String> = sides.cloned().collect();
        agents.sort();
        agents.dedup();
        Self { agents, streams }
    }

    /// In lines: each agent, what it sends, and who listens to that.
    pub fn text(&self) -> String {
        let mut lines = Vec::new();
        for agent in &self.agents {
            lines.push(agent.clone());
            let sent = self
                .streams
                .iter()
                .filter(|stream| stream.publishers.contains(agent));
            for stream in sent {
                let listeners = match stream.subscribers.as_slice() {
                    [] => String::new(),
                    some => format!("  -> {}", some.join(", ")),
                };
                lines.push(format!("  {}  {}{listeners}", stream.key, stream.label()));
            }
        }
        joined(&lines)
    }

    /// As a Mermaid flowchart: agents are boxes, streams are rounded.
    pub fn mermaid(&self) -> String {
        let mut lines = vec!["graph LR".to_owned()];
        let numbered = self.agents.iter().enumerate();
        let number_of: BTreeMap<&String, usize> = numbered.map(|(idx, name)| (name, idx)).collect();
        for (agent, idx) in &number_of {
            lines.push(format!("  a{idx}[\"{agent}\"]"));
        }
        for (idx, stream) in self.streams.iter().enumerate() {
            let (name, label) = (stream.short_name(), stream.label());
            lines.push(format!("  s{idx}([\"{name}<br/>{label}\"])"));
            for agent in stream
                .publishers
                .iter()
                .filter_map(|name| number_of.get(name))
            {
                lines.push(format!("  a{agent} --> s{idx}"));
            }
            for agent in stream
                .subscribers
                .iter()
                .filter_map(|name| number_of.get(name))
            {
                lines.push(format!("  s{idx} --> a{agent}"));
            }
        }
        joined(&lines)
    }
}

impl GraphStream {
    fn of(view: &StreamView) -> Self {
        let publishers = match (view.declared_by.as_slice(), view.publishers.as_slice()) {
            ([], []) => vec![view.agent.clone()],
            ([], agents) => agents.to_vec(),
            (programs, _) => programs.to_vec(),
        };
        Self {
            key: view.key.clone(),
            message_type: view.message_type.clone(),
            version: view.schema.as_ref().map(|schema| schema.version.clone()),
            class: view.class.clone(),
            rate_hz: view.rhythm.map(|rhythm| rhythm.mean_hz),
            publishers,
            subscribers: view.subscribers.clone(),
            refused: matches!(view.agreement, Agreement::Refused(_)) || !view.refused_by.is_empty(),
        }
    }

    /// The key without what all keys of the agent begin with.
    fn short_name(&self) -> String {
        let chunks: Vec<&str> = self.key.splitn(4, '/').collect();
        (*chunks.last().unwrap_or(&"")).to_owned()
    }

    fn label(&self) -> String {
        let version = self
            .version
            .as_ref()
            .map(|version| format!("version {version}"));
        let rate = self.rate_hz.map(|rate_hz| format!("{rate_hz:.1} Hz"));
        let refused = self.refused.then(|| "refused".to_owned());
        let class = Some(self.class.clone());
        let parts: Vec<String> = [class, version, rate, refused]
            .into_iter()
            .flatten()
            .collect();
        parts.join(", ")
    }
}

fn joined(lines: &[String]) -> String {
    lines.iter().flat_map(|line| [line, "\n"]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bus::Bus;
    use crate::bus::test_messages::{KEY, at_millis, encoded, lidar, received};

    fn graph() -> Graph {
        let mut bus = Bus::new(at_millis(0));
        (0..3).for_each(|n| bus.observe(&received(KEY, lidar(n), 100 * n as i64)));
        let other = encoded(|header| header.schema.hash = [7; 16]);
        bus.observe(&received("oni/flock/heron/sensor.lidar/rear", other, 200));
        let mut views = bus.streams(at_millis(200));
        views[0].subscribers = vec!["heron".into(), "owl".into()];
        Graph::of(&views)
    }

    #[test]
    fn the_text_names_agents_what_they_send_and_who_listens() {
        let expected = "\
crane3
  oni/flock/crane3/sensor.lidar/front  state, version 1.0, 10.0 Hz  -> heron, owl
  oni/flock/heron/sensor.lidar/rear  state, version 1.0, refused
heron
owl
";
        assert_eq!(graph().text(), expected);
    }

    #[test]
    fn the_diagram_has_an_arrow_for_each_side() {
        let expected = "\
graph LR
  a0[\"crane3\"]
  a1[\"heron\"]
  a2[\"owl\"]
  s0([\"sensor.lidar/front<br/>state, version 1.0, 10.0 Hz\"])
  a0 --> s0
  s0 --> a1
  s0 --> a2
  s1([\"sensor.lidar/rear<br/>state, version 1.0, refused\"])
  a0 --> s1
";
        assert_eq!(graph().mermaid(), expected);
    }

    #[test]
    fn a_stream_that_nobody_was_heard_on_belongs_to_the_agent_in_its_key() {
        let mut views = {
            let mut bus = Bus::new(at_millis(0));
            bus.observe(&received(KEY, lidar(0), 0));
            bus.streams(at_millis(0))
        };
        views[0].publishers.clear();
        assert_eq!(Graph::of(&views).agents, ["crane3"]);
    }
}
