//! Who else is there, and what the inertial unit says, as networks see it.

use sedge_world_model::{Company, ImuNow, Mover, Neighbour, Reused};

use crate::structure::{IMU_INPUTS, N_OTHERS, OTHER_INPUTS};

/// One unit of distance to others, metres; of their speed, m/s; of doubt, metres; of age, seconds.
pub(crate) const OTHER_SCALES: [f32; 4] = [4.0, 1.5, 0.5, 2.0];
/// One unit of yaw rate, rad/s, and of acceleration, m/s2.
pub(crate) const IMU_SCALES: [f32; 2] = [0.5, 2.0];
/// No input is larger than this: what others say is not under our control.
const INPUT_MAX: f32 = 5.0;

/// Signs of a row seen in a mirror: y, the sine of the heading, velocity and way to the left turn.
const OTHER_MIRROR: [f32; OTHER_INPUTS] = [
    1.0, -1.0, 1.0, // x, y, log distance
    1.0, -1.0, 1.0, // heading's cosine and sine, whether it is known
    1.0, -1.0, // velocity
    1.0, 1.0, 1.0, 1.0, // doubt now, age, named, announced
    1.0, -1.0, // way within a second
    1.0, 1.0, // radius, doubt after a second
];
const IMU_MIRROR: [f32; IMU_INPUTS] = [-1.0, 1.0, -1.0, 1.0, 1.0];

/// What a model knows beside a scan and its movement.
#[derive(Debug, Clone, PartialEq)]
pub struct CompanyRow {
    /// `[IMU_INPUTS]`; zeros where it is missing.
    pub imu: [f32; IMU_INPUTS],
    /// `[other, input]`, flat; zeros where there is nobody.
    pub others: Reused<f32>,
    /// One where there is somebody. `[other]`
    pub valid: [f32; N_OTHERS],
}

/// Which parts of a row are hidden from a network that must learn to do without.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Hidden {
    /// The inertial unit.
    pub imu: bool,
    /// Slots of others.
    pub others: [bool; N_OTHERS],
}

impl CompanyRow {
    /// The nearest first.
    pub fn new(company: &Company, imu: Option<ImuNow>) -> Self {
        let is_neighbour = |mover: &&Mover| {
            company
                .neighbours
                .iter()
                .any(|it| it.mover == Some(mover.id))
        };
        let strangers = company.movers.iter().filter(|mover| !is_neighbour(mover));
        let mut rows: Reused<(f64, [f32; OTHER_INPUTS])> = strangers
            .map(|mover| {
                (
                    mover.position_m[0].hypot(mover.position_m[1]),
                    row_of_mover(mover),
                )
            })
            .chain(
                company
                    .neighbours
                    .iter()
                    .map(|it| (it.pose.distance_m(), row_of_neighbour(it))),
            )
            .collect();
        rows.sort_by(|a, b| a.0.total_cmp(&b.0));
        let mut row = Self {
            imu: imu.map_or([0.0; IMU_INPUTS], imu_row),
            others: Reused::filled(0.0, N_OTHERS * OTHER_INPUTS),
            valid: [0.0; N_OTHERS],
        };
        for (slot, (_, other)) in rows.iter().take(N_OTHERS).enumerate() {
            row.others[slot * OTHER_INPUTS..][..OTHER_INPUTS].copy_from_slice(other);
            row.valid[slot] = 1.0;
        }
        row
    }

    /// Whether there is anybody.
    pub fn has_others(&self) -> bool {
        self.valid.iter().any(|&valid| valid > 0.0)
    }

    /// Left and right swapped.
    pub fn mirrored(&self) -> Self {
        let mut row = self.clone();
        for (value, sign) in row.imu.iter_mut().zip(IMU_MIRROR) {
            *value *= sign;
        }
        for other in row.others.chunks_exact_mut(OTHER_INPUTS) {
            for (value, sign) in other.iter_mut().zip(OTHER_MIRROR) {
                *value *= sign;
            }
        }
        row
    }

    /// Without what is hidden.
    pub fn without(&self, hidden: Hidden) -> Self {
        let mut row = self.clone();
        if hidden.imu {
            row.imu = [0.0; IMU_INPUTS];
        }
        for slot in (0..N_OTHERS).filter(|&slot| hidden.others[slot]) {
            row.others[slot * OTHER_INPUTS..][..OTHER_INPUTS].fill(0.0);
            row.valid[slot] = 0.0;
        }
        row
    }
}

fn imu_row(imu: ImuNow) -> [f32; IMU_INPUTS] {
    let [turn, pull] = IMU_SCALES;
    let [forward, left] = imu.acceleration_mps2;
    [
        imu.yaw_rate_radps as f32 / turn,
        forward as f32 / pull,
        left as f32 / pull,
        imu.age_secs as f32 / OTHER_SCALES[3],
        1.0,
    ]
    .map(bounded)
}

