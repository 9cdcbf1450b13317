//! Threads that imagine, each with a share of the plans.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

use crate::imagination::Rollout;
use crate::recurrent_core::Sequences;

/// A thread that waits for plans.
struct Worker {
    /// `None` only while it is being dropped.
    plans: Option<SyncSender<Box<Rollout>>>,
    imagined: Receiver<Box<Rollout>>,
    thread: Option<JoinHandle<()>>,
}

impl Worker {
    fn start(idx: usize, sequences: Arc<Sequences>) -> std::io::Result<Self> {
        let (plans, inbox) = sync_channel(1);
        let (outbox, imagined) = sync_channel(1);
        let name = format!("sedge-imagine-{idx}");
        let thread = std::thread::Builder::new()
            .name(name)
            .spawn(move || work(&sequences, &inbox, &outbox))?;
        Ok(Self {
            plans: Some(plans),
            imagined,
            thread: Some(thread),
        })
    }
}

/// Imagines what comes in until nobody is there to ask.
fn work(sequences: &Sequences, inbox: &Receiver<Box<Rollout>>, outbox: &SyncSender<Box<Rollout>>) {
    while let Ok(mut rollout) = inbox.recv() {
        rollout.run(sequences);
        if outbox.send(rollout).is_err() {
            return;
        }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        drop(self.plans.take());
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            // It has said why; whoever waits for its plans has panicked too.
        }
    }
}

/// Threads that imagine, and the memory that goes to and fro.
pub(crate) struct Workers {
    workers: Vec<Worker>,
    /// One each; `None` while the thread has it.
    rollouts: Vec<Option<Box<Rollout>>>,
}

impl Workers {
    /// Starts so many threads.
    ///
    /// # Errors
    /// Whatever the operating system says.
    pub(crate) fn start(n: usize, sequences: &Arc<Sequences>) -> std::io::Result<Self> {
        let workers = (0..n).map(|idx| Worker::start(idx, Arc::clone(sequences)));
        Ok(Self {
            workers: workers.collect::<std::io::Result<_>>()?,
            rollouts: (0..n).map(|_| Some(Box::default())).collect(),
        })
    }

    /// How many threads.
    pub(crate) fn n(&self) -> usize {
        self.workers.len()
    }

    /// Hands a thread its share, which `fill` puts in.
    pub(crate) fn hand(&mut self, idx: usize, fill: impl FnOnce(&mut Rollout)) {
        let mut rollout = self.rollouts[idx].take().expect("shares are taken back");
        fill(&mut rollout);
        let plans = self.workers[idx].plans.as_ref().expect("not dropped yet");
        plans
            .send(rollout)
            .expect("a thread that imagines panicked");
    }

    /// Waits for a thread's share.
    pub(crate) fn take_back(&mut self, idx: usize) -> &Rollout {
        let rollout = self.workers[idx].imagined.recv();
        self.rollouts[idx].insert(rollout.expect("a thread that imagines panicked"))
    }
}
