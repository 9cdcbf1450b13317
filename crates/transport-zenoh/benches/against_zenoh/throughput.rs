//! As many messages as go through, none lost.

use std::fmt::Write as _;

use sedge_runtime::SystemClock;
use sedge_spacetime::Clock as _;
use sedge_transport_zenoh::race::{End, Purpose, Stack, ask, header_bytes, meet};

use crate::far::FarProcess;
use crate::loads::{Payload, link_name, near};
use crate::table::{median, spread};

/// Messages a second in one round: from the first put to the far end's word that all have come.
fn round(end: &mut dyn End, payload: Payload) -> f64 {
    let clock = SystemClock::new();
    let begin = clock.now();
    let has_ended = ask(end, payload.n_per_round, payload.bytes).unwrap();
    assert!(has_ended, "{}: a round never ended", payload.name);
    let secs = clock.now().saturating_since(begin).as_secs_f64();
    payload.n_per_round as f64 / secs
}

/// The table of throughput.
pub(crate) fn measure(far: &FarProcess, n_rounds: usize) -> String {
    let mut report = format!(
        "## Throughput over {}\n\nMessages a second, each received and read, none lost (a \
         blocking class, batched); median and range of {n_rounds} rounds, the stacks in turn. The \
         second raw one sends an attachment as long as our header and reads it; ratios are of \
         medians, ours to each raw one.\n\n\
         | payload | messages a round | raw | raw, with an attachment | ours | to raw \
         | to raw with an attachment |\n|---|---|---|---|---|---|---|\n",
        link_name(far.link)
    );
    for payload in far.payloads.iter().copied() {
        eprintln!("throughput: {}", payload.name);
        let attaching = far.raw.attaching(header_bytes(payload.bytes).unwrap());
        let stacks = [&far.raw as &dyn Stack, &attaching, &far.sedge];
        let wire = near(payload, Purpose::Throughput);
        let mut ends = stacks.map(|stack| stack.end(wire).unwrap());
        for end in &mut ends {
            meet(&**end, &SystemClock::new()).unwrap();
            // A round of each that is not counted.
            round(&mut **end, payload);
        }
        let mut rates: [Vec<f64>; 3] = Default::default();
        for _ in 0..n_rounds {
            for (end, rates) in ends.iter_mut().zip(&mut rates) {
                rates.push(round(&mut **end, payload));
            }
        }
        let [raw, attached, ours] = &mut rates;
        let (name, n) = (payload.name, payload.n_per_round);
        let ratios = [&mut *raw, attached].map(|other| median(ours) / median(other));
        let cells = [raw, attached, ours].map(|rates| spread(rates)).join(" | ");
        let [to_raw, to_attached] = ratios;
        writeln!(
            report,
            "| {name} | {n} | {cells} | {to_raw:.2}x | {to_attached:.2}x |"
        )
        .expect("writing to a string");
    }
    report.push('\n');
    report
}
