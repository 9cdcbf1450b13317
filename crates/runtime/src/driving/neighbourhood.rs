//! Which neighbours are listened to, and how often.

use std::collections::BTreeMap;
use std::time::Duration;

use sedge_oni::{Odometry, RangeBearing, Source, TypedMessage as _};
use sedge_spacetime::{AgentName, Stamp};

/// Odometry comes at tens of hertz, and a velocity ten times a second says as much.
const ODOMETRY_GAP_MIN: Duration = Duration::from_millis(80);
/// Everything else comes about ten times a second; what is much faster is a flood.
const OTHER_GAP_MIN: Duration = Duration::from_millis(40);

/// What to do with a neighbour's message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Hearing {
    Listen,
    /// It is none of the nearest.
    TooFar,
    /// It said so a moment ago.
    TooSoon,
}

#[derive(Debug, Default)]
struct Voice {
    arrival: Option<Stamp>,
    newest: Option<(u64, u64)>,
}

/// The nearest robots that the own sensor sees, and what was heard of each last.
#[derive(Debug)]
pub(crate) struct Neighbourhood {
    n_max: usize,
    /// By name and message type. Only of those that are near, so it is bounded.
    voices: BTreeMap<AgentName, BTreeMap<String, Voice>>,
}

impl Neighbourhood {
    pub(crate) fn new(n_max: usize) -> Self {
        Self {
            n_max,
            voices: BTreeMap::new(),
        }
    }

    /// Takes in whom the own sensor sees now; who is not among the nearest is forgotten.
    pub(crate) fn saw(&mut self, seen: &RangeBearing) {
        // Where only a bearing was measured, nobody knows how near it is.
        let range = |neighbour: &sedge_oni::Neighbour| {
            neighbour.range_m.map_or(f32::INFINITY, |range| range.value)
        };
        let mut nearest: Vec<_> = seen.neighbours.iter().collect();
        nearest.sort_by(|a, b| {
            let by_range = range(a).total_cmp(&range(b));
            by_range.then_with(|| a.name.cmp(&b.name))
        });
        nearest.truncate(self.n_max);
        self.voices
            .retain(|name, _| nearest.iter().any(|near| near.name == *name));
        for near in nearest {
            self.voices.entry(near.name.clone()).or_default();
        }
    }

    /// Whether a message is worth decoding.
    pub(crate) fn hears(&mut self, name: &str, message_type: &str, arrival: Stamp) -> Hearing {
        let mut known = self.voices.iter_mut();
        let Some((_, voices)) = known.find(|(known, _)| known.as_str() == name) else {
            return Hearing::TooFar;
        };
        let gap_min = match message_type {
            Odometry::NAME => ODOMETRY_GAP_MIN,
            _ => OTHER_GAP_MIN,
        };
        // At most three types are subscribed to.
        let voice = voices.entry(message_type.to_owned()).or_default();
        let is_soon = |before: Stamp| arrival.saturating_since(before) < gap_min;
        if voice.arrival.is_some_and(is_soon) {
            return Hearing::TooSoon;
        }
        voice.arrival = Some(arrival);
        Hearing::Listen
    }

    /// Whether a message is newer than what the neighbour said before; one that began anew is.
    pub(crate) fn is_news(&mut self, name: &str, message_type: &str, source: &Source) -> bool {
        let mut known = self.voices.iter_mut();
        let voices = known.find(|(known, _)| known.as_str() == name);
        let Some(voice) = voices.and_then(|(_, voices)| voices.get_mut(message_type)) else {
            return false;
        };
        let this = (source.epoch, source.sequence);
        let is_newer = voice.newest.is_none_or(|newest| this > newest);
        if is_newer {
            voice.newest = Some(this);
        }
        is_newer
    }
}

#[cfg(test)]
mod tests {
    use sedge_oni::{Measured, Neighbour};

    use super::*;

    const HEARD: Hearing = Hearing::Listen;
    const FAR: Hearing = Hearing::TooFar;

    fn seen(ranges: &[(&str, f32)]) -> RangeBearing {
        let neighbour = |(name, value): &(&str, f32)| Neighbour {
            name: AgentName::new(*name).unwrap(),
            range_m: Some(Measured {
                value: *value,
                sigma: 0.05,
            }),
            bearing_rad: None,
        };
        RangeBearing {
            neighbours: ranges.iter().map(neighbour).collect(),
        }
    }

    fn at(millis: u64) -> Stamp {
        Stamp::ZERO + Duration::from_millis(millis)
    }

    #[test]
    fn the_nearest_are_heard_and_the_others_not() {
        let mut near = Neighbourhood::new(2);
        near.saw(&seen(&[("far", 9.0), ("b", 2.0), ("a", 2.0)]));
        let heard = ["a", "b", "far", "nobody"].map(|name| near.hears(name, "model.belief", at(0)));
        assert_eq!(heard, [HEARD, HEARD, FAR, FAR]);
        near.saw(&seen(&[("far", 1.0)]));
        let heard = ["a", "far"].map(|name| near.hears(name, "model.belief", at(100)));
        assert_eq!(heard, [FAR, HEARD]);
    }

    #[test]
    fn a_flood_is_thinned_out() {
        let mut near = Neighbourhood::new(2);
        near.saw(&seen(&[("a", 1.0)]));
        let n_heard = |near: &mut Neighbourhood, message_type: &str| {
            let heard = (0..100).map(|idx| near.hears("a", message_type, at(20 * idx)));
            heard.filter(|it| *it == Hearing::Listen).count()
        };
        assert_eq!(n_heard(&mut near, "sensor.odometry"), 25);
        assert_eq!(n_heard(&mut near, "model.prediction"), 50);
    }

    #[test]
    fn a_neighbour_that_began_anew_is_news_and_its_old_self_is_not() {
        let mut near = Neighbourhood::new(2);
        near.saw(&seen(&[("a", 1.0)]));
        assert_eq!(near.hears("a", "model.prediction", at(0)), Hearing::Listen);
        let mut is_news = |epoch, sequence| {
            let agent = AgentName::new("a").unwrap();
            let source = Source {
                agent,
                epoch,
                sequence,
            };
            near.is_news("a", "model.prediction", &source)
        };
        let news = [(1, 5), (1, 5), (1, 4), (2, 0), (1, 6), (2, 1)].map(|(e, s)| is_news(e, s));
        assert_eq!(news, [true, false, false, true, false, true]);
    }
}
