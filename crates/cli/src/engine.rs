//! What computes a trained network.

use std::path::Path;
use std::time::Duration;

use clap::ValueEnum;
use sedge_runtime::SystemClock;
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
    /// Whichever is fastest when it starts.
    Auto,
    /// Sedge's own for CPUs.
    Onboard,
    /// The same, imagining in products of eight-bit integers.
    #[serde(rename = "onboard-int8")]
    OnboardInt8,
    /// The framework that trains, on any device.
    Burn,
}

/// What computes a trained network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Engine {
    Onboard,
    OnboardInt8,
    Burn(DeviceKind),
}

impl Engine {
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
        Ok(match self {
            Self::Onboard => sedge_world_model_onboard::load(run)?,
            Self::OnboardInt8 => sedge_world_model_onboard::load_with(
                run,
                EngineConfig {
                    precision: Precision::Int8,
                    ..EngineConfig::default()
                },
            )?,
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
