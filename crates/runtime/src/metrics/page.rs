//! The page, in Prometheus' text format 0.0.4.

use std::fmt::{Display, Write as _};

use sedge_oni::StageLatency;

use super::Figures;

/// Names and values that tell the lines of a metric apart.
type Labels<'a> = [(&'a str, &'a str)];

/// What kind of a metric it is.
#[derive(Debug, Clone, Copy)]
enum Kind {
    Counter,
    Gauge,
    Summary,
}

/// A page that grows metric by metric.
struct Page<'f> {
    text: String,
    figures: &'f Figures,
}

/// The page of these figures; before there are any, only what the server itself counts: scrapes
/// that it answered and connections that it turned away or cut off.
pub(super) fn page(figures: Option<&Figures>, [scrapes, refused]: [u64; 2]) -> String {
    let mut text = String::new();
    let own = [
        ("sedge_scrapes_total", "Connections to this page.", scrapes),
        (
            "sedge_scrapes_refused_total",
            "Connections that were turned away or cut off.",
            refused,
        ),
    ];
    for (name, help, n) in own {
        head(&mut text, name, help, Kind::Counter);
        line(&mut text, name, &[], n);
    }
    let Some(figures) = figures else {
        return text;
    };
    let mut page = Page { text, figures };
    page.agent();
    page.stages();
    page.budgets();
    page.ladder();
    page.messages();
    page.text
}

impl Page<'_> {
    fn agent(&mut self) {
        let figures = self.figures;
        let epoch = figures.whose.epoch.to_string();
        let labels = [("model", figures.whose.model.as_str()), ("epoch", &epoch)];
        let help = "The agent, its model and its start; always 1.";
        self.metric("sedge_agent_info", help, Kind::Gauge);
        self.line("sedge_agent_info", &labels, 1);
        let name = "sedge_agent_report_timestamp_seconds";
        let help = "When the figures were put down, since the Unix epoch: an old one is a loop \
                    that stands still.";
        self.metric(name, help, Kind::Gauge);
        self.line(name, &[], figures.at.nanos() as f64 / 1e9);
    }

    fn stages(&mut self) {
        let name = "sedge_stage_seconds";
        let help = "What each stage took since the agent started.";
        self.metric(name, help, Kind::Summary);
        for stage in &self.figures.report.stages {
            let quantiles = [
                ("0.5", stage.p50_nanos),
                ("0.99", stage.p99_nanos),
                ("0.999", stage.p999_nanos),
            ];
            for (quantile, nanos) in quantiles {
                let labels = [("stage", stage.stage.as_str()), ("quantile", quantile)];
                self.line(name, &labels, secs(nanos));
            }
            self.of_stage("sedge_stage_seconds_count", stage, stage.count);
        }
        let name = "sedge_stage_max_seconds";
        let help = "The longest time that each stage took since the agent started.";
        self.metric(name, help, Kind::Gauge);
        for stage in &self.figures.report.stages {
            self.of_stage(name, stage, secs(stage.max_nanos));
        }
    }

    fn budgets(&mut self) {
        let figures = self.figures;
        let budgeted = || {
            let stages = figures.report.stages.iter();
            stages.filter(|stage| stage.budget_nanos > 0)
        };
        let name = "sedge_stage_budget_seconds";
        self.metric(name, "How long each stage may take.", Kind::Gauge);
        for stage in budgeted() {
            self.of_stage(name, stage, secs(stage.budget_nanos));
        }
        let name = "sedge_stage_budget_missed_total";
        self.metric(name, "How often a stage took longer.", Kind::Counter);
        for stage in budgeted() {
            self.of_stage(name, stage, stage.missed);
        }
        let name = "sedge_stage_budget_missed_in_a_row_max";
        let help = "The most misses of a stage without a kept budget between.";
        self.metric(name, help, Kind::Gauge);
        for stage in budgeted() {
            self.of_stage(name, stage, stage.missed_in_a_row_max);
        }
    }

    fn ladder(&mut self) {
        let Some(ladder) = &self.figures.report.ladder else {
            return;
        };
        let name = "sedge_rung_in_force";
        let help = "1 for the rung of the degradation ladder that is in force, 0 for the others.";
        self.metric(name, help, Kind::Gauge);
        for (idx, rung) in ladder.rungs.iter().enumerate() {
            let is_in_force = u8::from(idx == ladder.rung);
            self.line(name, &[("rung", &rung.name)], is_in_force);
        }
        let name = "sedge_rung_plans_total";
        self.metric(name, "Plans made on each rung.", Kind::Counter);
        for rung in &ladder.rungs {
            self.line(name, &[("rung", &rung.name)], rung.plans);
        }
        let name = "sedge_rung_changes_total";
        self.metric(name, "How often the rung in force changed.", Kind::Counter);
        self.line(name, &[], ladder.changes);
    }

    fn messages(&mut self) {
        let figures = self.figures;
        let report = &figures.report;
        let counts = [
            (
                "sedge_messages_received_total",
                "Messages received.",
                report.received,
            ),
            (
                "sedge_messages_lost_total",
                "Messages that were sent and never came.",
                report.lost,
            ),
            (
                "sedge_messages_duplicated_total",
                "Messages that came more than once.",
                report.duplicated,
            ),
        ];
        for (name, help, n) in counts {
            self.metric(name, help, Kind::Counter);
            self.line(name, &[], n);
        }
        let name = "sedge_messages_dropped_total";
        let help =
            "Messages that were dropped on purpose, by the agent or its side of the network.";
        self.metric(name, help, Kind::Counter);
        for row in &figures.drops {
            let labels = [
                ("key", row.key.as_str()),
                ("place", row.place.name()),
                ("reason", row.reason.name()),
            ];
            self.line(name, &labels, row.count);
        }
    }

    fn metric(&mut self, name: &str, help: &str, kind: Kind) {
        head(&mut self.text, name, help, kind);
    }

    fn of_stage(&mut self, name: &str, stage: &StageLatency, value: impl Display) {
        self.line(name, &[("stage", &stage.stage)], value);
    }

    fn line(&mut self, name: &str, labels: &Labels<'_>, value: impl Display) {
        let whose = &self.figures.whose;
        let mut all = vec![
            ("fleet", whose.fleet.as_str()),
            ("agent", &whose.agent),
            ("stream", &whose.stream),
        ];
        all.extend(labels);
        line(&mut self.text, name, &all, value);
    }
}

fn secs(nanos: u64) -> f64 {
    nanos as f64 / 1e9
}

fn head(text: &mut String, name: &str, help: &str, kind: Kind) {
    let kind = match kind {
        Kind::Counter => "counter",
        Kind::Gauge => "gauge",
        Kind::Summary => "summary",
    };
    let written = writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}");
    written.expect("a String takes everything");
}

fn line(text: &mut String, name: &str, labels: &Labels<'_>, value: impl Display) {
    let label = |(label, value): &(&str, &str)| format!("{label}=\"{}\"", escaped(value));
    let labels: Vec<String> = labels.iter().map(label).collect();
    let labels = match labels.join(",") {
        none if none.is_empty() => none,
        some => format!("{{{some}}}"),
    };
    writeln!(text, "{name}{labels} {value}").expect("a String takes everything");
}

/// As the format asks of values of labels.
fn escaped(value: &str) -> String {
    value
        .replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('\n', "\\n")
}
