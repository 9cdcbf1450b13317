//! Cells.

use sedge_runtime::bench::SpanFigures;

/// p50, p99, p99.9 and the maximum, in microseconds.
pub(crate) fn cells(figures: &SpanFigures) -> String {
    let nanos = [
        figures.p50_nanos,
        figures.p99_nanos,
        figures.p999_nanos,
        figures.max_nanos,
    ];
    nanos
        .map(|nanos| format!("{:.1}", nanos as f64 / 1e3))
        .join(" | ")
}

/// How many times one is the other.
pub(crate) fn ratio(ours: u64, theirs: u64) -> String {
    if theirs == 0 {
        return "-".to_string();
    }
    format!("{:.2}x", ours as f64 / theirs as f64)
}

pub(crate) fn median(values: &mut [f64]) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Median and range, in whole messages a second.
pub(crate) fn spread(values: &mut [f64]) -> String {
    let middle = median(values);
    format!(
        "{middle:.0} ({:.0} to {:.0})",
        values[0],
        values[values.len() - 1]
    )
}
