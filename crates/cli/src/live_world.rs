//! A simulated world on a real network, in real time.

use std::collections::VecDeque;

use sedge_runtime::Driven;
use sedge_simulation::SimulationNode;
use sedge_spacetime::Stamp;
use sedge_transport::{Inbox, NextTick, Node, Outbox, Outgoing};

/// Messages that wait for the driver at most: a second of the largest scenario. The oldest are let
/// go of first.
const WAITING_MAX: usize = 65_536;

/// A simulation as a node that can send more at once than a driver takes at once: what is left
/// goes out in ticks of their own.
pub(crate) struct LiveWorld {
    node: SimulationNode,
    outbox: Outbox,
    waiting: VecDeque<Outgoing>,
    n_dropped: u64,
}

impl LiveWorld {
    pub(crate) fn new(node: SimulationNode) -> Self {
        // A driver that was held up ticks many steps at once.
        let depth = (node.outbox_depth() * sedge_simulation::STEPS_PER_TICK_MAX as usize).max(1);
        Self {
            outbox: Outbox::new(depth.min(WAITING_MAX)),
            waiting: VecDeque::new(),
            n_dropped: 0,
            node,
        }
    }

    /// The simulation's node.
    pub(crate) fn node(&self) -> &SimulationNode {
        &self.node
    }

    /// Messages that were let go of because the network did not keep up.
    pub(crate) fn n_dropped(&self) -> u64 {
        self.n_dropped + self.node.n_unsent()
    }
}

impl Node for LiveWorld {
    fn name(&self) -> &str {
        self.node.name()
    }

    fn tick(&mut self, now: Stamp, inbox: &mut Inbox, outbox: &mut Outbox) -> NextTick {
        let next = self.node.tick(now, inbox, &mut self.outbox);
        self.waiting.extend(self.outbox.drain());
        while self.waiting.len() > WAITING_MAX {
            self.waiting.pop_front();
            self.n_dropped += 1;
        }
        while outbox.room() > 0 {
            let Some(outgoing) = self.waiting.pop_front() else {
                return next;
            };
            if outbox.put(outgoing.key, outgoing.message).is_err() {
                self.n_dropped += 1;
            }
        }
        if self.waiting.is_empty() {
            next
        } else {
            NextTick::At(now)
        }
    }
}

impl Driven for LiveWorld {}
