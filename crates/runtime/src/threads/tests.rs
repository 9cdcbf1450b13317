use super::*;

#[test]
fn priorities_are_read_as_they_are_written() {
    for level in [1, 20, 99] {
        let text = format!("fifo {level}");
        let priority: FifoPriority = text.parse().unwrap();
        assert_eq!((priority.level(), priority.to_string()), (level, text));
    }
    for bad in [
        "",
        "fifo",
        "fifo 0",
        "fifo 100",
        "fifo -1",
        "rr 20",
        "fifo 20 30",
        "20",
    ] {
        let error = bad.parse::<FifoPriority>().unwrap_err();
        assert!(
            error.to_string().contains(&format!("got {bad:?}")),
            "{error}"
        );
    }
}

#[test]
fn a_launch_table_has_defaults_and_refuses_what_it_does_not_know() {
    let all = r#"{"cores": [1], "priority": "fifo 20", "lock_memory": true}"#;
    let config: ThreadsConfig = serde_json::from_str(all).unwrap();
    assert_eq!(config.priority, FifoPriority::new(20));
    assert_eq!(
        serde_json::from_str::<ThreadsConfig>("{}").unwrap(),
        ThreadsConfig::default()
    );
    let error = serde_json::from_str::<ThreadsConfig>(r#"{"core": [1]}"#).unwrap_err();
    assert!(
        error.to_string().contains("unknown field `core`"),
        "{error}"
    );
}

#[test]
fn who_asks_for_nothing_gets_no_rows() {
    assert_eq!(prepare_thread(&ThreadsConfig::default()), []);
}

#[test]
fn other_systems_say_that_they_are_not_asked() {
    let answers = [
        elsewhere::pin(&[0]),
        elsewhere::run_fifo(FifoPriority(1)),
        elsewhere::lock_memory(),
    ];
    for answer in answers {
        let row = row("cores 0".to_owned(), answer);
        assert_eq!(row.to_string(), "cores 0: not supported here");
    }
}

/// Whatever this machine permits: what is reported as granted must be what the kernel says.
#[cfg(target_os = "linux")]
#[test]
fn what_is_reported_is_what_the_kernel_says() {
    let asked = ThreadsConfig {
        cores: vec![allowed_cores()[0]],
        priority: FifoPriority::new(7),
        lock_memory: false,
    };
    let check = move || {
        let rows = prepare_thread(&asked);
        assert_eq!(rows.len(), 2, "{rows:?}");
        assert_eq!(rows[0].granted, Granted::Yes, "{rows:?}");
        assert_eq!(allowed_cores(), asked.cores);
        let stat = std::fs::read_to_string("/proc/thread-self/stat").unwrap();
        // After the name in parentheses: state is field 3, rt_priority 40 and policy 41.
        let fields: Vec<&str> = stat
            .rsplit_once(')')
            .unwrap()
            .1
            .split_whitespace()
            .collect();
        let scheduling = (fields[40 - 3], fields[41 - 3]);
        match rows[1].granted {
            Granted::Yes => assert_eq!(scheduling, ("7", "1"), "{rows:?}"),
            _ => assert_eq!(scheduling, ("0", "0"), "{rows:?}"),
        }
    };
    crate::spawn_named("prepared", check)
        .unwrap()
        .join()
        .unwrap();
}

#[cfg(target_os = "linux")]
#[test]
fn cores_that_are_not_there_are_refused_with_those_that_are() {
    let check = || {
        let rows = prepare_thread(&ThreadsConfig {
            cores: vec![1_000],
            ..ThreadsConfig::default()
        });
        let line = rows[0].to_string();
        assert!(line.starts_with("cores 1000: not granted, "), "{line}");
        assert!(line.contains("there are 0"), "{line}");
    };
    crate::spawn_named("refused", check)
        .unwrap()
        .join()
        .unwrap();
}

/// The cores of this thread, as the kernel lists them.
#[cfg(target_os = "linux")]
fn allowed_cores() -> Vec<usize> {
    let status = std::fs::read_to_string("/proc/thread-self/status").unwrap();
    let list = status
        .lines()
        .find_map(|line| line.strip_prefix("Cpus_allowed_list:"));
    let mut cores = Vec::new();
    for part in list.unwrap().trim().split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        cores.extend(first.parse::<usize>().unwrap()..=last.parse::<usize>().unwrap());
    }
    cores
}
