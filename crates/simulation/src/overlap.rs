//! Which of many outlines lie in each other.

use crate::outline::Placed;

/// The first body, in order, that lies in a later body or in a wall, and in which: walls are
/// counted on after the bodies. Walls may lie in each other.
///
/// Outlines are swept along x, so that the work grows with neighbours and not with pairs.
pub(crate) fn first_overlap(bodies: &[Placed], walls: &[Placed]) -> Option<(usize, usize)> {
    let all = || bodies.iter().chain(walls);
    let mut order: Vec<(f64, usize)> = all()
        .enumerate()
        .map(|(idx, placed)| (placed.center_m[0] - placed.outline.radius_m(), idx))
        .collect();
    order.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
    let placed = |idx: usize| match idx.checked_sub(bodies.len()) {
        None => bodies[idx],
        Some(idx) => walls[idx],
    };
    let mut first: Option<(usize, usize)> = None;
    for (position, (_, idx)) in order.iter().enumerate() {
        let one = placed(*idx);
        let end_m = one.center_m[0] + one.outline.radius_m();
        for (_, other_idx) in order[position + 1..]
            .iter()
            .take_while(|(start_m, _)| *start_m <= end_m)
        {
            let pair = (*idx.min(other_idx), *idx.max(other_idx));
            let are_walls = pair.0 >= bodies.len();
            if !are_walls && one.clearance_m(placed(*other_idx)) < 0.0 {
                first = Some(first.map_or(pair, |known| known.min(pair)));
            }
        }
    }
    first
}
