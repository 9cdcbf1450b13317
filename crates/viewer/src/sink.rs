//! Where log messages leave the process.

use std::fs::File;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rerun::external::re_log_encoding::{Encoder, EncodingOptions};
use rerun::external::re_log_types::LogMsg;
use rerun::external::re_uri::ProxyUri;
use rerun::external::{re_build_info, re_grpc_server};
use rerun::grpc_server::GrpcServerSink;
use rerun::log::ChunkBatcherConfig;
use rerun::sink::{GrpcSink, GrpcSinkConnectionState, LogSink, SinkFlushError};
use rerun::{MemoryLimit, SpawnOptions};

use crate::tally::Tally;
use crate::{ViewerConfig, ViewerError, ViewerTarget};

/// How long rows wait for company before a file gets them: what a killed process loses.
const FILE_TICK: Duration = Duration::from_secs(1);
/// Chunks up to which a file gets a footer: about an hour of one agent. Its table of chunks is kept
/// in memory until the end.
const FOOTER_CHUNKS_MAX: u32 = 100_000;
/// Bytes that may be on their way between the drawing thread and the target; twice that in all.
const IN_FLIGHT_BYTES_MAX: u64 = 16 << 20;
/// Memory that a viewer started by us may use.
const SPAWNED_MEMORY: &str = "2GB";

/// What is said of a viewer that was there.
const GONE: &str = "the viewer has gone away";

/// A sink and how rows are batched for it.
pub(crate) struct Outlet {
    pub(crate) sink: Box<dyn LogSink>,
    pub(crate) batching: ChunkBatcherConfig,
}

/// Opens a target; `None` for [`ViewerTarget::Off`].
pub(crate) fn open(
    target: &ViewerTarget,
    config: &ViewerConfig,
    tally: &Arc<Tally>,
) -> Result<Option<Outlet>, ViewerError> {
    let live = ChunkBatcherConfig {
        max_bytes_in_flight: IN_FLIGHT_BYTES_MAX,
        ..ChunkBatcherConfig::LOW_LATENCY
    };
    let sink: Box<dyn LogSink> = match target {
        ViewerTarget::Off => return Ok(None),
        ViewerTarget::File(path) => {
            let sink = Box::new(FileSink::create(path, tally)?);
            let batching = ChunkBatcherConfig {
                flush_tick: FILE_TICK,
                ..live
            };
            return Ok(Some(Outlet { sink, batching }));
        }
        ViewerTarget::Serve(address) => Box::new(serve(*address, config)?),
        ViewerTarget::Connect(url) => Box::new(ViewerSink::connect(url, tally)?),
        ViewerTarget::Spawn => Box::new(spawn("rerun", rerun::DEFAULT_SERVER_PORT, tally)?),
    };
    Ok(Some(Outlet {
        sink,
        batching: live,
    }))
}

fn serve(address: SocketAddr, config: &ViewerConfig) -> Result<GrpcServerSink, ViewerError> {
    let refused = |error: &dyn ToString| ViewerError::Serve {
        address,
        reason: error.to_string(),
    };
    // The server binds in its own thread and only logs when that fails: try first.
    drop(TcpListener::bind(address).map_err(|error| refused(&error))?);
    let options = re_grpc_server::ServerOptions {
        memory_limit: MemoryLimit::from_bytes(config.serve_memory_bytes_max),
        ..re_grpc_server::ServerOptions::default()
    };
    let ip = match address {
        SocketAddr::V4(address) => address.ip().to_string(),
        SocketAddr::V6(address) => format!("[{}]", address.ip()),
    };
    GrpcServerSink::new(&ip, address.port(), options).map_err(|error| refused(&error))
}

/// Starts a viewer, or finds the one that already listens, and connects to it.
fn spawn(executable: &str, port: u16, tally: &Arc<Tally>) -> Result<ViewerSink, ViewerError> {
    let options = SpawnOptions {
        port,
        executable_name: executable.to_owned(),
        memory_limit: SPAWNED_MEMORY.to_owned(),
        hide_welcome_screen: true,
        extra_args: vec!["--bind=127.0.0.1".to_owned()],
        ..SpawnOptions::default()
    };
    let spawned = rerun::spawn(&options).map_err(|error| match error {
        rerun::SpawnError::Io(error) => ViewerError::Spawn {
            executable: executable.to_owned(),
            reason: error.to_string(),
        },
        _ => ViewerError::NoExecutable {
            executable: executable.to_owned(),
        },
    })?;
    ViewerSink::connect(
        &format!("rerun+http://127.0.0.1:{}/proxy", spawned.port),
        tally,
    )
}

