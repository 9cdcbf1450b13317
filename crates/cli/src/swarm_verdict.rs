//! What a swarm of processes promises, and whether it kept it.

use std::time::Duration;

use sedge_oni::{Command, TypedMessage as _};
use sedge_runtime::{AgentReport, Punctuality};
use sedge_simulation::STEP;
use serde::Serialize;

use crate::Table;
use crate::swarm_keeper::Kept;
use crate::swarm_witness::{Delays, Watched, Witness};

/// A stop is commanded within this of losing evidence.
const STOP_MAX: Duration = Duration::from_millis(100);
/// An agent that lives and is not heard for this long hangs.
const UNHEARD_SECS_MAX: f64 = 2.0;
/// A kill is noticed here, and a command's end taken up by the base, in a step each.
const NOTICED: Duration = Duration::from_nanos(2 * STEP.as_nanos() as u64);
/// Messages after the last one that a reader has heard: of those nobody can know.
const UNSEEN_MAX: u64 = 100;
/// What is wrong is named so often.
const NAMED_MAX: usize = 16;

/// One promise, and how it was kept.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Promise {
    /// What was promised.
    pub(crate) name: &'static str,
    /// How it was measured.
    pub(crate) how: &'static str,
    pub(crate) n_tried: u64,
    pub(crate) n_broken: u64,
    /// The worst case, with its unit.
    pub(crate) worst: String,
    /// What was promised of it.
    pub(crate) limit: String,
    /// What broke it: the first of them.
    pub(crate) broken_by: Vec<String>,
}

impl Promise {
    fn verdict(&self) -> &'static str {
        match (self.n_tried, self.n_broken) {
            (0, 0) => "not tried",
            (_, 0) => "kept",
            _ => "BROKEN",
        }
    }
}

/// What became of the messages of one stream between the world and one agent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct CounterRow {
    pub(crate) key: String,
    /// Messages since the reader has heard the first, by the sender's own count.
    pub(crate) sent: u64,
    /// Messages that came, by the reader's own count.
    pub(crate) received: u64,
    /// Messages that did not come, by the reader's own count.
    pub(crate) lost: u64,
    /// What the chaos withheld, by its own count: the reader must have missed at least these.
    pub(crate) withheld: u64,
    /// What the reader's side says to have dropped before it was counted as received.
    pub(crate) dropped: u64,
}

impl CounterRow {
    /// By how many messages somebody's count is wrong.
    fn n_wrong(&self) -> u64 {
        let n_not_missed = (self.withheld + self.dropped).saturating_sub(self.lost);
        let n_too_many = (self.received + self.lost).saturating_sub(self.sent);
        n_too_many + n_not_missed + self.n_unseen().saturating_sub(UNSEEN_MAX)
    }

    /// Sent after the last message that the reader has heard, where that was lost.
    fn n_unseen(&self) -> u64 {
        self.sent.saturating_sub(self.received + self.lost)
    }

    /// Lost between the two, which only the reader can know.
    fn n_lost_on_the_way(&self) -> u64 {
        self.lost.saturating_sub(self.withheld + self.dropped)
    }
}

/// What a run is judged by.
pub(crate) struct Evidence<'e> {
    pub(crate) names: &'e [String],
    pub(crate) witness: &'e Witness,
    pub(crate) kept: &'e Kept,
    pub(crate) punctuality: Punctuality,
    /// How late the world's ticks may be.
    pub(crate) late_max: Duration,
    /// How long commands live at most.
    pub(crate) lifespan: Duration,
    /// Robots whose commands the world and its witness count differently.
    pub(crate) counted_differently: Vec<String>,
    /// Whether the world came to its end.
    pub(crate) has_finished: bool,
}

/// All promises.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Verdict {
    pub(crate) promises: Vec<Promise>,
    pub(crate) counters: Vec<CounterRow>,
}

impl Verdict {
    pub(crate) fn of(it: &Evidence<'_>) -> Self {
        let counters = it.counters();
        Self {
            promises: vec![
                it.world_keeps_up(),
                it.no_command_late(),
                it.agents_stop(),
                it.bases_stop(),
                it.kills_end_motion(),
                it.killed_come_back(),
                it.nobody_hangs(),
                it.counters_are_true(&counters),
            ],
            counters,
        }
    }

