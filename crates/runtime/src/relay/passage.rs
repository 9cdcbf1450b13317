//! One direction of a relay: what is offered waits in the impaired link until it is due.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sedge_spacetime::{Clock, Stamp};
use sedge_transport::{ImpairmentError, Impairments};
use tokio::net::UdpSocket;
use tokio::sync::mpsc::UnboundedSender;
use tokio::sync::{Notify, OwnedSemaphorePermit};

use super::carrier::Carrier;
use super::orders::Direction;
use super::report::{DirectionCounts, DirectionReport, DropReport};
use super::weather::Outlook;

/// Parcels handed over before anybody else gets a turn.
const HANDED_OVER_MAX: usize = 256;

/// Where a parcel is handed over.
#[derive(Debug)]
pub(super) enum Lane {
    /// To the task that writes a TCP connection in order. What waits there is bounded by the
    /// parcels' room.
    Stream(UnboundedSender<Arc<Parcel>>),
    /// To an address, or to where the socket is connected.
    Datagram(Arc<UdpSocket>, Option<SocketAddr>),
}

/// Bytes on their way.
#[derive(Debug)]
pub(super) struct Parcel {
    pub(super) lane: Lane,
    pub(super) bytes: Vec<u8>,
    /// Over TCP, how many parcels of its connection were sent before it.
    pub(super) place: u64,
    /// Given back when the parcel is gone.
    pub(super) _room: Option<OwnedSemaphorePermit>,
}

/// One direction of a relay.
pub(super) struct Passage {
    pub(super) direction: Direction,
    pub(super) counts: DirectionCounts,
    carrier: Mutex<Carrier>,
    offered: Notify,
    clock: Arc<dyn Clock>,
}

impl Passage {
    pub(super) fn new(direction: Direction, carrier: Carrier, clock: Arc<dyn Clock>) -> Self {
        Self {
            direction,
            counts: DirectionCounts::default(),
            carrier: Mutex::new(carrier),
            offered: Notify::new(),
            clock,
        }
    }

    pub(super) fn carrier(&self) -> MutexGuard<'_, Carrier> {
        // A carrier is never left half changed, so a poisoned lock is as good as any.
        self.carrier.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Other faults from now on.
    pub(super) fn change(&self, faults: &Impairments) -> Result<(), ImpairmentError> {
        self.carrier().change(faults)
    }

    /// Counts what came while there was no room for it.
    pub(super) fn count_overflow(&self, n_bytes: usize) {
        self.counts.came.add(1);
        self.counts.bytes_came.add(n_bytes as u64);
        self.counts.overflow.add(1);
    }

    pub(super) fn offer(&self, parcel: Parcel) {
        self.counts.came.add(1);
        self.counts.bytes_came.add(parcel.bytes.len() as u64);
        let now = self.clock.now();
        self.carrier().offer(now, Arc::new(parcel));
        self.offered.notify_one();
    }

    /// Hands over what is due, for ever.
    pub(super) async fn deliver(&self, outlook: &Outlook) {
        loop {
            let (due, next) = self.take_due();
            let n_due = due.len();
            for parcel in due {
                self.hand_over(parcel, outlook).await;
            }
            if n_due == HANDED_OVER_MAX {
                tokio::task::yield_now().await;
                continue;
            }
            let Some(next) = next else {
                self.offered.notified().await;
                continue;
            };
            let left = next.saturating_since(self.clock.now());
            // Either way there is something to look at; a notice that came before is kept.
            drop(tokio::time::timeout(left, self.offered.notified()).await);
        }
    }

    fn take_due(&self) -> (Vec<Arc<Parcel>>, Option<Stamp>) {
        let now = self.clock.now();
        let mut carrier = self.carrier();
        let due = std::iter::from_fn(|| carrier.pop_due(now)).take(HANDED_OVER_MAX);
        let due = due.collect();
        (due, carrier.next_due())
    }

    async fn hand_over(&self, parcel: Arc<Parcel>, outlook: &Outlook) {
        match &parcel.lane {
            // A cut holds a stream back at its ends; who was written to counts it.
            Lane::Stream(arrivals) => {
                if arrivals.send(Arc::clone(&parcel)).is_err() {
                    self.counts.closed.add(1);
                }
            }
            Lane::Datagram(..) if outlook.is_cut(self.direction) => {
                self.counts.partition.add(1);
            }
            Lane::Datagram(socket, to) => {
                let mut sent = send(socket, *to, &parcel.bytes).await;
                if sent.is_err() {
                    // The system reports what became of an earlier datagram, once, instead of
                    // sending this one.
                    sent = send(socket, *to, &parcel.bytes).await;
                }
                match sent {
                    Ok(n) => self.count_forwarded(n),
                    Err(_) => self.counts.closed.add(1),
                }
            }
        }
    }

    pub(super) fn count_forwarded(&self, n_bytes: usize) {
        self.counts.forwarded.add(1);
        self.counts.bytes_forwarded.add(n_bytes as u64);
    }

    pub(super) fn report(&self) -> DirectionReport {
        let carried = self.carrier().counts();
        DirectionReport {
            came: self.counts.came.get(),
            bytes_came: self.counts.bytes_came.get(),
            forwarded: self.counts.forwarded.get(),
            bytes_forwarded: self.counts.bytes_forwarded.get(),
            duplicated: carried.duplicated,
            sent_again: carried.sent_again,
            dropped: DropReport {
                loss: carried.loss,
                queue: carried.queue + self.counts.overflow.get(),
                partition: self.counts.partition.get(),
                closed: self.counts.closed.get(),
            },
        }
    }

    /// Into how large parcels a stream is cut.
    pub(super) fn segment_bytes_max(&self) -> usize {
        self.carrier().segment_bytes_max()
    }
}

async fn send(socket: &UdpSocket, to: Option<SocketAddr>, bytes: &[u8]) -> std::io::Result<usize> {
    match to {
        Some(to) => socket.send_to(bytes, to).await,
        None => socket.send(bytes).await,
    }
}
