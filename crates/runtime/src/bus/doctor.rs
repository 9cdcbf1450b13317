//! Judgements on what was found on a machine and its network: well, doubtful or broken, and what to
//! do about it. Whoever asks gathers the facts; here is only what they mean.

mod facts;
pub mod latency;

use std::fmt;
use std::time::Duration;

use sedge_transport::Received;
use serde::Serialize;

use super::{Agreement, ClockView, StreamView};
use crate::registry::schema_of_message;

pub use facts::{Bytes, disk_space, locked_bytes_max, real_time_answer, version_in};

/// Room that shared memory should have: a pool of pictures for one robot.
const SHARED_BYTES_MIN: u64 = 64 << 20;
/// A clock that is further away makes ages and latencies across machines worthless.
const OFFSET_SECS_MAX: f64 = 0.010;
/// A bound wider than this says too little.
const OFFSET_ERROR_SECS_MAX: f64 = 0.010;

/// How good something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Verdict {
    /// As it should be.
    Ok,
    /// It works, with something missing or doubtful.
    Warn,
    /// It does not work.
    Fail,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ok => "OK",
            Self::Warn => "WARN",
            Self::Fail => "FAIL",
        })
    }
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Check {
    /// What was looked at.
    pub subject: String,
    /// How good it is.
    pub verdict: Verdict,
    /// What was found.
    pub found: String,
    /// What to do, unless it is as it should be.
    pub advice: Option<String>,
}

impl Check {
    fn ok(subject: impl Into<String>, found: impl Into<String>) -> Self {
        Self {
            subject: subject.into(),
            verdict: Verdict::Ok,
            found: found.into(),
            advice: None,
        }
    }

    fn but(self, verdict: Verdict, advice: impl Into<String>) -> Self {
        Self {
            verdict,
            advice: Some(advice.into()),
            ..self
        }
    }
}

/// The worst of them; nothing looked at is as it should be.
pub fn worst(checks: &[Check]) -> Verdict {
    let verdicts = checks.iter().map(|check| check.verdict);
    verdicts.max().unwrap_or(Verdict::Ok)
}

/// What became of dialling an end point.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Dialled {
    /// Somebody accepted.
    Accepted,
    /// The machine is there, and nobody listens at the port.
    Refused,
    /// Nothing came back in time.
    Silent(Duration),
    /// The host's name means nothing, or another error of the system.
    Error(String),
    /// It is of a kind that cannot be tried alone.
    NotTried,
}

/// Whether an end point can be reached.
pub fn end_point(end_point: &str, dialled: &Dialled) -> Check {
    let check = |found: String| Check::ok(format!("end point {end_point}"), found);
    match dialled {
        Dialled::Accepted => check("accepts connections".into()),
        Dialled::NotTried => check("not tried by itself: see peers".into()),
        Dialled::Refused => check("refused: the machine is there, nobody listens".into()).but(
            Verdict::Fail,
            "start `sedge router`, `sedge play` or `sedge agent` there, or mend the port: \
             it must be what that one's --listen says",
        ),
        Dialled::Silent(waited) => check(format!("no answer within {waited:?}")).but(
            Verdict::Fail,
            "look at the address, whether the machine is on, and at firewalls between here and \
             there",
        ),
        Dialled::Error(error) => check(error.clone()).but(
            Verdict::Fail,
            "look at the host's name: `getent hosts NAME` must find it",
        ),
    }
}

/// A session that could not be opened, and why.
pub fn no_session(error: &str) -> Check {
    Check::ok("session", error).but(
        Verdict::Fail,
        "mend what it names: an address in use, a host that does not exist, an end point that is \
         none",
    )
}

/// A session at the other end of a link.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PeerFact {
    /// Its identity.
    pub id: String,
    /// `peer`, `router` or `client`.
    pub kind: String,
    /// Where its links lead.
    pub links: Vec<String>,
}

