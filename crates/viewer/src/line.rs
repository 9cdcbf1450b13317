//! The way to the drawing thread: a bounded queue that never holds anybody up.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use flume::{Receiver, Sender, TrySendError};
use rerun::sink::SinkFlushError;

use crate::tally::Tally;
use crate::{FlushOutcome, QueueFull, ViewerConfig, ViewerError};

/// What turns drawings of one kind into log messages, on the drawing thread.
pub(crate) trait Artist<D>: Send + 'static {
    /// Draws one thing.
    fn draw(&mut self, drawing: D);

    /// Waits until all that was drawn has left the process.
    fn flush(&self, wait_max: Duration) -> Result<(), SinkFlushError>;
}

/// What the drawing thread is asked to do.
enum Order<D> {
    Draw(D),
    Flush {
        wait_max: Duration,
        done: Sender<FlushOutcome>,
    },
}

/// What became of a drawing on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sent {
    Queued,
    Dropped,
}

/// The caller's end of the drawing thread.
pub(crate) struct Line<D> {
    /// There until the line is closed.
    orders: Option<Sender<Order<D>>>,
    closed: Receiver<()>,
    tally: Arc<Tally>,
    queue_full: QueueFull,
    close_wait_max: Duration,
}

impl<D> fmt::Debug for Line<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Line")
            .field("tally", &self.tally)
            .finish_non_exhaustive()
    }
}

impl<D: Send + 'static> Line<D> {
    /// Starts the drawing thread.
    pub(crate) fn start(
        mut artist: impl Artist<D>,
        config: &ViewerConfig,
        tally: Arc<Tally>,
    ) -> Result<Self, ViewerError> {
        let (orders, orders_in) = flume::bounded(config.queue_len_max.max(1));
        let (closed_out, closed) = flume::bounded(1);
        std::thread::Builder::new()
            .name("viewer".to_owned())
            .spawn(move || {
                work(&mut artist, &orders_in);
                // Dropping the recording flushes it.
                drop(artist);
                // Nobody may be waiting any more.
                closed_out.send(()).ok();
            })
            .map_err(|source| ViewerError::Thread { source })?;
        Ok(Self {
            orders: Some(orders),
            closed,
            tally,
            queue_full: config.queue_full,
            close_wait_max: config.close_wait_max,
        })
    }

    pub(crate) fn tally(&self) -> &Tally {
        &self.tally
    }

    /// Hands a drawing over, or counts it as dropped.
    pub(crate) fn send(&self, drawing: impl FnOnce() -> D) -> Sent {
        let sent = self.try_send(drawing);
        match sent {
            Sent::Queued => self.tally.drawn(),
            Sent::Dropped => self.tally.dropped(),
        }
        sent
    }

    fn try_send(&self, drawing: impl FnOnce() -> D) -> Sent {
        let Some(orders) = &self.orders else {
            return Sent::Dropped;
        };
        // Without waiting, a full queue spares the copy too.
        let wait_max = match self.queue_full {
            QueueFull::Drop if orders.is_full() => return Sent::Dropped,
            QueueFull::Drop => Duration::ZERO,
            QueueFull::Wait(wait_max) => wait_max,
        };
        let sent = match orders.try_send(Order::Draw(drawing())) {
            Err(TrySendError::Full(order)) if !wait_max.is_zero() => {
                orders.send_timeout(order, wait_max).is_ok()
            }
            sent => sent.is_ok(),
        };
        if sent { Sent::Queued } else { Sent::Dropped }
    }

    /// Waits, at most this long, until all that was drawn before has left the process.
    pub(crate) fn flush(&self, wait_max: Duration) -> FlushOutcome {
        let Some(orders) = &self.orders else {
            return FlushOutcome::Done;
        };
        let (done, outcome) = flume::bounded(1);
        if orders
            .send_timeout(Order::Flush { wait_max, done }, wait_max)
            .is_err()
        {
            return FlushOutcome::TimedOut;
        }
        outcome
            .recv_timeout(wait_max)
            .unwrap_or(FlushOutcome::TimedOut)
    }
}

impl<D> Drop for Line<D> {
    fn drop(&mut self) {
        // Without orders the thread flushes and ends. It is not joined: a viewer that never
        // listened would hold it, and us, for ever.
        drop(self.orders.take());
        if self.closed.recv_timeout(self.close_wait_max).is_err() {
            let counts = self.tally.counts();
            tracing::warn!(?counts, "viewer did not take the last drawings in time");
        }
    }
}

/// The drawing thread's life: until nobody can order any more, then all that is left goes out.
fn work<D>(artist: &mut impl Artist<D>, orders: &Receiver<Order<D>>) {
    for order in orders {
        match order {
            Order::Draw(drawing) => artist.draw(drawing),
            Order::Flush { wait_max, done } => {
                let outcome = match artist.flush(wait_max) {
                    Ok(()) => FlushOutcome::Done,
                    Err(SinkFlushError::Timeout) => FlushOutcome::TimedOut,
                    Err(_) => FlushOutcome::Failed,
                };
                // The caller may have stopped waiting.
                done.send(outcome).ok();
            }
        }
    }
}
