//! How much of a swarm is drawn.

use std::time::Duration;

use super::layer::SwarmLayer;

/// Caps on what is drawn, per kind and second of sensor time, and on points and lines per drawing.
/// A rate of zero or one that is none caps nothing.
///
/// With the defaults, a file takes about 19 MB per simulated minute of 8 robots, and 20 MB of 64
/// (`cargo run -p sedge-viewer --example swarm_screen -- 64 20 swarm.rrd` says so).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SwarmRates {
    /// Bodies, walkers and trails. Default 10 Hz: what eyes can follow.
    pub team_hz: f64,
    /// Scans of one robot. Default 4 Hz.
    pub scans_hz: f64,
    /// Plans of one robot. Default 4 Hz.
    pub plans_hz: f64,
    /// Beliefs, movers and neighbours of one robot. Default 4 Hz.
    pub beliefs_hz: f64,
    /// Points of series: errors and latencies are averaged in between. Default 2 Hz.
    pub series_hz: f64,
    /// The message graph. Default 0.5 Hz.
    pub messages_hz: f64,
    /// Scan points of all robots together, shared out evenly. Default 2880: eight whole scans of
    /// 360 beams.
    pub scan_points_max: usize,
    /// Imagined lines of all robots together, shared out evenly. Default 192: 24 each of eight.
    pub fan_lines_max: usize,
}

impl Default for SwarmRates {
    fn default() -> Self {
        Self {
            team_hz: 10.0,
            scans_hz: 4.0,
            plans_hz: 4.0,
            beliefs_hz: 4.0,
            series_hz: 2.0,
            messages_hz: 0.5,
            scan_points_max: 8 * 360,
            fan_lines_max: 8 * 24,
        }
    }
}

impl SwarmRates {
    /// The shortest time between two drawings of a kind; zero when it is not capped.
    pub(super) fn period(&self, layer: SwarmLayer) -> Duration {
        let hz_max = match layer {
            SwarmLayer::Team => self.team_hz,
            SwarmLayer::Scans => self.scans_hz,
            SwarmLayer::Plans => self.plans_hz,
            SwarmLayer::Beliefs | SwarmLayer::Movers | SwarmLayer::Neighbours => self.beliefs_hz,
            SwarmLayer::Errors | SwarmLayer::Latencies => self.series_hz,
            SwarmLayer::Messages => self.messages_hz,
            SwarmLayer::Rungs | SwarmLayer::Texts => 0.0,
        };
        Duration::try_from_secs_f64(1.0 / hz_max).unwrap_or_default()
    }
}
