//! Encrypted links, with certificates made for the test.

use std::path::PathBuf;

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use sedge_transport::conformance::{Listener, PATIENCE, Speaker, key, message};
use sedge_transport::{PutOutcome, Qos, QosClass};
use sedge_transport_zenoh::{PeerCertificates, Tls, ZenohConfig};

use crate::{dialling, listening, open};

/// An authority and the files of those whom it signed.
struct Authority {
    folder: tempfile::TempDir,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let certificate = params.self_signed(&key).unwrap();
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("authority.pem"), certificate.pem()).unwrap();
        let issuer = Issuer::new(params, key);
        Self { folder, issuer }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn sign(&self, name: &str) -> Tls {
        let key = KeyPair::generate().unwrap();
        let names = vec!["localhost".to_string(), "127.0.0.1".to_string()];
        let params = CertificateParams::new(names).unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let (pem, secret) = (
            self.file(&format!("{name}.pem")),
            self.file(&format!("{name}.key")),
        );
        std::fs::write(&pem, certificate.pem()).unwrap();
        std::fs::write(&secret, key.serialize_pem()).unwrap();
        Tls {
            authority: self.file("authority.pem"),
            certificate: Some(pem),
            key: Some(secret),
            peer_certificates: PeerCertificates::Required,
        }
    }
}

fn listener(tls: Tls) -> ZenohConfig {
    ZenohConfig {
        listen: vec!["tls/127.0.0.1:0".to_string()],
        tls: Some(tls),
        ..listening()
    }
}

fn dialler(locator: &str, tls: Tls) -> ZenohConfig {
    ZenohConfig {
        tls: Some(tls),
        ..dialling(locator)
    }
}

#[test]
fn those_who_prove_themselves_talk_and_nobody_else() {
    let ours = Authority::new();
    let near = open(&listener(ours.sign("near")));
    let locator = near.locators()[0].clone();
    let far = open(&dialler(&locator, ours.sign("far")));
    far.wait_for_peers(1, PATIENCE).unwrap();

    let qos = Qos::of(QosClass::State);
    let mut reader = Listener::new(&far, "oni/**", qos);
    let mut speaker = Speaker::heard(&near, &key("front"), qos);
    assert_eq!(speaker.put(1), PutOutcome::Sent);
    assert!(reader.next_message().message == message(1));

    let theirs = Authority::new();
    let mut stranger = theirs.sign("stranger");
    // It trusts us, but we do not trust it.
    stranger.authority = ours.file("authority.pem");
    let stranger = open(&dialler(&locator, stranger));
    let plain = open(&dialling(&locator.replacen("tls/", "tcp/", 1)));
    // What they were refused for has happened before this one is accepted.
    let late = open(&dialler(&locator, ours.sign("late")));
    late.wait_for_peers(1, PATIENCE).unwrap();
    crate::wait_until("two peers", || near.n_peers() == 2);
    assert_eq!((stranger.n_peers(), plain.n_peers()), (0, 0));
}

#[test]
fn a_dialler_that_trusts_somebody_else_does_not_connect() {
    let ours = Authority::new();
    let near = open(&listener(ours.sign("near")));
    let other = Authority::new();
    let mut tls = ours.sign("far");
    tls.authority = other.file("authority.pem");
    let far = open(&dialler(&near.locators()[0], tls));
    let error = far.wait_for_peers(1, std::time::Duration::from_millis(300));
    assert!(
        error.is_err(),
        "it was not shown the certificate that it trusts"
    );
}
