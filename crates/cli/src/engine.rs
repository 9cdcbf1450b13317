//! What computes a trained network.

use std::path::Path;
use std::time::Duration;

use clap::ValueEnum;
use sedge_runtime::{DrivingConfig, SystemClock};
use sedge_spacetime::Clock as _;
use sedge_world_model_burn::DeviceKind;
use sedge_world_model_onboard::{EngineConfig, Precision};
use sedge_world_model_trained::structure::{COMPONENTS, DECODER_CHANNELS};
use sedge_world_model_trained::{DecoderRows, FutureRows, TrainedModel};
use serde::Deserialize;

use crate::UsageError;

/// Futures that engines are timed with, as many as a plan looks at.
const N_FUTURES: usize = 8;
/// How often each of them is asked; the best time counts, as the machine has other things to do.
const N_TRIALS: usize = 5;

/// A kind of engine, as people choose it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EngineChoice {
    /// Whichever is fastest when it starts; where a rung of the ladder imagines in eight bits, the
    /// one that can.
    Auto,
    /// Sedge's own for CPUs.
    Onboard,
    /// The same, imagining in products of eight-bit integers.
    #[serde(rename = "onboard-int8")]
    OnboardInt8,
    /// The framework that trains, on any device.
    Burn,
}

/// Other numbers than its own that a model must be ready for, as rungs of a ladder say them.
pub(crate) fn rungs_precision(driving: &DrivingConfig) -> Option<Precision> {
    let narrow = Precision::Int8;
    driving.asks_for(narrow).then_some(narrow)
}

/// What computes a trained network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Engine {
    Onboard,
    OnboardInt8,
    Burn(DeviceKind),
}

impl Engine {
    /// As [`Engine::choose`], for an agent that drives so, if it drives: where rungs of its ladder
    /// imagine in eight bits, the fastest is our own, which alone can.
    ///
    /// # Errors
    /// Those of [`Engine::choose`], and [`UsageError`] where the choice cannot do what rungs say.
    pub(crate) fn choose_for(
        driving: Option<&DrivingConfig>,
        choice: Option<EngineChoice>,
        device: Option<DeviceKind>,
        run: &Path,
    ) -> anyhow::Result<Self> {
        let is_narrow = driving.is_some_and(|it| rungs_precision(it).is_some());
        let choice = match choice {
            Some(EngineChoice::Auto) if is_narrow => Some(EngineChoice::Onboard),
            choice => choice,
        };
        let engine = Self::choose(choice, device, run)?;
        if let Some(driving) = driving {
            check_rungs(driving, Some(engine))?;
        }
        Ok(engine)
    }

    /// The engine for the weights of a run: our own where nothing is said, burn where a device is.
    ///
    /// # Errors
    /// [`UsageError`] when a device is asked of the engine that has none, and whatever hinders a
    /// device from being opened.
    pub(crate) fn choose(
        choice: Option<EngineChoice>,
        device: Option<DeviceKind>,
        run: &Path,
    ) -> anyhow::Result<Self> {
        if let Some(device) = device {
            device.open()?;
        }
        match (choice, device) {
            (Some(EngineChoice::Onboard | EngineChoice::OnboardInt8), Some(device)) => {
                Err(UsageError(format!(
                    "expected a device of the engine `burn` only, got {device} for `onboard`, \
                     which runs on the CPU"
                ))
                .into())
            }
            (Some(EngineChoice::Onboard) | None, None) => Ok(Self::Onboard),
            (Some(EngineChoice::OnboardInt8), None) => Ok(Self::OnboardInt8),
            (None, Some(device)) => Ok(Self::Burn(device)),
            (Some(EngineChoice::Burn), device) => {
                Ok(Self::Burn(device.unwrap_or(DeviceKind::Flex)))
            }
            (Some(EngineChoice::Auto), device) => {
                Ok(Self::fastest(device.unwrap_or(DeviceKind::Flex), run))
            }
        }
    }

    /// Asks both for a plan's futures, and says how long they took.
    fn fastest(device: DeviceKind, run: &Path) -> Self {
        let [onboard, burn] = [Self::Onboard, Self::Burn(device)]
            .map(|engine| Some(best_time(&mut engine.load(run).ok()?)));
        let faster = match (onboard, burn) {
            (Some(onboard), Some(burn)) if burn < onboard => Self::Burn(device),
            (None, Some(_)) => Self::Burn(device),
            // Also where neither loads: loading it again says why.
            _ => Self::Onboard,
        };
        let took = |time: Option<Duration>| match time {
            Some(time) => format!("{:.1} ms", time.as_secs_f64() * 1e3),
            None => "no time, as it does not load".to_owned(),
        };
        tracing::info!(
            "{N_FUTURES} futures take {} onboard and {} with burn on {device}: chose {}",
            took(onboard),
            took(burn),
            faster.as_str()
        );
        faster
    }

    /// Loads the weights of a run's folder.
    pub(crate) fn load(self, run: &Path) -> anyhow::Result<TrainedModel> {
        self.load_also(run, None)
    }

    /// The same, ready to imagine in other numbers too, if any are said and the engine can.
    pub(crate) fn load_also(
        self,
        run: &Path,
        also: Option<Precision>,
    ) -> anyhow::Result<TrainedModel> {
        let onboard = |precision| {
            let config = EngineConfig {
                precision,
                also,
                ..EngineConfig::default()
            };
            sedge_world_model_onboard::load_with(run, config)
        };
        Ok(match self {
            Self::Onboard => onboard(Precision::F32)?,
            Self::OnboardInt8 => onboard(Precision::Int8)?,
            Self::Burn(device) => sedge_world_model_burn::load(run, device)?,
        })
    }

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Onboard => "onboard",
            Self::OnboardInt8 => "onboard-int8",
            Self::Burn(_) => "burn",
        }
    }

    /// The device, of an engine that has one to choose.
    pub(crate) fn device(self) -> Option<DeviceKind> {
        match self {
            Self::Onboard | Self::OnboardInt8 => None,
            Self::Burn(device) => Some(device),
        }
    }
}

