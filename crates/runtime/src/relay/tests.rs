use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::sync::mpsc::{Receiver, channel};
use std::thread::JoinHandle;

use sedge_transport::{Loss, Reordering};

use super::*;
use crate::spawn_named;

/// Far beyond what anything here takes: only a hang meets it.
const PATIENCE: Duration = Duration::from_mins(1);

/// A relay on a thread of its own.
struct Running {
    endpoint: String,
    control: RelayControl,
    news: Receiver<RelayNews>,
    thread: JoinHandle<RelayReport>,
}

impl Running {
    fn start(config: RelayConfig) -> Self {
        let relay = Relay::open(config).unwrap();
        let (endpoint, control) = (relay.endpoint(), relay.control());
        let (says, news) = channel();
        let run = move || relay.run(&Shutdown::new(), |_, told| says.send(told).unwrap());
        let thread = spawn_named("relay", run).unwrap();
        Self {
            endpoint,
            control,
            news,
            thread,
        }
    }

    fn address(&self) -> &str {
        self.endpoint.split_once('/').unwrap().1
    }

    /// Gives an order and waits until it is obeyed.
    fn order(&self, line: &str) -> RelayNews {
        assert!(self.control.order(line.parse().unwrap()), "{line}");
        self.news.recv_timeout(PATIENCE).unwrap()
    }

    fn stats(&self) -> RelayReport {
        match self.order("stats") {
            RelayNews::Stats(report) => report,
            other => panic!("expected stats, got {other:?}"),
        }
    }

    /// Asks until it is so; there is no event to wait for in counts.
    fn stats_once(&self, is_so: impl Fn(&RelayReport) -> bool) -> RelayReport {
        std::iter::repeat_with(|| self.stats())
            .find(|report| {
                std::thread::yield_now();
                is_so(report)
            })
            .unwrap()
    }

    fn end(self) -> RelayReport {
        assert!(self.control.order(RelayOrder::Quit));
        self.thread.join().unwrap()
    }
}

fn config(protocol: &str, dial: impl std::fmt::Display) -> RelayConfig {
    RelayConfig {
        listen: format!("{protocol}/127.0.0.1:0").parse().unwrap(),
        connect: format!("{protocol}/{dial}").parse().unwrap(),
        impairments: Impairments::default(),
        on_cut: CutKind::Silent,
        seed: 7,
        run_for: None,
    }
}

fn listener() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

/// Both ends of a connection through a relay.
fn connect(relay: &Running, listener: &TcpListener) -> (TcpStream, TcpStream) {
    let client = TcpStream::connect(relay.address()).unwrap();
    let (server, _) = listener.accept().unwrap();
    for end in [&client, &server] {
        end.set_read_timeout(Some(PATIENCE)).unwrap();
    }
    (client, server)
}

fn socket() -> UdpSocket {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket
}

fn bytes(n: usize) -> Vec<u8> {
    (0..n).map(|idx| (idx * 31 % 251) as u8).collect()
}

/// Sends through one end and reads at the other until the sender ends.
fn carry(mut from: TcpStream, mut to: TcpStream, sent: &[u8]) -> Vec<u8> {
    let copy = sent.to_vec();
    let write = spawn_named("write", move || {
        from.write_all(&copy).unwrap();
        from.shutdown(std::net::Shutdown::Write).unwrap();
        // Kept open the other way until everything is there.
        from
    });
    let mut came = Vec::new();
    to.read_to_end(&mut came).unwrap();
    drop(write.unwrap().join().unwrap());
    came
}

#[test]
fn a_stream_comes_through_whole_in_both_directions() {
    let (listener, address) = listener();
    let relay = Running::start(config("tcp", address));
    let sent = bytes(3 << 20);
    let (client, server) = connect(&relay, &listener);
    assert!(carry(client, server, &sent) == sent);
    let (client, server) = connect(&relay, &listener);
    assert!(carry(server, client, &sent) == sent);
    let report = relay.stats_once(|report| report.connections.open == 0);
    assert_eq!(report.forward.bytes_forwarded, sent.len() as u64);
    assert_eq!(report.back.bytes_forwarded, sent.len() as u64);
    assert_eq!(
        (report.connections.accepted, report.connections.reset),
        (2, 0)
    );
    assert_eq!(
        report.forward.dropped.total() + report.back.dropped.total(),
        0
    );
    relay.end();
}

#[test]
fn a_stream_over_a_bad_link_is_late_but_whole() {
    let (listener, address) = listener();
    let relay = Running::start(RelayConfig {
        impairments: Impairments {
            delay: Duration::from_millis(2),
            jitter: Duration::from_millis(2),
            loss: Loss::Independent { probability: 0.1 },
            duplication: 0.1,
            reordering: Reordering {
                probability: 0.1,
                by: Duration::from_millis(3),
            },
            ..Impairments::default()
        },
        ..config("tcp", address)
    });
    let sent = bytes(300_000);
    let (client, server) = connect(&relay, &listener);
    assert!(carry(client, server, &sent) == sent);
    let report = relay.end();
    assert!(report.forward.dropped.loss > 0, "{report:?}");
    assert_eq!(report.forward.sent_again, report.forward.dropped.loss);
    assert_eq!(report.forward.duplicated, 0, "a stream has no copies");
}