/// Whether as many are connected as were dialled, and who they are.
pub fn peers(dialled: usize, peers: &[PeerFact]) -> Check {
    let words: Vec<String> = peers
        .iter()
        .map(|peer| format!("{} {} ({})", peer.kind, peer.id, peer.links.join(", ")))
        .collect();
    let found = match peers.len() {
        0 => "none".to_owned(),
        n => format!("{n}: {}", words.join("; ")),
    };
    let check = Check::ok("peers", found);
    if peers.is_empty() {
        return check.but(
            Verdict::Fail,
            "see the end points; where one accepts, is it a Sedge or Zenoh 1.x program?",
        );
    }
    if peers.len() < dialled {
        let advice = format!("{dialled} were dialled: see the end points above");
        return check.but(Verdict::Warn, advice);
    }
    check
}

/// Whether messages came.
pub fn traffic(streams: &[StreamView], waited: Duration) -> Check {
    let heard = streams.iter().filter(|stream| stream.messages > 0);
    let messages: u64 = streams.iter().map(|stream| stream.messages).sum();
    let found = format!(
        "{messages} messages on {} streams in {waited:?}",
        heard.count()
    );
    let check = Check::ok("traffic", found);
    if messages > 0 {
        return check;
    }
    check.but(
        Verdict::Warn,
        "whoever publishes may be reached by others only: peers do not relay, so dial the \
         publisher itself, listen where it can dial (--listen), or run `sedge router` between",
    )
}

/// Whether what came could be read, stream by stream where it could not.
pub fn schemas(streams: &[StreamView]) -> Vec<Check> {
    let mut checks = Vec::new();
    for stream in streams {
        if let Agreement::Refused(why) = &stream.agreement {
            checks.push(
                Check::ok(format!("schema of {}", stream.key), why.clone()).but(
                    Verdict::Fail,
                    "run the same version on both sides, or see `sedge schema diff`",
                ),
            );
        }
        if let Some(error) = stream.last_error.as_ref().filter(|_| stream.malformed > 0) {
            let found = format!("{} malformed, the last: {error}", stream.malformed);
            checks.push(Check::ok(format!("messages of {}", stream.key), found).but(
                Verdict::Fail,
                "its sender does not follow schemas/oni/README.md; `sedge echo` shows the bytes",
            ));
        }
    }
    let of = |agreement: &Agreement| {
        let those = streams
            .iter()
            .filter(|stream| stream.agreement == *agreement);
        those.count()
    };
    let (same, compatible) = (of(&Agreement::Same), of(&Agreement::Compatible));
    let found = format!("{same} streams as here, {compatible} compatible");
    let check = Check::ok("schemas", found);
    match of(&Agreement::Unknown) {
        0 => checks.push(check),
        n => {
            let advice = format!("{n} streams have schemas that this version does not know");
            checks.push(check.but(Verdict::Warn, advice));
        }
    }
    checks
}

/// How a schema that a program serves stands to the one of its name here.
enum Served {
    Fits,
    Unknown,
    Refused(String),
}

impl Served {
    fn of(answer: &Received) -> Self {
        let document = match schema_of_message(&answer.message) {
            Ok(document) => document,
            Err(error) => return Self::Refused(error.to_string()),
        };
        let theirs = document.schema();
        let mut known = sedge_oni::schemas().iter();
        let ours = known.find(|ours| ours.id.name == theirs.id.name);
        match ours.map(|ours| ours.check_sender(theirs)) {
            None => Self::Unknown,
            Some(Ok(())) => Self::Fits,
            Some(Err(mismatch)) => Self::Refused(mismatch.to_string()),
        }
    }
}

/// Whether the schemas that programs serve on being asked fit those known here.
pub fn served_schemas(answers: &[Received]) -> Vec<Check> {
    let mut checks = Vec::new();
    let mut unknown = 0;
    for answer in answers {
        match Served::of(answer) {
            Served::Fits => {}
            Served::Unknown => unknown += 1,
            Served::Refused(why) => {
                let subject = format!("schema served under {}", answer.key);
                checks.push(Check::ok(subject, why).but(
                    Verdict::Fail,
                    "run the same version on both sides, or see `sedge schema diff`",
                ));
            }
        }
    }
    let found = format!("{} answers, {unknown} of types unknown here", answers.len());
    let check = Check::ok("schemas served", found);
    if answers.is_empty() {
        let advice = "nobody answers for its schemas: readers of other versions will refuse it";
        checks.push(check.but(Verdict::Warn, advice));
    } else {
        checks.push(check);
    }
    checks
}

