//! Names of things in a recording.

use std::time::Duration;

use rerun::{EntityPath, EntityPathPart};

/// The one timeline: when it was sensed.
pub(crate) const TIMELINE: &str = "sensor_time";

/// A path of parts; whatever a part holds, it stays one part.
pub(crate) fn entity(parts: &[&str]) -> EntityPath {
    EntityPath::new(
        parts
            .iter()
            .map(|part| EntityPathPart::new(*part))
            .collect(),
    )
}

/// A horizon as people say it: `0.5s`, `1s`, `2s`.
pub(crate) fn horizon(horizon: Duration) -> String {
    format!("{}s", horizon.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn horizons_read_as_people_say_them() {
        assert_eq!(horizon(Duration::from_millis(500)), "0.5s");
        assert_eq!(horizon(Duration::from_secs(2)), "2s");
    }

    #[test]
    fn a_part_with_slashes_stays_one_part() {
        assert_eq!(entity(&["latency", "a/b c"]).len(), 2);
    }
}
