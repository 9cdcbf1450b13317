//! The onboard engine with the shipped weights, beside the same network in `PyTorch`.

use std::path::PathBuf;

use sedge_runtime::bench::{Block, Contender, ContenderError, Pace, Race, Spans, TurnOutcome};
use sedge_world_model_onboard::OnboardEngine;
use sedge_world_model_onboard::workload::Workload;

use super::case::{EngineCase, EnginePeer};
use super::report::{Row, Side};
use super::run::{Bench, Measured, contenders};
use super::torch::TorchSide;
use crate::shipped_weights::unpack_shipped_weights;

/// Calls that are not counted: what is taken up again after another's turn is not the engine's.
const N_WARM: usize = 3;

/// The shipped weights in a folder of their own, which goes with this.
struct Weights(PathBuf);

impl Weights {
    fn unpack() -> anyhow::Result<Self> {
        let name = format!("sedge-bench-weights-{}", std::process::id());
        let folder = Self(std::env::temp_dir().join(name));
        unpack_shipped_weights(&folder.0)?;
        Ok(folder)
    }
}

impl Drop for Weights {
    fn drop(&mut self) {
        // A folder for temporary files loses them some day anyway.
        drop(std::fs::remove_dir_all(&self.0));
    }
}

struct Ours {
    name: String,
    engine: OnboardEngine,
    work: Workload,
}

impl Contender for Ours {
    fn take(&mut self, block: &Block<'_>, spans: &mut Spans) -> Result<(), ContenderError> {
        for _ in 0..N_WARM {
            self.work.call(&mut self.engine);
        }
        block.each(spans, &mut || {
            self.work.call(&mut self.engine);
            Ok(TurnOutcome::Done)
        })
    }
}

/// Races engines and peers over one kind of work.
pub(super) fn run(case: &EngineCase, bench: &Bench) -> anyhow::Result<Measured> {
    let contest = &case.contest;
    let weights = Weights::unpack()?;
    let mut ours = Vec::new();
    for row in &contest.engines {
        let (engine, _) = OnboardEngine::load(&weights.0, row.config())?;
        ours.push(Ours {
            name: row.name(),
            engine,
            work: Workload::new(case.work),
        });
    }
    let n_threads = contest.engines.iter().map(|row| row.threads.get()).max();
    let n_threads = n_threads.unwrap_or(1);
    let mut notes = Vec::new();
    let mut theirs = Vec::new();
    for peer in &contest.peers {
        let is_compiled = *peer == EnginePeer::TorchCompiled;
        match TorchSide::start(&bench.peers, (is_compiled, n_threads), case.work)? {
            Ok(side) => theirs.push(side),
            Err(why) if notes.contains(&why) => {}
            Err(why) => notes.push(why),
        }
    }
    let race = Race {
        n: bench.effort.of(contest.n),
        n_in_block: contest.n_in_block.get(),
        pace: Pace::BackToBack,
    };
    let mut all = contenders(&mut theirs);
    all.extend(contenders(&mut ours));
    let figures = bench.race(race, &mut all)?;
    let (of_theirs, of_ours) = figures.split_at(theirs.len());
    let peer = || Side::Peer {
        rival: "PyTorch".to_owned(),
    };
    let theirs = theirs.iter().zip(of_theirs);
    let theirs = theirs.map(|(it, figures)| Row::new("a call", it.name(), peer(), *figures));
    let ours = ours.iter().zip(of_ours);
    let ours = ours.map(|(it, figures)| Row::new("a call", &it.name, Side::Ours, *figures));
    Ok(Measured {
        rows: theirs.chain(ours).collect(),
        notes,
    })
}
