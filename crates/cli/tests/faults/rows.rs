//! The faults.

use std::time::Duration;

use crate::listener::ListenerConfig;
use crate::orders::Order;
use crate::process::{PATIENCE, Process, Vitals};
use crate::scene::{Account, Party, Router, Scene, let_pass, listener, now, speaker};
use crate::speaker::SpeakerConfig;
use crate::table::Line;

/// One fault and what is to come of it.
pub(crate) struct Row {
    pub(crate) fault: &'static str,
    pub(crate) run: fn() -> Line,
    pub(crate) length: Length,
}

/// Whether a row is always run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Length {
    Always,
    /// Only where somebody has the time; a shorter row of the same kind is always run.
    Long,
}

const fn row(fault: &'static str, run: fn() -> Line) -> Row {
    let length = Length::Always;
    Row { fault, run, length }
}

const fn long(fault: &'static str, run: fn() -> Line) -> Row {
    let length = Length::Long;
    Row { fault, run, length }
}

pub(crate) const ROWS: [Row; 15] = [
    row("link cut for 1 s, silent", || cut("cut 1s", 1)),
    row("link cut for 10 s, silent", || cut("cut 10s", 10)),
    long("link cut for 60 s, silent", || cut("cut 60s", 60)),
    row("only what the robot sends is cut, 5 s", || {
        cut("cut forward 5s", 5)
    }),
    row("only what the robot gets is cut, 5 s", || {
        cut("cut back 5s", 5)
    }),
    row("connection reset", connection_reset),
    row("router killed and restarted", router_killed),
    row("robot frozen for 3 s and thawed", || {
        frozen(Duration::from_secs(3))
    }),
    row("robot frozen for 15 s and thawed", || {
        frozen(Duration::from_secs(15))
    }),
    row("slow reader beside a fast one", slow_reader),
    row("frozen reader beside a fast one", frozen_reader),
    row(
        "sender's clock stepped by 50 ms, forward and back",
        clock_stepped,
    ),
    row("5 % loss over UDP", || datagram_loss("5%", 0.05)),
    row("20 % loss over UDP", || datagram_loss("20%", 0.2)),
    row("1,000 reconnects", reconnects),
];

/// A cut that heals by itself.
fn cut(order: &str, secs: u64) -> Line {
    let mut scene = Scene::set("tcp", &SpeakerConfig::steady());
    let began = scene.link.order(order);
    let healed = scene.link.healed();
    assert!(healed.saturating_since(began) >= Duration::from_secs(secs));
    let recovery = scene.listener.hears_after(healed);
    let account = scene.settle();
    let notes = reopened(&account);
    scene.end();
    Line::of(&account).recovered(recovery).noted(notes)
}

fn reopened(account: &Account) -> String {
    match account.spoke.reopened + account.heard.reopened {
        0 => "no session had to be opened anew".to_owned(),
        n => format!("sessions opened anew: {n}"),
    }
}

fn connection_reset() -> Line {
    let mut scene = Scene::set("tcp", &SpeakerConfig::steady());
    let reset = scene.link.order("reset");
    let recovery = scene.listener.hears_after(reset);
    let account = scene.settle();
    // One more where a busy machine answered the first attempt too late.
    assert!(scene.link.stats().connections.accepted >= 2);
    scene.end();
    Line::of(&account).recovered(recovery)
}

fn router_killed() -> Line {
    let router = Router::start(&["tcp/127.0.0.1:0"]);
    let locator = router.locator("tcp").to_owned();
    let mut listener = listener(&ListenerConfig::at(&locator));
    let mut speaker = speaker(&SpeakerConfig {
        connect: locator.clone(),
        ..SpeakerConfig::steady()
    });
    listener.hears_after(now());
    router.process.kill();
    let_pass(Duration::from_secs(2));
    let router = Router::start(&[&locator]);
    let recovery = listener.hears_after(now());
    let account = settle(&mut speaker, &mut listener);
    end([speaker.0, listener.0, router.process]);
    Line::of(&account)
        .recovered(recovery)
        .noted("killed with SIGKILL, back 2 s later at the same place")
}

