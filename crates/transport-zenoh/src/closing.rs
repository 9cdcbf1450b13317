//! Sessions that are being closed, which may take long.

use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use zenoh::Wait as _;
use zenoh::session::ZenohId;

/// How long is waited for a session to be closed before its successor is opened. A session gives
/// back its ports first and tells its peers then, for which it waits behind what is stalled.
const CLOSE_WAIT: Duration = Duration::from_millis(250);

struct Running {
    session: ZenohId,
    ended: Receiver<()>,
}

/// At most one session that is closed by a thread of its own.
#[derive(Default)]
pub(crate) struct Closing(Mutex<Option<Running>>);

impl Closing {
    /// Closes a session and waits for that, but not for long. An earlier one that still is not
    /// closed is waited for until it is, or until Zenoh gives up, which it does within 10 s.
    pub(crate) fn close(&self, session: &zenoh::Session) {
        let mut running = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(earlier) = running.take_if(|earlier| earlier.session != session.zid())
            && earlier.ended.recv().is_err()
        {
            tracing::error!("the thread that closed a session panicked");
        }
        let started = match running.take() {
            Some(same) => Some(same),
            None => start(session),
        };
        let Some(closing) = started else {
            return;
        };
        if closing.ended.recv_timeout(CLOSE_WAIT) == Err(RecvTimeoutError::Timeout) {
            tracing::warn!("the old session is still being closed");
            *running = Some(closing);
        }
    }
}

/// Closes it in another thread; in this one where the system gives none.
fn start(session: &zenoh::Session) -> Option<Running> {
    let (end, ended) = sync_channel(1);
    let of_thread = session.clone();
    let thread = std::thread::Builder::new().name("oni-close".to_string());
    let spawned = thread.spawn(move || {
        close(&of_thread);
        if end.send(()).is_err() {
            tracing::debug!("nobody waits for the old session any more");
        }
    });
    match spawned {
        Ok(_) => Some(Running {
            session: session.zid(),
            ended,
        }),
        Err(error) => {
            tracing::error!(%error, "no thread to close a session");
            close(session);
            None
        }
    }
}

fn close(session: &zenoh::Session) {
    // What it refuses, or does not finish in time, the system does when the process ends.
    if let Err(error) = session.close().wait() {
        tracing::warn!(%error, "session.close");
    }
}
