use serde_json::Value;

use super::*;

#[test]
fn endpoints_that_are_none_are_refused_by_name() {
    for good in [
        "tcp/127.0.0.1:7447",
        "udp/localhost:0",
        "tcp/robot:1#iface=eth0",
        "tcp/[::]:1",
    ] {
        let config = ZenohConfig {
            listen: vec![good.to_string()],
            ..Default::default()
        };
        assert_eq!(config.check(), Ok(()), "{good}");
    }
    for bad in [
        "",
        "tcp",
        "127.0.0.1:7447",
        "quic/a:1",
        "tcp/a",
        "tcp/:1",
        "tcp/a:65536",
    ] {
        let config = ZenohConfig {
            connect: vec![bad.to_string()],
            ..Default::default()
        };
        let error = config.check().unwrap_err().to_string();
        assert!(error.contains(&format!("{bad:?}")), "{error}");
    }
    let config = ZenohConfig {
        connect: vec!["tcp/localhost:0".to_string()],
        ..Default::default()
    };
    assert!(config.check().is_err(), "nobody is at port 0");
}

#[test]
fn times_that_make_no_sense_are_refused_by_field() {
    let config = ZenohConfig {
        retry_first_millis: 50,
        retry_longest_millis: 20,
        ..Default::default()
    };
    let error = config.check().unwrap_err().to_string();
    assert!(
        error.contains("retry_longest_millis") && error.contains("20"),
        "{error}"
    );
    let config = ZenohConfig {
        stall_millis_max: 0,
        ..Default::default()
    };
    assert!(
        config
            .check()
            .unwrap_err()
            .to_string()
            .contains("stall_millis_max")
    );
}

#[test]
fn it_reads_from_toml_and_refuses_unknown_keys() {
    let config: ZenohConfig =
        toml::from_str("listen = ['tcp/127.0.0.1:0']\ngossip = 'off'").unwrap();
    let expected = ZenohConfig {
        listen: vec!["tcp/127.0.0.1:0".to_string()],
        gossip: Gossip::Off,
        ..Default::default()
    };
    assert_eq!(config, expected);
    assert!(toml::from_str::<ZenohConfig>("listn = []").is_err());
}

fn encrypted() -> ZenohConfig {
    ZenohConfig {
        listen: vec!["tls/127.0.0.1:0".to_string()],
        connect: vec!["tls/robot:7447".to_string()],
        tls: Some(Tls {
            authority: "ca.pem".into(),
            certificate: Some("robot.pem".into()),
            key: Some("robot.key".into()),
            peer_certificates: PeerCertificates::Required,
        }),
        ..Default::default()
    }
}

#[test]
fn encryption_is_all_or_nothing() {
    assert_eq!(encrypted().check(), Ok(()));
    let check = |change: fn(&mut ZenohConfig), expected: &str| {
        let mut config = encrypted();
        change(&mut config);
        let error = config.check().unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    };
    check(
        |config| config.connect.push("tcp/robot:1".into()),
        "tcp/robot:1",
    );
    check(|config| config.tls = None, "tls/127.0.0.1:0");
    let tls = |config: &mut ZenohConfig| config.tls.take().unwrap();
    check(
        |config| config.tls.as_mut().unwrap().key = None,
        "`tls.certificate` and `tls.key` or neither",
    );
    let bare = Tls {
        certificate: None,
        key: None,
        ..tls(&mut encrypted())
    };
    let mut config = encrypted();
    config.tls = Some(bare.clone());
    assert!(config.check().is_err(), "a listener proves itself");
    config.listen.clear();
    assert!(
        config.check().is_err(),
        "and so does who dials, where that is required"
    );
    config.tls = Some(Tls {
        peer_certificates: PeerCertificates::Optional,
        ..bare
    });
    assert_eq!(config.check(), Ok(()));
}

#[test]
fn a_topology_that_cannot_work_is_refused() {
    let check = |mode, listen: &[&str], connect: &[&str], is_fine: bool| {
        let owned = |texts: &[&str]| texts.iter().map(ToString::to_string).collect();
        let config = ZenohConfig {
            mode,
            listen: owned(listen),
            connect: owned(connect),
            ..Default::default()
        };
        assert_eq!(
            config.check().is_ok(),
            is_fine,
            "{mode:?} {listen:?} {connect:?}"
        );
    };
    check(Mode::Peer, &[], &[], true);
    check(Mode::Client, &[], &["tcp/robot:1"], true);
    check(Mode::Client, &[], &[], false);
    check(Mode::Client, &["tcp/robot:1"], &["tcp/robot:2"], false);
    check(Mode::Router, &["tcp/robot:1"], &["tcp/robot:2"], true);
    check(Mode::Router, &[], &[], false);
    let many: Vec<String> = (1..=65).map(|port| format!("tcp/robot:{port}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    check(Mode::Peer, &[], &many, false);
}

#[test]
fn numbers_out_of_range_are_refused_by_field() {
    let check = |field: &str, change: fn(&mut ZenohConfig)| {
        let mut config = ZenohConfig::default();
        change(&mut config);
        let error = config.check().unwrap_err().to_string();
        assert!(error.contains(field), "{error}");
    };
    check("lease_millis", |config| config.lease_millis = 50);
    check("lease_millis", |config| config.lease_millis = 100_000);
    check("heartbeat_millis", |config| config.heartbeat_millis = 5);
    check("pool_bytes", |config| {
        config.shared_memory.pool_bytes = 40_000;
    });
    check("threshold_bytes", |config| {
        config.shared_memory.threshold_bytes = 0;
    });
    let silent = ZenohConfig {
        heartbeat_millis: 0,
        ..Default::default()
    };
    assert_eq!(silent.check(), Ok(()), "0 is never");
}

/// Zenoh has turned settings into silent no-ops before: each must read back as it was written.
#[test]
fn zenoh_knows_every_setting() {
    let plain = ZenohConfig {
        listen: vec!["tcp/127.0.0.1:0".to_string()],
        ..Default::default()
    };
    let router = ZenohConfig {
        mode: Mode::Router,
        ..plain.clone()
    };
    let client = ZenohConfig {
        mode: Mode::Client,
        listen: Vec::new(),
        connect: vec!["tcp/robot:1".to_string()],
        ..plain.clone()
    };
    for config in [plain, router, client, encrypted()] {
        let mut zenoh = zenoh::Config::default();
        for (key, value) in config.settings() {
            zenoh.insert_json5(key, &value.to_string()).unwrap();
            let read: Value = serde_json::from_str(&zenoh.get_json(key).unwrap()).unwrap();
            assert_eq!(read, value, "{key}");
        }
    }
}
