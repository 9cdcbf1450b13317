use proptest::prelude::*;

use super::*;

const STEP: Duration = Duration::from_millis(50);

fn name(idx: usize) -> AgentName {
    AgentName::new(format!("crane{idx}")).unwrap()
}

fn secs(secs: u64) -> Stamp {
    Stamp::ZERO + Duration::from_secs(secs)
}

/// Peers whose beats pass where a rule says so, and who open their session anew when they are told.
struct Flock {
    beats: Vec<Heartbeat>,
    now: Stamp,
    /// When each opened its session anew.
    reopened: Vec<Vec<Stamp>>,
}

impl Flock {
    fn new(n: usize) -> Self {
        let config = HeartbeatConfig::default();
        let beat = |idx| Heartbeat::new(name(idx), 1, config, Stamp::ZERO).unwrap();
        let mut flock = Self {
            beats: (0..n).map(beat).collect(),
            now: Stamp::ZERO,
            reopened: vec![Vec::new(); n],
        };
        flock.connect_all();
        flock
    }

    fn connect_all(&mut self) {
        for (idx, beat) in self.beats.iter_mut().enumerate() {
            for peer in (0..self.reopened.len()).filter(|peer| *peer != idx) {
                beat.expect(&name(peer));
                beat.connect(&name(peer), self.now);
            }
        }
    }

    /// Runs until `end`. `passes(from, to, now)` says whether a beat arrives. Whoever opens its
    /// session anew is connected again at once, as far as the network can tell.
    fn run_until(&mut self, end: Stamp, passes: impl Fn(usize, usize, Stamp) -> bool) {
        while self.now < end {
            self.now = self.now + STEP;
            for from in 0..self.beats.len() {
                let Some(beat) = self.beats[from].next_beat(self.now) else {
                    continue;
                };
                let beat = Beat::from_bytes(&beat.to_bytes()).unwrap();
                for to in 0..self.beats.len() {
                    if from != to && passes(from, to, self.now) {
                        self.beats[to].hear(&beat, self.now);
                    }
                }
            }
            for idx in 0..self.beats.len() {
                if self.beats[idx].should_reopen(self.now).is_some() {
                    self.beats[idx].reopened(self.now);
                    self.reopened[idx].push(self.now);
                    self.connect_all();
                }
            }
        }
    }

    fn state(&self, of: usize, seen_by: usize) -> PeerState {
        self.beats[seen_by].state(&name(of), self.now).unwrap()
    }
}

#[test]
fn peers_that_hear_each_other_are_alive_and_nobody_reopens() {
    let mut flock = Flock::new(3);
    assert_eq!(
        flock.state(1, 0),
        PeerState::NeverHeard { since: Stamp::ZERO }
    );
    flock.run_until(secs(100), |_, _, _| true);
    for (of, seen_by) in [(0, 1), (1, 0), (2, 0), (0, 2)] {
        assert_eq!(flock.state(of, seen_by), PeerState::Alive);
    }
    assert!(flock.reopened.iter().all(Vec::is_empty));
    let counts = flock.beats[0].counts();
    assert_eq!((counts.said, counts.heard), (400, 800));
}

#[test]
fn lost_beats_within_the_patience_change_nothing() {
    let mut flock = Flock::new(2);
    // Of each second only the first quarter passes: the silence is 750 ms.
    flock.run_until(secs(60), |_, _, now| {
        now.nanos() % 1_000_000_000 < 250_000_000
    });
    assert!(flock.reopened.iter().all(Vec::is_empty));
}

#[test]
fn a_fifth_of_all_beats_lost_at_random_reopens_nothing() {
    let mut flock = Flock::new(2);
    let mut state = 7_u64;
    let lossy = std::cell::RefCell::new(move || {
        state = state.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(1);
        !(state >> 33).is_multiple_of(5)
    });
    flock.run_until(secs(600), |_, _, _| lossy.borrow_mut()());
    assert!(flock.reopened.iter().all(Vec::is_empty));
}

#[test]
fn one_way_is_seen_by_the_one_who_is_not_heard() {
    let mut flock = Flock::new(3);
    flock.run_until(secs(5), |_, _, _| true);
    flock.run_until(secs(8), |from, to, _| (from, to) != (0, 1));
    assert!(matches!(flock.state(1, 0), PeerState::OneWay { .. }));
    assert!(matches!(flock.state(0, 1), PeerState::Silent { .. }));
    assert_eq!(flock.state(2, 0), PeerState::Alive);
    let reopened: Vec<usize> = flock.reopened.iter().map(Vec::len).collect();
    assert_eq!(reopened, [1, 0, 0], "it is the one who can mend it");
}