    /// Promises that were broken.
    pub(crate) fn broken(&self) -> Vec<&'static str> {
        let broken = self.promises.iter().filter(|it| it.n_broken > 0);
        broken.map(|it| it.name).collect()
    }

    /// For people.
    pub(crate) fn text(&self) -> String {
        let mut table = Table::new(["promise", "tried", "broken", "worst", "limit", "verdict"]);
        for it in &self.promises {
            table.push([
                it.name.to_owned(),
                it.n_tried.to_string(),
                it.n_broken.to_string(),
                it.worst.clone(),
                it.limit.clone(),
                it.verdict().to_owned(),
            ]);
        }
        let mut lines = vec![table.text(), "\n".to_owned()];
        for it in &self.promises {
            lines.push(format!("{}: {}\n", it.name, it.how));
            let broken = it.broken_by.iter();
            lines.extend(broken.map(|broken| format!("  broken by {broken}\n")));
        }
        lines.concat()
    }
}

impl Evidence<'_> {
    fn robots(&self) -> impl Iterator<Item = (&String, &Watched)> {
        let names = self.names.iter().enumerate();
        names.map(|(idx, name)| (name, self.witness.watched(idx)))
    }

    fn sum(&self, of: fn(&Watched) -> u64) -> u64 {
        self.robots().map(|(_, it)| of(it)).sum()
    }

    fn delays(&self, of: fn(&Watched) -> &Delays) -> Delays {
        let none = Delays::default();
        self.robots().fold(none, |sum, (_, it)| sum.plus(of(it)))
    }

    /// The robots of which something is more than it may be.
    fn named(&self, of: impl Fn(&Watched) -> u64) -> Vec<String> {
        let named = self.robots().filter_map(|(name, it)| {
            let n = of(it);
            (n > 0).then(|| format!("{name}: {n}"))
        });
        named.take(NAMED_MAX).collect()
    }

    fn world_keeps_up(&self) -> Promise {
        let Punctuality {
            n_ticks,
            n_late,
            late_nanos_max,
            ..
        } = self.punctuality;
        Promise {
            name: "the world keeps up with the clock",
            how: "how late its ticks were on the machine's clock; where it lags, times by its own \
                  clock, as most below are, are those of a slower world",
            n_tried: n_ticks,
            n_broken: n_late,
            worst: millis(Some(Duration::from_nanos(late_nanos_max))),
            limit: millis(Some(self.late_max)),
            broken_by: Vec::new(),
        }
    }

    fn no_command_late(&self) -> Promise {
        Promise {
            name: "no command is executed after its deadline",
            how: "in each step in which a base was driven, a command had come whose header's \
                  deadline and lifespan were not over on the world's clock",
            n_tried: self.sum(|it| it.n_steps_driven),
            n_broken: self.sum(|it| it.n_steps_overdue),
            worst: "-".to_owned(),
            limit: "0 steps".to_owned(),
            broken_by: self.named(|it| it.n_steps_overdue),
        }
    }

    fn agents_stop(&self) -> Promise {
        let delays = self.delays(|it| &it.stop_millis);
        let n_unstopped = self.sum(|it| it.n_unstopped);
        Promise {
            name: "an agent without evidence stops its robot",
            how: "scans, odometry or all sensors of moving robots fall silent; from the first \
                  message that did not come to the arrival of the command to stop that held \
                  until messages came again",
            n_tried: delays.n() + n_unstopped,
            n_broken: delays.n_above(STOP_MAX) + n_unstopped,
            worst: worst_and_median(&delays),
            limit: millis(Some(STOP_MAX)),
            broken_by: self.named(|it| it.stop_millis.n_above(STOP_MAX) + it.n_unstopped),
        }
    }

    fn bases_stop(&self) -> Promise {
        let delays = self.delays(|it| &it.lapse_millis);
        Promise {
            name: "a base without commands stops itself",
            how: "agents of moving robots are killed; from the end of the last command's lifespan \
                  to the step in which the base was told to stop",
            n_tried: delays.n(),
            n_broken: delays.n_above(STEP),
            worst: worst_and_median(&delays),
            limit: millis(Some(STEP)),
            broken_by: self.named(|it| it.lapse_millis.n_above(STEP)),
        }
    }

    fn kills_end_motion(&self) -> Promise {
        let delays = self.delays(|it| &it.kill_to_stop_millis);
        let limit = self.lifespan + NOTICED;
        Promise {
            name: "a kill ends a motion",
            how: "the same kills; from the kill to that step, a command's lifespan at most",
            n_tried: delays.n(),
            n_broken: delays.n_above(limit),
            worst: worst_and_median(&delays),
            limit: millis(Some(limit)),
            broken_by: self.named(|it| it.kill_to_stop_millis.n_above(limit)),
        }
    }

    fn killed_come_back(&self) -> Promise {
        let delays = self.delays(|it| &it.join_millis);
        let expected = self.names.len() as u64 + self.kept.n_kills + self.kept.n_died;
        let n_starts = self.sum(|it| it.n_starts);
        let n_missing = expected.abs_diff(n_starts) + n_starts.abs_diff(delays.n());
        let missing = |it: &Watched| it.n_starts.abs_diff(it.join_millis.n());
        Promise {
            name: "who is killed comes back and drives",
            how: "agents at first and after each kill are started, and each of these starts has \
                  sent a command that reached the world; worst is from start to first command",
            n_tried: expected,
            n_broken: n_missing,
            worst: worst_and_median(&delays),
            limit: "all".to_owned(),
            broken_by: self.named(missing),
        }
    }

    fn nobody_hangs(&self) -> Promise {
        let unheard = self.robots().map(|(_, it)| it.unheard_secs_max);
        let worst_secs = unheard.fold(0.0, f64::max);
        let is_hung = |it: &Watched| u64::from(it.unheard_secs_max > UNHEARD_SECS_MAX);
        let n_unended = self.kept.agents.iter().filter(|it| it.is_none()).count() as u64;
        let mut broken_by = self.named(is_hung);
        let mut name = |what: &str, n: u64| {
            if n > 0 {
                broken_by.push(format!("{n} {what}"));
            }
        };
        name("agents ended by themselves", self.kept.n_died);
        name("agents had to be killed at the end", self.kept.n_stuck);
        name("agents gave no report at the end", n_unended);
        name(
            "world did not come to its end",
            u64::from(!self.has_finished),
        );
        Promise {
            name: "nobody hangs",
            how: "the world comes to its end, each agent that has joined and lives is heard again \
                  and again, none ends by itself, and all end with a report when they are asked to",
            n_tried: self.kept.n_starts + 1,
            n_broken: self.robots().map(|(_, it)| is_hung(it)).sum::<u64>()
                + self.kept.n_died
                + n_unended
                + u64::from(!self.has_finished),
            worst: format!("{worst_secs:.2} s"),
            limit: format!("{UNHEARD_SECS_MAX} s"),
            broken_by,
        }
    }

    fn counters_are_true(&self, counters: &[CounterRow]) -> Promise {
        let wrong = || counters.iter().filter(|it| it.n_wrong() > 0);
        let worst = wrong().map(CounterRow::n_wrong).max().unwrap_or(0);
        let named = wrong().map(|it| format!("{}: {}", it.key, it.n_wrong()));
        let n_lost: u64 = counters.iter().map(CounterRow::n_lost_on_the_way).sum();
        let n_unseen: u64 = counters.iter().map(CounterRow::n_unseen).sum();
        let differ = &self.counted_differently;
        Promise {
            name: "counters equal the truth",
            how: "for each stream between the world and each agent that lived to the end, what \
                  the sender sent = what the reader counted as received and as lost (unseen: lost \
                  after the last it heard), and it missed all that was withheld; for each robot, \
                  commands that came = commands taken or refused",
            n_tried: (counters.len() + self.names.len()) as u64,
            n_broken: (wrong().count() + differ.len()) as u64,
            worst: format!("{worst} wrong (known lost {n_lost}, unseen {n_unseen})"),
            limit: "0 wrong".to_owned(),
            broken_by: named
                .chain(differ.iter().cloned())
                .take(NAMED_MAX)
                .collect(),
        }
    }

    fn counters(&self) -> Vec<CounterRow> {
        let agents = self.kept.agents.iter().enumerate();
        let rows = agents.filter_map(|(robot_idx, agent)| {
            let agent = agent.as_ref()?;
            let streams = agent.streams.iter().filter_map(|row| {
                let stream = self.witness.stream(&row.key)?;
                Some(CounterRow {
                    key: row.key.clone(),
                    sent: stream.made.saturating_sub(row.missed_at_start),
                    received: row.received,
                    lost: row.lost,
                    withheld: stream.withheld_since(row.missed_at_start),
                    dropped: dropped_on_the_way(agent, &row.key),
                })
            });
            let streams: Vec<CounterRow> = streams.collect();
            Some(streams.into_iter().chain([self.commands(robot_idx, agent)]))
        });
        rows.flatten().collect()
    }

    fn commands(&self, robot_idx: usize, agent: &AgentReport) -> CounterRow {
        let counts = self.witness.commands_of(robot_idx, agent.epoch);
        CounterRow {
            key: format!("{} of {}", Command::NAME, agent.agent),
            sent: agent.counters.get("commands-sent").copied().unwrap_or(0),
            received: counts.received,
            lost: counts.lost + counts.missed_at_start,
            withheld: 0,
            // What its own side drops is lost to the world, which counts it so.
            dropped: 0,
        }
    }
}

