//! What may come in from outside: finite, plausible, bounded and in order.

use sedge_spacetime::Pose2;

use crate::{Broadcast, ImuSample, IntendedMotion, Measured, ObserveError, Seen, Sighting};

/// No robot turns faster than this, rad/s.
const YAW_RATE_MAX_RADPS: f64 = 1e3;
/// No accelerometer measures more than this, m/s2.
const ACCELERATION_MAX_MPS2: f64 = 1e5;
/// Nobody is seen, moves or means to go farther than this, metres (and m/s).
const FAR_M: f64 = 1e5;
/// Samples of one inertial event.
const N_IMU_SAMPLES_MAX: usize = 4_096;
/// Robots of one range/bearing event.
const N_SIGHTINGS_MAX: usize = 256;
/// Steps of one announced way.
const N_INTENDED_MAX: usize = 64;

fn at_most(what: &'static str, max: usize, got: usize) -> Result<(), ObserveError> {
    if got > max {
        return Err(ObserveError::TooMany { what, max, got });
    }
    Ok(())
}

fn within(what: &'static str, max: f64, numbers: &[f64]) -> Result<(), ObserveError> {
    for number in numbers {
        if !number.is_finite() {
            return Err(ObserveError::NotFinite { what });
        }
        let got = number.abs();
        if got > max {
            return Err(ObserveError::TooLarge { what, max, got });
        }
    }
    Ok(())
}

fn measured(what: &'static str, measured: Option<Measured>) -> Result<(), ObserveError> {
    let Some(Measured { value, sigma }) = measured else {
        return Ok(());
    };
    within(what, FAR_M, &[value, sigma])?;
    if sigma < 0.0 {
        return Err(ObserveError::Negative { what, got: sigma });
    }
    Ok(())
}

fn seen(seen: Seen) -> Result<(), ObserveError> {
    measured("range", seen.range_m)?;
    measured("bearing", seen.bearing_rad)?;
    match seen.range_m {
        Some(Measured { value: got, .. }) if got < 0.0 => {
            Err(ObserveError::Negative { what: "range", got })
        }
        _ => Ok(()),
    }
}

/// Inertial samples: at least one, offsets strictly increasing.
pub(crate) fn check_imu(samples: &[ImuSample]) -> Result<(), ObserveError> {
    at_most("inertial samples", N_IMU_SAMPLES_MAX, samples.len())?;
    if samples.is_empty() || !samples.is_sorted_by(|a, b| a.offset < b.offset) {
        return Err(ObserveError::Disordered {
            what: "offsets of inertial samples",
        });
    }
    for sample in samples {
        within("yaw rate", YAW_RATE_MAX_RADPS, &[sample.yaw_rate_radps])?;
        within(
            "acceleration",
            ACCELERATION_MAX_MPS2,
            &sample.acceleration_mps2,
        )?;
    }
    Ok(())
}

/// Sightings: each robot once.
pub(crate) fn check_sightings(sightings: &[Sighting]) -> Result<(), ObserveError> {
    at_most("sightings", N_SIGHTINGS_MAX, sightings.len())?;
    let mut names: Vec<&str> = sightings.iter().map(|it| it.name.as_str()).collect();
    names.sort_unstable();
    if !names.is_sorted_by(|a, b| a < b) {
        return Err(ObserveError::Disordered {
            what: "names of sightings (each robot once)",
        });
    }
    sightings.iter().try_for_each(|it| seen(it.seen))
}

/// What a neighbour says.
pub(crate) fn check_broadcast(said: &Broadcast) -> Result<(), ObserveError> {
    match said {
        Broadcast::Sees(of_us) => seen(*of_us),
        Broadcast::Moves(twist) => within(
            "a neighbour's velocity",
            FAR_M,
            &[twist.vx_mps, twist.vy_mps, twist.yaw_rate_radps],
        ),
        Broadcast::Intends(motions) => {
            at_most("steps of an intention", N_INTENDED_MAX, motions.len())?;
            if motions.is_empty() || !motions.is_sorted_by(|a, b| a.ahead < b.ahead) {
                return Err(ObserveError::Disordered {
                    what: "steps of an intention",
                });
            }
            let pose = |it: &IntendedMotion| {
                let Pose2 { x_m, y_m, yaw_rad } = it.now_from_then;
                within("an intention", FAR_M, &[x_m, y_m, yaw_rad])
            };
            motions.iter().try_for_each(pose)
        }
    }
}
