//! What spans were like lately.

/// Spans that are remembered. With [`FORGETTING`] the oldest counts half a hundredth of the newest.
const N_KEPT: usize = 24;
/// Each span counts this much of the one after it: a change of load makes up most of what is
/// remembered after four more spans, and a single slow span never does.
const FORGETTING: f64 = 0.8;

/// The last spans, or ratios of spans, in bounded memory; an older one counts for less.
///
/// # Examples
/// ```
/// use sedge_latency::RecentSpans;
///
/// let mut recent = RecentSpans::default();
/// assert_eq!(recent.quantile(0.7), None);
/// for _ in 0..10 {
///     recent.push(2.0);
/// }
/// recent.push(90.0);
/// assert_eq!(recent.quantile(0.7), Some(2.0));
/// assert_eq!(recent.quantile(0.9), Some(90.0));
/// ```
#[derive(Debug, Clone, PartialEq, Default)]
pub struct RecentSpans {
    /// Newest first.
    spans: Vec<f64>,
}

impl RecentSpans {
    /// Takes in the newest; what is no number is left out.
    pub fn push(&mut self, span: f64) {
        if !span.is_finite() {
            return;
        }
        self.spans.truncate(N_KEPT - 1);
        self.spans.insert(0, span);
    }

    /// The least that at least this share of what was lately, by weight, does not exceed; nothing
    /// where there was none.
    pub fn quantile(&self, share: f64) -> Option<f64> {
        let mut weighed: [(f64, f64); N_KEPT] = [(0.0, 0.0); N_KEPT];
        let weighed = &mut weighed[..self.spans.len()];
        let (mut weight, mut total) = (1.0, 0.0);
        for (slot, &span) in weighed.iter_mut().zip(&self.spans) {
            *slot = (span, weight);
            total += weight;
            weight *= FORGETTING;
        }
        weighed.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
        let mut below = 0.0;
        let reaches = |(_, weight): &&(f64, f64)| {
            below += weight;
            // A rounding error short of all is all.
            below >= share * total - 1e-9
        };
        let found = weighed.iter().find(reaches);
        found.or(weighed.last()).map(|(span, _)| *span)
    }

    /// Forgets all of them.
    pub fn clear(&mut self) {
        self.spans.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_change_of_load_is_believed_at_its_second_span_and_one_slow_span_never() {
        let mut recent = RecentSpans::default();
        (0..100).for_each(|_| recent.push(1.0));
        recent.push(4.0);
        assert_eq!(recent.quantile(0.7), Some(1.0));
        recent.push(4.0);
        assert_eq!(recent.quantile(0.7), Some(4.0));
        (0..6).for_each(|_| recent.push(1.0));
        assert_eq!(recent.quantile(0.7), Some(1.0));
    }

    #[test]
    fn memory_is_bounded_and_what_is_no_number_is_left_out() {
        let mut recent = RecentSpans::default();
        (0..1_000).for_each(|_| recent.push(1.0));
        recent.push(f64::NAN);
        recent.push(f64::INFINITY);
        assert_eq!(
            (recent.spans.len(), recent.quantile(1.0)),
            (N_KEPT, Some(1.0))
        );
        recent.clear();
        assert_eq!(recent.quantile(0.5), None);
    }

    proptest! {
        #[test]
        fn quantiles_rise_and_are_spans_that_came(
            spans in prop::collection::vec(0.0..1e9f64, 1..60),
            share in 0.0..1.0f64,
        ) {
            let mut recent = RecentSpans::default();
            for span in &spans {
                recent.push(*span);
            }
            let last = &spans[spans.len().saturating_sub(N_KEPT)..];
            let low = recent.quantile(share).unwrap();
            let high = recent.quantile(1.0).unwrap();
            prop_assert!(last.contains(&low) && last.contains(&high) && low <= high);
            prop_assert!(last.iter().all(|span| *span <= high));
        }
    }
}