fn bounded(value: f32) -> f32 {
    value.clamp(-INPUT_MAX, INPUT_MAX)
}

fn row_of_mover(mover: &Mover) -> [f32; OTHER_INPUTS] {
    let [x, y] = mover.position_m;
    let after = mover.position_after(1.0);
    scaled([
        x,
        y,
        x.hypot(y),
        0.0,
        0.0,
        0.0,
        mover.velocity_mps[0],
        mover.velocity_mps[1],
        mover.sigma_after(0.0),
        mover.unseen_secs,
        0.0,
        0.0,
        after[0] - x,
        after[1] - y,
        mover.radius_m,
        mover.sigma_after(1.0),
    ])
}

fn row_of_neighbour(it: &Neighbour) -> [f32; OTHER_INPUTS] {
    let (x, y) = (it.pose.x_m, it.pose.y_m);
    let known = f64::from(u8::from(it.heading_is_known()));
    let (sin, cos) = it.pose.yaw_rad.sin_cos();
    let twist = it.twist.unwrap_or_default();
    let velocity = [
        known * (cos * twist.vx_mps - sin * twist.vy_mps),
        known * (sin * twist.vx_mps + cos * twist.vy_mps),
    ];
    let after = it.pose_after(1.0);
    scaled([
        x,
        y,
        x.hypot(y),
        known * cos,
        known * sin,
        known,
        velocity[0],
        velocity[1],
        it.sigma_after(0.0),
        it.age_secs,
        1.0,
        f64::from(u8::from(it.intention.is_some())),
        after.x_m - x,
        after.y_m - y,
        it.radius_m,
        it.sigma_after(1.0),
    ])
}

fn scaled(row: [f64; OTHER_INPUTS]) -> [f32; OTHER_INPUTS] {
    let [place, speed, doubt, age] = OTHER_SCALES;
    let mut row = row.map(|value| value as f32);
    row[0] /= place;
    row[1] /= place;
    row[2] = (1.0 + row[2] / place).ln();
    for idx in [6, 7, 12, 13] {
        row[idx] /= speed;
    }
    row[8] /= doubt;
    row[15] /= doubt;
    row[9] /= age;
    row.map(bounded)
}

#[cfg(test)]
mod tests {
    use nalgebra::Matrix4;

    use super::*;

    fn mover(id: u64, x_m: f64, y_m: f64) -> Mover {
        Mover {
            id,
            position_m: [x_m, y_m],
            velocity_mps: [0.5, -1.0],
            covariance: Matrix4::identity() * 0.01,
            radius_m: 0.3,
            age_secs: 2.0,
            unseen_secs: 0.0,
        }
    }

    fn company(movers: Vec<Mover>) -> Company {
        Company {
            movers: movers.into(),
            ..Company::default()
        }
    }

    #[test]
    fn the_nearest_come_first_and_no_more_than_there_is_room_for() {
        let many = (0..20).map(|k| mover(k, 20.0 - k as f64, 0.0)).collect();
        let row = CompanyRow::new(&company(many), None);
        assert!(row.has_others() && row.valid.iter().all(|&valid| valid > 0.5));
        let xs: Vec<f32> = row.others.chunks(OTHER_INPUTS).map(|it| it[0]).collect();
        assert!(xs.is_sorted() && (xs[0] - 0.25).abs() < 1e-6, "{xs:?}");
    }

    #[test]
    fn a_mirror_swaps_left_and_right_and_twice_is_nothing() {
        let imu = ImuNow {
            yaw_rate_radps: 0.4,
            acceleration_mps2: [0.1, 0.2],
            age_secs: 0.01,
        };
        let left = CompanyRow::new(&company(vec![mover(1, 2.0, 1.0)]), Some(imu));
        let mut right = mover(1, 2.0, -1.0);
        right.velocity_mps[1] = 1.0;
        let imu = ImuNow {
            yaw_rate_radps: -0.4,
            acceleration_mps2: [0.1, -0.2],
            ..imu
        };
        let right = CompanyRow::new(&company(vec![right]), Some(imu));
        assert_eq!(left.mirrored(), right);
        assert_eq!(left.mirrored().mirrored(), left);
    }

    #[test]
    fn what_is_hidden_looks_like_what_is_not_there() {
        let row = CompanyRow::new(&company(vec![mover(1, 2.0, 1.0)]), None);
        let mut hidden = Hidden::default();
        hidden.others[0] = true;
        assert_eq!(
            row.without(hidden),
            CompanyRow::new(&Company::default(), None)
        );
    }

    #[test]
    fn absurd_numbers_stay_in_bounds() {
        let mut far = mover(1, 1e9, -1e9);
        far.velocity_mps = [1e6, 0.0];
        let row = CompanyRow::new(&company(vec![far]), None);
        assert!(row.others.iter().all(|value| value.abs() <= INPUT_MAX));
    }
}
