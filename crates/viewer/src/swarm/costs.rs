//! The colours of costs: from the best of a fan to the worst.

use crate::color::{self, Rgb};

/// Viridis, whose brightness falls all the way, from its bright end.
const STOPS: [Rgb; 5] = [
    [253, 231, 37],
    [122, 209, 81],
    [34, 168, 132],
    [42, 120, 142],
    [65, 68, 135],
];

/// The colour of a rank: 0 is the best, 1 the worst.
pub(super) fn color(share: f32) -> Rgb {
    let place = share.clamp(0.0, 1.0) * (STOPS.len() - 1) as f32;
    let from = (place as usize).min(STOPS.len() - 2);
    let full = color::mix(STOPS[from], STOPS[from + 1], place - from as f32);
    color::mix(color::BACKGROUND, full, 0.95 - 0.35 * share.clamp(0.0, 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worse_the_darker() {
        let brightness = |share: f32| -> u32 { color(share).iter().map(|c| u32::from(*c)).sum() };
        let shares = [0.0, 0.25, 0.5, 0.75, 1.0];
        assert!(
            shares
                .windows(2)
                .all(|two| brightness(two[0]) > brightness(two[1]))
        );
        assert_eq!(color(-1.0), color(0.0));
        assert_eq!(color(f32::NAN), color(f32::NAN), "no panic");
    }
}
