use std::collections::BTreeSet;
use std::io::{Read as _, Write as _};

use sedge_oni::{Key, LadderReport, RungLatency, StageLatency};
use sedge_transport::{DropLedger, DropPlace, DropReason};

use super::*;

/// Far beyond what anything here takes: only a hang meets it.
const PATIENCE: Duration = Duration::from_mins(1);

fn figures() -> Figures {
    let stage = StageLatency {
        stage: "fuse".into(),
        count: 42,
        p50_nanos: 700_000,
        p99_nanos: 900_000,
        p999_nanos: 1_000_000,
        max_nanos: 2_500_000,
        budget_nanos: 1_000_000,
        missed: 3,
        missed_in_a_row_max: 2,
    };
    let plan = StageLatency {
        stage: "plan".into(),
        budget_nanos: 0,
        ..stage.clone()
    };
    let rung = |name: &str| RungLatency {
        name: name.into(),
        cost_nanos: 5,
        plans: 7,
    };
    let mut drops = DropLedger::new();
    let key = Key::parse("oni/flock/crane3/sensor.lidar/front").unwrap();
    drops.add(&key, DropPlace::Reader, DropReason::Full, 9);
    Figures {
        whose: Whose {
            fleet: "flock".into(),
            agent: "crane3".into(),
            stream: "main".into(),
            model: "a \"quoted\" \\ name".into(),
            epoch: 17,
        },
        at: Stamp::from_nanos(1_700_000_000_500_000_000),
        report: LatencyReport {
            stages: vec![stage, plan],
            received: 100,
            lost: 4,
            duplicated: 1,
            ladder: Some(LadderReport {
                rungs: vec![rung("full"), rung("half")],
                rung: 1,
                changes: 6,
            }),
        },
        drops: drops.rows().collect(),
    }
}

fn board() -> MetricsBoard {
    let board = MetricsBoard::new();
    board.put(figures());
    board
}

fn server(board: &MetricsBoard) -> MetricsServer {
    MetricsServer::start("127.0.0.1:0".parse().unwrap(), board.clone()).unwrap()
}

fn connect(server: &MetricsServer) -> std::net::TcpStream {
    let client = std::net::TcpStream::connect(server.address()).unwrap();
    client.set_read_timeout(Some(PATIENCE)).unwrap();
    client
}

