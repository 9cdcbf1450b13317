//! How a robot's agent drives: what its kind can do, and what the launch file wants otherwise.

use anyhow::{Context as _, bail};
use sedge_planning::{Drive as PlannedDrive, MotionLimits};
use sedge_runtime::DrivingConfig;
use sedge_simulation::{Drive, RobotKind};
use toml::{Table, Value};

/// A robot backs off at this share of its speed: it sees as well behind, but is built to go
/// forward.
const REVERSE_SHARE: f64 = 0.3;

/// The driving of one kind of robot; `written` is the launch file's table of the same name.
///
/// # Errors
/// When what is written fits no driving.
pub(crate) fn driving_of(kind: &RobotKind, written: &Table) -> anyhow::Result<DrivingConfig> {
    let fitting = Value::try_from(fitting(kind))?;
    let Value::Table(mut merged) = fitting else {
        bail!("expected a table of a driving");
    };
    overlay(&mut merged, written);
    Value::Table(merged)
        .try_into()
        .context("the launch file's table `driving`")
}

/// What a kind of robot can do, everything else by default.
fn fitting(kind: &RobotKind) -> DrivingConfig {
    let can = kind.drive.limits();
    let limits = MotionLimits {
        drive: match kind.drive {
            Drive::Differential(_) => PlannedDrive::Differential,
            Drive::Holonomic(_) => PlannedDrive::Holonomic,
        },
        speed_mps_max: can.max_speed_mps,
        reverse_mps_max: REVERSE_SHARE * can.max_speed_mps,
        lateral_mps_max: can.max_speed_mps,
        yaw_rate_radps_max: can.max_yaw_rate_radps,
        acceleration_mps2_max: can.max_acceleration_mps2,
        yaw_acceleration_radps2_max: can.max_yaw_acceleration_radps2,
    };
    let mut driving = DrivingConfig::default();
    let radius_m = kind.body.radius_m();
    driving.planner.limits = limits;
    driving.planner.footprint_radius_m = radius_m;
    driving.safety.limits = limits;
    driving.safety.radius_m = radius_m;
    driving
}

/// Puts what is written over what is there, table by table.
fn overlay(there: &mut Table, written: &Table) {
    for (key, value) in written {
        match (there.get_mut(key), value) {
            (Some(Value::Table(there)), Value::Table(written)) => overlay(there, written),
            _ => {
                there.insert(key.clone(), value.clone());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use sedge_simulation::Scenario;

    use super::*;

    const YARD: &str = r#"
        name = "yard"
        duration_secs = 30.0
        [kinds.crane]
        mass_kg = 12.0
        height_m = 0.4
        body.cylinder.radius_m = 0.21
        drive.holonomic.max_speed_mps = 1.5
        [[robots]]
        kind = "crane"
        start = [0.0, 0.0, 0.0]
    "#;

    #[test]
    fn what_is_not_written_fits_the_robot() {
        let scenario = Scenario::parse(YARD, "yard.toml").unwrap();
        let kind = &scenario.kinds["crane"];
        let written = toml::from_str("planner.n_samples = 64\nplanner.limits.speed_mps_max = 0.8");
        let driving = driving_of(kind, &written.unwrap()).unwrap();
        assert_eq!(driving.planner.n_samples, 64);
        assert_eq!(driving.planner.limits.drive, PlannedDrive::Holonomic);
        let numbers = [
            driving.planner.limits.speed_mps_max,
            driving.safety.limits.speed_mps_max,
            driving.planner.footprint_radius_m,
            driving.safety.radius_m,
        ];
        let cents = numbers.map(|it| (100.0 * it).round() as i64);
        assert_eq!(cents, [80, 150, 21, 21]);
        let error = driving_of(kind, &toml::from_str("planer = 1").unwrap()).unwrap_err();
        assert!(format!("{error:#}").contains("`planer`"), "{error:#}");
    }
}
