//! A load step as one picture: the rung of each plan and what it took, over time.

use std::fmt::Write as _;
use std::time::Duration;

use sedge_latency::LadderTrace;

use super::plot::escaped;
use super::{Readable, SpanRow};

const WIDTH: f64 = 960.0;
const LEFT: f64 = 120.0;
const RIGHT: f64 = 20.0;
/// Where the plot of times begins and ends, and the lanes of rungs below it.
const TOP: f64 = 46.0;
const BOTTOM: f64 = 276.0;
const LANES: f64 = 306.0;
const LANE: f64 = 20.0;

/// Colours are written into the picture, which is looked at outside of pages too.
const STYLE: &str = "text { font: 12px system-ui, sans-serif; fill: #1f2328; } \
.title { font-size: 14px; font-weight: 600; } .end { text-anchor: end; } \
.middle { text-anchor: middle; } .grid { stroke: #d0d7de; } .paper { fill: #ffffff; } \
.loaded { fill: #f3e3c7; } .budget { stroke: #1f2328; stroke-width: 1.5; \
stroke-dasharray: 5 3; } .kept { fill: #2f6f9f; } .late { fill: #c9603f; } \
.rung { fill: #2f6f9f; }";

/// What a picture of a load step is made from.
#[derive(Debug, Clone, Copy)]
pub struct StepPlot<'p> {
    /// What it is called.
    pub title: &'p str,
    /// The plans.
    pub trace: &'p LadderTrace,
    /// How long a command may take from its scan on; plans past it are late.
    pub whole_max: Duration,
    /// From when to when the load was up, and until when plans were made, since the trace began.
    pub loaded: [Duration; 2],
    /// When it ended.
    pub end: Duration,
}

impl StepPlot<'_> {
    /// The picture, as an SVG file.
    pub fn svg(&self) -> String {
        let n_lanes = self.trace.rungs.len().max(1) as f64;
        let height = LANES + LANE * n_lanes + 34.0;
        let mut svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" \
             role=\"img\" aria-label=\"{0}\">\n<style>{STYLE}</style>\n\
             <rect class=\"paper\" width=\"{WIDTH}\" height=\"{height}\"/>\n\
             <text class=\"title\" x=\"{LEFT}\" y=\"20\">{0}</text>\n",
            escaped(self.title)
        );
        self.background(&mut svg, LANES + LANE * n_lanes);
        self.times(&mut svg);
        self.lanes(&mut svg);
        svg + "</svg>\n"
    }

    fn x(&self, at: Duration) -> f64 {
        let share = at.as_secs_f64() / self.end.as_secs_f64().max(1e-9);
        LEFT + share.clamp(0.0, 1.0) * (WIDTH - LEFT - RIGHT)
    }

    /// The time of the load, and the axis of time.
    fn background(&self, svg: &mut String, bottom: f64) {
        let [from, until] = self.loaded.map(|at| self.x(at));
        add(
            svg,
            &format!(
                "<rect class=\"loaded\" x=\"{from:.1}\" y=\"{TOP}\" width=\"{:.1}\" \
                 height=\"{:.1}\"/>",
                until - from,
                bottom - TOP
            ),
        );
        let step_secs = nice_step(self.end.as_secs_f64() / 8.0);
        let n_ticks = (self.end.as_secs_f64() / step_secs) as usize;
        for tick in 0..=n_ticks {
            let secs = step_secs * tick as f64;
            let x = self.x(Duration::from_secs_f64(secs));
            add(
                svg,
                &format!(
                    "<line class=\"grid\" x1=\"{x:.1}\" y1=\"{TOP}\" x2=\"{x:.1}\" \
                     y2=\"{bottom}\"/><text class=\"middle\" x=\"{x:.1}\" y=\"{:.1}\">{secs} s\
                     </text>",
                    bottom + 18.0
                ),
            );
        }
    }

    /// What each command took from its scan on, and the budget.
    fn times(&self, svg: &mut String) {
        let mut all: Vec<u64> = self.trace.plans.iter().map(|it| it.whole_nanos).collect();
        all.sort_unstable();
        let limit = u64::try_from(self.whole_max.as_nanos()).unwrap_or(u64::MAX);
        // A few that took very long would press all others to the floor; they are drawn at the top.
        let high = all.get(all.len().saturating_sub(1) * 995 / 1000);
        let top = (high.copied().unwrap_or(1).max(2 * limit) as f64) * 1.05;
        let y = |nanos: u64| BOTTOM - (nanos as f64 / top).min(1.0) * (BOTTOM - TOP);
        let step = nice_step(top / 1e6 / 5.0);
        for tick in 0..=((top / 1e6 / step) as usize) {
            let millis = step * tick as f64;
            let height = y((millis * 1e6) as u64);
            add(
                svg,
                &format!(
                    "<line class=\"grid\" x1=\"{LEFT}\" y1=\"{height:.1}\" x2=\"{:.1}\" \
                     y2=\"{height:.1}\"/><text class=\"end\" x=\"{:.1}\" y=\"{:.1}\">{millis} ms\
                     </text>",
                    WIDTH - RIGHT,
                    LEFT - 8.0,
                    height + 4.0
                ),
            );
        }
        for plan in &self.trace.plans {
            let class = if plan.whole_nanos > limit {
                "late"
            } else {
                "kept"
            };
            let x = self.x(Duration::from_nanos(plan.at_nanos));
            add(
                svg,
                &format!(
                    "<circle class=\"{class}\" cx=\"{x:.1}\" cy=\"{:.1}\" r=\"1.4\"/>",
                    y(plan.whole_nanos)
                ),
            );
        }
        let height = y(limit);
        add(
            svg,
            &format!(
                "<line class=\"budget\" x1=\"{LEFT}\" y1=\"{height:.1}\" x2=\"{:.1}\" \
                 y2=\"{height:.1}\"/><text x=\"{LEFT}\" y=\"38\">from a scan to its command; \
                 dashed: the budget, {}; shaded: loaded</text>",
                WIDTH - RIGHT,
                Readable(limit)
            ),
        );
    }

    /// The rung in force.
    fn lanes(&self, svg: &mut String) {
        for (idx, rung) in self.trace.rungs.iter().enumerate() {
            let y = LANES + LANE * (idx as f64 + 0.5);
            add(
                svg,
                &format!(
                    "<text class=\"end\" x=\"{:.1}\" y=\"{:.1}\">{}</text>",
                    LEFT - 8.0,
                    y + 4.0,
                    escaped(rung.as_str())
                ),
            );
        }
        let mut begins = vec![0];
        begins.extend(self.trace.changes());
        for (nth, begin) in begins.iter().enumerate() {
            let Some(first) = self.trace.plans.get(*begin) else {
                return;
            };
            let next = begins.get(nth + 1).map(|idx| self.trace.plans[*idx]);
            let until = next.map_or(self.end, |plan| Duration::from_nanos(plan.at_nanos));
            let (x, end) = (self.x(Duration::from_nanos(first.at_nanos)), self.x(until));
            let y = LANES + LANE * first.rung as f64 + 4.0;
            add(
                svg,
                &format!(
                    "<rect class=\"rung\" x=\"{x:.1}\" y=\"{y:.1}\" width=\"{:.1}\" \
                     height=\"{:.1}\"/>",
                    (end - x).max(1.0),
                    LANE - 8.0
                ),
            );
        }
    }
}

