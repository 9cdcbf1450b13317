//! What must hold for every swarm when it has come to its end.

use std::collections::{BTreeMap, BTreeSet};

use sedge_transport::{Arrival, DropLedger, DropPlace, LinkOrder, Network as _, PutOutcome};

use crate::scenario::{Id, Reader, Stream, Swarm};

/// What was checked while it was read: that nothing is invented, corrupted or past its lifespan.
pub(crate) fn check(swarm: &Swarm) {
    for stream in &swarm.streams {
        for reader in &swarm.readers {
            if reader.pattern.matches(&stream.key) {
                order_is_kept_where_it_is_promised(swarm, stream, reader);
                only_a_link_makes_copies(swarm, stream, reader);
                everything_put_after_the_heal_arrives_once(stream, reader);
                the_claims_are_the_truth(stream, reader);
            } else {
                assert!(!reader.read.contains_key(&stream.key));
            }
        }
        every_message_is_accounted(swarm, stream);
    }
}

fn read_of<'a>(stream: &Stream, reader: &'a Reader) -> &'a [(Id, Arrival)] {
    reader.read.get(&stream.key).map_or(&[], Vec::as_slice)
}

fn distinct(stream: &Stream, reader: &Reader) -> BTreeSet<Id> {
    read_of(stream, reader).iter().map(|(id, _)| *id).collect()
}

fn makes_copies(swarm: &Swarm, stream: &Stream, reader: &Reader) -> bool {
    let ends = (stream.agent.clone(), reader.agent.clone());
    let link = swarm.links.get(&ends);
    link.is_some_and(|link| link.duplication > 0.0)
}

fn order_is_kept_where_it_is_promised(swarm: &Swarm, stream: &Stream, reader: &Reader) {
    let ends = (stream.agent.clone(), reader.agent.clone());
    let is_promised = swarm.links.get(&ends).is_none_or(|link| {
        link.order == LinkOrder::Kept
            && link.reordering.probability == 0.0
            && link.duplication == 0.0
    });
    let read = read_of(stream, reader);
    assert!(
        !is_promised || read.is_sorted_by(|one, next| one.0 < next.0),
        "{} to {} is out of order: {read:?}",
        stream.key,
        reader.agent
    );
}

/// What a late joiner is handed and what came while it joined are the same messages once.
fn only_a_link_makes_copies(swarm: &Swarm, stream: &Stream, reader: &Reader) {
    let n_copies = read_of(stream, reader).len() - distinct(stream, reader).len();
    assert!(
        n_copies == 0 || makes_copies(swarm, stream, reader),
        "{} at {}: {n_copies} copies",
        stream.key,
        reader.agent
    );
}

fn everything_put_after_the_heal_arrives_once(stream: &Stream, reader: &Reader) {
    let first = stream.after[0];
    let read = read_of(stream, reader).iter().map(|(id, _)| *id);
    let after: Vec<Id> = read.filter(|id| *id >= first).collect();
    assert_eq!(
        after, stream.after,
        "of {} at {} after the heal",
        stream.key, reader.agent
    );
}

/// What a reader's ledger says from epochs and sequence numbers alone, against what was put.
fn the_claims_are_the_truth(stream: &Stream, reader: &Reader) {
    let claims = reader.ledger.of(&stream.agent, &stream.key).unwrap();
    let read = read_of(stream, reader);
    let is_placed = |arrival: &Arrival| !matches!(arrival, Arrival::Duplicate | Arrival::Unplaced);
    let placed: BTreeSet<Id> = read
        .iter()
        .filter(|(_, arrival)| is_placed(arrival))
        .map(|(id, _)| *id)
        .collect();
    let all = distinct(stream, reader);
    let missing = stream.put.keys().filter(|id| !all.contains(*id)).count();
    let unplaced = all.difference(&placed).count();
    // The last messages of an epoch that is over, and whole epochs that never arrived, leave no
    // gap that a reader could see.
    let mut newest: BTreeMap<u64, u64> = BTreeMap::new();
    for (epoch, sequence) in &placed {
        newest.insert(*epoch, *sequence);
    }
    let is_beyond = |id: &Id| newest.get(&id.0).is_none_or(|newest| id.1 > *newest);
    let unseen = stream.put.keys().filter(|id| is_beyond(id)).count();
    let what = format!("{} at {}: {claims:?}", stream.key, reader.agent);
    assert_eq!(claims.received, placed.len() as u64, "{what}");
    assert_eq!(
        claims.lost + claims.missed_at_start + unseen as u64,
        (missing + unplaced) as u64,
        "{what}, {unseen} unseen, {missing} missing, {unplaced} unplaced"
    );
    assert_eq!(
        claims.received + claims.duplicated + claims.unplaced,
        read.len() as u64,
        "{what}"
    );
}

/// Put = read + dropped, by place, over all readers of a side.
fn every_message_is_accounted(swarm: &Swarm, stream: &Stream) {
    let late = stream.put.values().filter(|put| put.0 == PutOutcome::Late);
    let n_late = late.count() as u64;
    let drops_at = |agent, place| {
        let rows = swarm.network.side(agent).unwrap().drops();
        let rows = rows.rows().filter(|row| row.key == stream.key);
        rows.filter(|row| row.place == place)
            .map(|row| row.count)
            .sum::<u64>()
    };
    assert_eq!(drops_at(&stream.agent, DropPlace::Sender), n_late);
    for agent in &swarm.agents {
        let readers = swarm.readers.iter();
        let readers: Vec<&Reader> = readers
            .filter(|reader| reader.agent == *agent && reader.pattern.matches(&stream.key))
            .collect();
        if readers.iter().any(|reader| reader.joins > 0) {
            // A link's ledger does not say to which reader of a side history was lost.
            continue;
        }
        let n_put = stream.put.len() as u64;
        let missing: u64 = readers
            .iter()
            .map(|reader| n_put - distinct(stream, reader).len() as u64)
            .sum();
        let link = swarm.network.link_drops(&stream.agent, agent);
        let rows = link.iter().flat_map(DropLedger::rows);
        let on_link: u64 = rows
            .filter(|row| row.key == stream.key)
            .map(|row| row.count)
            .sum();
        let before_queue = (on_link + n_late) * readers.len() as u64;
        let in_queue = drops_at(agent, DropPlace::Queue);
        let what = format!("{} at {agent}: {missing} missing", stream.key);
        if readers
            .iter()
            .any(|reader| makes_copies(swarm, stream, reader))
        {
            // A queue may have dropped the one copy and kept the other.
            assert!(before_queue <= missing, "{what}");
            assert!(missing <= before_queue + in_queue, "{what}");
        } else {
            assert_eq!(missing, before_queue + in_queue, "{what}");
        }
    }
}