fn frozen(span: Duration) -> Line {
    let mut scene = Scene::set("tcp", &SpeakerConfig::steady());
    scene.speaker.0.signal("STOP");
    let_pass(span);
    scene.speaker.0.signal("CONT");
    let recovery = scene.listener.hears_after(now());
    let account = scene.settle();
    scene.end();
    Line::of(&account)
        .recovered(recovery)
        .noted("a frozen robot sends nothing")
}

/// 500 messages a second, of which one reader takes 20 a second.
fn slow_reader() -> Line {
    let mut scene = Scene::set("tcp", &SpeakerConfig::steady());
    let mut slow = listener(&ListenerConfig::at(scene.router.locator("tcp")));
    slow.hears_after(now());
    slow.order(Order::Pace { millis: 50 });
    scene.speaker.order(Order::Rate { hz: 500.0 });
    let_pass(Duration::from_secs(5));
    scene.speaker.order(Order::Rate { hz: 0.0 });
    slow.order(Order::Pace { millis: 0 });
    let fast = scene.settle();
    slow.hears_until(fast.spoke.given - 1);
    let slow_account = Account::of(fast.spoke.clone(), slow.heard());
    let in_ring = slow_account.heard.ring_dropped;
    // A machine that is too busy for 500 messages a second may cost either a few on the way.
    let on_the_way = slow_account.lost - in_ring;
    assert!(on_the_way * 10 < in_ring, "{slow_account:?}");
    assert!(fast.lost * 10 < in_ring, "{fast:?}");
    scene.end();
    end([slow.0]);
    Line::of(&slow_account).noted(format!(
        "the counts are the slow reader's, {in_ring} lost in its own ring; the fast one lost {}, \
         its longest gap was {:.0} ms",
        fast.lost,
        fast.heard.gap_max_micros as f64 / 1e3
    ))
}

/// 64 KiB messages, 100 a second, while one reader's process stands still for 5 s.
fn frozen_reader() -> Line {
    let mut scene = Scene::set("tcp", &SpeakerConfig::large());
    let mut frozen = listener(&ListenerConfig::at(scene.router.locator("tcp")));
    frozen.hears_after(now());
    frozen.0.signal("STOP");
    let_pass(Duration::from_secs(5));
    frozen.0.signal("CONT");
    let recovery = frozen.hears_after(now());
    let fast = scene.settle();
    frozen.hears_until(fast.spoke.given - 1);
    let account = Account::of(fast.spoke.clone(), frozen.heard());
    scene.end();
    end([frozen.0]);
    Line::of(&account).recovered(recovery).noted(format!(
        "6.5 MB/s; the counts are the frozen reader's; the fast one lost {}, its longest gap was \
         {:.0} ms, the longest put {:.1} ms",
        fast.lost,
        fast.heard.gap_max_micros as f64 / 1e3,
        fast.spoke.put_max_micros as f64 / 1e3
    ))
}

/// Messages that may be used for longer than the step stay usable; those that may not are refused
/// for their age while the clock is behind, each of them counted, and used again afterwards.
fn clock_stepped() -> Line {
    let mut scene = Scene::set("tcp", &SpeakerConfig::steady());
    scene.speaker.order(Order::Lifespan { millis: 10_000 });
    let mut recovery = Duration::ZERO;
    for millis in [50, -50, -50, 50] {
        scene.speaker.order(Order::Step { millis });
        recovery = recovery.max(scene.listener.hears_after(now()));
        let_pass(Duration::from_secs(1));
    }
    let usable = scene.settle();
    assert_eq!(usable.heard.expired, 0, "{usable:?}");

    scene.speaker.order(Order::Lifespan { millis: 40 });
    scene.speaker.order(Order::Step { millis: -50 });
    scene.speaker.order(Order::Rate { hz: 100.0 });
    let_pass(Duration::from_secs(1));
    let behind = scene.settle();
    let n_behind = behind.heard.distinct - usable.heard.distinct;
    assert!(n_behind > 0, "{behind:?}");
    assert_eq!(behind.heard.expired, n_behind, "{behind:?}");

    scene.speaker.order(Order::Lifespan { millis: 10_000 });
    scene.speaker.order(Order::Step { millis: 50 });
    scene.speaker.order(Order::Rate { hz: 100.0 });
    recovery = recovery.max(scene.listener.hears_after(now()));
    let account = scene.settle();
    assert_eq!(account.heard.expired, n_behind, "{account:?}");
    scene.end();
    Line::of(&account).recovered(recovery).noted(format!(
        "the slowest message after one of six steps; with a lifespan of 40 ms, all {n_behind} \
         messages stamped 50 ms back were refused for their age, by count"
    ))
}

