//! Encrypted links.

use std::path::PathBuf;

use serde::Deserialize;
use serde_json::{Value, json};

use super::{ConfigError, ZenohConfig};

/// The protocol of endpoints that are encrypted.
const PROTOCOL: &str = "tls";

/// Whether those who dial must prove who they are, too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PeerCertificates {
    /// They must, with a certificate of the same authority; a link ends when it expires.
    #[default]
    Required,
    /// Only those who are dialled must.
    Optional,
}

/// Encrypted links. Each file is in PEM form, and is read when a session is opened.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tls {
    /// The certificate of the authority that signed everybody's.
    pub authority: PathBuf,
    /// This side's certificate; whoever listens needs one, and whoever dials where certificates of
    /// peers are required. Its name must be the host under which others dial it.
    pub certificate: Option<PathBuf>,
    /// The certificate's key.
    pub key: Option<PathBuf>,
    /// Whether those who dial must have a certificate. Required by default; both sides must say
    /// the same.
    #[serde(default)]
    pub peer_certificates: PeerCertificates,
}

impl Tls {
    pub(super) fn settings(&self) -> Vec<(&'static str, Value)> {
        let is_mutual = self.peer_certificates == PeerCertificates::Required;
        let mut settings = vec![
            // Otherwise other links would be accepted beside these.
            ("transport/link/protocols", json!([PROTOCOL])),
            (
                "transport/link/tls/root_ca_certificate",
                json!(self.authority),
            ),
            ("transport/link/tls/enable_mtls", json!(is_mutual)),
            ("transport/link/tls/verify_name_on_connect", json!(true)),
            ("transport/link/tls/close_link_on_expiration", json!(true)),
        ];
        if let (Some(certificate), Some(key)) = (&self.certificate, &self.key) {
            settings.extend([
                ("transport/link/tls/listen_certificate", json!(certificate)),
                ("transport/link/tls/listen_private_key", json!(key)),
            ]);
            if is_mutual {
                settings.extend([
                    ("transport/link/tls/connect_certificate", json!(certificate)),
                    ("transport/link/tls/connect_private_key", json!(key)),
                ]);
            }
        }
        settings
    }
}

/// Checks what can be known to be wrong before a file is opened.
pub(super) fn check(config: &ZenohConfig) -> Result<(), ConfigError> {
    let refuse = |expected, got: &str| {
        let got = got.chars().take(256).collect();
        Err(ConfigError::Tls { expected, got })
    };
    let is_tls = |endpoint: &&String| endpoint.starts_with("tls/");
    let mut endpoints = config.listen.iter().chain(&config.connect);
    let Some(tls) = &config.tls else {
        return match endpoints.find(is_tls) {
            Some(endpoint) => refuse("a table `tls` beside endpoints of tls", endpoint),
            None => Ok(()),
        };
    };
    if let Some(endpoint) = endpoints.find(|endpoint| !is_tls(endpoint)) {
        return refuse(
            "every endpoint to begin with tls/ beside a table `tls`",
            endpoint,
        );
    }
    let has_both = tls.certificate.is_some() && tls.key.is_some();
    if tls.certificate.is_some() != tls.key.is_some() {
        return refuse("`tls.certificate` and `tls.key` or neither", "one of them");
    }
    if !config.listen.is_empty() && !has_both {
        return refuse(
            "`tls.certificate` and `tls.key` for those who listen",
            "neither",
        );
    }
    if tls.peer_certificates == PeerCertificates::Required && !has_both {
        return refuse(
            "`tls.certificate` and `tls.key` where both sides prove themselves",
            "neither",
        );
    }
    Ok(())
}
