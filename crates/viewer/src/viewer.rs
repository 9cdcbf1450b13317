//! The viewer as its callers hold it: a bounded queue to a thread that draws.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rerun::external::re_log_types::ApplicationId;
use rerun::log::ChunkBatcherConfig;
use rerun::{RecordingStream, RecordingStreamBuilder, RecordingStreamError};
use sedge_spacetime::{AgentName, Pose2, Stamp};

use crate::canvas::Canvas;
use crate::drawing::{Drawing, Shape};
use crate::line::Line;
use crate::painter::Painter;
use crate::rate::{Layer, RateCap};
use crate::recorder::Recorder;
use crate::sink::{self, Outlet};
use crate::tally::{Tally, ViewerCounts};
use crate::target::ViewerTarget;

/// How a viewer is opened.
#[derive(Debug, Clone, PartialEq)]
pub struct ViewerConfig {
    /// Which kind of run this is: recordings of the same application share a screen layout.
    /// Letters, digits, `_`, `-`, at most 180 characters. No default.
    pub application_id: String,
    /// Which run this is, such as `seed-7`: a live viewer merges data of the same recording. No
    /// default; take it from the run's seed, so that the same run gives the same recording.
    pub recording_id: String,
    /// Spatial drawings of one kind per agent and second of sensor time, at most. Default 10: what
    /// eyes can follow, and what viewers can hold for hours. Zero: all of them.
    pub spatial_hz_max: f64,
    /// Drawings that may wait for the drawing thread, at least 1. Default 512: some seconds of one
    /// agent.
    pub queue_len_max: usize,
    /// What happens to more of them. Default [`QueueFull::Drop`].
    pub queue_full: QueueFull,
    /// History that `serve` keeps for viewers that connect later, in bytes. Default 256 MiB.
    pub serve_memory_bytes_max: u64,
    /// How long closing may wait for the last drawings to leave. Default 3 s.
    pub close_wait_max: Duration,
}

impl ViewerConfig {
    /// The defaults for everything but the names.
    pub fn new(application_id: impl Into<String>, recording_id: impl Into<String>) -> Self {
        Self {
            application_id: application_id.into(),
            recording_id: recording_id.into(),
            spatial_hz_max: 10.0,
            queue_len_max: 512,
            queue_full: QueueFull::Drop,
            serve_memory_bytes_max: 256 << 20,
            close_wait_max: Duration::from_secs(3),
        }
    }
}

/// What happens to a drawing when the queue is full.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum QueueFull {
    /// It is dropped and counted: right for a robot, which no viewer may hold up.
    Drop,
    /// It waits at most this long for room, then it is dropped and counted: right for a replay
    /// into a file, which nothing paces and which must come out whole.
    Wait(Duration),
}

/// Why a viewer cannot be opened or a picture not be taken.
#[derive(Debug, thiserror::Error)]
pub enum ViewerError {
    /// A name is empty.
    #[error(
        "expected an application id and a recording id, got {application_id:?} and {recording_id:?}"
    )]
    NoName {
        /// The application id that came.
        application_id: String,
        /// The recording id that came.
        recording_id: String,
    },
    /// The recording file cannot be made.
    #[error("expected to write the recording {path}, got: {source}", path = path.display())]
    File {
        /// Which file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The server cannot listen.
    #[error("expected to listen on {address}, got: {reason}")]
    Serve {
        /// Where.
        address: SocketAddr,
        /// What the system says.
        reason: String,
    },
    /// The URL to connect to is none.
    #[error("expected a URL such as rerun+http://127.0.0.1:9876/proxy, got {url:?}: {reason}")]
    Url {
        /// What came.
        url: String,
        /// What the parser of URLs says.
        reason: String,
    },
    /// There is no viewer to start.
    #[error(
        "expected the viewer {executable:?} in PATH, found none \
         (install it with `pip install rerun-sdk=={version}`)",
        version = rerun::build_info().version
    )]
    NoExecutable {
        /// What was looked for.
        executable: String,
    },
    /// The viewer's process cannot be started.
    #[error("expected to start {executable:?}, got: {reason}")]
    Spawn {
        /// Which program.
        executable: String,
        /// What the system says.
        reason: String,
    },
    /// A recording, blueprint or picture cannot be read.
    #[error("expected to read {path}, got: {reason}", path = path.display())]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// What its reader says.
        reason: String,
    },
    /// A recording cannot be copied up to some time.
    #[error(
        "expected to copy a part of a recording to {path}, got: {reason}",
        path = path.display()
    )]
    Cut {
        /// Where to.
        path: PathBuf,
        /// What the SDK says.
        reason: String,
    },
    /// Times, frames or width that make no film.
    #[error(
        "expected 2 to 400 frames of 16 to 4096 pixels over some time, \
         got {n_frames} of {width_px} over {millis} ms"
    )]
    NoFilm {
        /// How many frames were asked for.
        n_frames: u32,
        /// How wide.
        width_px: u16,
        /// Over how much of the recording, in milliseconds.
        millis: i64,
    },
    /// A thread cannot be started.
    #[error("expected to start the drawing thread, got: {source}")]
    Thread {
        /// What the system says.
        source: io::Error,
    },
    /// The recording cannot be set up.
    #[error("expected to set up the recording, got: {reason}")]
    Recording {
        /// What the SDK says.
        reason: String,
    },
}

impl From<RecordingStreamError> for ViewerError {
    fn from(error: RecordingStreamError) -> Self {
        Self::Recording {
            reason: error.to_string(),
        }
    }
}

