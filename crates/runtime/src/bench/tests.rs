use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};

use sedge_spacetime::Stamp;

use super::*;

/// A clock that moves only when somebody works.
#[derive(Default)]
struct WorkClock(AtomicI64);

impl Clock for WorkClock {
    fn now(&self) -> Stamp {
        Stamp::from_nanos(self.0.load(Ordering::Relaxed))
    }
}

struct Worker {
    name: &'static str,
    clock: Arc<WorkClock>,
    diary: Arc<Mutex<Vec<&'static str>>>,
    nanos: i64,
    /// Every so many turns one gets no answer.
    loses: Option<usize>,
}

impl Contender for Worker {
    fn take(&mut self, block: &Block<'_>, spans: &mut Spans) -> Result<(), ContenderError> {
        block.each(spans, &mut || {
            self.clock.0.fetch_add(self.nanos, Ordering::Relaxed);
            let mut diary = self.diary.lock().unwrap();
            diary.push(self.name);
            let is_lost = self
                .loses
                .is_some_and(|every| diary.len().is_multiple_of(every));
            Ok(if is_lost {
                TurnOutcome::Lost
            } else {
                TurnOutcome::Done
            })
        })
    }
}

fn workers(
    loses: Option<usize>,
) -> (
    Worker,
    Worker,
    Arc<WorkClock>,
    Arc<Mutex<Vec<&'static str>>>,
) {
    let clock = Arc::new(WorkClock::default());
    let diary = Arc::default();
    let worker = |name, nanos| Worker {
        name,
        clock: Arc::clone(&clock),
        diary: Arc::clone(&diary),
        nanos,
        loses,
    };
    (
        worker("a", 100),
        worker("b", 300),
        Arc::clone(&clock),
        Arc::clone(&diary),
    )
}

#[test]
fn contenders_take_blocks_in_an_order_that_rotates() {
    let (mut a, mut b, clock, diary) = workers(None);
    let race = Race {
        n: 5,
        n_in_block: 2,
        pace: Pace::BackToBack,
    };
    let all = race
        .run(&mut [&mut a, &mut b], clock.as_ref(), &Shutdown::new())
        .unwrap();
    assert_eq!(diary.lock().unwrap().concat(), "aabbbbaaab");
    let figures: Vec<SpanFigures> = all.iter().map(Spans::figures).collect();
    assert_eq!(figures.iter().map(|it| it.n).collect::<Vec<_>>(), [5, 5]);
    assert_eq!((figures[0].p50_nanos, figures[0].max_nanos), (100, 100));
    assert_eq!((figures[1].p50_nanos, figures[1].max_nanos), (300, 300));
}

#[test]
fn a_turn_without_an_answer_is_counted_and_not_timed() {
    let (mut a, _, clock, _) = workers(Some(4));
    let race = Race {
        n: 8,
        n_in_block: 100,
        pace: Pace::BackToBack,
    };
    let all = race.run(&mut [&mut a], clock.as_ref(), &Shutdown::new());
    let figures = all.unwrap()[0].figures();
    assert_eq!((figures.n, figures.n_lost), (6, 2));
}

#[test]
fn who_is_asked_to_end_ends() {
    let (mut a, mut b, clock, diary) = workers(None);
    let shutdown = Shutdown::new();
    shutdown.request();
    let race = Race {
        n: 1_000_000,
        n_in_block: 10,
        pace: Pace::Every(Duration::from_secs(1)),
    };
    let all = race.run(&mut [&mut a, &mut b], clock.as_ref(), &shutdown);
    assert_eq!(all.unwrap()[0].figures().n, 0);
    assert!(diary.lock().unwrap().is_empty());
}

#[test]
fn an_error_ends_the_race() {
    struct Broken;
    impl Contender for Broken {
        fn take(&mut self, _: &Block<'_>, _: &mut Spans) -> Result<(), ContenderError> {
            Err("out of order".into())
        }
    }
    let race = Race {
        n: 2,
        n_in_block: 1,
        pace: Pace::BackToBack,
    };
    let clock = WorkClock::default();
    let error = race.run(&mut [&mut Broken], &clock, &Shutdown::new());
    assert_eq!(error.unwrap_err().to_string(), "out of order");
}

#[test]
fn contenders_share_a_period_where_they_fit() {
    let micros = Duration::from_micros;
    let paced = |slowest| Race::paced(10, micros(1_000), 4, micros(slowest));
    let shared = paced(160).unwrap();
    assert_eq!(
        (shared.n_in_block, shared.pace),
        (1, Pace::Every(micros(250)))
    );
    let blocks = paced(170).unwrap();
    assert_eq!(
        (blocks.n_in_block, blocks.pace),
        (250, Pace::Every(micros(1_000)))
    );
    assert_eq!(paced(700), None);
}
