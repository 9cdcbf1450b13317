//! UDP through a relay: a socket towards the dialled endpoint for each sender.

use std::collections::BTreeMap;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use sedge_spacetime::Stamp;
use tokio::net::UdpSocket;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::CONNECTIONS_MAX;
use super::passage::{Lane, Parcel, Passage};
use super::shared::Shared;

/// Bytes of one direction that may be on their way; what comes beyond is dropped as from a full
/// queue.
const WINDOW_BYTES: usize = 16 << 20;
/// Room for any datagram.
const DATAGRAM_BYTES_MAX: usize = 65_536;
/// A sender who has been silent for this long is forgotten: longer than any keep-alive.
const SILENCE_MAX: Duration = Duration::from_mins(1);
/// How often silent senders are looked for.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// One sender.
struct Sender {
    /// Connected to the dialled endpoint, which answers to it.
    socket: Arc<UdpSocket>,
    heard: Stamp,
    answers: tokio::task::AbortHandle,
}

struct Senders {
    by_address: BTreeMap<SocketAddr, Sender>,
    answers: JoinSet<()>,
    listener: Arc<UdpSocket>,
    dial: SocketAddr,
    shared: Arc<Shared>,
    back_window: Arc<Semaphore>,
}

/// Lets datagrams through until it is dropped.
pub(super) async fn relay_datagrams(listener: UdpSocket, dial: SocketAddr, shared: Arc<Shared>) {
    let listener = Arc::new(listener);
    let window = Arc::new(Semaphore::new(WINDOW_BYTES));
    let mut senders = Senders {
        by_address: BTreeMap::new(),
        answers: JoinSet::new(),
        listener: Arc::clone(&listener),
        dial,
        shared: Arc::clone(&shared),
        back_window: Arc::new(Semaphore::new(WINDOW_BYTES)),
    };
    let mut outlook = shared.weather.outlook();
    let mut look = tokio::time::interval(LOOK_EVERY);
    let mut buffer = vec![0; DATAGRAM_BYTES_MAX];
    loop {
        tokio::select! {
            came = listener.recv_from(&mut buffer) => {
                // An error is what became of an answer to a sender who is gone.
                let Ok((n_bytes, from)) = came else { continue };
                match senders.socket_of(from).await {
                    Ok(Some(socket)) => {
                        let lane = Lane::Datagram(socket, None);
                        offer(&shared.forward, lane, &buffer[..n_bytes], &window);
                    }
                    Ok(None) => shared.connections.refused.add(1),
                    Err(error) => tracing::warn!(%error, "no socket for another sender"),
                }
            }
            () = outlook.reset() => senders.forget_all(),
            _ = look.tick() => senders.forget_silent(),
            Some(_) = senders.answers.join_next() => {}
        }
    }
}

fn offer(passage: &Passage, lane: Lane, bytes: &[u8], window: &Arc<Semaphore>) {
    let room = Arc::clone(window).try_acquire_many_owned(bytes.len() as u32);
    if room.is_err() {
        return passage.count_overflow(bytes.len());
    }
    passage.offer(Parcel {
        lane,
        bytes: bytes.to_vec(),
        place: 0,
        _room: room.ok(),
    });
}

impl Senders {
    /// The socket of a sender, known or new; none when there are too many.
    async fn socket_of(&mut self, from: SocketAddr) -> io::Result<Option<Arc<UdpSocket>>> {
        let now = self.shared.clock.now();
        if let Some(sender) = self.by_address.get_mut(&from) {
            sender.heard = now;
            return Ok(Some(Arc::clone(&sender.socket)));
        }
        if self.by_address.len() == CONNECTIONS_MAX {
            return Ok(None);
        }
        let any: SocketAddr = match self.dial {
            SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
            SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
        };
        let socket = Arc::new(UdpSocket::bind(any).await?);
        socket.connect(self.dial).await?;
        let answers = relay_answers(
            Arc::clone(&socket),
            (Arc::clone(&self.listener), from),
            Arc::clone(&self.shared),
            Arc::clone(&self.back_window),
        );
        let sender = Sender {
            socket: Arc::clone(&socket),
            heard: now,
            answers: self.answers.spawn(answers),
        };
        self.by_address.insert(from, sender);
        self.shared.connections.accepted.add(1);
        self.shared.connections.open.add(1);
        Ok(Some(socket))
    }

    fn forget_all(&mut self) {
        let n_senders = self.by_address.len() as u64;
        self.shared.connections.reset.add(n_senders);
        self.forget(|_| true);
    }

    fn forget_silent(&mut self) {
        let now = self.shared.clock.now();
        self.forget(|sender| now.saturating_since(sender.heard) > SILENCE_MAX);
    }

    fn forget(&mut self, is_over: impl Fn(&Sender) -> bool) {
        let connections = &self.shared.connections;
        self.by_address.retain(|_, sender| {
            let over = is_over(sender);
            if over {
                sender.answers.abort();
                connections.open.remove(1);
            }
            !over
        });
    }
}

async fn relay_answers(
    socket: Arc<UdpSocket>,
    (listener, to): (Arc<UdpSocket>, SocketAddr),
    shared: Arc<Shared>,
    window: Arc<Semaphore>,
) {
    let mut buffer = vec![0; DATAGRAM_BYTES_MAX];
    loop {
        match socket.recv(&mut buffer).await {
            Ok(n_bytes) => {
                let lane = Lane::Datagram(Arc::clone(&listener), Some(to));
                offer(&shared.back, lane, &buffer[..n_bytes], &window);
            }
            // Nobody is there yet, or no more; whoever comes back is heard.
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {}
            Err(error) => {
                tracing::warn!(%error, "no answers to {to} any more");
                return;
            }
        }
    }
}
