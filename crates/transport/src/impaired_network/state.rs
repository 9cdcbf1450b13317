//! Who is where, and what is under way.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use sedge_oni::{EncodedMessage, Key, KeyPattern};
use sedge_spacetime::{AgentName, Stamp};

use super::parcel::{Link, Parcel, link_seed};
use crate::history::History;
use crate::{
    DropLedger, DropPlace, DropReason, ImpairedLink, ImpairmentError, Impairments, Offer, Qos,
    Queued, REPLIES_MAX, Received, RingWriter, SharedDrops, Wake,
};

pub(super) fn call_all(wakes: &[Wake]) {
    for wake in wakes {
        wake();
    }
}

pub(super) struct Listener {
    side: usize,
    pattern: KeyPattern,
    ring: RingWriter,
    /// Messages under way to it, for which a lossless ring keeps room.
    n_under_way: usize,
}

impl Listener {
    pub(super) fn new(side: usize, pattern: &KeyPattern, ring: RingWriter) -> Self {
        let pattern = pattern.clone();
        let n_under_way = 0;
        Self {
            side,
            pattern,
            ring,
            n_under_way,
        }
    }

    fn offer(&self, queued: Queued, arrival: Stamp, wakes: &mut Vec<Wake>) -> Offer {
        let Queued { received, expiry } = queued;
        let received = Received {
            arrival,
            ..received
        };
        let key = received.key.clone();
        let offer = self.ring.offer_quietly(Queued { received, expiry });
        match offer {
            Offer::Kept | Offer::KeptForOldest => wakes.push(self.ring.waker()),
            Offer::Full => self.ring.refuse(&key),
            Offer::Expired | Offer::Closed => {}
        }
        offer
    }
}

struct Speaker {
    side: usize,
    key: Key,
    wake: Wake,
    history: History,
}

struct Query {
    until: Stamp,
    /// The answers that may still come.
    open: BTreeSet<u64>,
    answers: VecDeque<Received>,
    dropped: u64,
    wake: Wake,
}

impl Query {
    fn take(&mut self, answer: Received) {
        if self.answers.len() < REPLIES_MAX {
            self.answers.push_back(answer);
        } else {
            self.dropped += 1;
        }
    }
}

/// Sides are numbered as they were given; whatever else there is counts up from 1 in one sequence,
/// in which a message comes after every listener that shall get it.
pub(super) struct State {
    names: Vec<AgentName>,
    drops: Vec<SharedDrops>,
    links: BTreeMap<(usize, usize), Link>,
    n_numbers: u64,
    listeners: BTreeMap<u64, Listener>,
    speakers: BTreeMap<u64, Speaker>,
    served: BTreeMap<u64, (usize, Received)>,
    queries: BTreeMap<u64, Query>,
}

impl State {
    pub(super) fn new(
        seed: u64,
        start: Stamp,
        agents: &[AgentName],
        impairments: &Impairments,
    ) -> Result<Self, ImpairmentError> {
        let names: Vec<AgentName> = agents
            .iter()
            .cloned()
            .collect::<BTreeSet<_>>()
            .into_iter()
            .collect();
        let mut links = BTreeMap::new();
        for from in 0..names.len() {
            for to in (0..names.len()).filter(|to| *to != from) {
                let seed = link_seed(seed, &names[from], &names[to]);
                let link = ImpairedLink::new(seed, start, impairments.clone())?;
                let drops = DropLedger::new();
                links.insert((from, to), Link { link, drops });
            }
        }
        Ok(Self {
            drops: names.iter().map(|_| SharedDrops::new()).collect(),
            names,
            links,
            n_numbers: 0,
            listeners: BTreeMap::new(),
            speakers: BTreeMap::new(),
            served: BTreeMap::new(),
            queries: BTreeMap::new(),
        })
    }

    pub(super) fn side_of(&self, agent: &AgentName) -> Option<usize> {
        self.names.iter().position(|name| name == agent)
    }

    pub(super) fn link_of(&mut self, from: &AgentName, to: &AgentName) -> Option<&mut Link> {
        let ends = (self.side_of(from)?, self.side_of(to)?);
        self.links.get_mut(&ends)
    }

    pub(super) fn drops_of(&self, side: usize) -> SharedDrops {
        self.drops[side].clone()
    }

    fn next_number(&mut self) -> u64 {
        self.n_numbers += 1;
        self.n_numbers
    }

    /// The wakes of the publishers that a pattern matches, to be called without the lock.
    pub(super) fn speakers_of(&self, pattern: &KeyPattern) -> Vec<Wake> {
        let speakers = self.speakers.values();
        speakers
            .filter(|speaker| pattern.matches(&speaker.key))
            .map(|speaker| Arc::clone(&speaker.wake))
            .collect()
    }

    pub(super) fn is_heard(&self, key: &Key) -> bool {
        let mut listeners = self.listeners.values();
        listeners.any(|listener| listener.pattern.matches(key))
    }

