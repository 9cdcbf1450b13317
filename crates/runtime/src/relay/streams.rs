//! TCP through a relay: each connection's bytes, cut into parcels and put together again in order.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, Interest, Ready};
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::JoinSet;

use super::CONNECTIONS_MAX;
use super::passage::{Lane, Parcel, Passage};
use super::shared::Shared;
use super::weather::Outlook;

/// Bytes of one direction of one connection that may be on their way; its sender waits beyond.
const WINDOW_BYTES: usize = 1 << 20;
const READ_BYTES: usize = 64 * 1024;
/// How long the endpoint to dial may take to answer.
const DIAL_WAIT_MAX: Duration = Duration::from_secs(5);
/// When a kernel repeats a dial that got no answer: after a second, and then twice as long.
const DIAL_AGAIN_FIRST: Duration = Duration::from_secs(1);
const DIALS_AGAIN_MAX: u32 = 6;
/// How long nothing is accepted after accepting failed, such as for want of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Lets connections through until it is dropped.
pub(super) async fn relay_streams(listener: TcpListener, dial: SocketAddr, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    let outlook = shared.weather.outlook();
    loop {
        tokio::select! {
            accepted = accept(&listener, &shared, &outlook) => match accepted {
                Ok(client) if connections.len() < CONNECTIONS_MAX => {
                    shared.connections.accepted.add(1);
                    connections.spawn(relay_connection(client, dial, Arc::clone(&shared)));
                }
                Ok(client) => {
                    shared.connections.refused.add(1);
                    reset(&client);
                }
                Err(error) => {
                    tracing::warn!(%error, "cannot accept");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            },
            Some(ended) = connections.join_next() => {
                if let Err(error) = ended {
                    tracing::error!(%error, "a connection's task failed");
                }
            }
        }
    }
}

/// The next connection; a cut with a reset turns it away.
async fn accept(
    listener: &TcpListener,
    shared: &Shared,
    outlook: &Outlook,
) -> io::Result<TcpStream> {
    loop {
        let (client, _) = listener.accept().await?;
        if !(shared.resets_when_cut() && outlook.is_cut_anywhere()) {
            return Ok(client);
        }
        shared.connections.refused.add(1);
        reset(&client);
    }
}

async fn relay_connection(mut client: TcpStream, dial: SocketAddr, shared: Arc<Shared>) {
    let mut outlook = shared.weather.outlook();
    let gets_through = tokio::select! {
        gets_through = dial_gets_through(&client, &shared, outlook.clone()) => gets_through,
        () = outlook.reset() => false,
    };
    if !gets_through {
        shared.connections.unreachable.add(1);
        return reset(&client);
    }
    let dialled = tokio::time::timeout(DIAL_WAIT_MAX, TcpStream::connect(dial)).await;
    let mut server = match dialled {
        Ok(Ok(server)) => server,
        failed => {
            tracing::debug!(?failed, "relay.dial");
            shared.connections.unreachable.add(1);
            return reset(&client);
        }
    };
    shared.connections.open.add(1);
    let is_reset = tokio::select! {
        ended = relay_both_ways(&mut client, &mut server, &shared) => ended.is_err(),
        () = outlook.reset() => true,
    };
    shared.connections.open.remove(1);
    if is_reset {
        shared.connections.reset.add(1);
        reset(&client);
        reset(&server);
    }
}

/// Waits until a dial gets through, and says whether the dialling side is still there. Our kernel
/// has answered it; over a link that is cut it would have had no answer, and be repeated.
async fn dial_gets_through(client: &TcpStream, shared: &Shared, mut outlook: Outlook) -> bool {
    let dialled = shared.clock.now();
    while outlook.is_cut_anywhere() {
        outlook.open_both_ways().await;
        if has_given_up(client).await {
            return false;
        }
        let since = shared.clock.now().saturating_since(dialled);
        let again = (0..DIALS_AGAIN_MAX)
            .map(|n| DIAL_AGAIN_FIRST.saturating_mul((2 << n) - 1))
            .find(|again| *again >= since);
        tokio::time::sleep(again.unwrap_or(since).saturating_sub(since)).await;
        if has_given_up(client).await {
            return false;
        }
    }
    true
}

async fn has_given_up(client: &TcpStream) -> bool {
    // A connection is always ready for something: to be written to.
    let ready = client.ready(Interest::READABLE | Interest::WRITABLE).await;
    ready.map_or(true, Ready::is_read_closed)
}

/// Has the connection reset, not closed in order, when it is dropped.
fn reset(stream: &TcpStream) {
    if let Err(error) = stream.set_zero_linger() {
        tracing::debug!(%error, "relay.reset");
    }
}

/// Ends when both directions have ended in order, or one of them with an error.
async fn relay_both_ways(
    client: &mut TcpStream,
    server: &mut TcpStream,
    shared: &Shared,
) -> io::Result<()> {
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    let (from_client, to_client) = client.split();
    let (from_server, to_server) = server.split();
    let forward = relay_one_way(from_client, to_server, &shared.forward, shared);
    let back = relay_one_way(from_server, to_client, &shared.back, shared);
    tokio::try_join!(forward, back).map(|_| ())
}

async fn relay_one_way(
    from: ReadHalf<'_>,
    to: WriteHalf<'_>,
    passage: &Passage,
    shared: &Shared,
) -> io::Result<()> {
    let (lane, arrivals) = unbounded_channel();
    let outlook = shared.weather.outlook();
    let read = read_parcels(from, lane, passage, outlook.clone());
    let write = write_in_order(to, arrivals, passage, outlook);
    tokio::try_join!(read, write).map(|_| ())
}

async fn read_parcels(
    mut from: ReadHalf<'_>,
    lane: UnboundedSender<Arc<Parcel>>,
    passage: &Passage,
    mut outlook: Outlook,
) -> io::Result<()> {
    let window = Arc::new(Semaphore::new(WINDOW_BYTES));
    let mut buffer = vec![0; READ_BYTES];
    let mut place = 0;
    loop {
        outlook.open(passage.direction).await;
        let n_read = tokio::select! {
            n_read = from.read(&mut buffer) => n_read?,
            () = outlook.cut(passage.direction) => continue,
        };
        // An empty parcel, in its turn, says that no more will come.
        let end: &[u8] = &[];
        let mut rest = &buffer[..n_read];
        loop {
            let (bytes, after) = rest.split_at(rest.len().min(passage.segment_bytes_max()));
            let room = Arc::clone(&window).acquire_many_owned(bytes.len() as u32);
            passage.offer(Parcel {
                lane: Lane::Stream(lane.clone()),
                bytes: bytes.to_vec(),
                place,
                _room: room.await.ok(),
            });
            place += 1;
            rest = after;
            if rest == end {
                break;
            }
        }
        if n_read == 0 {
            return Ok(());
        }
    }
}

async fn write_in_order(
    mut to: WriteHalf<'_>,
    mut arrivals: UnboundedReceiver<Arc<Parcel>>,
    passage: &Passage,
    mut outlook: Outlook,
) -> io::Result<()> {
    let mut early: BTreeMap<u64, Arc<Parcel>> = BTreeMap::new();
    let mut next = 0;
    while let Some(parcel) = arrivals.recv().await {
        if parcel.place >= next {
            early.insert(parcel.place, parcel);
        }
        while let Some(parcel) = early.remove(&next) {
            next += 1;
            outlook.open(passage.direction).await;
            if parcel.bytes.is_empty() {
                return to.shutdown().await;
            }
            to.write_all(&parcel.bytes).await?;
            passage.count_forwarded(parcel.bytes.len());
        }
    }
    Ok(())
}
