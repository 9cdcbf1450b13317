//! Many seeds on a few threads.

use std::sync::mpsc::sync_channel;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use anyhow::bail;
use sedge_runtime::{Shutdown, spawn_named};

/// Threads that take one seed after the other.
pub(crate) struct SeedCrew {
    /// What its threads are called.
    pub(crate) name: &'static str,
    /// At least one.
    pub(crate) n_threads: usize,
    /// Asks every thread to end; `work` must look at it too.
    pub(crate) stop: Shutdown,
}

impl SeedCrew {
    /// Does `work` for each seed, and hands what it gives to `take`, in the order in which that
    /// comes.
    /// `None` is given by work that was asked to stop.
    ///
    /// # Errors
    /// The first error of any `work` or of `take`, or a panic; the others are then asked to stop.
    pub(crate) fn run<T: Send + 'static>(
        &self,
        seeds: Vec<u64>,
        work: impl Fn(u64) -> anyhow::Result<Option<T>> + Send + Sync + 'static,
        take: &mut dyn FnMut(T) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        let n_seeds = seeds.len();
        let n_threads = self.n_threads.clamp(1, n_seeds.max(1));
        let (say, heard) = sync_channel(n_threads);
        let (seeds, work) = (Arc::new(Mutex::new(seeds.into_iter())), Arc::new(work));
        let mut threads = Vec::new();
        for thread_idx in 0..n_threads {
            let (seeds, work) = (Arc::clone(&seeds), Arc::clone(&work));
            let (say, stop) = (say.clone(), self.stop.clone());
            let next = move || seeds.lock().unwrap_or_else(PoisonError::into_inner).next();
            let body = move || {
                while let Some(seed) = (!stop.is_requested()).then(&next).flatten() {
                    // Nobody hears us any more only when another seed has failed.
                    let Some(said) = work(seed).transpose() else {
                        return;
                    };
                    if say.send(said).is_err() {
                        return;
                    }
                }
            };
            threads.push(spawn_named(&format!("{}-{thread_idx}", self.name), body)?);
        }
        drop(say);
        let mut n_taken = 0;
        let taken = heard.iter().try_for_each(|said| {
            n_taken += 1;
            take(said?)
        });
        if taken.is_err() {
            self.stop.request();
        }
        drop(heard);
        let panicked = join(threads);
        taken?;
        if panicked > 0 && !self.stop.is_requested() {
            bail!("expected {n_seeds} runs, got {n_taken}: {panicked} threads panicked");
        }
        Ok(())
    }
}

/// How many of them panicked, which they have said on standard error.
fn join(threads: Vec<JoinHandle<()>>) -> usize {
    let ended = threads.into_iter().map(JoinHandle::join);
    ended.filter(Result::is_err).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn crew(n_threads: usize) -> SeedCrew {
        SeedCrew {
            name: "test",
            n_threads,
            stop: Shutdown::new(),
        }
    }

    #[test]
    fn every_seed_is_worked_on_once() {
        for n_threads in [0, 1, 3, 99] {
            let mut came = Vec::new();
            let work = |seed| Ok(Some(seed));
            let seeds: Vec<u64> = (0..20).collect();
            let take = &mut |seed| {
                came.push(seed);
                Ok(())
            };
            crew(n_threads).run(seeds.clone(), work, take).unwrap();
            came.sort_unstable();
            assert_eq!(came, seeds);
        }
    }

    #[test]
    fn one_failure_ends_all() {
        let crew = crew(2);
        let work = |seed: u64| match seed {
            3 => bail!("seed 3 fails"),
            _ => Ok(Some(seed)),
        };
        let seeds = (0..1_000_000).collect();
        let error = crew.run(seeds, work, &mut |_| Ok(())).unwrap_err();
        assert_eq!(error.to_string(), "seed 3 fails");
        assert!(crew.stop.is_requested());
    }

    #[test]
    fn nothing_is_begun_after_a_stop() {
        let crew = crew(2);
        crew.stop.request();
        let mut n_taken = 0;
        let take = &mut |_: u64| {
            n_taken += 1;
            Ok(())
        };
        crew.run(vec![1, 2, 3], |seed| Ok(Some(seed)), take)
            .unwrap();
        assert_eq!(n_taken, 0);
    }
}
