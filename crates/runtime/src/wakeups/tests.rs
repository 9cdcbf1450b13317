use super::*;

fn asked(n: u64) -> WakeUps {
    WakeUps {
        period: Duration::from_micros(200),
        n,
        priority: FifoPriority::new(1).expect("1 is a priority"),
    }
}

#[test]
fn both_threads_wait_as_often_as_they_were_asked() {
    let report = measure_wake_ups(asked(50), &Shutdown::new()).unwrap();
    for sleeper in [&report.plain, &report.real_time] {
        assert_eq!(sleeper.n, 50, "{report:?}");
        assert!(sleeper.max_nanos > 0, "{report:?}");
        let rising = [
            sleeper.p50_nanos,
            sleeper.p99_nanos,
            sleeper.p999_nanos,
            sleeper.max_nanos,
        ];
        assert!(rising.is_sorted(), "{report:?}");
    }
    assert_eq!(report.asked.asked, "priority fifo 1");
}

#[test]
fn whoever_asks_for_the_end_gets_what_there_is() {
    let shutdown = Shutdown::new();
    shutdown.request();
    let report = measure_wake_ups(asked(1_000_000), &shutdown).unwrap();
    assert_eq!((report.plain.n, report.real_time.n), (0, 0));
}