#[test]
fn a_frozen_peer_does_not_disturb_the_others() {
    let mut flock = Flock::new(3);
    flock.run_until(secs(5), |_, _, _| true);
    flock.run_until(secs(30), |from, to, _| from != 2 && to != 2);
    assert!(matches!(flock.state(2, 0), PeerState::Silent { .. }));
    assert!(flock.reopened[0].is_empty() && flock.reopened[1].is_empty());
    flock.run_until(secs(32), |_, _, _| true);
    assert_eq!(flock.state(2, 0), PeerState::Alive, "it thawed");
}

#[test]
fn a_path_that_is_dead_both_ways_is_reopened_and_then_well() {
    let mut flock = Flock::new(2);
    flock.run_until(secs(5), |_, _, _| true);
    flock.run_until(secs(9), |_, _, now| now > secs(8));
    assert_eq!(flock.state(0, 1), PeerState::Alive);
    assert!(
        flock.reopened.iter().all(|times| times.len() == 1),
        "{:?}",
        flock.reopened
    );
}

#[test]
fn only_a_connected_peer_that_speaks_is_worth_it() {
    let mut beat = Heartbeat::new(name(0), 1, HeartbeatConfig::default(), Stamp::ZERO).unwrap();
    beat.connect(&name(1), Stamp::ZERO);
    assert_eq!(
        beat.should_reopen(secs(99)),
        None,
        "it may not speak at all"
    );
    beat.disconnect(&name(1));
    beat.connect(&name(1), Stamp::ZERO);
    beat.expect(&name(1));
    assert_eq!(beat.should_reopen(secs(2)), None, "not that long yet");
    beat.disconnect(&name(1));
    assert_eq!(beat.should_reopen(secs(3)), None);
    beat.connect(&name(1), secs(3));
    let state = PeerState::NeverHeard { since: secs(3) };
    let peer = name(1);
    assert_eq!(beat.should_reopen(secs(6)), Some(Reopen { peer, state }));
}

#[test]
fn a_peer_that_reopening_does_not_help_is_given_up() {
    let mut flock = Flock::new(2);
    flock.run_until(secs(3_600), |_, _, _| false);
    for times in &flock.reopened {
        let max = HeartbeatConfig::default().reopens_max as usize;
        assert_eq!(times.len(), max, "{times:?}");
        let waits: Vec<Duration> = times
            .windows(2)
            .map(|pair| pair[1].saturating_since(pair[0]))
            .collect();
        assert!(waits.is_sorted(), "{waits:?}");
        assert!(waits.last() >= Some(&Duration::from_secs(16)), "{waits:?}");
    }
    flock.run_until(secs(3_700), |_, _, _| true);
    assert_eq!(flock.state(1, 0), PeerState::Alive);
    let before = flock.reopened[0].len();
    flock.run_until(secs(3_800), |_, _, _| false);
    assert!(
        flock.reopened[0].len() > before,
        "forgiven after it was well for long"
    );
}

#[test]
fn a_flapping_peer_is_given_up_too() {
    let mut flock = Flock::new(2);
    // Well for 3 s, dead for 5 s, for a day.
    flock.run_until(secs(86_400), |_, _, now| {
        now.nanos() / 1_000_000_000 % 8 < 3
    });
    let max = HeartbeatConfig::default().reopens_max as usize;
    for times in &flock.reopened {
        assert_eq!(times.len(), max, "{times:?}");
    }
}

#[test]
fn a_restarted_peer_must_hear_us_anew_and_its_old_beats_say_nothing() {
    let config = HeartbeatConfig::default();
    let mut us = Heartbeat::new(name(0), 1, config, Stamp::ZERO).unwrap();
    let beat = |epoch, sequence, heard_epoch| Beat {
        name: name(1),
        epoch,
        sequence,
        heard: vec![Heard {
            name: name(0),
            epoch: heard_epoch,
            ago: STEP,
        }],
    };
    us.hear(&beat(1, 5, 1), secs(1));
    assert_eq!(us.state(&name(1), secs(1)), Some(PeerState::Alive));
    us.hear(&beat(1, 5, 1), secs(1));
    us.hear(&beat(1, 4, 1), secs(1));
    assert_eq!((us.counts().heard, us.counts().stale), (1, 2));
    us.hear(&beat(2, 0, 0), secs(1));
    let one_way = PeerState::OneWay { since: secs(1) };
    assert_eq!(
        us.state(&name(1), secs(1)),
        Some(one_way),
        "it heard an epoch of ours that is over"
    );
    us.hear(&beat(1, 9, 1), secs(1));
    assert_eq!(us.state(&name(1), secs(1)), Some(one_way));
    us.hear(&beat(2, 1, 1), secs(1));
    assert_eq!(us.state(&name(1), secs(1)), Some(PeerState::Alive));
}