#[test]
fn a_silent_cut_holds_a_stream_back_until_it_heals() {
    let (listener, address) = listener();
    let relay = Running::start(config("tcp", address));
    let (mut client, mut server) = connect(&relay, &listener);
    let cut = Cut {
        only: Some(Direction::Forward),
        heals_after: None,
    };
    assert_eq!(relay.order("cut forward"), RelayNews::Cut(cut));
    client.write_all(b"ping").unwrap();
    server.write_all(b"pong").unwrap();
    let mut came = [0; 4];
    client.read_exact(&mut came).unwrap();
    assert_eq!((&came, relay.stats().forward.forwarded), (b"pong", 0));
    assert_eq!(relay.order("heal"), RelayNews::Healed);
    server.read_exact(&mut came).unwrap();
    assert_eq!(&came, b"ping");
    assert_eq!(relay.end().connections.reset, 0);
}

#[test]
fn who_dials_during_a_silent_cut_gets_through_when_it_heals_unless_he_gave_up() {
    let (listener, address) = listener();
    let relay = Running::start(config("tcp", address));
    relay.order("cut");
    let mut gave_up = TcpStream::connect(relay.address()).unwrap();
    gave_up.write_all(b"gone").unwrap();
    drop(gave_up);
    let mut waits = TcpStream::connect(relay.address()).unwrap();
    waits.write_all(b"ping").unwrap();
    relay.stats_once(|report| report.connections.accepted == 2);
    relay.order("heal");
    let (mut server, _) = listener.accept().unwrap();
    server.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut came = [0; 4];
    server.read_exact(&mut came).unwrap();
    assert_eq!(&came, b"ping");
    let connections = relay.end().connections;
    assert_eq!((connections.unreachable, connections.open), (1, 1));
}

#[test]
fn a_cut_heals_by_itself_after_its_time() {
    let (listener, address) = listener();
    let relay = Running::start(RelayConfig {
        impairments: Impairments {
            partitions: vec!["50ms..550ms".parse::<TimeWindow>().unwrap().into()],
            ..Impairments::default()
        },
        run_for: Some(Duration::from_secs(1)),
        ..config("tcp", address)
    });
    let news: Vec<_> = std::iter::from_fn(|| relay.news.recv_timeout(PATIENCE).ok()).collect();
    let cut = Cut {
        only: None,
        heals_after: Some(Duration::from_millis(500)),
    };
    assert_eq!(news, [RelayNews::Cut(cut), RelayNews::Healed]);
    assert!(relay.thread.join().unwrap().secs >= 1.0);
    drop(listener);
}

#[test]
fn a_reset_ends_connections_and_takes_new_ones() {
    let (listener, address) = listener();
    let relay = Running::start(config("tcp", address));
    let (mut client, mut server) = connect(&relay, &listener);
    assert_eq!(relay.order("reset"), RelayNews::Reset);
    for end in [&mut client, &mut server] {
        let error = end.read(&mut [0]).unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
    }
    let (client, server) = connect(&relay, &listener);
    assert_eq!(carry(client, server, b"again"), b"again");
    let connections = relay.end().connections;
    assert_eq!((connections.accepted, connections.reset), (2, 1));
}

#[test]
fn a_cut_with_a_reset_turns_everybody_away() {
    let (listener, address) = listener();
    let relay = Running::start(RelayConfig {
        on_cut: CutKind::Reset,
        ..config("tcp", address)
    });
    let (mut client, _server) = connect(&relay, &listener);
    relay.order("cut");
    assert!(client.read(&mut [0]).is_err());
    let mut turned_away = TcpStream::connect(relay.address()).unwrap();
    turned_away.set_read_timeout(Some(PATIENCE)).unwrap();
    assert!(turned_away.read(&mut [0]).is_err());
    relay.order("heal");
    let (client, server) = connect(&relay, &listener);
    assert_eq!(carry(client, server, b"again"), b"again");
    assert_eq!(relay.end().connections.refused, 1);
}

#[test]
fn who_dials_while_nobody_is_behind_is_reset() {
    let (listener, address) = listener();
    drop(listener);
    let relay = Running::start(config("tcp", address));
    let mut client = TcpStream::connect(relay.address()).unwrap();
    client.set_read_timeout(Some(PATIENCE)).unwrap();
    assert!(client.read(&mut [0]).is_err());
    let connections = relay.end().connections;
    assert_eq!((connections.accepted, connections.unreachable), (1, 1));
}

