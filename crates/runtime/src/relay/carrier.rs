//! What the link does to parcels, and over TCP how it is made good.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use sedge_spacetime::Stamp;
use sedge_transport::{DropReason, ImpairedLink, ImpairmentError, Impairments, Loss};

use super::RelayProtocol;
use super::passage::Parcel;

/// After this long a lost packet is sent again for the first time: Linux's shortest time-out.
const SEND_AGAIN_FIRST: Duration = Duration::from_millis(200);
/// The wait doubles up to this, so that a link that loses nearly everything still ends its waits.
const SEND_AGAIN_LONGEST: Duration = Duration::from_secs(5);
/// A full Ethernet frame's worth of TCP.
const PACKET_BYTES: usize = 1_448;
/// What is read at once from a link without faults.
const CHUNK_BYTES: usize = 64 * 1024;

/// What a carrier did so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct CarrierCounts {
    pub(super) loss: u64,
    pub(super) queue: u64,
    pub(super) duplicated: u64,
    pub(super) sent_again: u64,
}

/// A packet and how often the link has lost it.
#[derive(Debug, Clone)]
struct Packet {
    parcel: Arc<Parcel>,
    losses: u32,
}

/// One direction's link, with the senders' half of TCP where that is what it carries. Sans-I/O.
pub(super) struct Carrier {
    protocol: RelayProtocol,
    link: ImpairedLink<Packet>,
    has_faults: bool,
    /// To be sent again, by when and in the order in which they were lost.
    lost: BTreeMap<(Stamp, u64), Packet>,
    n_lost: u64,
    counts: CarrierCounts,
}

impl Carrier {
    pub(super) fn new(
        protocol: RelayProtocol,
        faults: &Impairments,
        seed: u64,
        now: Stamp,
    ) -> Result<Self, ImpairmentError> {
        let faults = of_protocol(protocol, faults);
        Ok(Self {
            protocol,
            has_faults: has_faults(&faults),
            link: ImpairedLink::new(seed, now, faults)?,
            lost: BTreeMap::new(),
            n_lost: 0,
            counts: CarrierCounts::default(),
        })
    }

    /// Other faults from now on; what is on its way keeps its time.
    pub(super) fn change(&mut self, faults: &Impairments) -> Result<(), ImpairmentError> {
        let faults = of_protocol(self.protocol, faults);
        let has_faults = has_faults(&faults);
        self.link.set_impairments(faults)?;
        self.has_faults = has_faults;
        Ok(())
    }

    pub(super) fn counts(&self) -> CarrierCounts {
        self.counts
    }

    /// Into how large parcels a stream is cut: packets where packets have fates of their own.
    pub(super) fn segment_bytes_max(&self) -> usize {
        if self.has_faults {
            PACKET_BYTES
        } else {
            CHUNK_BYTES
        }
    }

    /// Takes a parcel. Room is the caller's care: each parcel holds some until it is gone.
    pub(super) fn offer(&mut self, now: Stamp, parcel: Arc<Parcel>) {
        self.send(now, Packet { parcel, losses: 0 });
    }

    /// When there is something to do.
    pub(super) fn next_due(&self) -> Option<Stamp> {
        let again = self.lost.keys().next().map(|(at, _)| *at);
        self.link.next_due().into_iter().chain(again).min()
    }

    /// What is through the link by now.
    pub(super) fn pop_due(&mut self, now: Stamp) -> Option<Arc<Parcel>> {
        while let Some(lost) = self.lost.first_entry() {
            let (again_at, _) = *lost.key();
            if again_at > now {
                break;
            }
            let packet = lost.remove();
            self.counts.sent_again += 1;
            self.send(again_at, packet);
        }
        let (_, packet) = self.link.pop_due(now)?;
        Some(packet.parcel)
    }