/// A distance of an axis that reads well and is no less: 1, 2 or 5 times a power of ten.
fn nice_step(least: f64) -> f64 {
    let decade = 10_f64.powf(least.max(1e-9).log10().floor());
    let nice = [1.0, 2.0, 5.0, 10.0].into_iter();
    let mut steps = nice.map(|times| times * decade);
    steps.find(|step| *step >= least).unwrap_or(10.0 * decade)
}

fn add(svg: &mut String, element: &str) {
    writeln!(svg, "{element}").expect("a String takes everything");
}

/// What plans of one rung took while the load was the same, as a row of a table.
pub fn span_row(whose: &str, what: &str, mut nanos: Vec<u64>) -> SpanRow {
    nanos.sort_unstable();
    let at = |share: f64| {
        let last = nanos.len().saturating_sub(1);
        let rank = (share * last as f64).ceil() as usize;
        nanos.get(rank).copied().unwrap_or_default()
    };
    SpanRow {
        n: nanos.len() as u64,
        p50_nanos: at(0.5),
        p99_nanos: at(0.99),
        p999_nanos: at(0.999),
        max_nanos: at(1.0),
        ..SpanRow::without_figures(whose, what)
    }
}

#[cfg(test)]
mod tests {
    use sedge_latency::{Stage, TracedPlan};

    use super::*;

    #[test]
    fn a_picture_has_a_lane_for_each_rung_and_a_dot_for_each_plan() {
        let mut trace = LadderTrace {
            rungs: ["full", "stop"].map(|it| Stage::new(it).unwrap()).to_vec(),
            ..LadderTrace::default()
        };
        for (idx, rung) in [0, 0, 1, 0].into_iter().enumerate() {
            trace.push(TracedPlan {
                at_nanos: 1_000_000_000 * idx as u64,
                rung,
                plan_nanos: 5_000_000,
                whole_nanos: 20_000_000 * (1 + rung as u64),
            });
        }
        let plot = StepPlot {
            title: "a <step>",
            trace: &trace,
            whole_max: Duration::from_millis(30),
            loaded: [Duration::from_secs(1), Duration::from_secs(2)],
            end: Duration::from_secs(4),
        };
        let svg = plot.svg();
        let n = |what: &str| svg.matches(what).count();
        assert_eq!((n("class=\"kept\""), n("class=\"late\"")), (3, 1), "{svg}");
        assert_eq!(n("class=\"rung\""), 3, "{svg}");
        assert!(
            svg.contains("a &lt;step&gt;") && svg.contains(">stop</text>"),
            "{svg}"
        );
        let empty = LadderTrace::default();
        let plot = StepPlot {
            trace: &empty,
            ..plot
        };
        assert_eq!(plot.svg().matches("<circle").count(), 0);
    }

    #[test]
    fn quantiles_of_a_few_are_those_that_were_measured() {
        let row = span_row("full", "1x", vec![30, 10, 20]);
        assert_eq!((row.n, row.p50_nanos, row.p99_nanos), (3, 20, 30));
        assert_eq!(span_row("full", "1x", Vec::new()).max_nanos, 0);
    }

    #[test]
    fn axes_have_readable_steps() {
        let near = |got: f64, expected: f64| (got - expected).abs() < 1e-9 * expected;
        for (least, expected) in [(0.7, 1.0), (1.2, 2.0), (4.9, 5.0), (37.0, 50.0)] {
            assert!(near(nice_step(least), expected), "{least}");
        }
    }
}
