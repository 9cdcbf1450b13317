//! A client that waits for its router.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use sedge_transport::Signal;

use crate::session::Shared;

/// Whether somebody dials, and how to end that.
#[derive(Default)]
pub(crate) struct Dial {
    is_running: AtomicBool,
    stopped: Signal,
}

impl Dial {
    /// Ends the dialling, after the attempt that is being made.
    pub(crate) fn stop(&self) {
        self.stopped.wake()();
    }
}

/// Has a thread of its own dial until the stand-in is replaced; an attempt may take as long as a
/// link may take to open, and nobody waits for it. One such thread at most.
pub(crate) fn start(shared: &Arc<Shared>) {
    if shared.dial.is_running.swap(true, Ordering::AcqRel) {
        return;
    }
    let of_thread = Arc::downgrade(shared);
    let thread = std::thread::Builder::new().name("oni-dial".to_string());
    if let Err(error) = thread.spawn(move || run(&of_thread)) {
        tracing::error!(%error, "no thread to dial a router");
        shared.dial.is_running.store(false, Ordering::Release);
    }
}

fn run(shared: &Weak<Shared>) {
    let mut wait_millis = 0;
    while let Some(shared) = shared.upgrade() {
        let config = &shared.config;
        wait_millis =
            (wait_millis * 2).clamp(config.retry_first_millis, config.retry_longest_millis);
        shared.dial.stopped.wait(Duration::from_millis(wait_millis));
        if shared.is_closed() || !shared.is_stand_in() {
            break;
        }
        match shared.replace_stand_in() {
            Ok(()) => tracing::info!(endpoints = ?config.connect, "the router answered"),
            Err(error) => tracing::debug!(%error, "session.dial"),
        }
    }
    if let Some(shared) = shared.upgrade() {
        shared.dial.is_running.store(false, Ordering::Release);
    }
}