/// Whether messages were lost on the way here, or by us: `dropped` is what our own ring lost.
pub fn losses(streams: &[StreamView], dropped: u64) -> Check {
    let sum = |of: fn(&StreamView) -> u64| streams.iter().map(of).sum::<u64>();
    let lost = sum(|stream| stream.loss.lost);
    let (duplicated, reordered) = (
        sum(|stream| stream.loss.duplicated),
        sum(|stream| stream.loss.reordered),
    );
    let found = format!("{lost} lost, {duplicated} duplicated, {reordered} reordered");
    let check = Check::ok("losses", found);
    if dropped > 0 {
        let advice = format!("this program itself was too slow for {dropped} messages");
        return check.but(Verdict::Warn, advice);
    }
    if lost == 0 {
        return check;
    }
    let worst = streams.iter().max_by_key(|stream| stream.loss.lost);
    let key = worst.map_or("", |stream| stream.key.as_str());
    let advice = format!("most on {key}: is the link too slow for it? `sedge bw` shows its bytes");
    check.but(Verdict::Warn, advice)
}

/// How far each agent's clock is from ours.
pub fn clocks(views: &[ClockView]) -> Vec<Check> {
    let millis = |secs: f64| format!("{:.3} ms", secs * 1e3);
    let check = |view: &ClockView| {
        let subject = format!("clock of {}", view.agent);
        let (Some(offset), Some(error)) = (view.offset_secs, view.error_secs) else {
            let found = format!(
                "ahead by at least {}, by how much more is unknown",
                millis(view.ahead_secs_min)
            );
            return Check::ok(subject, found).but(
                Verdict::Warn,
                "it answers no query, so nothing bounds it from above",
            );
        };
        if view.is_ours {
            return Check::ok(subject, "this machine's own");
        }
        let declared = view.declared_error_secs;
        let account = declared.map_or_else(String::new, |declared| {
            format!(
                "; by its own account within {} of {:?}",
                millis(declared),
                view.clock
            )
        });
        let found = format!(
            "{} ahead of ours, within {} ({} stamps){account}",
            millis(offset),
            millis(error),
            view.stamps
        );
        let check = Check::ok(subject, found);
        if let Some((other, apart)) = apart_from(view, views) {
            let apart = millis(apart);
            let advice = format!(
                "it and that of {other} seem {apart} apart or more, which is more than both say \
                 they may be off: ask `chronyc tracking` or `pmc` on both machines, or again \
                 when messages are as quick as answers"
            );
            check.but(Verdict::Warn, advice)
        } else if offset.abs() - error > OFFSET_SECS_MAX {
            check.but(Verdict::Warn, "set both clocks by PTP or NTP (chrony)")
        } else if error > OFFSET_ERROR_SECS_MAX {
            check.but(Verdict::Warn, "the link is too slow to say more")
        } else {
            check
        }
    };
    views.iter().map(check).collect()
}

/// Whose clock is not within what is said of both, though they have the same name, and how far
/// apart the two are at least, in seconds: as certain as their offsets, which take the quickest
/// message to have taken no longer than the quickest answer.
fn apart_from<'v>(view: &ClockView, views: &'v [ClockView]) -> Option<(&'v str, f64)> {
    let known = |view: &ClockView| {
        let (offset, error) = (view.offset_secs?, view.error_secs?);
        Some((offset, error, view.declared_error_secs?))
    };
    let (offset, error, declared) = known(view)?;
    let others = views.iter().filter(|other| other.clock == view.clock);
    let apart = others.filter_map(|other| {
        let (its_offset, its_error, its_declared) = known(other)?;
        let apart = (offset - its_offset).abs() - error - its_error;
        (apart > declared + its_declared).then_some((other.agent.as_str(), apart))
    });
    apart.max_by(|a, b| a.1.total_cmp(&b.1))
}

