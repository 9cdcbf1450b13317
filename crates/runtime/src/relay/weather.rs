//! Whether the link is cut now, for everybody who reads or writes.

use tokio::sync::watch;

use super::orders::Direction;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Sky {
    forward_cut: bool,
    back_cut: bool,
    /// How often every connection was to be reset.
    resets: u64,
}

impl Sky {
    fn is_cut(self, direction: Direction) -> bool {
        match direction {
            Direction::Forward => self.forward_cut,
            Direction::Back => self.back_cut,
        }
    }
}

/// What the relay decides.
#[derive(Debug)]
pub(super) struct Weather(watch::Sender<Sky>);

impl Weather {
    pub(super) fn new() -> Self {
        Self(watch::Sender::new(Sky::default()))
    }

    /// Cuts one direction, or both.
    pub(super) fn cut(&self, only: Option<Direction>) {
        self.0.send_modify(|sky| {
            sky.forward_cut = only != Some(Direction::Back);
            sky.back_cut = only != Some(Direction::Forward);
        });
    }

    pub(super) fn heal(&self) {
        self.0
            .send_modify(|sky| (sky.forward_cut, sky.back_cut) = (false, false));
    }

    pub(super) fn reset_connections(&self) {
        self.0.send_modify(|sky| sky.resets += 1);
    }

    /// As a new connection sees it.
    pub(super) fn outlook(&self) -> Outlook {
        let seen = self.0.subscribe();
        let resets = seen.borrow().resets;
        Outlook { seen, resets }
    }
}

/// What one connection sees of it. Waits end for good when the relay ends.
#[derive(Debug, Clone)]
pub(super) struct Outlook {
    seen: watch::Receiver<Sky>,
    resets: u64,
}

impl Outlook {
    pub(super) fn is_cut(&self, direction: Direction) -> bool {
        self.seen.borrow().is_cut(direction)
    }

    pub(super) fn is_cut_anywhere(&self) -> bool {
        self.is_cut(Direction::Forward) || self.is_cut(Direction::Back)
    }

    /// Waits until what is sent in this direction gets through.
    pub(super) async fn open(&mut self, direction: Direction) {
        self.until(|sky| !sky.is_cut(direction)).await;
    }

    /// Waits until nothing in this direction gets through.
    pub(super) async fn cut(&mut self, direction: Direction) {
        self.until(|sky| sky.is_cut(direction)).await;
    }

    /// Waits until new connections get through.
    pub(super) async fn open_both_ways(&mut self) {
        self.until(|sky| !sky.forward_cut && !sky.back_cut).await;
    }

    /// Waits until the connections that were there when this outlook was made are to be reset.
    pub(super) async fn reset(&mut self) {
        let resets = self.resets;
        self.until(|sky| sky.resets != resets).await;
        self.resets = self.seen.borrow().resets;
    }

    async fn until(&mut self, is_so: impl Fn(&Sky) -> bool) {
        if self.seen.wait_for(is_so).await.is_err() {
            // The relay has ended; its tasks are about to be dropped.
            std::future::pending::<()>().await;
        }
    }
}