    /// Whether every lossless reader has room for one message more than is under way to it.
    pub(super) fn has_room(&self, key: &Key) -> bool {
        let mut listeners = self.listeners.values();
        listeners.all(|listener| {
            !listener.pattern.matches(key) || listener.ring.room() > listener.n_under_way
        })
    }

    pub(super) fn add_speaker(&mut self, side: usize, key: &Key, qos: Qos, wake: Wake) -> u64 {
        let number = self.next_number();
        let speaker = Speaker {
            side,
            key: key.clone(),
            wake,
            history: History::new(qos),
        };
        self.speakers.insert(number, speaker);
        number
    }

    /// Adds a listener, and sends it what was put before it came.
    pub(super) fn add_listener(
        &mut self,
        now: Stamp,
        listener: Listener,
        wakes: &mut Vec<Wake>,
    ) -> u64 {
        let number = self.next_number();
        let (side, qos) = (listener.side, listener.ring.qos());
        let speakers = self.speakers.values();
        let speakers = speakers.filter(|speaker| listener.pattern.matches(&speaker.key));
        let mut history = Vec::new();
        for speaker in speakers {
            let last = speaker.history.last(qos);
            history.extend(last.map(|queued| (speaker.side, queued.clone())));
        }
        self.listeners.insert(number, listener);
        for (from, queued) in history {
            let parcel = Parcel::History {
                listener: number,
                queued,
            };
            if from == side {
                self.deliver((side, side), now, parcel, wakes);
            } else {
                self.send((from, side), now, parcel);
            }
        }
        number
    }

    pub(super) fn add_served(&mut self, side: usize, key: &Key, message: EncodedMessage) -> u64 {
        let number = self.next_number();
        let answer = Received {
            key: key.clone(),
            message,
            arrival: Stamp::ZERO,
        };
        self.served.insert(number, (side, answer));
        number
    }

    /// Asks everybody who serves a key that the pattern matches.
    pub(super) fn add_query(
        &mut self,
        side: usize,
        (now, until): (Stamp, Stamp),
        pattern: &KeyPattern,
        wake: Wake,
    ) -> u64 {
        let number = self.next_number();
        let served = self.served.iter();
        let asked: Vec<(u64, usize, Key)> = served
            .filter(|(_, (_, answer))| pattern.matches(&answer.key))
            .map(|(served, (at, answer))| (*served, *at, answer.key.clone()))
            .collect();
        let query = Query {
            until,
            open: asked.iter().map(|(served, ..)| *served).collect(),
            answers: VecDeque::new(),
            dropped: 0,
            wake,
        };
        self.queries.insert(number, query);
        for (served, at, key) in asked {
            let parcel = Parcel::Ask {
                query: number,
                served,
                key,
            };
            if at == side {
                self.answer((side, side), now, (number, served), &mut Vec::new());
            } else {
                self.send((side, at), now, parcel);
            }
        }
        number
    }

    /// Puts a message on its way to every side where somebody listens.
    pub(super) fn put(&mut self, speaker: u64, queued: Queued, wakes: &mut Vec<Wake>) {
        let Some(from) = self.speakers.get(&speaker).map(|speaker| speaker.side) else {
            return;
        };
        let number = self.next_number();
        let now = queued.received.arrival;
        let key = queued.received.key.clone();
        let listeners = self.listeners.values();
        let sides: BTreeSet<usize> = listeners
            .filter(|listener| listener.pattern.matches(&key))
            .map(|listener| listener.side)
            .collect();
        for to in sides {
            let parcel = Parcel::Message {
                number,
                queued: queued.clone(),
            };
            if to == from {
                self.deliver((to, to), now, parcel, wakes);
                continue;
            }
            let n_copies = self.send((from, to), now, parcel) as usize;
            let listeners = self.listeners.values_mut();
            for listener in listeners.filter(|l| l.side == to && l.pattern.matches(&key)) {
                listener.n_under_way += n_copies;
            }
        }
        if let Some(speaker) = self.speakers.get_mut(&speaker) {
            speaker.history.keep(queued);
        }
    }

    /// Offers a parcel to a link; how many copies of it will come out.
    fn send(&mut self, ends: (usize, usize), now: Stamp, parcel: Parcel) -> u32 {
        let Some(Link { link, drops }) = self.links.get_mut(&ends) else {
            return 0;
        };
        let n_bytes = parcel.n_bytes();
        match link.offer(now, parcel, n_bytes) {
            Ok(n_copies) => n_copies,
            Err(dropped) => {
                drops.add(dropped.item.key(), DropPlace::Link, dropped.reason, 1);
                0
            }
        }
    }

    pub(super) fn next_due(&self) -> Option<Stamp> {
        let due = self.links.values().filter_map(|link| link.link.next_due());
        let ends = self.queries.values().filter(|query| !query.open.is_empty());
        due.chain(ends.map(|query| query.until)).min()
    }

    pub(super) fn n_in_flight(&self) -> usize {
        let links = self.links.values();
        links.map(|link| link.link.n_in_flight()).sum()
    }