/// Whether shared memory has room; `None` where the system does not say.
pub fn shared_memory(space: Option<Bytes>) -> Check {
    let Some(space) = space else {
        return Check::ok("shared memory", "/dev/shm: its size cannot be read")
            .but(Verdict::Warn, "large messages go over the network instead");
    };
    let mib = |bytes: u64| bytes >> 20;
    let found = format!(
        "/dev/shm: {} MiB free of {} MiB",
        mib(space.free),
        mib(space.size)
    );
    let check = Check::ok("shared memory", found);
    if space.free >= SHARED_BYTES_MIN {
        return check;
    }
    let advice = format!(
        "{} MiB should be free; in a container: `docker run --shm-size=256m`",
        mib(SHARED_BYTES_MIN)
    );
    check.but(Verdict::Warn, advice)
}

/// Whether shared segments can be locked: Zenoh locks each one that it maps, as many bytes as
/// `limit`; the outer `None` where the system does not say, the inner where there is no limit.
pub fn locked_memory(limit: Option<Option<u64>>) -> Check {
    let check = |found: String| Check::ok("locked memory", found);
    match limit {
        None => check("its limit cannot be read".into()).but(
            Verdict::Warn,
            "see `ulimit -l`: shared segments are locked in memory",
        ),
        Some(None) => check("no limit".into()),
        Some(Some(bytes)) if bytes >= SHARED_BYTES_MIN => {
            check(format!("limit {} MiB", bytes >> 20))
        }
        Some(Some(bytes)) => {
            let advice = "shared segments are locked in memory: `ulimit -l unlimited`, \
                          LimitMEMLOCK=infinity (systemd), or --ulimit memlock=-1 (docker)";
            check(format!("limit {} KiB", bytes >> 10)).but(Verdict::Warn, advice)
        }
    }
}

/// What became of asking for real-time scheduling.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RealTime {
    /// It was granted.
    Granted,
    /// It was not; what the system said.
    Denied(String),
    /// It could not be tried; why.
    NotTried(String),
}

/// Whether real-time scheduling is permitted, by trying.
pub fn real_time(tried: &RealTime) -> Check {
    let check = |found: &str| Check::ok("real time", found);
    let advice = "give the user `rtprio 99` in /etc/security/limits.d, LimitRTPRIO=99 (systemd), \
                  or --cap-add SYS_NICE (docker)";
    match tried {
        RealTime::Granted => check("SCHED_FIFO granted"),
        RealTime::Denied(why) => {
            check(&format!("SCHED_FIFO denied: {why}")).but(Verdict::Warn, advice)
        }
        RealTime::NotTried(why) => {
            check(&format!("not tried: {why}")).but(Verdict::Warn, "install util-linux (`chrt`)")
        }
    }
}

/// Whether the viewer is the one that recordings are made for; `found` is its version, if there is
/// one.
pub fn viewer(wanted: &str, found: Option<&str>) -> Check {
    let advice = format!("`pip install rerun-sdk=={wanted}`");
    match found {
        None => Check::ok("viewer", "no `rerun` in PATH").but(Verdict::Warn, advice),
        Some(found) if found == wanted => Check::ok("viewer", format!("rerun {found}")),
        Some(found) => Check::ok("viewer", format!("rerun {found}, made for {wanted}"))
            .but(Verdict::Warn, advice),
    }
}

/// Where networks can run: name and count of each kind that this build can use.
pub fn devices(built: &[(String, usize)]) -> Check {
    let words: Vec<String> = built
        .iter()
        .map(|(name, n)| format!("{n} {name}"))
        .collect();
    let check = Check::ok("devices", words.join(", "));
    if built.iter().any(|(_, n)| *n > 0) {
        check
    } else {
        check.but(
            Verdict::Fail,
            "networks can run nowhere: see `sedge devices`",
        )
    }
}

#[cfg(test)]
mod tests;
