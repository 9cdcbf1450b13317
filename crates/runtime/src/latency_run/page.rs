//! A run as one HTML file: no scripts, nothing fetched.

use super::plot::{escaped, plot, sparkline};
use super::{LatencyHistory, LatencyRun, Readable, RungRow, SpanRow, skill_lost};

const STYLE: &str = "\
:root { color-scheme: light dark; --ink: #1f2328; --paper: #ffffff; --faint: #d0d7de; \
--bar: #2f6f9f; --over: #c9603f; --budget: #1f2328; --then: #8a6d00; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6edf3; --paper: #0d1117; --faint: #30363d; \
--bar: #6cb6e6; --over: #d9714e; --budget: #ffffff; --then: #e3c04a; } }
body { font: 15px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper); \
max-width: 1000px; margin: 2rem auto; padding: 0 1rem; }
table { border-collapse: collapse; width: 100%; font-size: 13px; }
th, td { border-bottom: 1px solid var(--faint); padding: 3px 8px; text-align: right; \
white-space: nowrap; font-variant-numeric: tabular-nums; }
th:nth-child(-n+2), td:nth-child(-n+2) { text-align: left; }
svg { width: 100%; height: auto; margin: 0.5rem 0; }
svg.spark { width: 110px; height: 22px; margin: 0; vertical-align: middle; }
text { font-size: 12px; fill: var(--ink); }
text.name { text-anchor: end; } text.tick { text-anchor: middle; opacity: 0.7; }
line.grid { stroke: var(--faint); } line.tail { stroke: var(--bar); stroke-width: 1.5; }
rect.bar { fill: var(--bar); } rect.over { fill: var(--over); } circle.max { fill: var(--bar); }
line.budget { stroke: var(--budget); stroke-width: 2.5; stroke-dasharray: 4 2; }
circle.then { fill: none; stroke: var(--then); stroke-width: 1.5; }
polyline { fill: none; stroke: var(--bar); stroke-width: 1.5; }
svg.spark circle { fill: var(--bar); }
.key { opacity: 0.75; font-size: 13px; } .missed { color: var(--over); font-weight: 600; }
";

const KEY: &str = "Bars go from the median to the 99 % quantile, lines on to the longest with a \
tick at 99.9 %; dashed is the budget, a ring the 99 % quantile of the run before. A bar is red \
where the 99.9 % quantile is past the budget. The axis is logarithmic.";

/// The run as a page, with plots of both tables, the change since the run before it, and how it
/// went over earlier runs of the same machine; `history` does not hold the run itself yet.
pub fn page(run: &LatencyRun, history: &LatencyHistory) -> String {
    let before = history.last_of(&run.machine);
    let title = format!("Sedge latency report, {}", utc(run.stamp_nanos));
    let compared = match before {
        Some(before) => format!("compared with the run of {}", utc(before.stamp_nanos)),
        None => "the first run of this machine: nothing to compare with".to_owned(),
    };
    let real = Section {
        title: "Real traffic",
        about: &format!(
            "What the stages of agents took since each agent started. From {}.",
            run.source
        ),
        missed: "missed",
        rows: &run.real,
        of: |run| &run.real,
    };
    let probes = Section {
        title: "Synthetic probes",
        about: "What this program sent by itself: messages there and back between two sessions of \
                its own over TCP on this machine, questions that each agent's session answers (its \
                loop is not asked), and how late threads here were woken.",
        missed: "unanswered",
        rows: &run.probes,
        of: |run| &run.probes,
    };
    format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width\">\n\
         <title>{title}</title>\n<style>{STYLE}</style></head><body>\n\
         <h1>{title}</h1>\n<p>{}; {compared}.</p>\n{}{}{}</body></html>\n",
        escaped(&run.machine),
        real.html(run, before, history),
        rungs(&run.rungs),
        probes.html(run, before, history),
    )
}

/// One of the two tables.
struct Section<'r> {
    title: &'r str,
    about: &'r str,
    /// What the last count says.
    missed: &'r str,
    rows: &'r [SpanRow],
    /// The same table of another run.
    of: fn(&LatencyRun) -> &Vec<SpanRow>,
}