    fn send(&mut self, now: Stamp, packet: Packet) {
        let n_bytes = packet.parcel.bytes.len() as u64;
        let dropped = match self.link.offer(now, packet, n_bytes) {
            Ok(copies) => {
                self.counts.duplicated += u64::from(copies.saturating_sub(1));
                return;
            }
            Err(dropped) => dropped,
        };
        match dropped.reason {
            DropReason::Lost => self.counts.loss += 1,
            _ => self.counts.queue += 1,
        }
        if self.protocol == RelayProtocol::Udp {
            return;
        }
        let mut packet = dropped.item;
        let wait = SEND_AGAIN_FIRST.saturating_mul(1 << packet.losses.min(16));
        packet.losses += 1;
        self.n_lost += 1;
        let again_at = now + wait.min(SEND_AGAIN_LONGEST);
        self.lost.insert((again_at, self.n_lost), packet);
    }
}

/// A stream's receiver throws copies away and puts what was overtaken in order again.
fn of_protocol(protocol: RelayProtocol, faults: &Impairments) -> Impairments {
    let mut faults = faults.clone();
    if protocol == RelayProtocol::Tcp {
        faults.duplication = 0.0;
    }
    faults
}

fn has_faults(faults: &Impairments) -> bool {
    !faults.delay.is_zero()
        || !faults.jitter.is_zero()
        || faults.loss != Loss::None
        || faults.reordering.probability > 0.0
        || faults.rate.is_some()
}

#[cfg(test)]
mod tests {
    use tokio::sync::mpsc::unbounded_channel;

    use super::*;
    use crate::relay::passage::Lane;

    fn parcel(place: u64) -> Arc<Parcel> {
        Arc::new(Parcel {
            lane: Lane::Stream(unbounded_channel().0),
            bytes: vec![0; 100],
            place,
            _room: None,
        })
    }

    fn carrier(protocol: RelayProtocol, faults: &Impairments) -> Carrier {
        Carrier::new(protocol, faults, 7, Stamp::ZERO).unwrap()
    }

    #[test]
    fn over_tcp_what_is_lost_comes_after_waits_that_double() {
        let all = Impairments {
            loss: Loss::Independent { probability: 1.0 },
            ..Impairments::default()
        };
        let mut carrier = carrier(RelayProtocol::Tcp, &all);
        carrier.offer(Stamp::ZERO, parcel(0));
        let mut waits = Vec::new();
        let mut before = Stamp::ZERO;
        while waits.len() < 7 {
            let now = carrier.next_due().unwrap();
            waits.push(now.saturating_since(before).as_millis());
            assert!(carrier.pop_due(now).is_none(), "the link loses everything");
            before = now;
        }
        assert_eq!(waits, [200, 400, 800, 1_600, 3_200, 5_000, 5_000]);
        carrier.change(&Impairments::default()).unwrap();
        let now = carrier.next_due().unwrap();
        assert_eq!(carrier.pop_due(now).unwrap().place, 0);
        let counts = carrier.counts();
        assert_eq!((counts.loss, counts.sent_again), (8, 8));
    }

    #[test]
    fn over_udp_what_is_lost_is_gone_and_copies_come() {
        let faults = Impairments {
            loss: Loss::Independent { probability: 0.5 },
            duplication: 0.5,
            ..Impairments::default()
        };
        let mut carrier = carrier(RelayProtocol::Udp, &faults);
        (0..1_000).for_each(|place| carrier.offer(Stamp::ZERO, parcel(place)));
        let n_came = std::iter::from_fn(|| carrier.pop_due(Stamp::ZERO)).count() as u64;
        let counts = carrier.counts();
        assert_eq!(n_came, 1_000 - counts.loss + counts.duplicated);
        assert!(counts.loss > 400 && counts.duplicated > 200 && counts.sent_again == 0);
        assert_eq!(carrier.next_due(), None);
    }

    #[test]
    fn only_a_link_with_faults_is_fed_in_packets() {
        let delayed = Impairments {
            delay: Duration::from_millis(1),
            ..Impairments::default()
        };
        let bytes_max = |faults| carrier(RelayProtocol::Tcp, faults).segment_bytes_max();
        assert_eq!(bytes_max(&delayed), PACKET_BYTES);
        assert_eq!(bytes_max(&Impairments::default()), CHUNK_BYTES);
    }
}
