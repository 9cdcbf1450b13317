//! Plots of spans, as SVG inside a page.

use std::fmt::Write as _;

use super::{Readable, SpanRow};

const WIDTH: f64 = 960.0;
/// Where the axis begins: names are left of it.
const LEFT: f64 = 300.0;
const RIGHT: f64 = 30.0;
const TOP: f64 = 30.0;
const ROW: f64 = 26.0;
/// A decade beyond these is off the axis: a nanosecond and a minute.
const DECADE_MIN: i32 = 0;
const DECADE_MAX: i32 = 11;

const SPARK_WIDTH: f64 = 110.0;
const SPARK_HEIGHT: f64 = 22.0;

/// A logarithmic axis of whole decades of nanoseconds.
struct Axis {
    first: i32,
    last: i32,
}

impl Axis {
    fn of(rows: &[SpanRow], before: &[SpanRow]) -> Self {
        let all = || rows.iter().chain(before);
        let least = all()
            .map(|row| row.p50_nanos)
            .filter(|nanos| *nanos > 0)
            .min();
        let most = all()
            .flat_map(|row| [row.max_nanos, row.budget_nanos.unwrap_or_default()])
            .max();
        let decade = |nanos: u64| (nanos.max(1) as f64).log10();
        let first = least.map_or(3, |nanos| decade(nanos).floor() as i32);
        let last = most.map_or(6, |nanos| decade(nanos).ceil() as i32);
        let first = first.clamp(DECADE_MIN, DECADE_MAX - 1);
        Self {
            first,
            last: last.clamp(first + 1, DECADE_MAX),
        }
    }

    fn x(&self, nanos: u64) -> f64 {
        let decades = (nanos.max(1) as f64).log10() - f64::from(self.first);
        let share = decades / f64::from(self.last - self.first);
        LEFT + share.clamp(0.0, 1.0) * (WIDTH - LEFT - RIGHT)
    }
}

/// Each row as a bar from its median to its 99 % quantile and a line on to the longest, on a
/// logarithmic axis, with the budget and the 99 % quantile of the run before.
pub(super) fn plot(rows: &[SpanRow], before: &[SpanRow]) -> String {
    let axis = Axis::of(rows, before);
    let bottom = TOP + ROW * rows.len() as f64;
    let height = bottom + 10.0;
    let mut svg = format!(
        "<svg viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" \
         aria-label=\"spans on a logarithmic axis\">\n"
    );
    for decade in axis.first..=axis.last {
        let nanos = 10_u64.pow(decade.unsigned_abs());
        let (x, label) = (
            axis.x(nanos),
            Readable(nanos).to_string().replace(".00", ""),
        );
        let label = label.replace(".0 ", " ");
        add(
            &mut svg,
            &format!(
                "<line class=\"grid\" x1=\"{x:.1}\" y1=\"{TOP}\" x2=\"{x:.1}\" y2=\"{bottom}\"/>\
                 <text class=\"tick\" x=\"{x:.1}\" y=\"{:.1}\">{label}</text>",
                TOP - 8.0
            ),
        );
    }
    for (idx, row) in rows.iter().enumerate() {
        let y = TOP + ROW * (idx as f64 + 0.5);
        add(&mut svg, &bar(row, &axis, y));
        let is_same = |old: &&SpanRow| old.whose == row.whose && old.what == row.what;
        if let Some(old) = before.iter().find(is_same) {
            let x = axis.x(old.p99_nanos);
            let then = Readable(old.p99_nanos);
            add(
                &mut svg,
                &format!(
                    "<circle class=\"then\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"4\">\
                     <title>p99 of the run before: {then}</title></circle>"
                ),
            );
        }
    }
    svg + "</svg>\n"
}

fn bar(row: &SpanRow, axis: &Axis, y: f64) -> String {
    let [p50, p99, p999, max] = [row.p50_nanos, row.p99_nanos, row.p999_nanos, row.max_nanos];
    let name = escaped(&format!("{} {}", row.whose, row.what));
    let title = format!(
        "{name}: p50 {}, p99 {}, p99.9 {}, max {}, n {}",
        Readable(p50),
        Readable(p99),
        Readable(p999),
        Readable(max),
        row.n
    );
    let (from, to) = (axis.x(p50), axis.x(p99));
    let class = match row.budget_nanos {
        Some(budget) if p999 > budget => "bar over",
        _ => "bar",
    };
    let mut text = format!(
        "<g><title>{title}</title>\
         <text class=\"name\" x=\"{:.1}\" y=\"{:.1}\">{name}</text>\
         <line class=\"tail\" x1=\"{from:.1}\" y1=\"{y:.1}\" x2=\"{:.1}\" y2=\"{y:.1}\"/>\
         <rect class=\"{class}\" x=\"{from:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"10\"/>",
        LEFT - 12.0,
        y + 4.0,
        axis.x(max),
        y - 5.0,
        (to - from).max(2.0),
    );
    let (x999, xmax) = (axis.x(p999), axis.x(max));
    add(
        &mut text,
        &format!(
            "<line class=\"tail\" x1=\"{x999:.1}\" y1=\"{:.1}\" x2=\"{x999:.1}\" y2=\"{:.1}\"/>\
             <circle class=\"max\" cx=\"{xmax:.1}\" cy=\"{y:.1}\" r=\"2\"/>",
            y - 5.0,
            y + 5.0
        ),
    );
    if let Some(budget) = row.budget_nanos {
        let x = axis.x(budget);
        add(
            &mut text,
            &format!(
                "<line class=\"budget\" x1=\"{x:.1}\" y1=\"{:.1}\" x2=\"{x:.1}\" y2=\"{:.1}\">\
                 <title>budget {}</title></line>",
                y - 10.0,
                y + 10.0,
                Readable(budget)
            ),
        );
    }
    text + "</g>"
}

/// The 99 % quantiles of runs, oldest first, as a line without axes; nothing for fewer than two.
pub(super) fn sparkline(nanos: &[u64]) -> String {
    let (Some(least), Some(most)) = (nanos.iter().min(), nanos.iter().max()) else {
        return String::new();
    };
    if nanos.len() < 2 {
        return String::new();
    }
    let log = |nanos: u64| (nanos.max(1) as f64).log10();
    // At least an octave high, so that noise does not look like a mountain.
    let (low, high) = (log(*least), log(*most).max(log(*least) + 2_f64.log10()));
    let step = (SPARK_WIDTH - 8.0) / (nanos.len() - 1) as f64;
    let mut points = String::new();
    let mut last = (0.0, 0.0);
    for (idx, nanos) in nanos.iter().enumerate() {
        let share = (log(*nanos) - low) / (high - low);
        last = (
            4.0 + step * idx as f64,
            SPARK_HEIGHT - 4.0 - share * (SPARK_HEIGHT - 8.0),
        );
        write!(points, "{:.1},{:.1} ", last.0, last.1).expect("a String takes everything");
    }
    format!(
        "<svg class=\"spark\" viewBox=\"0 0 {SPARK_WIDTH} {SPARK_HEIGHT}\">\
         <title>p99 of {} runs, from {} to {}</title>\
         <polyline points=\"{}\"/><circle cx=\"{:.1}\" cy=\"{:.1}\" r=\"2.5\"/></svg>",
        nanos.len(),
        Readable(*least),
        Readable(*most),
        points.trim_end(),
        last.0,
        last.1
    )
}

fn add(svg: &mut String, element: &str) {
    svg.push_str(element);
    svg.push('\n');
}

/// A text inside markup.
pub(super) fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}
