//! Where drawings go, as people say it: `off`, `file PATH`, `serve ADDR`, `connect URL`, `spawn`.

use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::str::FromStr;

use rerun::external::re_uri::ProxyUri;
use serde::{Deserialize, Serialize};

/// Where a server listens, and where `connect` looks, unless told otherwise.
const PORT: u16 = rerun::DEFAULT_SERVER_PORT;

/// Where drawings go.
///
/// Its text is one kind and at most one place, apart by blanks, the same on the command line (as
/// one word or two) and in launch files: `off`, `file PATH`, `serve [IP:PORT]`, `connect [URL]`,
/// `spawn`.
///
/// ```
/// use sedge_viewer::ViewerTarget;
///
/// let target: ViewerTarget = "serve".parse()?;
/// assert_eq!(target.to_string(), "serve 127.0.0.1:9876");
/// # Ok::<(), sedge_viewer::TargetError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum ViewerTarget {
    /// Nowhere: every drawing costs one branch.
    #[default]
    Off,
    /// A recording file, written as the run goes on; an old file of that name is replaced.
    File(PathBuf),
    /// A server inside this process that viewers may connect to, at any time. Loopback unless an
    /// address is given: the server has no password.
    Serve(SocketAddr),
    /// A viewer that listens somewhere, also one that is started later.
    Connect(String),
    /// A viewer on this machine's screen, started by us.
    Spawn,
}

/// Why a text is no target.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TargetError {
    /// The first word is none we know.
    #[error(
        "expected `off`, `file PATH`, `serve [IP:PORT]`, `connect [URL]` or `spawn`, got {got:?}"
    )]
    UnknownKind {
        /// What came.
        got: String,
    },
    /// `file` without a path.
    #[error("expected a path after `file`, got nothing")]
    NoPath,
    /// The place after `serve` is no socket address.
    #[error("expected `serve IP:PORT`, such as `serve 127.0.0.1:9876`, got {got:?}")]
    BadAddress {
        /// What came.
        got: String,
    },
    /// The place after `connect` is no viewer's URL.
    #[error("expected `connect rerun+http://HOST:PORT/proxy`, got {got:?}: {reason}")]
    BadUrl {
        /// What came.
        got: String,
        /// What the parser of URLs says.
        reason: String,
    },
    /// A kind that stands alone was followed by something.
    #[error("expected nothing after `{kind}`, got {got:?}")]
    Surplus {
        /// The kind.
        kind: &'static str,
        /// What came after it.
        got: String,
    },
}

impl ViewerTarget {
    /// From the words after `--rerun`; no word at all is [`ViewerTarget::Off`].
    ///
    /// # Errors
    /// [`TargetError`] when the words are no target.
    pub fn parse_words(words: &[String]) -> Result<Self, TargetError> {
        if words.is_empty() {
            Ok(Self::Off)
        } else {
            words.join(" ").parse()
        }
    }
}

impl FromStr for ViewerTarget {
    type Err = TargetError;

    fn from_str(text: &str) -> Result<Self, TargetError> {
        let text = text.trim();
        let (kind, place) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
        let place = place.trim();
        let alone = |kind: &'static str, target: Self| match place {
            "" => Ok(target),
            _ => Err(TargetError::Surplus {
                kind,
                got: place.to_owned(),
            }),
        };
        match kind {
            "off" => alone("off", Self::Off),
            "spawn" => alone("spawn", Self::Spawn),
            "file" if place.is_empty() => Err(TargetError::NoPath),
            "file" => Ok(Self::File(PathBuf::from(place))),
            "serve" => address(place).map(Self::Serve),
            "connect" => url(place).map(Self::Connect),
            _ => Err(TargetError::UnknownKind {
                got: kind.to_owned(),
            }),
        }
    }
}

fn address(place: &str) -> Result<SocketAddr, TargetError> {
    if place.is_empty() {
        return Ok(SocketAddr::from((Ipv4Addr::LOCALHOST, PORT)));
    }
    let bad = |_error| TargetError::BadAddress {
        got: place.to_owned(),
    };
    place.parse().map_err(bad)
}

fn url(place: &str) -> Result<String, TargetError> {
    let place = if place.is_empty() {
        rerun::DEFAULT_CONNECT_URL
    } else {
        place
    };
    match place.parse::<ProxyUri>() {
        Ok(_) => Ok(place.to_owned()),
        Err(error) => Err(TargetError::BadUrl {
            got: place.to_owned(),
            reason: error.to_string(),
        }),
    }
}

impl fmt::Display for ViewerTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Off => f.write_str("off"),
            Self::File(path) => write!(f, "file {}", path.display()),
            Self::Serve(address) => write!(f, "serve {address}"),
            Self::Connect(url) => write!(f, "connect {url}"),
            Self::Spawn => f.write_str("spawn"),
        }
    }
}

impl TryFrom<String> for ViewerTarget {
    type Error = TargetError;

    fn try_from(text: String) -> Result<Self, TargetError> {
        text.parse()
    }
}

impl From<ViewerTarget> for String {
    fn from(target: ViewerTarget) -> Self {
        target.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_target_is_read_and_written_alike() {
        for (text, written) in [
            ("off", "off"),
            (" file  a run.rrd ", "file a run.rrd"),
            ("serve", "serve 127.0.0.1:9876"),
            ("serve 0.0.0.0:7000", "serve 0.0.0.0:7000"),
            ("connect", "connect rerun+http://127.0.0.1:9876/proxy"),
            (
                "connect rerun+http://crane3:9000/proxy",
                "connect rerun+http://crane3:9000/proxy",
            ),
            ("spawn", "spawn"),
        ] {
            let target: ViewerTarget = text.parse().unwrap();
            assert_eq!(target.to_string(), written);
            assert_eq!(written.parse(), Ok(target));
        }
    }

    #[test]
    fn texts_that_are_no_target_are_refused_with_what_was_expected() {
        for (text, part) in [
            ("", "expected `off`, `file PATH`"),
            ("File x", "got \"File\""),
            ("file", "expected a path"),
            ("serve 9876", "expected `serve IP:PORT`"),
            ("serve localhost:9876", "got \"localhost:9876\""),
            (
                "connect http://127.0.0.1:9876",
                "expected `connect rerun+http://",
            ),
            ("connect nonsense", "got \"nonsense\""),
            ("off now", "expected nothing after `off`, got \"now\""),
            ("spawn x", "expected nothing after `spawn`"),
        ] {
            let error = text.parse::<ViewerTarget>().unwrap_err().to_string();
            assert!(error.contains(part), "{text:?}: {error}");
        }
    }

    #[test]
    fn words_of_the_command_line_are_one_text() {
        let words = |words: &[&str]| {
            ViewerTarget::parse_words(&words.iter().map(ToString::to_string).collect::<Vec<_>>())
        };
        assert_eq!(words(&[]), Ok(ViewerTarget::Off));
        assert_eq!(
            words(&["file", "x.rrd"]),
            Ok(ViewerTarget::File("x.rrd".into()))
        );
        assert_eq!(
            words(&["file x.rrd"]),
            Ok(ViewerTarget::File("x.rrd".into()))
        );
        assert_eq!(
            words(&["off", "x"]).unwrap_err().to_string(),
            "expected nothing after `off`, got \"x\""
        );
    }
}
