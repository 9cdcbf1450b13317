//! Who is connected, and what happened to the connections.

use std::sync::atomic::Ordering;

use zenoh::Wait as _;
use zenoh::config::WhatAmI;

use crate::Mode;
use crate::session::Shared;

/// One link to a peer.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct PeerLink {
    /// This side's end, such as `tcp/127.0.0.1:40001`.
    pub from: String,
    /// The other's.
    pub to: String,
}

/// Somebody who is connected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Peer {
    /// What Zenoh calls its session; another one each time that it is opened.
    pub id: String,
    /// What it is to us.
    pub kind: Mode,
    /// Whether large payloads go to it through shared memory.
    pub shared_memory: bool,
    /// The links, sorted.
    pub links: Vec<PeerLink>,
}

pub(crate) fn peers(session: &zenoh::Session) -> Vec<Peer> {
    let info = session.info();
    let links: Vec<_> = info.links().wait().collect();
    let mut peers: Vec<Peer> = info
        .transports()
        .wait()
        .map(|transport| {
            let of_peer = links.iter().filter(|link| link.zid() == transport.zid());
            let mut links: Vec<PeerLink> = of_peer
                .map(|link| PeerLink {
                    from: link.src().to_string(),
                    to: link.dst().to_string(),
                })
                .collect();
            links.sort();
            Peer {
                id: transport.zid().to_string(),
                kind: match transport.whatami() {
                    WhatAmI::Router => Mode::Router,
                    WhatAmI::Peer => Mode::Peer,
                    WhatAmI::Client => Mode::Client,
                },
                shared_memory: transport.is_shm(),
                links,
            }
        })
        .collect();
    peers.sort_by(|one, other| one.id.cmp(&other.id));
    peers
}

/// What happened to a session since it was first opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counters {
    /// How often it was opened anew because no data came though a link looked alive.
    pub reopened: u64,
    /// How many connections ended, those of earlier sessions included.
    pub peers_lost: u64,
    /// Payloads that were put into shared memory, or written there by their builder.
    pub shared_payloads: u64,
    /// Payloads that went over links because the pool of shared memory had no room.
    pub shared_memory_exhausted: u64,
}

impl Counters {
    pub(crate) fn of(shared: &Shared) -> Self {
        let pool = shared.pool.as_ref();
        Self {
            reopened: shared.reopened.load(Ordering::Relaxed),
            peers_lost: shared.peers_lost.load(Ordering::Relaxed),
            shared_payloads: pool.map_or(0, |pool| pool.lent.load(Ordering::Relaxed)),
            shared_memory_exhausted: pool.map_or(0, |pool| pool.exhausted.load(Ordering::Relaxed)),
        }
    }
}
