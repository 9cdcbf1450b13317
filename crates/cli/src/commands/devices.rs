//! `sedge devices`.

use std::io::Write;

use clap::Args;
use sedge_world_model_burn::DeviceKind;
use serde::Serialize;

use super::write_json;
use crate::Table;

/// What `sedge devices` takes.
#[derive(Debug, Args)]
pub struct DevicesArgs {
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

/// A kind of device, as `--json` prints it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DeviceRow {
    /// What `--device` takes.
    pub device: DeviceKind,
    /// Whether this build can use it.
    pub built: bool,
    /// How many of them this machine has.
    pub count: usize,
    /// Whether it is taken when no `--device` is given.
    pub default: bool,
}

/// All kinds of devices.
pub fn rows() -> Vec<DeviceRow> {
    let row = |device: DeviceKind| DeviceRow {
        device,
        built: device.is_built(),
        count: device.count(),
        default: device == DeviceKind::Flex,
    };
    DeviceKind::ALL.into_iter().map(row).collect()
}

/// Lists devices.
///
/// # Errors
/// When nothing can be printed.
pub fn run(args: &DevicesArgs, out: &mut dyn Write) -> anyhow::Result<()> {
    let rows = rows();
    if args.json {
        return write_json(&rows, out);
    }
    let yes_no = |yes: bool| if yes { "yes" } else { "no" };
    let mut table = Table::new(["device", "built", "count", "default"]);
    for row in &rows {
        let count = row.count.to_string();
        let (built, default) = (yes_no(row.built), yes_no(row.default));
        table.push([&row.device.to_string(), built, &count, default]);
    }
    write!(out, "{}", table.text())?;
    if rows.iter().any(|row| !row.built) {
        writeln!(
            out,
            "\nDevices that are not built need `cargo build --features NAME`."
        )?;
    }
    Ok(())
}
