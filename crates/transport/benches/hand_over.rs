//! From the network's thread to the reader's, where only the newest message counts: our ring beside
//! what `crossbeam` has for it, by turns in one run. `cargo bench -p sedge-transport`; with
//! `-- --write` the table goes to `RESULTS.md`.

use std::fmt::Write as _;
use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::thread::Thread;
use std::time::{Duration, Instant};

use crossbeam_channel::TrySendError;
use crossbeam_queue::ArrayQueue;
use sedge_oni::{AlignedBytes, EncodedMessage, Key};
use sedge_spacetime::{ManualClock, Stamp};
use sedge_transport::{
    Qos, QosClass, Received, RingReader, RingWriter, SharedDrops, Signal, Subscriber as _,
    accounted_ring,
};

/// Messages of a kind, in turns of so many.
const N_PACED: usize = 10_000;
const N_SATURATED: usize = 1_000_000;
const N_TURNS: usize = 10;
const PERIOD: Duration = Duration::from_millis(1);
/// Nobody waits longer before looking whether it is over.
const PATIENCE: Duration = Duration::from_millis(50);

#[expect(
    clippy::disallowed_methods,
    reason = "a benchmark reads the machine's clock"
)]
fn now() -> Instant {
    Instant::now()
}

#[expect(clippy::disallowed_methods, reason = "a benchmark keeps a pace")]
fn pause() {
    std::thread::sleep(PERIOD);
}

/// A message that says when it was put.
fn message(key: &Key, since: Instant) -> Received {
    Received {
        key: key.clone(),
        message: EncodedMessage::new([1], AlignedBytes::default()),
        arrival: Stamp::from_nanos(since.elapsed().as_nanos() as i64),
    }
}

/// The two ends of a hand-over.
type Ends = (
    Box<dyn FnMut(Received) + Send>,
    Box<dyn FnMut() -> Option<Received> + Send>,
);

/// Its name, and how to make one.
type Kind = (&'static str, fn() -> Ends);

/// Ours: a ring of one, and the signal that a node waits for.
fn ring() -> Ends {
    let signal = Signal::new();
    let qos = Qos::of(QosClass::Image);
    let clock = Arc::new(ManualClock::default());
    let (writer, mut reader): (RingWriter, RingReader) =
        accounted_ring(qos, signal.wake(), clock, SharedDrops::new());
    let put = move |message: Received| {
        black_box(writer.offer(message));
    };
    let take = move || {
        reader.try_next().or_else(|| {
            signal.wait(PATIENCE);
            reader.try_next()
        })
    };
    (Box::new(put), Box::new(take))
}

/// A queue of one without locks, whose reader parks.
fn array_queue() -> Ends {
    let queue = Arc::new(ArrayQueue::new(1));
    let (say_who, who): (Sender<Thread>, _) = channel();
    let filled = Arc::clone(&queue);
    let mut reader: Option<Thread> = None;
    let put = move |message| {
        black_box(filled.force_push(message));
        reader = reader.take().or_else(|| who.try_recv().ok());
        if let Some(reader) = &reader {
            reader.unpark();
        }
    };
    let mut say_who = Some(say_who);
    let take = move || {
        if let Some(say_who) = say_who.take() {
            drop(say_who.send(std::thread::current()));
        }
        queue.pop().or_else(|| {
            std::thread::park_timeout(PATIENCE);
            queue.pop()
        })
    };
    (Box::new(put), Box::new(take))
}

/// A channel of one, whose writer takes out what nobody has read.
fn bounded_channel() -> Ends {
    let (sender, receiver) = crossbeam_channel::bounded(1);
    let old = receiver.clone();
    let put = move |message| {
        let mut message = message;
        while let Err(TrySendError::Full(back)) = sender.try_send(message) {
            message = back;
            drop(black_box(old.try_recv()));
        }
    };
    let take = move || receiver.recv_timeout(PATIENCE).ok();
    (Box::new(put), Box::new(take))
}

/// Its name, how many messages, and what the writer does between two.
type Load = (&'static str, usize, fn());

/// What came of some messages: how old each was when it was taken, in nanoseconds, and how long
/// putting all of them took.
fn run((mut put, mut take): Ends, n: usize, pace: impl Fn()) -> (Vec<u64>, Duration) {
    let key = Key::parse("oni/flock/crane3/sensor.image/front").expect("a sound key");
    let (since, is_over) = (now(), AtomicBool::new(false));
    std::thread::scope(|scope| {
        let reader = scope.spawn(|| {
            let mut ages = Vec::with_capacity(n);
            loop {
                let was_over = is_over.load(Ordering::Acquire);
                match take() {
                    Some(taken) => {
                        let put = taken.arrival.nanos();
                        ages.push((since.elapsed().as_nanos() as i64 - put).max(0) as u64);
                    }
                    None if was_over => return ages,
                    None => {}
                }
            }
        });
        let began = now();
        for _ in 0..n {
            put(message(&key, since));
            pace();
        }
        let took = began.elapsed();
        is_over.store(true, Ordering::Release);
        (reader.join().expect("no panic"), took)
    })
}

fn row(name: &str, load: &str, (mut ages, took): (Vec<u64>, Duration), n: usize) -> String {
    ages.sort_unstable();
    let at = |share: f64| ages[((ages.len() - 1) as f64 * share) as usize] as f64 / 1e3;
    let [p50, p99, p999, most] = [0.5, 0.99, 0.999, 1.0].map(at);
    let per_put = took.as_nanos() as f64 / n as f64;
    let taken = ages.len();
    let ages = format!("{p50:.1} | {p99:.1} | {p999:.1} | {most:.1}");
    format!("| {load} | {name} | {n} | {taken} | {ages} | {per_put:.0} |")
}

fn main() {
    let kinds: [Kind; 3] = [
        ("our ring", ring),
        ("crossbeam-queue, force_push and park", array_queue),
        ("crossbeam-channel, the oldest taken out", bounded_channel),
    ];
    let mut table = String::from(
        "| load | hand-over | put | taken | p50 us | p99 us | p99.9 us | max us | ns a put |\n\
         |---|---|---:|---:|---:|---:|---:|---:|---:|\n",
    );
    let loads: [Load; 2] = [
        ("1000 Hz", N_PACED, pause),
        ("saturated", N_SATURATED, || ()),
    ];
    for (load, n, pace) in loads {
        let mut all = kinds.map(|_| (Vec::new(), Duration::ZERO));
        for _ in 0..N_TURNS {
            for ((ages, took), (_, ends)) in all.iter_mut().zip(kinds) {
                let (more, longer) = run(ends(), n / N_TURNS, pace);
                ages.extend(more);
                *took += longer;
            }
        }
        for (result, (name, _)) in all.into_iter().zip(kinds) {
            let row = row(name, load, result, n);
            println!("{row}");
            writeln!(table, "{row}").expect("memory");
        }
    }
    if std::env::args().any(|it| it == "--write") {
        let page = include_str!("results_page.md").replace("TABLE\n", &table);
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/RESULTS.md");
        std::fs::write(path, page).expect("a file beside the benchmark");
    }
}
