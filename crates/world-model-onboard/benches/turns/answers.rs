//! What the engine makes of given inputs, for another implementation to compare itself with.

use std::path::Path;

use sedge_world_model_onboard::{OnboardEngine, PlanRows};
use sedge_world_model_trained::structure::{
    COMPONENTS, DECODER_CHANNELS, ENCODER_BEAMS, ENCODER_CHANNELS, IMU_INPUTS, N_COMPONENTS,
    N_OTHERS, OTHER_INPUTS,
};
use sedge_world_model_trained::{Engine as _, NamedTensors, read_story, write_checkpoint};

use crate::cases::{FEATURE, N_BEAMS, N_STEPS, Sensed, plans, read_out, view};
use crate::shipped;

const N_SCANS: usize = 60;
const N_PLANS: usize = 64;

/// Writes inputs and answers: scans taken in one after the other, then a view and plans from there.
pub(crate) fn write(engine: &mut OnboardEngine, file: &Path) {
    let mut tensors = NamedTensors::new();
    let mut put = |name: &str, shape: &[usize], values: Vec<f32>| {
        tensors.insert(name.to_owned(), (shape.to_vec(), values));
    };
    let scans: Vec<Sensed> = (0..N_SCANS).map(Sensed::new).collect();
    let features: Vec<f32> = scans
        .iter()
        .flat_map(|sensed| {
            engine.filter(&sensed.step());
            engine.feature().to_vec()
        })
        .collect();
    let all = |row: &dyn Fn(&Sensed) -> Vec<f32>| scans.iter().flat_map(row).collect::<Vec<f32>>();
    put(
        "scan",
        &[N_SCANS, 1, ENCODER_CHANNELS, ENCODER_BEAMS],
        all(&|it| it.scan.clone()),
    );
    put("motion", &[N_SCANS, 1, 4], all(&|it| it.motion.to_vec()));
    put("secs", &[N_SCANS, 1, 1], all(&|it| vec![it.step().dt_secs]));
    put(
        "imu",
        &[N_SCANS, 1, IMU_INPUTS],
        all(&|it| it.company.imu.to_vec()),
    );
    put(
        "others",
        &[N_SCANS, 1, N_OTHERS, OTHER_INPUTS],
        all(&|it| it.company.others.to_vec()),
    );
    put(
        "valid",
        &[N_SCANS, 1, N_OTHERS],
        all(&|it| it.company.valid.to_vec()),
    );
    put("feature", &[N_SCANS, 1, FEATURE], features);
    let view = view();
    let decoded = engine.decode(&view);
    let mixture = decoded.mixture;
    for (name, values) in [
        ("weight", mixture.weight),
        ("centre_m", mixture.centre_m),
        ("rate_per_m", mixture.rate_per_m),
    ] {
        put(name, &[1, N_COMPONENTS, N_BEAMS], values.to_vec());
    }
    put("hit_logit", &[1, N_BEAMS], mixture.hit_logit.to_vec());
    put("motion_head", &[1, 9], decoded.motion_head.to_vec());
    let views = &view.views;
    put(
        "view",
        &[1, DECODER_CHANNELS, N_BEAMS],
        views.features.clone(),
    );
    let candidates_m = views.candidates_m.clone();
    put(
        "candidates_m",
        &[1, COMPONENTS.len(), N_BEAMS],
        candidates_m,
    );
    put("view_motion", &[1, 4], view.motions.concat());
    put_plans(engine, &mut put);
    let story = read_story(&shipped()).expect("shipped weights");
    write_checkpoint(file, &tensors, &story).expect("a file that can be written");
}

/// Plans of one step, of two, and so on: the classes after each step are what the other is given.
fn put_plans(engine: &mut OnboardEngine, put: &mut impl FnMut(&str, &[usize], Vec<f32>)) {
    let whole = PlanRows {
        read_out: read_out(),
        ..plans(N_PLANS, N_STEPS)
    };
    let (mut deter, mut hot, mut scores) = (Vec::new(), Vec::new(), Vec::new());
    for n_steps in 1..=N_STEPS {
        let some = PlanRows {
            motions: whole.motions[..n_steps * N_PLANS].to_vec(),
            secs: whole.secs[..n_steps * N_PLANS].to_vec(),
            ..whole.clone()
        };
        let imagined = engine.imagine(&some);
        deter.extend_from_slice(imagined.deter());
        hot.extend(imagined.hot().iter().map(|&idx| idx as f32));
        scores.extend_from_slice(imagined.scores());
    }
    let (n_deter, n_hot) = (deter.len(), hot.len());
    let rows = N_STEPS * N_PLANS;
    put("plan_deter", &[N_STEPS, N_PLANS, n_deter / rows], deter);
    put("plan_hot", &[N_STEPS, N_PLANS, n_hot / rows], hot);
    put("plan_scores", &[N_STEPS, N_PLANS], scores);
    put(
        "plan_motions",
        &[N_STEPS, N_PLANS, 4],
        whole.motions.concat(),
    );
    put("plan_secs", &[N_STEPS, N_PLANS, 1], whole.secs);
    put("read_out", &[FEATURE], whole.read_out);
}
