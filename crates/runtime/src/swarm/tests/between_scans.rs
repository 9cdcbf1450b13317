//! Commands between scans.

use super::*;
use crate::Imagining;

#[test]
fn a_robot_whose_model_imagines_afterwards_is_commanded_between_scans_too() {
    let n_plans_of = |imagining| {
        let driving = DrivingConfig {
            imagining,
            command_period_secs: 0.03,
            ..driving()
        };
        let member = member_driving(driving, ("simulation", 1), geometric);
        let report = run(&mut lone(), vec![member], (1, 12), &mut NoObserver);
        assert_eq!(mode(&report, 0), DriveMode::Arrived, "{report}");
        let [plans, scans] = ["plans", "scans"].map(|name| counter(&report, 0, name));
        let plain = counter(&report, 0, "plans-without-anything-imagined");
        assert!(plain <= 1, "{plain}: but for the first there is something");
        (plans, scans)
    };
    let (plans, scans) = n_plans_of(Imagining::First);
    assert!(plans <= scans, "{plans} plans of {scans} scans");
    let (more, scans) = n_plans_of(Imagining::Afterwards);
    assert!(more > 2 * plans, "{more} plans of {scans} scans");
}