/// A connection to a viewer that listens. Messages wait while there is none yet; once it has died
/// they are counted as failed.
struct ViewerSink {
    connection: GrpcSink,
    tally: Arc<Tally>,
}

impl ViewerSink {
    fn connect(url: &str, tally: &Arc<Tally>) -> Result<Self, ViewerError> {
        let uri: ProxyUri = url
            .parse()
            .map_err(|error: rerun::external::re_uri::Error| ViewerError::Url {
                url: url.to_owned(),
                reason: error.to_string(),
            })?;
        Ok(Self {
            connection: GrpcSink::new(uri),
            tally: Arc::clone(tally),
        })
    }

    fn is_gone(&self) -> bool {
        matches!(
            self.connection.status(),
            GrpcSinkConnectionState::Disconnected(_)
        )
    }
}

impl LogSink for ViewerSink {
    fn send(&self, message: LogMsg) {
        if self.is_gone() {
            self.tally.failed(&GONE);
        } else {
            self.connection.send(message);
        }
    }

    fn flush_blocking(&self, timeout: Duration) -> Result<(), SinkFlushError> {
        // The SDK would look for a second whether it comes back, which it does not.
        if self.is_gone() {
            return Err(SinkFlushError::Failed {
                message: GONE.to_owned(),
            });
        }
        self.connection.flush_blocking(timeout)
    }
}

/// A recording file that can be read up to the last batch when the process is killed.
///
/// The SDK's own sink keeps a note of every chunk in memory until the end, for a footer that makes
/// random access faster, without limit. This one gives the footer up when the run gets long
/// (`rerun rrd optimize` adds it afterwards), and counts what it cannot write.
struct FileSink {
    page: Mutex<Page>,
    tally: Arc<Tally>,
}

struct Page {
    encoder: Encoder<File>,
    n_chunks: u32,
}

impl FileSink {
    fn create(path: &Path, tally: &Arc<Tally>) -> Result<Self, ViewerError> {
        let failed = |source| ViewerError::File {
            path: path.to_owned(),
            source,
        };
        let file = File::create(path).map_err(failed)?;
        let version = re_build_info::CrateVersion::LOCAL;
        let encoder = Encoder::new_eager(version, EncodingOptions::PROTOBUF_COMPRESSED, file)
            .map_err(|error| failed(io::Error::other(error)))?;
        let page = Mutex::new(Page {
            encoder,
            n_chunks: 0,
        });
        Ok(Self {
            page,
            tally: Arc::clone(tally),
        })
    }

    /// Only the forwarding thread locks; a poisoned encoder still writes whole messages.
    fn page(&self) -> MutexGuard<'_, Page> {
        self.page.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl LogSink for FileSink {
    fn send(&self, message: LogMsg) {
        let mut page = self.page();
        page.n_chunks = page.n_chunks.saturating_add(1);
        if page.n_chunks == FOOTER_CHUNKS_MAX {
            page.encoder.do_not_emit_footer();
        }
        if let Err(error) = page.encoder.append(&message) {
            self.tally.failed(&error);
        }
    }

    fn flush_blocking(&self, _timeout: Duration) -> Result<(), SinkFlushError> {
        let flushed = self.page().encoder.flush_blocking();
        flushed.map_err(|error| SinkFlushError::Failed {
            message: error.to_string(),
        })
    }
}

impl Drop for FileSink {
    fn drop(&mut self) {
        if let Err(error) = self.page().encoder.finish() {
            self.tally.failed(&error);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_viewer_that_is_not_installed_is_named_in_the_error() {
        // Where somebody listens already, the SDK would take that for the viewer.
        let free = TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap();
        let error = spawn("no-such-viewer-7f3a", free.port(), &Arc::default())
            .map(|_| ())
            .unwrap_err();
        assert!(error.to_string().contains("no-such-viewer-7f3a"), "{error}");
    }
}