impl Section<'_> {
    fn html(
        &self,
        run: &LatencyRun,
        before: Option<&LatencyRun>,
        history: &LatencyHistory,
    ) -> String {
        let head = format!("<h2>{}</h2>\n<p>{}</p>\n", self.title, escaped(self.about));
        if self.rows.is_empty() {
            return head + "<p>Nothing was measured.</p>\n";
        }
        let old = before.map_or(&[][..], |before| (self.of)(before));
        let rows: String = self
            .rows
            .iter()
            .map(|row| {
                let earlier = history.runs_of(&run.machine).map(self.of);
                let all = earlier
                    .chain([(self.of)(run)])
                    .filter_map(|rows| find(rows, row));
                let trend: Vec<u64> = all.map(|row| row.p99_nanos).collect();
                table_row(row, old, &sparkline(&trend))
            })
            .collect();
        format!(
            "{head}{}<p class=\"key\">{KEY}</p>\n<table><thead><tr><th>whose</th><th>what</th>\
             <th>n</th><th>p50</th><th>p99</th><th>p99.9</th><th>max</th><th>budget</th>\
             <th>{}</th><th>p50 since</th><th>p99 since</th><th>p99 by run</th></tr></thead>\n\
             <tbody>\n{rows}</tbody></table>\n",
            plot(self.rows, old),
            self.missed,
        )
    }
}

/// Degradation ladders, where there are any.
fn rungs(rows: &[RungRow]) -> String {
    if rows.is_empty() {
        return String::new();
    }
    let row = |row: &RungRow| {
        let skill = row.skill.map_or_else(String::new, |skill| {
            let by = if row.is_measured { "measured" } else { "said" };
            format!("{skill:.2} ({by})")
        });
        let (whose, rung) = (escaped(&row.whose), escaped(&row.rung));
        let (plans, cost) = (row.plans, Readable(row.cost_nanos));
        format!(
            "<tr><td>{whose}</td><td>{rung}</td><td>{plans}</td><td>{cost}</td><td>{skill}</td>\
             </tr>\n"
        )
    };
    let table: String = rows.iter().map(row).collect();
    let mut agents: Vec<&str> = rows.iter().map(|row| row.whose.as_str()).collect();
    agents.dedup();
    let lost = |whose: &str| {
        let lost = skill_lost(rows, whose)?;
        Some(format!("{}: {:.1} %", escaped(whose), 100.0 * lost))
    };
    let lost: Vec<String> = agents.into_iter().filter_map(lost).collect();
    let lost = match lost.as_slice() {
        [] => String::new(),
        all => format!("<p>Skill lost over all plans: {}.</p>\n", all.join(", ")),
    };
    format!(
        "<h2>Degradation ladders</h2>\n<p>Plans by rung; what a rung took lately, more than that \
         in a tenth of cases; how well it drives as a share of the full rung.</p>\n\
         <table><thead><tr><th>whose</th><th>rung</th><th>plans</th><th>cost</th><th>skill</th>\
         </tr></thead>\n<tbody>\n{table}</tbody></table>\n{lost}"
    )
}

fn find<'r>(rows: &'r [SpanRow], row: &SpanRow) -> Option<&'r SpanRow> {
    rows.iter()
        .find(|other| other.whose == row.whose && other.what == row.what)
}

fn table_row(row: &SpanRow, before: &[SpanRow], trend: &str) -> String {
    let change = row.change(before);
    let percent = |share: Option<f64>| {
        share.map_or_else(String::new, |share| format!("{:+.1} %", share * 100.0))
    };
    let spans = [row.p50_nanos, row.p99_nanos, row.p999_nanos, row.max_nanos];
    let spans = spans.map(|nanos| format!("<td>{}</td>", Readable(nanos)));
    let spans = spans.concat();
    let budget = row.budget_nanos.map(|nanos| Readable(nanos).to_string());
    let missed = match row.missed {
        0 => "0".to_owned(),
        n => format!("<span class=\"missed\">{n}</span>"),
    };
    format!(
        "<tr><td>{}</td><td>{}</td><td>{}</td>{spans}<td>{}</td><td>{missed}</td><td>{}</td>\
         <td>{}</td><td>{trend}</td></tr>\n",
        escaped(&row.whose),
        escaped(&row.what),
        row.n,
        budget.unwrap_or_default(),
        percent(change.map(|change| change.p50)),
        percent(change.map(|change| change.p99)),
    )
}

/// A stamp as people write it, such as `2026-03-01 12:00:00 UTC`: the proleptic Gregorian calendar,
/// by the days of 400-year eras that begin on 1 March (Howard Hinnant, "chrono-compatible low-level
/// date algorithms").
pub(super) fn utc(stamp_nanos: i64) -> String {
    let secs = stamp_nanos.div_euclid(1_000_000_000);
    let (days, in_day) = (secs.div_euclid(86_400), secs.rem_euclid(86_400));
    // Days since 1 March of year 0.
    let days = days + 719_468;
    let (era, day_of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 {
        month_from_march + 3
    } else {
        month_from_march - 9
    };
    let year = era * 400 + year_of_era + i64::from(month <= 2);
    let (hour, minute, second) = (in_day / 3_600, in_day / 60 % 60, in_day % 60);
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02} UTC")
}
