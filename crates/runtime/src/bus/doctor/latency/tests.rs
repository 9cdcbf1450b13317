use super::*;

fn sleeper(p999_nanos: u64) -> Sleeper {
    Sleeper {
        n: 10_000,
        p50_nanos: 57_000,
        p99_nanos: 90_000,
        p999_nanos,
        max_nanos: 9_000_000,
        stalls: 2,
        preempted: Some(3),
    }
}

#[test]
fn wake_ups_are_judged_by_the_one_in_a_thousand() {
    let verdict = |p999_nanos| wake_ups("wake-ups", 1_000_000, &sleeper(p999_nanos)).verdict;
    assert_eq!(verdict(120_000), Verdict::Ok);
    assert_eq!(verdict(1_000_000), Verdict::Ok);
    assert_eq!(verdict(1_000_001), Verdict::Warn);
    assert_eq!(verdict(5_000_000), Verdict::Fail);
    let check = wake_ups("wake-ups", 1_000_000, &sleeper(120_000));
    assert_eq!(
        check.found,
        "late by 0.057 ms (p50), 0.090 (p99), 0.120 (p99.9), 9.000 (max), 10000 times every \
         1.000 ms; 2 stalls longer than that; the core was taken away 3 times"
    );
    let none = Sleeper { n: 0, ..sleeper(0) };
    assert_eq!(wake_ups("wake-ups", 1, &none).verdict, Verdict::Fail);
}

#[test]
fn real_time_limits_are_read_from_limit_and_capability() {
    let limits = |n: u8| format!("Max realtime priority     {n}                    {n}  \n");
    let check = |limits: &str, status: &str, verdict: Verdict, says: &str| {
        let check = real_time_limit(limits, status, "950000\n");
        assert_eq!(check.verdict, verdict, "{check:?}");
        assert!(check.found.contains(says), "{check:?}");
    };
    let (plain, capable) = ("CapEff:\t0000000000000000\n", "CapEff:\t0000000000800000\n");
    check(
        &limits(0),
        plain,
        Verdict::Warn,
        "no real time; throttled beyond 950 ms a second",
    );
    check(&limits(99), plain, Verdict::Ok, "priority 99");
    check(&limits(0), capable, Verdict::Ok, "CAP_SYS_NICE");
    check("", "", Verdict::Warn, "cannot be read");
    let never = real_time_limit(&limits(1), plain, "-1");
    assert!(never.found.contains("never throttled"), "{never:?}");
}

#[test]
fn governors_that_slow_down_are_doubtful() {
    let check = |governors: &[&str], verdict: Verdict| {
        let governors: Vec<String> = governors.iter().map(ToString::to_string).collect();
        assert_eq!(frequency(&governors).verdict, verdict, "{governors:?}");
    };
    check(&["performance"], Verdict::Ok);
    check(&["powersave"], Verdict::Warn);
    check(&["performance", "schedutil"], Verdict::Warn);
    check(&[], Verdict::Warn);
}

#[test]
fn kernels_are_told_apart_by_how_they_can_be_interrupted() {
    let found = |version: &str| kernel(version).found;
    assert_eq!(
        found("Linux version 6.12.1-rt5 (a@b) #1 SMP PREEMPT_RT Thu"),
        "Linux 6.12.1-rt5, PREEMPT_RT"
    );
    assert!(found("Linux version 6.1 (a) SMP PREEMPT_DYNAMIC").contains("PREEMPT_DYNAMIC;"));
    assert_eq!(
        kernel("Linux version 4.4 (a) #1 SMP").verdict,
        Verdict::Warn
    );
    assert_eq!(kernel("").verdict, Verdict::Warn);
}

#[test]
fn neighbours_are_judged_by_what_they_took() {
    let verdicts = |stolen: Option<f64>, waited: Option<f64>| {
        let seen = Neighbours {
            busy: Some(0.5),
            stolen,
            switches_per_sec_core: Some(2_000.0),
            waited,
        };
        neighbours(&seen)
            .iter()
            .map(|check| check.verdict)
            .collect::<Vec<_>>()
    };
    assert_eq!(verdicts(Some(0.0), Some(0.02)), [Verdict::Ok, Verdict::Ok]);
    assert_eq!(
        verdicts(Some(0.01), Some(0.3)),
        [Verdict::Warn, Verdict::Warn]
    );
    assert_eq!(verdicts(Some(0.2), Some(0.1)), [Verdict::Fail, Verdict::Ok]);
    assert_eq!(verdicts(None, None), [Verdict::Warn, Verdict::Warn]);
    let found = &neighbours(&Neighbours {
        waited: Some(0.25),
        ..Neighbours::default()
    })[1]
        .found;
    assert_eq!(found, "somebody waited for a processor 25.0 % of the time");
}