    /// Lets everything arrive that is due by `now`, in its order; whom to wake.
    pub(super) fn pump(&mut self, now: Stamp) -> Vec<Wake> {
        let mut wakes = Vec::new();
        loop {
            let links = self.links.iter();
            let next = links.filter_map(|(ends, link)| Some((link.link.next_due()?, *ends)));
            let Some((due, ends)) = next.min().filter(|(due, _)| *due <= now) else {
                break;
            };
            let link = self.links.get_mut(&ends);
            if let Some((_, parcel)) = link.and_then(|link| link.link.pop_due(due)) {
                self.deliver(ends, due, parcel, &mut wakes);
            }
        }
        for query in self.queries.values_mut() {
            if query.until <= now && !query.open.is_empty() {
                query.open.clear();
                wakes.push(Arc::clone(&query.wake));
            }
        }
        wakes
    }

    fn deliver(
        &mut self,
        (from, to): (usize, usize),
        due: Stamp,
        parcel: Parcel,
        wakes: &mut Vec<Wake>,
    ) {
        match parcel {
            Parcel::Message { number, queued } => {
                self.deliver_message((from, to), due, (number, queued), wakes);
            }
            Parcel::History { listener, queued } => {
                let key = queued.received.key.clone();
                let offer = self.listeners.get(&listener);
                let offer = offer.map(|listener| listener.offer(queued, due, wakes));
                self.account((from, to), &key, offer.unwrap_or(Offer::Closed));
            }
            Parcel::Ask { query, served, .. } => {
                self.answer((to, from), due, (query, served), wakes);
            }
            Parcel::Answer {
                query,
                served,
                answer,
            } => {
                let Some(query) = self.queries.get_mut(&query) else {
                    return;
                };
                // A copy of an answer that came, or one behind its time.
                if query.open.remove(&served) {
                    query.take(Received {
                        arrival: due,
                        ..answer
                    });
                    wakes.push(Arc::clone(&query.wake));
                }
            }
        }
    }

    fn deliver_message(
        &mut self,
        (from, to): (usize, usize),
        due: Stamp,
        (number, queued): (u64, Queued),
        wakes: &mut Vec<Wake>,
    ) {
        let key = queued.received.key.clone();
        let mut offers = Vec::new();
        // Whoever subscribed after it was put gets what its history says, and no more.
        for listener in self.listeners.range_mut(..number).map(|(_, each)| each) {
            if listener.side == to && listener.pattern.matches(&key) {
                if from != to {
                    listener.n_under_way = listener.n_under_way.saturating_sub(1);
                }
                offers.push(listener.offer(queued.clone(), due, wakes));
            }
        }
        if offers.is_empty() {
            offers.push(Offer::Closed);
        }
        for offer in offers {
            self.account((from, to), &key, offer);
        }
    }

    /// Counts what came to where nobody is any more.
    fn account(&mut self, ends: (usize, usize), key: &Key, offer: Offer) {
        if offer == Offer::Closed
            && let Some(link) = self.links.get_mut(&ends)
        {
            let (place, reason) = (DropPlace::Link, DropReason::Closed);
            link.drops.add(key, place, reason, 1);
        }
    }

    /// Sends an answer back, from where it is served to where it was asked for.
    fn answer(
        &mut self,
        (at, asker): (usize, usize),
        now: Stamp,
        (query, served): (u64, u64),
        wakes: &mut Vec<Wake>,
    ) {
        let Some((_, answer)) = self.served.get(&served) else {
            // No longer served: there is nothing to wait for.
            if let Some(query) = self.queries.get_mut(&query) {
                query.open.remove(&served);
                wakes.push(Arc::clone(&query.wake));
            }
            return;
        };
        let parcel = Parcel::Answer {
            query,
            served,
            answer: answer.clone(),
        };
        if asker == at {
            self.deliver((at, asker), now, parcel, wakes);
        } else {
            self.send((at, asker), now, parcel);
        }
    }

    pub(super) fn remove_speaker(&mut self, number: u64) -> Option<Wake> {
        Some(self.speakers.remove(&number)?.wake)
    }

    pub(super) fn remove_listener(&mut self, number: u64) -> Option<Listener> {
        self.listeners.remove(&number)
    }

    pub(super) fn remove_served(&mut self, number: u64) {
        self.served.remove(&number);
    }

    pub(super) fn next_answer(&mut self, query: u64) -> Option<Received> {
        self.queries.get_mut(&query)?.answers.pop_front()
    }

    pub(super) fn is_answered(&self, query: u64) -> bool {
        let query = self.queries.get(&query);
        query.is_none_or(|query| query.open.is_empty() && query.answers.is_empty())
    }

    pub(super) fn dropped_answers(&self, query: u64) -> u64 {
        self.queries.get(&query).map_or(0, |query| query.dropped)
    }

    pub(super) fn remove_query(&mut self, number: u64) -> Option<Wake> {
        Some(self.queries.remove(&number)?.wake)
    }
}