#[test]
fn datagrams_find_their_way_back_to_their_sender() {
    let server = socket();
    let relay = Running::start(config("udp", server.local_addr().unwrap()));
    let clients = [socket(), socket()];
    for (idx, client) in clients.iter().enumerate() {
        client.connect(relay.address()).unwrap();
        client.send(&[idx as u8]).unwrap();
    }
    for _ in &clients {
        let mut came = [0; 8];
        let (n_bytes, from) = server.recv_from(&mut came).unwrap();
        server.send_to(&came[..n_bytes], from).unwrap();
    }
    for (idx, client) in clients.iter().enumerate() {
        let mut came = [0; 8];
        let n_bytes = client.recv(&mut came).unwrap();
        assert_eq!(came[..n_bytes], [idx as u8]);
    }
    let report = relay.end();
    assert_eq!((report.forward.forwarded, report.back.forwarded), (2, 2));
    assert_eq!(
        (report.connections.accepted, report.connections.open),
        (2, 2)
    );
}

#[test]
fn every_datagram_is_forwarded_or_counted_as_dropped() {
    let server = socket();
    let relay = Running::start(RelayConfig {
        impairments: Impairments {
            loss: Loss::Independent { probability: 0.2 },
            ..Impairments::default()
        },
        ..config("udp", server.local_addr().unwrap())
    });
    let client = socket();
    client.connect(relay.address()).unwrap();
    let n_sent: u64 = 500;
    let (mut came, mut buffer) = (0, [0; 8]);
    for number in 0..n_sent {
        client.send(&number.to_le_bytes()).unwrap();
        let seen = number + 1;
        // One at a time, so that no socket's buffer overflows where nobody counts.
        let report = relay
            .stats_once(|report| report.forward.forwarded + report.forward.dropped.total() == seen);
        if report.forward.forwarded > came {
            server.recv(&mut buffer).unwrap();
            came += 1;
            assert_eq!(u64::from_le_bytes(buffer), number);
        }
    }
    relay.order("cut");
    client.send(b"cut off").unwrap();
    let report = relay.stats_once(|report| report.forward.came == n_sent + 1);
    assert_eq!(report.forward.dropped.partition, 1);
    relay.order("heal");
    relay.order("loss 100%");
    client.send(b"lost").unwrap();
    let report = relay.stats_once(|report| report.forward.came == n_sent + 2);
    assert_eq!(report.forward.dropped.loss, n_sent - came + 1);
    relay.order("loss 0%");
    client.send(b"through").unwrap();
    assert_eq!(server.recv(&mut buffer).unwrap(), 7);
    relay.end();
}

#[test]
fn datagrams_to_nobody_do_not_end_the_relay() {
    let server = socket();
    let address = server.local_addr().unwrap();
    drop(server);
    let relay = Running::start(config("udp", address));
    let client = socket();
    client.connect(relay.address()).unwrap();
    let handled = |report: &RelayReport| report.forward.forwarded + report.forward.dropped.total();
    client.send(b"one").unwrap();
    // Not merely come: what is still on its way would meet the server that comes now.
    let before = relay.stats_once(|report| handled(report) == 1);
    let server = UdpSocket::bind(address).unwrap();
    server.set_read_timeout(Some(PATIENCE)).unwrap();
    let is_through = (2..10).any(|n_sent| {
        client.send(b"two").unwrap();
        // A socket may give the refusal of the first one as its answer to the next.
        let report = relay.stats_once(|report| handled(report) == n_sent);
        report.forward.forwarded > before.forward.forwarded
    });
    assert!(is_through);
    let mut came = [0; 8];
    let n_bytes = server.recv(&mut came).unwrap();
    assert_eq!(&came[..n_bytes], b"two");
    relay.end();
}

#[test]
fn what_makes_no_relay_is_refused() {
    let check = |config: RelayConfig, expected: &str| {
        let Err(error) = Relay::open(config) else {
            panic!("expected an error: {expected}");
        };
        assert!(error.to_string().contains(expected), "{error}");
    };
    check(
        config("tcp", "127.0.0.1:0"),
        "port 0 can be listened to, not dialled",
    );
    let mixed = RelayConfig {
        listen: "udp/127.0.0.1:0".parse().unwrap(),
        ..config("tcp", "127.0.0.1:1")
    };
    check(
        mixed,
        "one protocol, got udp/127.0.0.1:0 and tcp/127.0.0.1:1",
    );
    check(
        config("tcp", "no.such.host.invalid:1"),
        "cannot find tcp/no.such.host.invalid:1",
    );
    let (listener, address) = listener();
    let taken = RelayConfig {
        listen: format!("tcp/{address}").parse().unwrap(),
        ..config("tcp", "127.0.0.1:1")
    };
    check(taken, "cannot listen on tcp/127.0.0.1");
    drop(listener);
}
