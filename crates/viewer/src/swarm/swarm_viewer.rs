//! The viewer of a swarm as its callers hold it.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use sedge_spacetime::{AgentName, Pose2, Stamp};

use super::cast::{Cast, Detail, ROBOTS_MAX};
use super::counts::{Fate, LayerTally, SwarmCounts};
use super::drawing::{RobotPart, Subject, SwarmDrawing, TeamFrame};
use super::layer::SwarmLayer;
use super::messages::{FLOWS_MAX, Flow, MessageFlow};
use super::mode::RobotState;
use super::painter::SwarmPainter;
use super::rates::SwarmRates;
use super::robot_canvas::RobotCanvas;
use super::scene::{SwarmScene, is_near};
use crate::drawing::TextLevel;
use crate::line::{Line, Sent};
use crate::rate::Cap;
use crate::tally::Tally;
use crate::viewer::open_recorder;
use crate::{FlushOutcome, ViewerConfig, ViewerError, ViewerTarget};

/// Walkers that are drawn.
const WALKERS_MAX: usize = 1024;

/// Draws a swarm, live or into a file.
///
/// Like [`Viewer`](crate::Viewer), it copies values into a bounded queue and returns; share one
/// among threads by reference or [`Arc`]. Everything is capped in rate by kind
/// ([`SwarmRates`](super::SwarmRates)) and in size by the number of robots, and counted.
#[derive(Debug)]
pub struct SwarmViewer {
    tap: Option<SwarmTap>,
}

/// The drawing thread and what may reach it.
#[derive(Debug)]
struct SwarmTap {
    line: Line<SwarmDrawing>,
    cast: Cast,
    rates: SwarmRates,
    layers: Arc<LayerTally>,
    cap: Mutex<Cap<(SwarmLayer, Option<AgentName>)>>,
}

impl SwarmViewer {
    /// A viewer that draws nothing.
    pub const fn off() -> Self {
        Self { tap: None }
    }

    /// Opens a target and sends the screen of the scene.
    ///
    /// [`ViewerConfig::spatial_hz_max`] does not matter here; the scene has rates of its own.
    ///
    /// # Errors
    /// [`ViewerError`] as [`Viewer::open`](crate::Viewer::open).
    pub fn open(
        target: &ViewerTarget,
        config: &ViewerConfig,
        scene: &SwarmScene,
    ) -> Result<Self, ViewerError> {
        let tally = Arc::new(Tally::default());
        let Some(recorder) = open_recorder(target, config, &tally)? else {
            return Ok(Self::off());
        };
        let (cast, layers) = (Cast::new(scene), Arc::new(LayerTally::default()));
        let painter = SwarmPainter::new(recorder, scene.clone(), cast.clone(), Arc::clone(&layers));
        let line = Line::start(painter, config, tally)?;
        Ok(Self {
            tap: Some(SwarmTap {
                line,
                cast,
                rates: scene.rates,
                layers,
                cap: Mutex::new(Cap::default()),
            }),
        })
    }

    /// Whether it draws nothing, so that preparing drawings is waste.
    pub const fn is_off(&self) -> bool {
        self.tap.is_none()
    }

    /// Where everybody is and what they are doing; also the beat at which all that robots said is
    /// drawn, so call it after they did. Ten times per second of sensor time is enough.
    ///
    /// # Units and frames
    /// Walkers' poses are in the world, in the order of [`SwarmScene::walkers`].
    pub fn team(&self, stamp: Stamp, robots: &[RobotState], walkers: &[Pose2]) {
        let layer = SwarmLayer::Team;
        let Some(tap) = self.admit_team(layer, stamp) else {
            return;
        };
        let is_there = |pose: &Pose2| pose.is_finite() && is_near([pose.x_m, pose.y_m]);
        let seen: Vec<_> = robots
            .iter()
            .filter(|robot| is_there(&robot.world_from_base))
            .take(ROBOTS_MAX)
            .cloned()
            .collect();
        let shown = walkers.iter().take(WALKERS_MAX);
        let walkers_there: Vec<_> = shown.map(|w| is_there(w).then_some(*w)).collect();
        let n_there = walkers_there.iter().flatten().count();
        let n_lost = robots.len() - seen.len() + walkers.len() - n_there;
        tap.layers.add(layer, Fate::Skipped, n_lost as u64);
        let frame = TeamFrame {
            robots: seen,
            walkers: walkers_there,
        };
        tap.send(layer, stamp, Subject::Team(frame));
    }

