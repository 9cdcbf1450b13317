//! The thread that looks after a session.

use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use sedge_transport::{Reopen, Signal};

use crate::ZenohError;
use crate::pulse::Pulse;
use crate::session::Shared;

/// How often stops are repeated where there is no heartbeat to go by.
const TICK_WITHOUT_HEARTBEAT: Duration = Duration::from_millis(200);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Order {
    Watch,
    Reopen,
    Stop,
}

struct Orders {
    order: Mutex<Order>,
    changed: Signal,
}

impl Orders {
    fn give(&self, order: Order) {
        *self.order.lock().unwrap_or_else(PoisonError::into_inner) = order;
        self.changed.wake()();
    }

    /// What was ordered last; an order to reopen is carried out once.
    fn take(&self) -> Order {
        let mut order = self.order.lock().unwrap_or_else(PoisonError::into_inner);
        let taken = *order;
        if taken == Order::Reopen {
            *order = Order::Watch;
        }
        taken
    }
}

/// Ends the thread when it is stopped.
pub(crate) struct Watch {
    orders: Arc<Orders>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Watch {
    pub(crate) fn start(shared: &Arc<Shared>) -> Result<Self, ZenohError> {
        let orders = Arc::new(Orders {
            order: Mutex::new(Order::Watch),
            changed: Signal::new(),
        });
        let (of_thread, shared) = (Arc::clone(&orders), Arc::clone(shared));
        let thread = std::thread::Builder::new().name("oni-watch".to_string());
        let thread = thread.spawn(move || run(&shared, &of_thread));
        let thread = thread.map_err(|error| ZenohError::Thread {
            reason: error.to_string(),
        })?;
        Ok(Self {
            orders,
            thread: Mutex::new(Some(thread)),
        })
    }

    pub(crate) fn reopen_now(&self) {
        self.orders.give(Order::Reopen);
    }

    pub(crate) fn stop(&self) {
        self.orders.give(Order::Stop);
        let thread = self
            .thread
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if thread.is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the thread that watches the session panicked");
        }
    }
}

fn run(shared: &Arc<Shared>, orders: &Orders) {
    let epoch = shared.clock.now().nanos().unsigned_abs();
    let mut pulse = Pulse::new(&shared.config, &shared.session(), epoch);
    let period = match shared.config.heartbeat_millis {
        0 => TICK_WITHOUT_HEARTBEAT,
        millis => Duration::from_millis(millis),
    };
    let mut must_reopen = false;
    loop {
        if shared.is_stand_in() {
            crate::dial::start(shared);
        }
        let is_early = orders.changed.wait(period);
        match orders.take() {
            Order::Stop => return,
            Order::Reopen => must_reopen = true,
            Order::Watch => {}
        }
        if !is_early {
            shared.tick();
            let reopen = pulse
                .as_mut()
                .and_then(|pulse| pulse.tick(&shared.session()));
            if let Some(reopen) = reopen {
                let Reopen { peer, state } = &reopen;
                tracing::warn!(%peer, ?state, "no data comes though the link looks alive");
                must_reopen = true;
            }
        }
        if must_reopen {
            if let Some(pulse) = &mut pulse {
                pulse.reopened();
            }
            match shared.reopen() {
                Ok(()) => must_reopen = false,
                // Tried again with the next tick: an address may not be free yet.
                Err(error) => tracing::warn!(%error, "session.reopen"),
            }
        }
    }
}