/// Refuses rungs in whose numbers nothing can imagine: the engine of a trained network, or none
/// where the model needs no training.
///
/// # Errors
/// [`UsageError`] with the rung and what to do about it.
pub(crate) fn check_rungs(driving: &DrivingConfig, engine: Option<Engine>) -> anyhow::Result<()> {
    let got = match engine {
        Some(Engine::Onboard | Engine::OnboardInt8) => return Ok(()),
        Some(Engine::Burn(_)) => "the engine `burn`",
        None => "a model without weights",
    };
    let rung = driving.ladder.iter().find(|it| it.precision.is_some());
    let Some((rung, precision)) = rung.and_then(|it| Some((it, it.precision?))) else {
        return Ok(());
    };
    let name = &rung.name;
    let text = format!(
        "expected a model that can imagine in {precision}, as rung {name} of the ladder says, got \
         {got}: leave out the rung, or drive with trained weights (`run`) on `engine = \"onboard\"`"
    );
    Err(UsageError(text).into())
}

fn best_time(model: &mut TrainedModel) -> Duration {
    let n_beams = model.story().geometry.n_beams;
    let rows = FutureRows {
        n: N_FUTURES,
        n_beams,
        views: DecoderRows {
            features: vec![0.5; N_FUTURES * DECODER_CHANNELS * n_beams],
            candidates_m: vec![2.0; N_FUTURES * COMPONENTS.len() * n_beams],
        },
        motions: vec![[0.0; 4]; N_FUTURES],
        part_motions: vec![[0.0; 4]; N_FUTURES],
        part_secs: vec![0.25; N_FUTURES],
        read_out: None,
    };
    let clock = SystemClock::new();
    let mut trial = |_| {
        let begin = clock.now();
        model.engine().foresee(&rows);
        clock.now().saturating_since(begin)
    };
    (0..N_TRIALS).map(&mut trial).min().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use sedge_world_model::WorldModel as _;

    use super::*;

    fn chosen(choice: Option<EngineChoice>, device: Option<DeviceKind>) -> anyhow::Result<Engine> {
        let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../weights/swarm-s");
        Engine::choose(choice, device, &shipped)
    }

    #[test]
    fn a_device_means_burn_and_nothing_means_onboard() {
        let flex = Some(DeviceKind::Flex);
        assert_eq!(chosen(None, None).unwrap(), Engine::Onboard);
        assert_eq!(chosen(None, flex).unwrap(), Engine::Burn(DeviceKind::Flex));
        let burn = Some(EngineChoice::Burn);
        assert_eq!(chosen(burn, None).unwrap(), Engine::Burn(DeviceKind::Flex));
        let narrow = Some(EngineChoice::OnboardInt8);
        assert_eq!(chosen(narrow, None).unwrap(), Engine::OnboardInt8);
        let error = chosen(Some(EngineChoice::Onboard), flex).unwrap_err();
        assert!(error.to_string().contains("got flex"), "{error}");
    }

    #[test]
    fn rungs_in_eight_bits_need_our_own_engine() {
        let rungs = "ladder = [{ name = 'full', skill = 1.0 }, \
                     { name = 'eight-bits', skill = 1.0, precision = 'int8' }]";
        let driving: DrivingConfig = toml::from_str(rungs).unwrap();
        let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../weights/swarm-s");
        let chosen = |choice, driving: Option<&DrivingConfig>| {
            Engine::choose_for(driving, choice, None, &shipped)
        };
        let auto = chosen(Some(EngineChoice::Auto), Some(&driving)).unwrap();
        assert_eq!(auto, Engine::Onboard);
        let burn = Some(EngineChoice::Burn);
        assert!(chosen(burn, None).is_ok());
        assert!(chosen(burn, Some(&DrivingConfig::default())).is_ok());
        let refused = chosen(burn, Some(&driving)).unwrap_err().to_string();
        assert!(refused.contains("rung eight-bits"), "{refused}");
        assert!(refused.contains("`burn`"), "{refused}");
        assert!(check_rungs(&driving, None).is_err());
        // Our own can, whichever numbers it was started in; it is not ready unless asked to be.
        for (engine, is_ready) in [(Engine::Onboard, false), (Engine::OnboardInt8, true)] {
            let also = rungs_precision(&driving);
            let mut model = engine.load_also(&shipped, also).unwrap();
            assert!(model.imagine_in(Precision::Int8).is_ok());
            let mut model = engine.load(&shipped).unwrap();
            assert_eq!(model.imagine_in(Precision::Int8).is_ok(), is_ready);
        }
    }

    #[test]
    fn choices_have_the_same_names_everywhere() {
        for choice in EngineChoice::value_variants() {
            let on_the_command_line = choice.to_possible_value().unwrap();
            let text = format!("engine = \"{}\"", on_the_command_line.get_name());
            let table: std::collections::BTreeMap<String, EngineChoice> =
                toml::from_str(&text).unwrap();
            assert_eq!(table["engine"], *choice);
        }
    }

    #[test]
    fn auto_ends_in_an_engine_that_loads() {
        let engine = chosen(Some(EngineChoice::Auto), None).unwrap();
        let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../weights/swarm-s");
        assert!(engine.load(&shipped).is_ok());
    }
}