    /// Where to draw what a robot sensed, planned or believed at this point in sensor time.
    pub const fn robot<'a>(&'a self, name: &'a AgentName, stamp: Stamp) -> RobotCanvas<'a> {
        RobotCanvas {
            viewer: self,
            name,
            stamp,
        }
    }

    /// Who sent what to whom lately: all flows at once.
    pub fn messages(&self, stamp: Stamp, flows: &[MessageFlow<'_>]) {
        let layer = SwarmLayer::Messages;
        let Some(tap) = self.admit_team(layer, stamp) else {
            return;
        };
        let drawn: Vec<_> = flows.iter().filter_map(Flow::new).take(FLOWS_MAX).collect();
        let n_lost = (flows.len() - drawn.len()) as u64;
        tap.layers.add(layer, Fate::Skipped, n_lost);
        tap.send(layer, stamp, Subject::Messages(drawn));
    }

    /// A line for the log that is about nobody in particular; never thinned.
    pub fn text(&self, stamp: Stamp, level: TextLevel, message: &str) {
        if let Some(tap) = &self.tap {
            let line = Subject::Text(level, message.to_owned());
            tap.send(SwarmLayer::Texts, stamp, line);
        }
    }

    /// What became of everything drawn so far.
    pub fn counts(&self) -> SwarmCounts {
        self.tap
            .as_ref()
            .map_or_else(SwarmCounts::default, |tap| SwarmCounts {
                total: tap.line.tally().counts(),
                layers: tap.layers.counts(),
            })
    }

    /// Waits, at most this long, until all that was drawn before has left the process.
    pub fn flush(&self, wait_max: Duration) -> FlushOutcome {
        let flush = |tap: &SwarmTap| tap.line.flush(wait_max);
        self.tap.as_ref().map_or(FlushOutcome::Done, flush)
    }

    /// How closely a robot is drawn, when a drawing of this kind is due.
    pub(super) fn admit(
        &self,
        layer: SwarmLayer,
        name: &AgentName,
        stamp: Stamp,
    ) -> Option<Detail> {
        let tap = self.tap.as_ref()?;
        tap.admits(layer, Some(name.clone()), stamp)
            .then(|| tap.cast.detail(name))
    }

    fn admit_team(&self, layer: SwarmLayer, stamp: Stamp) -> Option<&SwarmTap> {
        let tap = self.tap.as_ref()?;
        tap.admits(layer, None, stamp).then_some(tap)
    }

    /// Hands over what a robot says.
    pub(super) fn say(&self, stamp: Stamp, name: &AgentName, part: RobotPart) {
        if let Some(tap) = &self.tap {
            let (layer, name) = (part.layer(), name.clone());
            tap.send(layer, stamp, Subject::Robot { name, part });
        }
    }

    /// Counts what became of something.
    pub(super) fn tell(&self, layer: SwarmLayer, fate: Fate, n: u64) {
        if let Some(tap) = &self.tap {
            tap.layers.add(layer, fate, n);
        }
    }
}

impl SwarmTap {
    fn admits(&self, layer: SwarmLayer, name: Option<AgentName>, stamp: Stamp) -> bool {
        let period = self.rates.period(layer);
        // A thread that panicked with the lock held left whole stamps behind: go on with them.
        let mut cap = self.cap.lock().unwrap_or_else(PoisonError::into_inner);
        let admitted = cap.admits((layer, name), period, stamp);
        drop(cap);
        if !admitted {
            self.layers.add(layer, Fate::Thinned, 1);
            self.line.tally().thinned();
        }
        admitted
    }

    fn send(&self, layer: SwarmLayer, stamp: Stamp, subject: Subject) {
        let fate = match self.line.send(|| SwarmDrawing { stamp, subject }) {
            Sent::Queued => Fate::Drawn,
            Sent::Dropped => Fate::Dropped,
        };
        self.layers.add(layer, fate, 1);
    }
}

#[cfg(test)]
mod tests;
