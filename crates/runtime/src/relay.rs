//! A relay between two endpoints that makes a network misbehave, without root and in user space.
//!
//! Over UDP every datagram meets the link's faults itself. Over TCP the bytes are a stream that
//! may not lose any: a lost packet shows as what TCP makes of it, a wait until it is sent again
//! while everything after it waits too.

mod carrier;
mod course;
mod datagrams;
mod endpoint;
mod orders;
mod passage;
mod quantities;
mod report;
mod shared;
mod streams;
mod weather;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use sedge_spacetime::{Clock, Stamp};
use sedge_transport::{ImpairmentError, Impairments};
use tokio::net::{TcpListener, UdpSocket};
use tokio::sync::{Notify, mpsc};

use crate::{Shutdown, SystemClock};
use carrier::Carrier;
use course::Course;
pub use endpoint::{RelayEndpoint, RelayEndpointError, RelayProtocol};
pub use orders::{Cut, Direction, OrderError, RelayOrder};
use passage::Passage;
pub use quantities::{BitRate, Percent, QuantityError, TimeSpan, TimeWindow};
pub use report::{ConnectionReport, DirectionReport, DropReport, RelayReport};
use shared::Shared;
use weather::Weather;

/// Connections, or senders of datagrams, at a time; more are turned away and counted.
pub const CONNECTIONS_MAX: usize = 128;
/// Orders that may wait.
const ORDERS_MAX: usize = 64;
/// Tells the two directions' randomness apart.
const BACK_SEED: u64 = 0x9e37_79b9_7f4a_7c15;

/// What a cut looks like to those who are connected over TCP.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum CutKind {
    /// Nothing comes through and nobody is told, as when a cable is pulled or a robot drives out
    /// of reach.
    #[default]
    Silent,
    /// Connections are reset and new ones turned away, as when a machine restarts.
    Reset,
}

/// What a relay is told at its start.
#[derive(Debug, Clone)]
pub struct RelayConfig {
    /// Where it listens. Port 0 is any free one.
    pub listen: RelayEndpoint,
    /// Whom it dials, once for each who dials it. The same protocol as `listen`.
    pub connect: RelayEndpoint,
    /// The link's faults in each direction, and when it is cut by itself.
    pub impairments: Impairments,
    /// What a cut looks like over TCP; over UDP every cut is silent.
    pub on_cut: CutKind,
    /// The seed of the faults; each direction draws its own from it.
    pub seed: u64,
    /// How long it runs; none for until it is told to end.
    pub run_for: Option<Duration>,
}

/// Why there is no relay.
#[derive(Debug, thiserror::Error)]
pub enum RelayError {
    /// Its ends speak different protocols.
    #[error("expected both ends of a relay to speak one protocol, got {listen} and {connect}")]
    Protocols {
        /// Where it should listen.
        listen: RelayEndpoint,
        /// Whom it should dial.
        connect: RelayEndpoint,
    },
    /// The endpoint to dial is none.
    #[error("expected a port to dial, got {endpoint}: port 0 can be listened to, not dialled")]
    PortZero {
        /// Whom it should dial.
        endpoint: RelayEndpoint,
    },
    /// An endpoint's name is unknown.
    #[error("cannot find {endpoint}: {source}")]
    Resolve {
        /// The endpoint.
        endpoint: RelayEndpoint,
        /// What the system says.
        source: std::io::Error,
    },
    /// It cannot listen.
    #[error("cannot listen on {endpoint}: {source}")]
    Listen {
        /// The endpoint.
        endpoint: RelayEndpoint,
        /// What the system says.
        source: std::io::Error,
    },
    /// The link's faults are none.
    #[error(transparent)]
    Faults(#[from] ImpairmentError),
    /// The system has no threads or sockets to give.
    #[error("cannot start a relay: {source}")]
    Start {
        /// What the system says.
        source: std::io::Error,
    },
}

/// What a relay has to say.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum RelayNews {
    /// The link is cut now.
    Cut(Cut),
    /// The link is whole again.
    Healed,
    /// Every connection was reset.
    Reset,
    /// The link's faults are others now.
    Changed,
    /// What went through so far, as it was asked for.
    Stats(RelayReport),
}

/// Tells a running relay what to do, from another thread. Clones tell the same relay.
#[derive(Debug, Clone)]
pub struct RelayControl(mpsc::Sender<RelayOrder>);

impl RelayControl {
    /// Hands an order over; waits while 64 others wait. Whether the relay is still there.
    pub fn order(&self, order: RelayOrder) -> bool {
        self.0.blocking_send(order).is_ok()
    }
}

enum Listener {
    Tcp(TcpListener),
    Udp(UdpSocket),
}

/// A relay that listens, and lets through what comes once it [runs](Relay::run).
pub struct Relay {
    runtime: tokio::runtime::Runtime,
    listener: Listener,
    listens_at: SocketAddr,
    dial: SocketAddr,
    config: RelayConfig,
    shared: Arc<Shared>,
    control: RelayControl,
    orders: mpsc::Receiver<RelayOrder>,
}