fn ask(server: &MetricsServer, request: &str) -> String {
    let mut client = connect(server);
    client.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    client.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn a_scrape_gets_every_figure_in_base_units() {
    let server = server(&board());
    let answer = ask(&server, "GET /metrics HTTP/1.1\r\nHost: robot\r\n\r\n");
    let (head, page) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.contains("text/plain; version=0.0.4"), "{head}");
    let whose = r#"fleet="flock",agent="crane3",stream="main""#;
    let key = "oni/flock/crane3/sensor.lidar/front";
    let expected = [
        format!(r#"sedge_agent_info{{{whose},model="a \"quoted\" \\ name",epoch="17"}} 1"#),
        format!("sedge_agent_report_timestamp_seconds{{{whose}}} 1700000000.5"),
        format!(r#"sedge_stage_seconds{{{whose},stage="fuse",quantile="0.5"}} 0.0007"#),
        format!(r#"sedge_stage_seconds{{{whose},stage="fuse",quantile="0.999"}} 0.001"#),
        format!(r#"sedge_stage_seconds_count{{{whose},stage="fuse"}} 42"#),
        format!(r#"sedge_stage_max_seconds{{{whose},stage="fuse"}} 0.0025"#),
        format!(r#"sedge_stage_budget_seconds{{{whose},stage="fuse"}} 0.001"#),
        format!(r#"sedge_stage_budget_missed_total{{{whose},stage="fuse"}} 3"#),
        format!(r#"sedge_rung_in_force{{{whose},rung="full"}} 0"#),
        format!(r#"sedge_rung_in_force{{{whose},rung="half"}} 1"#),
        format!("sedge_messages_lost_total{{{whose}}} 4"),
        format!(
            r#"sedge_messages_dropped_total{{{whose},key="{key}",place="reader",reason="full"}} 9"#
        ),
    ];
    for line in expected {
        assert!(
            page.lines().any(|there| there == line),
            "expected {line} in {page}"
        );
    }
    let of_plan =
        r#"sedge_stage_budget_seconds{fleet="flock",agent="crane3",stream="main",stage="plan""#;
    assert!(
        !page.contains(of_plan),
        "a stage without a budget has none: {page}"
    );
}

/// What the format asks for: each metric's lines are together, after its HELP and TYPE, and no
/// series comes twice.
#[test]
fn the_page_keeps_to_the_format() {
    let page = board().page();
    let (mut metrics, mut series) = (BTreeSet::new(), BTreeSet::new());
    let mut current = String::new();
    for line in page.lines() {
        if let Some(help) = line.strip_prefix("# HELP ") {
            current = help.split_once(' ').unwrap().0.to_owned();
            assert!(metrics.insert(current.clone()), "{current} comes twice");
        } else if let Some(kind) = line.strip_prefix("# TYPE ") {
            let (name, kind) = kind.split_once(' ').unwrap();
            assert_eq!(name, current);
            assert!(["counter", "gauge", "summary"].contains(&kind), "{line}");
        } else {
            let (labelled, value) = line.rsplit_once(' ').unwrap();
            let name = labelled.split('{').next().unwrap();
            assert!(
                name == current || name == format!("{current}_count"),
                "{line}"
            );
            assert!(value.parse::<f64>().unwrap().is_finite(), "{line}");
            assert!(series.insert(labelled.to_owned()), "{labelled} comes twice");
        }
    }
    assert!(page.ends_with('\n') && series.len() > 20, "{page}");
}

#[test]
fn before_the_first_report_the_page_counts_only_scrapes() {
    let server = server(&MetricsBoard::new());
    let answer = ask(&server, "GET /metrics HTTP/1.1\r\n\r\n");
    assert!(answer.contains("\nsedge_scrapes_total 1\n"), "{answer}");
    assert!(!answer.contains("sedge_stage"), "{answer}");
}

#[test]
fn other_paths_methods_and_endless_requests_are_refused() {
    let server = server(&board());
    let status = |request: &str| {
        let answer = ask(&server, request);
        answer.lines().next().unwrap_or_default().to_owned()
    };
    assert_eq!(status("GET / HTTP/1.1\r\n\r\n"), "HTTP/1.1 404 Not Found");
    assert_eq!(
        status("PUT /metrics HTTP/1.1\r\n\r\n"),
        "HTTP/1.1 405 Method Not Allowed"
    );
    assert_eq!(status("hello\r\n\r\n"), "HTTP/1.1 400 Bad Request");
    // Exactly as much as is read, so that nothing is left unread when it is closed.
    let endless = "a".repeat(REQUEST_BYTES_MAX);
    assert_eq!(
        status(&endless),
        "HTTP/1.1 431 Request Header Fields Too Large"
    );
    assert!(ask(&server, "GET /metrics HTTP/1.1\r\n\r\n").contains(" 200 OK"));
}

#[test]
fn whoever_holds_connections_open_does_not_keep_the_next_from_being_counted() {
    let board = board();
    let server = server(&board);
    let held: Vec<_> = (0..CONNECTIONS_MAX).map(|_| connect(&server)).collect();
    // Connections are accepted in order, so this one meets a full house: it is closed unanswered.
    let mut beyond = connect(&server);
    let mut nothing = Vec::new();
    // Closed with a request unread, it may be reset, which is an answer too.
    drop(beyond.read_to_end(&mut nothing));
    assert_eq!(nothing, [0_u8; 0]);
    assert!(board.page().contains("\nsedge_scrapes_refused_total 1\n"));
    drop(held);
}

#[test]
fn places_are_an_address_or_a_port_of_this_machine() {
    let check = |text: &str, expected: &str| {
        let place: MetricsPlace = text.parse().unwrap();
        assert_eq!(place.to_string(), expected);
    };
    check("9464", "127.0.0.1:9464");
    check("0.0.0.0:1", "0.0.0.0:1");
    check("[::1]:80", "[::1]:80");
    for bad in ["", "localhost:1", "70000", "1.2.3.4", ":80"] {
        let error = bad.parse::<MetricsPlace>().unwrap_err().to_string();
        assert!(error.contains("expected IP:PORT"), "{error}");
    }
}
