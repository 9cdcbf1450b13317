//! How near bodies come to each other.

use crate::metrics::SEPARATION_M_MAX;
use crate::outline::Placed;

/// The order of bodies along x, kept from step to step: it hardly changes, so it is cheap to mend.
#[derive(Debug, Clone, Default)]
pub(crate) struct Separation {
    order: Vec<(f64, usize)>,
}

impl Separation {
    /// Lowers each body's least distance to another hull; pairs of bodies from `n_counted` on do
    /// not count.
    pub(crate) fn lower(
        &mut self,
        bodies: &[Placed],
        n_counted: usize,
        mut lower: impl FnMut(usize, f64),
    ) {
        if self.order.len() != bodies.len() {
            self.order = (0..bodies.len()).map(|idx| (0.0, idx)).collect();
        }
        for (start_m, idx) in &mut self.order {
            *start_m = bodies[*idx].center_m[0] - bodies[*idx].outline.radius_m();
        }
        // Ties in any order: the least distance does not depend on it.
        self.order.sort_by(|a, b| a.0.total_cmp(&b.0));
        for (position, (_, idx)) in self.order.iter().enumerate() {
            let one = bodies[*idx];
            let end_m = one.center_m[0] + one.outline.radius_m() + SEPARATION_M_MAX;
            for (start_m, other_idx) in &self.order[position + 1..] {
                if *start_m > end_m {
                    break;
                }
                if *idx >= n_counted && *other_idx >= n_counted {
                    continue;
                }
                let other = bodies[*other_idx];
                let reach_m = one.outline.radius_m() + other.outline.radius_m() + SEPARATION_M_MAX;
                if (one.center_m[1] - other.center_m[1]).abs() < reach_m {
                    let clearance_m = one.clearance_m(other);
                    lower(*idx, clearance_m);
                    lower(*other_idx, clearance_m);
                }
            }
        }
    }
}