impl Relay {
    /// Resolves both endpoints and listens. The endpoint to dial need not be there yet.
    ///
    /// # Errors
    /// [`RelayError`] naming the endpoint that cannot be used.
    pub fn open(config: RelayConfig) -> Result<Self, RelayError> {
        if config.listen.protocol() != config.connect.protocol() {
            let (listen, connect) = (config.listen, config.connect);
            return Err(RelayError::Protocols { listen, connect });
        }
        if config.connect.is_any_port() {
            let endpoint = config.connect;
            return Err(RelayError::PortZero { endpoint });
        }
        let shared = Arc::new(shared(&config)?);
        let resolve = |endpoint: &RelayEndpoint| {
            let endpoint = endpoint.clone();
            endpoint
                .resolve()
                .map_err(|source| RelayError::Resolve { endpoint, source })
        };
        let (listen, dial) = (resolve(&config.listen)?, resolve(&config.connect)?);
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_io()
            .enable_time()
            .build()
            .map_err(|source| RelayError::Start { source })?;
        let refuse = |source| RelayError::Listen {
            endpoint: config.listen.clone(),
            source,
        };
        let (listener, listens_at) = runtime
            .block_on(bind(config.listen.protocol(), listen))
            .map_err(refuse)?;
        let (sender, orders) = mpsc::channel(ORDERS_MAX);
        Ok(Self {
            runtime,
            listener,
            listens_at,
            dial,
            config,
            shared,
            control: RelayControl(sender),
            orders,
        })
    }

    /// Where it listens, with the real port, such as `tcp/127.0.0.1:40123`.
    pub fn endpoint(&self) -> String {
        format!("{}/{}", self.config.listen.protocol(), self.listens_at)
    }

    /// What tells it what to do while it runs.
    pub fn control(&self) -> RelayControl {
        self.control.clone()
    }

    /// Lets through what comes, on this thread, until the end: of the time that it was given, by
    /// order or by `shutdown`. Whatever is on its way then is dropped. What happens is said to
    /// `news` with its time on the machine's clock.
    pub fn run(self, shutdown: &Shutdown, mut news: impl FnMut(Stamp, RelayNews)) -> RelayReport {
        let stop = Arc::new(Notify::new());
        let stopped = Arc::clone(&stop);
        let _guard = shutdown.wakes(Arc::new(move || stop.notify_one()));
        if shutdown.is_requested() {
            stopped.notify_one();
        }
        let relayed = relay(self.listener, self.dial, Arc::clone(&self.shared));
        let mut course = Course::new(self.shared, &self.config);
        self.runtime.block_on(async {
            tokio::select! {
                () = relayed => {}
                () = course.follow(self.orders, &mut news) => {}
                () = stopped.notified() => {}
            }
        });
        course.report()
    }
}

async fn bind(protocol: RelayProtocol, at: SocketAddr) -> std::io::Result<(Listener, SocketAddr)> {
    match protocol {
        RelayProtocol::Tcp => {
            let listener = TcpListener::bind(at).await?;
            let bound = listener.local_addr()?;
            Ok((Listener::Tcp(listener), bound))
        }
        RelayProtocol::Udp => {
            let socket = UdpSocket::bind(at).await?;
            let bound = socket.local_addr()?;
            Ok((Listener::Udp(socket), bound))
        }
    }
}

fn shared(config: &RelayConfig) -> Result<Shared, ImpairmentError> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    config.impairments.check()?;
    let faults = course::without_partitions(&config.impairments);
    let passage = |direction, seed| {
        let protocol = config.listen.protocol();
        let carrier = Carrier::new(protocol, &faults, seed, clock.now())?;
        Ok(Passage::new(direction, carrier, Arc::clone(&clock)))
    };
    Ok(Shared {
        forward: passage(Direction::Forward, config.seed)?,
        back: passage(Direction::Back, config.seed ^ BACK_SEED)?,
        weather: Weather::new(),
        on_cut: config.on_cut,
        connections: report::ConnectionCounts::default(),
        clock: Arc::clone(&clock),
    })
}

async fn relay(listener: Listener, dial: SocketAddr, shared: Arc<Shared>) {
    let outlook = shared.weather.outlook();
    let relayed = async {
        match listener {
            Listener::Tcp(listener) => {
                streams::relay_streams(listener, dial, Arc::clone(&shared)).await;
            }
            Listener::Udp(socket) => {
                datagrams::relay_datagrams(socket, dial, Arc::clone(&shared)).await;
            }
        }
    };
    let forward = shared.forward.deliver(&outlook);
    let back = shared.back.deliver(&outlook);
    tokio::join!(forward, back, relayed);
}

#[cfg(test)]
mod tests;
