//! Pens in which everybody drives wildly: of the tests, and of the benchmark of a thousand seeds.

use sedge_spacetime::Twist2;

/// What a robot is told at this turn: anything up to `speed_mps` in any direction, and any turn.
pub(crate) fn wild(seed: u64, turn: u64, robot: u64, speed_mps: f64) -> Twist2 {
    let mut bits = (seed << 20) ^ (turn << 8) ^ robot;
    let mut number = || {
        bits = bits.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        (mixed >> 11) as f64 / (1_u64 << 52) as f64 - 1.0
    };
    Twist2 {
        vx_mps: speed_mps * number(),
        vy_mps: speed_mps * number(),
        yaw_rate_radps: 4.0 * number(),
    }
}

/// A pen of 2 m by 2 m with a post, crowded with heavy robots, light ones of 8 kg and a walker who
/// does not care.
pub(crate) fn pen(speed_mps: f64, heavy_kg: u32) -> String {
    let acceleration_mps2 = if speed_mps < 2.0 { 10.0 } else { 50.0 };
    let walker_mps = speed_mps.min(3.0);
    format!(
        r#"
        name = "pen"
        duration_secs = 3.0
        [randomisation]
        friction_share = 0.5
        mass_share = 0.3
        motor_gain_share = 0.3
        walker_speed_share = 0.3
        spawn_jitter_m = 0.05
        [kinds.heavy]
        mass_kg = {heavy_kg}.0
        height_m = 0.4
        body.cylinder.radius_m = 0.2
        [kinds.heavy.drive.differential]
        max_speed_mps = {speed_mps:.1}
        max_acceleration_mps2 = {acceleration_mps2:.1}
        [kinds.light]
        mass_kg = 8.0
        height_m = 0.4
        body.box = {{ length_m = 0.4, width_m = 0.3 }}
        [kinds.light.drive.holonomic]
        max_speed_mps = {speed_mps:.1}
        max_acceleration_mps2 = {acceleration_mps2:.1}
        [[walls]]
        center_m = [0.0, 1.05]
        size_m = [2.2, 0.1]
        [[walls]]
        center_m = [0.0, -1.05]
        size_m = [2.2, 0.1]
        [[walls]]
        center_m = [1.05, 0.0]
        size_m = [0.1, 2.2]
        [[walls]]
        center_m = [-1.05, 0.0]
        size_m = [0.1, 2.2]
        [[walls]]
        center_m = [0.0, 0.0]
        size_m = [0.2, 0.2]
        yaw_rad = 0.5
        [[groups]]
        kind = "heavy"
        count = 2
        spawn = {{ min_m = [-1.0, -1.0], max_m = [1.0, 1.0] }}
        [[groups]]
        kind = "light"
        count = 2
        spawn = {{ min_m = [-1.0, -1.0], max_m = [1.0, 1.0] }}
        [[crowds]]
        count = 1
        spawn = {{ min_m = [-1.0, -1.0], max_m = [1.0, 1.0] }}
        speeds_mps = [{walker_mps:.1}, {walker_mps:.1}]
        regard = 0.0
        [[crowds.route]]
        min_m = [-0.7, -0.7]
        max_m = [-0.5, 0.7]
        [[crowds.route]]
        min_m = [0.5, -0.7]
        max_m = [0.7, 0.7]
        "#
    )
}
