//! What happens to a relay's link, and when: what was written down before, and what is ordered.

use std::sync::Arc;
use std::time::Duration;

use sedge_spacetime::Stamp;
use sedge_transport::{Impairments, Partition, Rate};
use tokio::sync::mpsc;

use super::orders::{Cut, RelayOrder};
use super::report::RelayReport;
use super::shared::Shared;
use super::{RelayConfig, RelayNews};

/// What is to happen by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Turn {
    Cut(Cut),
    Heal,
    End,
}

/// Whether the relay goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Onward {
    Yes,
    No,
}

pub(super) struct Course {
    shared: Arc<Shared>,
    began: Stamp,
    impairments: Impairments,
    /// Cuts that were written down and the end, the earliest last.
    ahead: Vec<(Stamp, Turn)>,
    heals_at: Option<Stamp>,
}

impl Course {
    pub(super) fn new(shared: Arc<Shared>, config: &RelayConfig) -> Self {
        let began = shared.clock.now();
        let cut = |partition: &Partition| {
            let cut = Cut {
                only: None,
                heals_after: Some(partition.until.saturating_sub(partition.from)),
            };
            (began + partition.from, Turn::Cut(cut))
        };
        let partitions = &config.impairments.partitions;
        let mut ahead: Vec<(Stamp, Turn)> = partitions.iter().map(cut).collect();
        ahead.extend(config.run_for.map(|span| (began + span, Turn::End)));
        ahead.sort_by_key(|(at, _)| std::cmp::Reverse(*at));
        Self {
            shared,
            began,
            impairments: without_partitions(&config.impairments),
            ahead,
            heals_at: None,
        }
    }

    /// Follows orders and what was written down until the end.
    pub(super) async fn follow(
        &mut self,
        mut orders: mpsc::Receiver<RelayOrder>,
        news: &mut impl FnMut(Stamp, RelayNews),
    ) {
        loop {
            let order = match self.next_turn() {
                None => orders.recv().await,
                Some((at, turn)) => {
                    let left = at.saturating_since(self.shared.clock.now());
                    if left == Duration::ZERO {
                        if self.take(turn, news) == Onward::No {
                            return;
                        }
                        continue;
                    }
                    match tokio::time::timeout(left, orders.recv()).await {
                        Ok(order) => order,
                        Err(_) => continue,
                    }
                }
            };
            // The relay holds one end itself while it runs, so orders never end before it does.
            let Some(order) = order else { return };
            if self.obey(order, news) == Onward::No {
                return;
            }
        }
    }

    fn next_turn(&self) -> Option<(Stamp, Turn)> {
        let heal = self.heals_at.map(|at| (at, Turn::Heal));
        let written = self.ahead.last().copied();
        heal.into_iter().chain(written).min_by_key(|(at, _)| *at)
    }

    fn take(&mut self, turn: Turn, news: &mut impl FnMut(Stamp, RelayNews)) -> Onward {
        if turn != Turn::Heal {
            self.ahead.pop();
        }
        match turn {
            Turn::Cut(cut) => self.obey(RelayOrder::Cut(cut), news),
            Turn::Heal => self.obey(RelayOrder::Heal, news),
            Turn::End => Onward::No,
        }
    }

    fn obey(&mut self, order: RelayOrder, news: &mut impl FnMut(Stamp, RelayNews)) -> Onward {
        let now = self.shared.clock.now();
        let told = match order {
            RelayOrder::Cut(cut) => {
                self.shared.weather.cut(cut.only);
                if self.shared.resets_when_cut() {
                    self.shared.weather.reset_connections();
                }
                self.heals_at = cut.heals_after.map(|span| now + span);
                RelayNews::Cut(cut)
            }
            RelayOrder::Heal => {
                self.shared.weather.heal();
                self.heals_at = None;
                RelayNews::Healed
            }
            RelayOrder::Reset => {
                self.shared.weather.reset_connections();
                RelayNews::Reset
            }
            RelayOrder::Stats => RelayNews::Stats(self.report()),
            RelayOrder::Quit => return Onward::No,
            fault => {
                self.change(fault);
                RelayNews::Changed
            }
        };
        news(now, told);
        Onward::Yes
    }

    fn change(&mut self, fault: RelayOrder) {
        let faults = &mut self.impairments;
        match fault {
            RelayOrder::Delay(span) => faults.delay = span.0,
            RelayOrder::Jitter(span) => faults.jitter = span.0,
            RelayOrder::Loss(share) => faults.loss = share.into(),
            RelayOrder::Duplicate(share) => faults.duplication = share.probability(),
            RelayOrder::Reorder(share) => faults.reordering.probability = share.probability(),
            RelayOrder::Rate(rate) => faults.rate = rate.map(Rate::from),
            RelayOrder::Cut(_)
            | RelayOrder::Heal
            | RelayOrder::Reset
            | RelayOrder::Stats
            | RelayOrder::Quit => return,
        }
        for passage in [&self.shared.forward, &self.shared.back] {
            // An order's quantities are within what a link takes.
            if let Err(error) = passage.change(faults) {
                tracing::error!(%error, "relay.change");
            }
        }
    }

    pub(super) fn report(&self) -> RelayReport {
        let now = self.shared.clock.now();
        RelayReport {
            secs: now.saturating_since(self.began).as_secs_f64(),
            connections: self.shared.connections.report(),
            forward: self.shared.forward.report(),
            back: self.shared.back.report(),
        }
    }
}

/// The partitions are this file's business: streams are held back by them, not lost.
pub(super) fn without_partitions(impairments: &Impairments) -> Impairments {
    Impairments {
        partitions: Vec::new(),
        ..impairments.clone()
    }
}