fn datagram_loss(share: &str, probability: f64) -> Line {
    let mut scene = Scene::set("udp", &SpeakerConfig::steady());
    scene.link.order(&format!("loss {share}"));
    let_pass(Duration::from_secs(10));
    let healed = scene.link.order("loss 0%");
    let recovery = scene.listener.hears_after(healed);
    let account = scene.settle();
    let dropped = scene.link.stats().forward.dropped;
    let notes = format!(
        "the link dropped {} datagrams of all kinds on this way; {}",
        dropped.loss,
        reopened(&account)
    );
    // At 100 messages a second for 10 s, a tenth of what is to be expected is beyond all chance.
    assert!(account.lost as f64 > 100.0 * probability, "{account:?}");
    scene.end();
    Line::of(&account).recovered(recovery).noted(notes)
}

/// Connections reset one after the other, each as soon as messages flow again.
fn reconnects() -> Line {
    let n_times = 1_000;
    let mut scene = Scene::set("tcp", &SpeakerConfig::eager());
    let vitals = |scene: &Scene| {
        let parties = [
            &scene.speaker.0,
            &scene.listener.0,
            &scene.link.process,
            &scene.router.process,
        ];
        parties.map(Process::vitals)
    };
    let (mut slowest, mut after_warmup) = (Duration::ZERO, vitals(&scene));
    for number in 0..n_times {
        let reset = scene.link.order("reset");
        slowest = slowest.max(scene.listener.hears_after(reset));
        if number == n_times / 10 {
            after_warmup = vitals(&scene);
        }
    }
    // A pool's idle threads take their time to go.
    let is_back = |now: &[Vitals; 4]| {
        now.iter()
            .zip(&after_warmup)
            .all(|(now, then)| now.threads <= then.threads && now.files <= then.files)
    };
    let waits = PATIENCE.as_secs();
    let at_end = (0..waits).map(|_| vitals(&scene)).find(|now| {
        is_back(now) || {
            let_pass(Duration::from_secs(1));
            false
        }
    });
    let at_end = at_end.unwrap_or_else(|| panic!("{after_warmup:?} {:?}", vitals(&scene)));
    let account = scene.settle();
    let accepted = scene.link.stats().connections.accepted;
    assert!(accepted > n_times, "{accepted}");
    scene.end();
    let growth = growth(&after_warmup, &at_end, n_times - n_times / 10);
    Line::of(&account).recovered(slowest).noted(growth)
}

/// How much memory speaker, listener, link and router took in addition.
///
/// # Panics
/// Where it is more than 8 KiB for each reconnect.
fn growth(before: &[Vitals; 4], after: &[Vitals; 4], n_times: u64) -> String {
    let names = ["speaker", "listener", "link", "router"];
    let both = names.iter().zip(before.iter().zip(after));
    let grown = both.map(|(name, (before, after))| {
        let kib = after.resident_kib.saturating_sub(before.resident_kib);
        assert!(kib < 8 * n_times, "{name}: {before:?} {after:?}");
        format!("{name} {kib} KiB")
    });
    let grown: Vec<String> = grown.collect();
    format!(
        "the slowest of all; no thread and no open file more; memory over the last {n_times}: {}",
        grown.join(", ")
    )
}

fn settle(speaker: &mut Party, listener: &mut Party) -> Account {
    speaker.order(Order::Rate { hz: 0.0 });
    let spoke = speaker.spoke();
    listener.hears_until(spoke.given - 1);
    Account::of(spoke, listener.heard())
}

fn end<const N: usize>(processes: [Process; N]) {
    for process in processes {
        let status = process.end();
        assert!(status.success(), "{status}");
    }
}
