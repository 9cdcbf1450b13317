//! As many messages as go through, none lost.

use std::fmt::Write as _;

use crate::far::FarProcess;
use crate::loads::{End, Link, PAYLOADS, Payload, Purpose, Stack as _, Way, wait_until_heard};
use crate::machine::now;
use crate::table::{median, spread};

/// Messages a second in one round: from the first put to the far end's word that all have come.
fn round(end: &mut dyn End, payload: Payload) -> f64 {
    let begin = now();
    for _ in 0..payload.n_per_round {
        end.send();
    }
    assert!(
        end.receive().is_some(),
        "{}: a round never ended",
        payload.name
    );
    payload.n_per_round as f64 / begin.elapsed().as_secs_f64()
}

/// The table of throughput.
pub(crate) fn measure(far: &FarProcess, link: Link, n_rounds: usize) -> String {
    let mut report = format!(
        "## Throughput over {}\n\nMessages a second, each received and read, none lost (a \
         blocking class, batched); median and range of {n_rounds} rounds, raw and ours in \
         turn.\n\n\
         | payload | messages a round | raw | ours | ratio of medians |\n|---|---|---|---|---|\n",
        link.name()
    );
    for payload in PAYLOADS
        .into_iter()
        .filter(|payload| link.carries(*payload))
    {
        eprintln!("throughput: {}", payload.name);
        let mut raw_end = far.raw.end(payload, Purpose::Throughput, Way::Out);
        let mut sedge_end = far.sedge.end(payload, Purpose::Throughput, Way::Out);
        let (mut raw, mut ours) = (Vec::new(), Vec::new());
        for end in [&*raw_end, &*sedge_end] {
            wait_until_heard(end);
        }
        // One round of each that is not counted.
        round(&mut *raw_end, payload);
        round(&mut *sedge_end, payload);
        for _ in 0..n_rounds {
            raw.push(round(&mut *raw_end, payload));
            ours.push(round(&mut *sedge_end, payload));
        }
        writeln!(
            report,
            "| {} | {} | {} | {} | {:.2}x |",
            payload.name,
            payload.n_per_round,
            spread(&mut raw),
            spread(&mut ours),
            median(&mut ours) / median(&mut raw),
        )
        .expect("writing to a string");
    }
    report.push('\n');
    report
}
