//! Small messages of a lossless stream, gathered into one sample while the link takes the last.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use sedge_oni::{Bundle, EncodedMessage};
use zenoh::bytes::ZBytes;

/// A bundle as Zenoh takes it.
#[derive(Clone)]
pub(crate) struct Gathered {
    pub(crate) attachment: ZBytes,
    pub(crate) payload: ZBytes,
    pub(crate) n_messages: usize,
}

impl Gathered {
    fn of(bundle: Bundle) -> Self {
        let n_messages = bundle.len();
        let (attachment, payload) = bundle.into_parts();
        Self {
            attachment: attachment.into(),
            payload: payload.into(),
            n_messages,
        }
    }
}

#[derive(Default)]
struct State {
    open: Bundle,
    /// What found no session; it goes before the open one.
    unsent: Option<Gathered>,
    /// Somebody will take what is here.
    is_promised: bool,
    n_waiting: usize,
}

impl State {
    fn is_empty(&self) -> bool {
        self.open.is_empty() && self.unsent.is_none() && !self.is_promised
    }
}

/// What a message met.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Added {
    /// It will be taken.
    Promised,
    /// It is in, and whoever put it must send for somebody to take it.
    Unpromised,
    /// There was no room in time, and somebody will make some.
    Full,
    /// There was no room in time, and somebody must be sent for.
    Stuck,
}

/// One publisher puts, one thread takes.
#[derive(Default)]
pub(crate) struct Gather {
    state: Mutex<State>,
    taken: Condvar,
}

impl Gather {
    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing below leaves the state half changed, so a poisoned lock is as good as any.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits, at most for `hold`, while something is so.
    fn wait_while<'s>(
        &'s self,
        mut state: MutexGuard<'s, State>,
        hold: Duration,
        is_so: impl Fn(&State) -> bool,
    ) -> MutexGuard<'s, State> {
        if is_so(&state) {
            state.n_waiting += 1;
            let waited = self
                .taken
                .wait_timeout_while(state, hold, |state| is_so(state));
            (state, _) = waited.unwrap_or_else(PoisonError::into_inner);
            state.n_waiting -= 1;
        }
        state
    }

    /// Adds a small message, waiting for room for at most `hold`.
    pub(crate) fn add(&self, message: &EncodedMessage, hold: Duration) -> Added {
        let (header, payload) = (message.header(), message.payload());
        let mut state = self.lock();
        let mut is_in = state.open.push(header, payload);
        if !is_in {
            state = self.wait_while(state, hold, |state| !state.open.is_empty());
            is_in = state.open.push(header, payload);
        }
        let was_promised = std::mem::replace(&mut state.is_promised, true);
        match (is_in, was_promised) {
            (true, true) => Added::Promised,
            (true, false) => Added::Unpromised,
            (false, true) => Added::Full,
            (false, false) => Added::Stuck,
        }
    }

    /// Waits, at most for `hold`, until all was sent; whether it is.
    pub(crate) fn wait_until_empty(&self, hold: Duration) -> bool {
        let state = self.wait_while(self.lock(), hold, |state| !state.is_empty());
        state.is_empty()
    }

    /// Whether something is here that nobody was sent for: that is to be done now.
    pub(crate) fn promise(&self) -> bool {
        let mut state = self.lock();
        let is_waiting = !state.open.is_empty() || state.unsent.is_some();
        is_waiting && !std::mem::replace(&mut state.is_promised, true)
    }

    /// The next bundle; whoever took the last has to ask again until there is none.
    pub(crate) fn take(&self) -> Option<Gathered> {
        let mut state = self.lock();
        let unsent = state.unsent.take();
        let next = unsent.or_else(|| {
            let open = std::mem::take(&mut state.open);
            (!open.is_empty()).then(|| Gathered::of(open))
        });
        state.is_promised = next.is_some();
        let must_wake = state.n_waiting > 0;
        drop(state);
        if must_wake {
            self.taken.notify_all();
        }
        next
    }

    /// Takes a bundle back that could not be sent; it waits until somebody is sent for.
    pub(crate) fn take_back(&self, unsent: Gathered) {
        let mut state = self.lock();
        state.unsent = Some(unsent);
        state.is_promised = false;
    }

    /// Nobody could be sent for after all.
    pub(crate) fn break_promise(&self) {
        self.lock().is_promised = false;
    }

    /// Forgets what is here, and says how many messages that were.
    pub(crate) fn clear(&self) -> usize {
        let mut n_messages = 0;
        while let Some(gathered) = self.take() {
            n_messages += gathered.n_messages;
        }
        n_messages
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(payload: &[u8]) -> EncodedMessage {
        EncodedMessage::copy_of(b"header", payload)
    }

    /// Adds until there is no room, and says how many went in.
    fn fill(gather: &Gather) -> usize {
        let add = || gather.add(&message(&[7; 900]), Duration::ZERO);
        std::iter::repeat_with(add)
            .take_while(|added| matches!(added, Added::Promised | Added::Unpromised))
            .count()
    }

    #[test]
    fn one_is_sent_for_and_takes_all_there_is() {
        let gather = Gather::default();
        assert!(gather.wait_until_empty(Duration::ZERO) && !gather.promise());
        let add = |byte| gather.add(&message(&[byte]), Duration::ZERO);
        assert_eq!(
            [1, 2, 3].map(add),
            [Added::Unpromised, Added::Promised, Added::Promised]
        );
        assert!(!gather.wait_until_empty(Duration::ZERO));
        let gathered = gather.take().unwrap();
        assert_eq!(gathered.n_messages, 3);
        assert_eq!(add(4), Added::Promised, "who took the last asks again");
        assert_eq!(gather.take().unwrap().n_messages, 1);
        assert!(!gather.wait_until_empty(Duration::ZERO), "it is being sent");
        assert!(gather.take().is_none() && gather.wait_until_empty(Duration::ZERO));
        assert_eq!(add(5), Added::Unpromised);
    }

    #[test]
    fn what_was_not_sent_goes_first_once_somebody_is_sent_for() {
        let gather = Gather::default();
        let n_first = fill(&gather);
        assert!(n_first > 60);
        let first = gather.take().unwrap();
        let n_second = fill(&gather);
        gather.take_back(first);
        assert_eq!(
            gather.add(&message(&[7; 900]), Duration::ZERO),
            Added::Stuck
        );
        assert_eq!(gather.add(&message(&[7; 900]), Duration::ZERO), Added::Full);
        assert_eq!(gather.take().unwrap().n_messages, n_first);
        gather.take_back(gather.take().unwrap());
        assert!(gather.promise() && !gather.promise(), "once");
        assert_eq!(gather.clear(), n_second);
        assert!(!gather.promise() && gather.wait_until_empty(Duration::ZERO));
    }

    #[test]
    fn who_waits_for_room_gets_it() {
        let gather = Gather::default();
        fill(&gather);
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| gather.add(&message(&[8; 900]), Duration::MAX));
            let taken = gather.take().unwrap();
            assert!(taken.n_messages > 60);
            assert_eq!(waiting.join().unwrap(), Added::Promised);
        });
        assert_eq!(gather.clear(), 1);
    }
}