#[test]
fn peers_beyond_the_limit_are_counted_and_room_is_made_by_those_who_left() {
    let config = HeartbeatConfig::default();
    let mut us = Heartbeat::new(name(0), 1, config, Stamp::ZERO).unwrap();
    for idx in 1..=HEARTBEAT_PEERS_MAX {
        us.connect(&name(idx), Stamp::ZERO);
    }
    let beat = Beat {
        name: AgentName::new("late").unwrap(),
        epoch: 1,
        sequence: 0,
        heard: Vec::new(),
    };
    us.hear(&beat, Stamp::ZERO);
    assert_eq!(us.counts().untracked, 1);
    us.disconnect(&name(7));
    us.hear(&beat, Stamp::ZERO);
    assert_eq!((us.counts().untracked, us.counts().heard), (1, 1));
    let all = us.peers(Stamp::ZERO).count();
    assert_eq!(all, HEARTBEAT_PEERS_MAX);
    let longest = us.next_beat(Stamp::ZERO).unwrap().to_bytes();
    assert!(longest.len() <= BEAT_BYTES_MAX);
}

#[test]
fn times_that_do_not_fit_together_are_refused() {
    let check = |config: HeartbeatConfig, field: &str| {
        let error = config.check().unwrap_err().to_string();
        assert!(error.contains(field), "{error}");
    };
    let fine = HeartbeatConfig::default();
    assert_eq!(fine.check(), Ok(()));
    let every = Duration::ZERO;
    check(HeartbeatConfig { every, ..fine }, "every");
    let silent_after = Duration::from_millis(499);
    check(
        HeartbeatConfig {
            silent_after,
            ..fine
        },
        "silent_after",
    );
    let reopen_longest = Duration::from_secs(1);
    check(
        HeartbeatConfig {
            reopen_longest,
            ..fine
        },
        "reopen_longest",
    );
}

proptest! {
    #[test]
    fn beats_travel_whole(
        epoch in any::<u64>(),
        sequence in any::<u64>(),
        heard in proptest::collection::vec((0..99_usize, any::<u64>(), any::<u32>()), 0..20),
    ) {
        let heard = heard.into_iter().map(|(idx, epoch, millis)| Heard {
            name: name(idx),
            epoch,
            ago: Duration::from_millis(u64::from(millis)),
        });
        let beat = Beat { name: name(0), epoch, sequence, heard: heard.collect() };
        let bytes = beat.to_bytes();
        prop_assert_eq!(Beat::from_bytes(&bytes), Ok(beat));
        for n in 0..bytes.len() {
            prop_assert!(Beat::from_bytes(&bytes[..n]).is_err(), "cut at {}", n);
        }
    }

    #[test]
    fn any_bytes_are_a_beat_or_an_error(
        mut bytes in proptest::collection::vec(any::<u8>(), 0..200),
        version in 0..2_u8,
    ) {
        if let Some(first) = bytes.first_mut() {
            *first = version;
        }
        if let Ok(beat) = Beat::from_bytes(&bytes) {
            prop_assert_eq!(beat.to_bytes(), bytes);
        }
    }

    /// However the links come and go, openings are rare: no more than the back-off allows.
    #[test]
    fn openings_are_bounded_whatever_the_links_do(
        changes in proptest::collection::vec((0..12_u64, 0..16_u8), 1..60),
    ) {
        let mut flock = Flock::new(3);
        for (duration, links) in changes {
            let end = flock.now + Duration::from_secs(duration);
            flock.run_until(end, |from, to, _| links >> ((from * 2 + to) % 4) & 1 == 1);
        }
        let config = HeartbeatConfig::default();
        for times in &flock.reopened {
            for pair in times.windows(2) {
                let wait = pair[1].saturating_since(pair[0]);
                prop_assert!(wait >= config.reopen_first, "{times:?}");
            }
            for window in times.windows(12) {
                // Ten openings for two peers, and another round only after 30 s of being well.
                let span = window[11].saturating_since(window[0]);
                prop_assert!(span >= config.steady_after, "{times:?}");
            }
        }
    }
}
