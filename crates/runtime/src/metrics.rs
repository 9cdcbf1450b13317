//! What an agent's stages take, for Prometheus: a page that is scraped over HTTP.
//!
//! The agent puts its figures down once a second, which never waits for whoever reads; a thread of
//! its own answers, bounded in connections, in what it reads of each, and in time.

mod page;
mod request;

use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::str::FromStr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use sedge_oni::LatencyReport;
use sedge_spacetime::Stamp;
use sedge_transport::DropRow;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::task::JoinSet;

use crate::{Shutdown, spawn_named};
use request::{Answer, answer_to};

/// Scrapes at a time; more are turned away and counted. Prometheus makes one.
const CONNECTIONS_MAX: usize = 8;
/// What is read of a request at most; a scrape's is a few hundred bytes.
const REQUEST_BYTES_MAX: usize = 8 * 1024;
/// How long one scrape may take: whoever reads slower is cut off.
const ANSWER_WAIT_MAX: Duration = Duration::from_secs(5);
/// How long nothing is accepted after accepting failed, such as for want of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Where metrics are served: `IP:PORT`, or a port alone, which is this machine's alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct MetricsPlace(SocketAddr);

/// A text that is no such place.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected IP:PORT such as 127.0.0.1:9464, or a port alone, got {got:?}")]
pub struct MetricsPlaceError {
    /// What came, cut to 60 characters.
    pub got: String,
}

impl FromStr for MetricsPlace {
    type Err = MetricsPlaceError;

    fn from_str(text: &str) -> Result<Self, MetricsPlaceError> {
        let here = |port: u16| SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port);
        let place = text.parse().ok().or_else(|| text.parse().ok().map(here));
        place.map(Self).ok_or_else(|| MetricsPlaceError {
            got: text.chars().take(60).collect(),
        })
    }
}

impl TryFrom<String> for MetricsPlace {
    type Error = MetricsPlaceError;

    fn try_from(text: String) -> Result<Self, MetricsPlaceError> {
        text.parse()
    }
}

impl fmt::Display for MetricsPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl From<MetricsPlace> for String {
    fn from(place: MetricsPlace) -> Self {
        place.to_string()
    }
}

/// Whose figures they are: what is the same in every line of the page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Whose {
    pub(crate) fleet: String,
    pub(crate) agent: String,
    pub(crate) stream: String,
    pub(crate) model: String,
    pub(crate) epoch: u64,
}

/// An agent's figures at one time.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Figures {
    pub(crate) whose: Whose,
    pub(crate) at: Stamp,
    pub(crate) report: LatencyReport,
    pub(crate) drops: Vec<DropRow>,
}

/// Where an agent puts its figures down and whoever is asked finds them. Clones are the same board.
#[derive(Debug, Clone, Default)]
pub struct MetricsBoard(Arc<Board>);

#[derive(Debug, Default)]
struct Board {
    newest: Mutex<Option<Arc<Figures>>>,
    scrapes: AtomicU64,
    refused: AtomicU64,
}

impl MetricsBoard {
    /// Nothing put down yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Puts figures down in place of the last; nobody holds the lock for longer than it takes to
    /// copy a pointer.
    pub(crate) fn put(&self, figures: Figures) {
        let figures = Some(Arc::new(figures));
        // What was there is freed after the lock is.
        let _old = std::mem::replace(&mut *self.newest(), figures);
    }

    /// The page as it is now, in Prometheus' text format 0.0.4.
    pub fn page(&self) -> String {
        let figures = self.newest().clone();
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let scrapes = [count(&self.0.scrapes), count(&self.0.refused)];
        page::page(figures.as_deref(), scrapes)
    }

    fn newest(&self) -> MutexGuard<'_, Option<Arc<Figures>>> {
        let newest = &self.0.newest;
        newest.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Serves a board until it is dropped.
pub struct MetricsServer {
    address: SocketAddr,
    shutdown: Shutdown,
    thread: Option<JoinHandle<()>>,
}

impl MetricsServer {
    /// Listens, and answers on a thread of its own.
    ///
    /// # Errors
    /// What the operating system says where nobody can listen, such as an address in use.
    pub fn start(place: MetricsPlace, board: MetricsBoard) -> io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_io()
            .enable_time()
            .build()?;
        let listener = runtime.block_on(TcpListener::bind(place.0))?;
        let address = listener.local_addr()?;
        let shutdown = Shutdown::new();
        let asked = shutdown.clone();
        let serve = move || {
            let stop = Arc::new(Notify::new());
            let stopped = Arc::clone(&stop);
            let _guard = asked.wakes(Arc::new(move || stop.notify_one()));
            if asked.is_requested() {
                return;
            }
            runtime.block_on(async {
                tokio::select! {
                    () = serve(&listener, &board) => {}
                    () = stopped.notified() => {}
                }
            });
        };
        Ok(Self {
            address,
            shutdown,
            thread: Some(spawn_named("metrics", serve)?),
        })
    }

    /// Where it listens, with the real port.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for MetricsServer {
    fn drop(&mut self) {
        self.shutdown.request();
        // A panic there has said so on standard error.
        drop(self.thread.take().map(JoinHandle::join));
    }
}

async fn serve(listener: &TcpListener, board: &MetricsBoard) {
    let mut scrapes = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((client, _)) if scrapes.len() < CONNECTIONS_MAX => {
                    board.0.scrapes.fetch_add(1, Ordering::Relaxed);
                    scrapes.spawn(scrape(client, board.clone()));
                }
                // Dropped, which closes it: whoever floods gets no more of our time.
                Ok(_) => {
                    board.0.refused.fetch_add(1, Ordering::Relaxed);
                }
                Err(error) => {
                    tracing::warn!(%error, "cannot accept a scrape");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            },
            Some(ended) = scrapes.join_next() => {
                if let Err(error) = ended {
                    tracing::error!(%error, "a scrape's task failed");
                }
            }
        }
    }
}

async fn scrape(mut client: TcpStream, board: MetricsBoard) {
    let scraped = tokio::time::timeout(ANSWER_WAIT_MAX, answer(&mut client, &board)).await;
    if !matches!(scraped, Ok(Ok(()))) {
        board.0.refused.fetch_add(1, Ordering::Relaxed);
        tracing::debug!(?scraped, "metrics.scrape");
    }
}

async fn answer(client: &mut TcpStream, board: &MetricsBoard) -> io::Result<()> {
    let mut request = Vec::new();
    let mut chunk = [0; 1024];
    let answer = loop {
        if let Some(answer) = answer_to(&request) {
            break answer;
        }
        if request.len() >= REQUEST_BYTES_MAX {
            break Answer::TooLong;
        }
        match client.read(&mut chunk).await? {
            // Whoever closes before the end of the request wants no answer.
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            n => request.extend_from_slice(&chunk[..n]),
        }
    };
    client.write_all(&answer.text(|| board.page())).await?;
    client.shutdown().await
}

#[cfg(test)]
mod tests;
