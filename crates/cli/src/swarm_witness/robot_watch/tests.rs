use sedge_oni::{Capture, Imu, Sequence};
use sedge_spacetime::AgentName;

use super::*;

const FORWARD: Twist2 = Twist2 {
    vx_mps: 1.0,
    vy_mps: 0.0,
    yaw_rate_radps: 0.0,
};

fn at(millis: i64) -> Stamp {
    Stamp::from_nanos(millis * 1_000_000)
}

fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn key() -> Key {
    Key::parse("oni/flock/crane1/actuator.cmd/main").unwrap()
}

/// A robot, its agent, and a world that steps every 10 ms.
struct Bench {
    watch: RobotWatch,
    sequence: Sequence,
    now_millis: i64,
    /// What the base executes: until when, and what.
    driven: (i64, Twist2),
    twist: Twist2,
}

impl Bench {
    fn new() -> Self {
        let mut bench = Self {
            watch: RobotWatch::new(),
            sequence: sequence(1),
            now_millis: 0,
            driven: (0, Twist2::default()),
            twist: Twist2::default(),
        };
        bench.watch.started(at(0));
        bench
    }

    /// A command that lives for 300 ms is decided now and arrives a millisecond later.
    fn command(&mut self, twist: Twist2) {
        let mut envelope = Envelope::new(
            self.sequence.next_source(),
            Capture::exact(at(self.now_millis), "simulation"),
        );
        envelope.lifespan = Some(millis(300));
        let command = Command {
            steps: vec![CommandStep {
                duration: millis(500),
                twist,
            }],
        };
        self.watch.count(&key(), &envelope);
        let (epoch, heard) = (envelope.source.epoch, HeardCommand::new(&envelope, command));
        self.watch.command(epoch, heard, at(self.now_millis + 1));
        self.driven = (self.now_millis + 300, twist);
    }

    /// Steps until then; the body follows what it is told at once.
    fn step_until(&mut self, until_millis: i64) {
        while self.now_millis < until_millis {
            let (end, twist) = self.driven;
            let is_driven = self.now_millis < end;
            let target = if is_driven { twist } else { Twist2::default() };
            self.twist = target;
            self.watch.step(&WatchedStep {
                at: at(self.now_millis),
                is_driven,
                target,
                twist: target,
            });
            self.now_millis += 10;
        }
    }

    /// Drives on, commanded every 100 ms.
    fn drive_until(&mut self, until_millis: i64) {
        while self.now_millis < until_millis {
            self.command(FORWARD);
            self.step_until((self.now_millis + 100).min(until_millis));
        }
    }

    fn hears_scan(&mut self) -> bool {
        !self.watch.withholds(Lidar::NAME, at(self.now_millis))
    }
}

fn sequence(epoch: u64) -> Sequence {
    Sequence::new(AgentName::new("crane1").unwrap(), epoch)
}

#[test]
fn a_step_past_a_commands_end_is_overdue() {
    let mut bench = Bench::new();
    bench.command(FORWARD);
    bench.step_until(300);
    let watched = &bench.watch.watched;
    assert_eq!((watched.n_steps_driven, watched.n_steps_overdue), (30, 0));
    bench.driven.0 = 320;
    bench.step_until(400);
    let watched = &bench.watch.watched;
    assert_eq!((watched.n_steps_driven, watched.n_steps_overdue), (32, 2));
}

#[test]
fn who_is_killed_lapses_stands_and_joins_again() {
    let mut bench = Bench::new();
    bench.drive_until(1_000);
    assert!(bench.watch.is_at_peace());
    bench.watch.killed(at(1_000));
    assert!(!bench.watch.is_at_peace());
    bench.step_until(2_000);
    bench.watch.started(at(2_000));
    // A last word of the agent before is no sign of life of this one.
    bench.command(FORWARD);
    assert!(!bench.watch.is_at_peace());
    bench.sequence = sequence(2);
    bench.step_until(2_500);
    bench.command(FORWARD);
    assert!(bench.watch.is_at_peace());
    let watched = &bench.watch.watched;
    assert_eq!(watched.lapse_millis.0, [Duration::ZERO]);
    assert_eq!(watched.kill_to_stop_millis.0, [millis(200)]);
    assert_eq!(watched.kill_to_stand_millis.0, [millis(200)]);
    assert_eq!(watched.join_millis.0, [millis(1), millis(501)]);
    assert_eq!((watched.n_kills, watched.n_starts), (1, 2));
    assert!((watched.unheard_secs_max - 0.1).abs() < 0.01, "{watched:?}");
    assert_eq!(bench.watch.commands_of(1).received, 11);
    assert_eq!(bench.watch.commands_of(2).received, 1);
}

#[test]
fn a_base_that_goes_on_past_its_last_command_is_seen() {
    let mut bench = Bench::new();
    bench.drive_until(1_000);
    bench.watch.killed(at(1_000));
    bench.driven.0 += 40;
    bench.step_until(2_000);
    assert_eq!(bench.watch.watched.lapse_millis.0, [millis(40)]);
    assert_eq!(bench.watch.watched.n_steps_overdue, 4);
}

#[test]
fn a_stop_counts_from_the_message_that_did_not_come_if_it_holds() {
    let mut bench = Bench::new();
    bench.drive_until(1_000);
    bench.watch.silence(Withheld::Scans, at(1_500));
    assert!(!bench.watch.withholds(Imu::NAME, at(1_000)));
    assert!(!bench.watch.withholds(Odometry::NAME, at(1_000)));
    bench.step_until(1_040);
    assert!(!bench.hears_scan());
    // This one stops for another reason, and drives on.
    bench.command(Twist2::default());
    bench.step_until(1_060);
    bench.command(FORWARD);
    bench.step_until(1_120);
    assert!(!bench.hears_scan());
    bench.command(Twist2::default());
    bench.step_until(1_500);
    assert!(bench.hears_scan());
    bench.drive_until(1_800);
    let watched = &bench.watch.watched;
    assert_eq!(watched.stop_millis.0, [millis(81)]);
    assert_eq!(watched.n_unstopped, 0);
    assert!(bench.watch.is_at_peace());
}

#[test]
fn who_drives_on_without_evidence_is_seen() {
    let mut bench = Bench::new();
    bench.drive_until(1_000);
    bench.watch.silence(Withheld::Everything, at(1_500));
    assert!(bench.watch.withholds(Imu::NAME, at(1_000)));
    assert!(!bench.hears_scan());
    bench.drive_until(1_500);
    assert!(bench.hears_scan());
    bench.drive_until(1_800);
    let watched = &bench.watch.watched;
    assert_eq!((watched.stop_millis.n(), watched.n_unstopped), (0, 1));
}

#[test]
fn silences_of_who_stands_or_dies_are_no_trials() {
    let mut bench = Bench::new();
    bench.command(Twist2::default());
    bench.step_until(100);
    bench.watch.silence(Withheld::Odometry, at(300));
    assert!(bench.watch.withholds(Odometry::NAME, at(100)));
    bench.step_until(300);
    assert!(!bench.watch.withholds(Odometry::NAME, at(300)));
    bench.step_until(600);
    bench.watch.silence(Withheld::Scans, at(900));
    assert!(!bench.hears_scan());
    bench.watch.killed(at(700));
    bench.watch.silence(Withheld::Scans, at(900));
    bench.watch.finish(at(800));
    let watched = &bench.watch.watched;
    assert_eq!(watched.n_silences_untried, 3);
    assert_eq!((watched.stop_millis.n(), watched.n_unstopped), (0, 0));
}