/// How a flush ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FlushOutcome {
    /// All that was drawn before has left the process.
    Done,
    /// It did not within the time given; it may still.
    TimedOut,
    /// It cannot: the viewer has gone away, or the disk is full.
    Failed,
}

/// The drawing thread and what may reach it.
#[derive(Debug)]
struct Tap {
    line: Line<Drawing>,
    cap: Mutex<RateCap>,
}

/// Draws what agents sense, believe and expect; see [`Canvas`] for what can be drawn.
///
/// Drawing copies values into a bounded queue and returns; a thread turns them into messages of the
/// viewer. So a slow, missing or dying viewer costs an agent nothing but dropped drawings. Share
/// one among agents and threads by reference or [`Arc`]. Dropping it waits a bounded time for the
/// last drawings to leave.
#[derive(Debug)]
pub struct Viewer {
    tap: Option<Tap>,
}

impl Viewer {
    /// A viewer that draws nothing.
    pub const fn off() -> Self {
        Self { tap: None }
    }

    /// Opens a target. `connect` succeeds also while no viewer listens there.
    ///
    /// # Errors
    /// [`ViewerError`] when a name is missing, the file or address cannot be opened, or there is
    /// no viewer to start.
    pub fn open(target: &ViewerTarget, config: &ViewerConfig) -> Result<Self, ViewerError> {
        let tally = Arc::new(Tally::default());
        let Some(recorder) = open_recorder(target, config, &tally)? else {
            return Ok(Self::off());
        };
        let line = Line::start(Painter::new(recorder), config, tally)?;
        let cap = Mutex::new(RateCap::new(config.spatial_hz_max));
        Ok(Self {
            tap: Some(Tap { line, cap }),
        })
    }

    /// Whether it draws nothing, so that preparing drawings is waste.
    pub const fn is_off(&self) -> bool {
        self.tap.is_none()
    }

    /// Where to draw what an agent sensed, believed or expected at this point in sensor time.
    pub const fn at<'a>(&'a self, agent: &'a AgentName, stamp: Stamp) -> Canvas<'a> {
        Canvas {
            viewer: self,
            agent,
            stamp,
        }
    }

    /// What became of everything drawn so far.
    pub fn counts(&self) -> ViewerCounts {
        self.tap
            .as_ref()
            .map_or_else(ViewerCounts::default, |tap| tap.line.tally().counts())
    }

    /// Waits, at most this long, until all that was drawn before has left the process.
    pub fn flush(&self, wait_max: Duration) -> FlushOutcome {
        let flush = |tap: &Tap| tap.line.flush(wait_max);
        self.tap.as_ref().map_or(FlushOutcome::Done, flush)
    }

    pub(crate) fn draw_spatial(
        &self,
        canvas: &Canvas<'_>,
        layer: Layer,
        pose: Pose2,
        shape: impl FnOnce() -> Shape,
    ) {
        let Some(tap) = &self.tap else { return };
        if !pose.is_finite() {
            let nowhere = "expected a finite pose to draw at";
            return tap.line.tally().failed(&nowhere);
        }
        // A thread that panicked with the lock held left whole stamps behind: go on with them.
        let mut cap = tap.cap.lock().unwrap_or_else(PoisonError::into_inner);
        let admitted = cap.admits(canvas.agent, layer, canvas.stamp);
        drop(cap);
        if admitted {
            self.draw(canvas, shape);
        } else {
            tap.line.tally().thinned();
        }
    }

    pub(crate) fn draw(&self, canvas: &Canvas<'_>, shape: impl FnOnce() -> Shape) {
        let Some(tap) = &self.tap else { return };
        tap.line.send(|| Drawing {
            agent: canvas.agent.clone(),
            stamp: canvas.stamp,
            shape: shape(),
        });
    }
}

/// Opens a target and begins a recording there; `None` for [`ViewerTarget::Off`].
pub(crate) fn open_recorder(
    target: &ViewerTarget,
    config: &ViewerConfig,
    tally: &Arc<Tally>,
) -> Result<Option<Recorder>, ViewerError> {
    let Some(outlet) = sink::open(target, config, tally)? else {
        return Ok(None);
    };
    let recording = record(config, outlet)?;
    Ok(Some(Recorder::new(recording, Arc::clone(tally))))
}

fn record(config: &ViewerConfig, outlet: Outlet) -> Result<RecordingStream, ViewerError> {
    let (application_id, recording_id) = (&config.application_id, &config.recording_id);
    let no_name = || ViewerError::NoName {
        application_id: application_id.clone(),
        recording_id: recording_id.clone(),
    };
    if recording_id.is_empty() {
        return Err(no_name());
    }
    let id = ApplicationId::try_new(application_id).map_err(|_empty| no_name())?;
    // No properties: they hold the time of day, and the same run must give the same recording.
    let builder = RecordingStreamBuilder::new(id)
        .recording_id(recording_id.as_str())
        .send_properties(false);
    let (enabled, store_info, properties, _, hooks, _) = builder.into_args();
    if !enabled {
        return Ok(RecordingStream::disabled());
    }
    let batching: ChunkBatcherConfig = outlet.batching;
    let recording =
        RecordingStream::new(store_info, properties, Some(batching), hooks, outlet.sink)?;
    recording.set_log_time_enabled(false);
    recording.set_log_tick_enabled(false);
    recording.send_recording_name(recording_id.as_str())?;
    Ok(recording)
}

#[cfg(test)]
mod tests;