/// Messages that never came to be counted as received: what a reader drops, it has had in hand.
fn dropped_on_the_way(agent: &AgentReport, key: &str) -> u64 {
    let rows = agent.drops.iter();
    let rows = rows.filter(|row| row.key == key && row.place != "reader");
    rows.map(|row| row.count).sum()
}

fn millis(duration: Option<Duration>) -> String {
    let millis = |it: Duration| format!("{:.1} ms", it.as_secs_f64() * 1e3);
    duration.map_or("-".to_owned(), millis)
}

fn worst_and_median(delays: &Delays) -> String {
    match (delays.worst(), delays.median()) {
        (Some(worst), Some(median)) => {
            format!("{} (median {})", millis(Some(worst)), millis(Some(median)))
        }
        _ => "-".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_count_is_wrong_by_what_nobody_knows_of_or_too_many_know_of() {
        let check = |(sent, received, lost), n_wrong, n_lost_on_the_way| {
            let row = CounterRow {
                key: "a".to_owned(),
                sent,
                received,
                lost,
                withheld: 2,
                dropped: 1,
            };
            let got = (row.n_wrong(), row.n_lost_on_the_way());
            assert_eq!(got, (n_wrong, n_lost_on_the_way), "{row:?}");
        };
        check((10, 7, 3), 0, 0);
        check((10, 5, 5), 0, 2);
        // Of the end of a stream nobody can know, but streams do not end long before the run.
        check((10, 6, 3), 0, 0);
        check((110, 6, 3), 1, 0);
        check((10, 8, 3), 1, 0);
        // The reader has missed fewer than were withheld.
        check((10, 8, 2), 1, 0);
    }

    #[test]
    fn a_promise_that_nothing_put_to_the_test_is_not_kept() {
        let promise = |n_tried, n_broken| Promise {
            name: "p",
            how: "h",
            n_tried,
            n_broken,
            worst: String::new(),
            limit: String::new(),
            broken_by: vec!["crane1: 3".to_owned(); usize::from(n_broken > 0)],
        };
        let verdict = Verdict {
            promises: vec![promise(0, 0), promise(3, 0), promise(3, 1)],
            counters: Vec::new(),
        };
        let verdicts: Vec<&str> = verdict.promises.iter().map(Promise::verdict).collect();
        assert_eq!(verdicts, ["not tried", "kept", "BROKEN"]);
        assert_eq!(verdict.broken(), ["p"]);
        assert!(verdict.text().contains("  broken by crane1: 3\n"));
    }
}
