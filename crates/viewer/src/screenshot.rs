//! A picture of a recording, without a screen.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use sedge_spacetime::Stamp;

use crate::ViewerError;
use crate::cut::cut;

/// Where Mesa installs the description of its software Vulkan driver.
const DRIVERS: &str = "/usr/share/vulkan/icd.d";
/// How that description's name begins.
const SOFTWARE_DRIVER: &str = "lvp_icd";
/// What Vulkan's loader reads to choose a driver.
const DRIVER_VARIABLE: &str = "VK_ICD_FILENAMES";
/// How much of the viewer's complaints is kept: the end, where the reason is.
const STDERR_BYTES_MAX: usize = 16 << 10;

/// How a picture is taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScreenshotConfig {
    /// The viewer to run. Default `rerun`, found in `PATH`.
    pub executable: PathBuf,
    /// Width and height of the window, in points; the picture has two pixels per point. Default
    /// 1600 x 900.
    pub window: [u32; 2],
    /// A blueprint file (`.rbl`) to look through instead of the recording's own. Default none.
    pub blueprint: Option<PathBuf>,
    /// How long it may take. Default one minute: a busy machine without a graphics card needs ten.
    pub wait_max: Duration,
}

impl Default for ScreenshotConfig {
    fn default() -> Self {
        Self {
            executable: PathBuf::from("rerun"),
            window: [1600, 900],
            blueprint: None,
            wait_max: Duration::from_mins(1),
        }
    }
}

/// What became of a picture. Only the first is a picture, none is a reason to stop a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ScreenshotOutcome {
    /// It was taken.
    Taken,
    /// There is no viewer to take it with.
    NotInstalled,
    /// The viewer failed: no Vulkan driver (Debian: `mesa-vulkan-drivers`), not a recording, ...
    Failed {
        /// The end of what it said.
        stderr: String,
    },
}

/// Takes a picture (PNG) of what a recording file opens to.
///
/// It needs the viewer's executable and a Vulkan driver; Mesa's software driver is used when it is
/// installed and the environment names no other.
///
/// # Errors
/// [`ViewerError`] when the viewer is there but cannot be started, or threads cannot.
pub fn screenshot(
    recording: &Path,
    picture: &Path,
    config: &ScreenshotConfig,
) -> Result<ScreenshotOutcome, ViewerError> {
    // An old picture must not pass for a new one. That there is none is the usual case.
    fs::remove_file(picture).ok();
    let mut child = match command(recording, picture, config).spawn() {
        Ok(child) => child,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Ok(ScreenshotOutcome::NotInstalled);
        }
        Err(error) => {
            let executable = config.executable.display().to_string();
            return Err(ViewerError::Spawn {
                executable,
                reason: error.to_string(),
            });
        }
    };
    let said = wait(&mut child, config.wait_max)?;
    let status = child
        .wait()
        .map_err(|source| ViewerError::Thread { source })?;
    let Some(stderr) = said else {
        let stderr = format!("no picture within {:?}, stopped", config.wait_max);
        return Ok(ScreenshotOutcome::Failed { stderr });
    };
    let taken = fs::metadata(picture).is_ok_and(|picture| picture.len() > 0);
    if status.success() && taken {
        return Ok(ScreenshotOutcome::Taken);
    }
    Ok(ScreenshotOutcome::Failed {
        stderr: format!("{status}: {stderr}"),
    })
}

/// Takes a picture of what a recording shows at some time: without panels around it, and with
/// series that end there.
///
/// # Errors
/// As [`screenshot`], and when the recording cannot be read or copied up to that time.
pub fn screenshot_at(
    recording: &Path,
    at: Stamp,
    picture: &Path,
    config: &ScreenshotConfig,
) -> Result<ScreenshotOutcome, ViewerError> {
    let until = picture.with_extension("until.rrd");
    let plain = ScreenshotConfig {
        blueprint: None,
        ..config.clone()
    };
    let outcome = cut(recording, at, config.blueprint.as_deref(), &until)
        .and_then(|()| screenshot(&until, picture, &plain));
    // It may not have been made.
    fs::remove_file(until).ok();
    outcome
}

fn command(recording: &Path, picture: &Path, config: &ScreenshotConfig) -> Command {
    let [width, height] = config.window;
    let mut command = Command::new(&config.executable);
    command
        .arg(recording)
        .args(&config.blueprint)
        .args(["--headless", "--bind", "127.0.0.1", "--port", "auto"])
        .arg("--screenshot-to")
        .arg(picture)
        .args(["--window-size", &format!("{width}x{height}")])
        // Notices of the viewer would lie on the picture.
        .env("RUST_LOG", "error")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    if env::var_os(DRIVER_VARIABLE).is_none()
        && let Some(driver) = software_driver()
    {
        command.env(DRIVER_VARIABLE, driver);
    }
    command
}

fn software_driver() -> Option<OsString> {
    let entries = fs::read_dir(DRIVERS).ok()?;
    let mut drivers: Vec<PathBuf> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| {
            let name = path.file_name().map(|name| name.to_string_lossy());
            name.is_some_and(|name| name.starts_with(SOFTWARE_DRIVER))
        })
        .collect();
    drivers.sort();
    drivers.into_iter().next().map(PathBuf::into_os_string)
}

/// What the child said by the time it closed its standard error; `None` when it took too long and
/// was killed.
fn wait(child: &mut Child, wait_max: Duration) -> Result<Option<String>, ViewerError> {
    let (said_out, said) = flume::bounded(1);
    if let Some(stderr) = child.stderr.take() {
        std::thread::Builder::new()
            .name("viewer-stderr".to_owned())
            .spawn(move || said_out.send(read_end(stderr)).ok())
            .map_err(|source| ViewerError::Thread { source })?;
    }
    if let Ok(said) = said.recv_timeout(wait_max) {
        return Ok(Some(said));
    }
    // It may have ended just now, which is as good.
    child.kill().ok();
    Ok(None)
}

/// Reads to the end and keeps the last part.
fn read_end(mut from: impl Read) -> String {
    let (mut kept, mut piece) = (Vec::new(), [0; 4096]);
    while let Ok(n_bytes @ 1..) = from.read(&mut piece) {
        kept.extend_from_slice(&piece[..n_bytes]);
        if kept.len() > STDERR_BYTES_MAX {
            kept.drain(..kept.len() - STDERR_BYTES_MAX);
        }
    }
    String::from_utf8_lossy(&kept).trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken_with(executable: PathBuf) -> ScreenshotOutcome {
        let folder = tempfile::tempdir().unwrap();
        let wait_max = Duration::from_millis(300);
        let config = ScreenshotConfig {
            executable,
            wait_max,
            ..ScreenshotConfig::default()
        };
        let picture = folder.path().join("picture.png");
        screenshot(&folder.path().join("no.rrd"), &picture, &config).unwrap()
    }

    #[cfg(unix)]
    fn script(folder: &Path, text: &str) -> PathBuf {
        use std::os::unix::fs::PermissionsExt as _;
        let path = folder.join("viewer.sh");
        fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        path
    }

    #[test]
    fn a_viewer_that_is_not_installed_is_said_to_be() {
        assert_eq!(
            taken_with("/no/such/viewer".into()),
            ScreenshotOutcome::NotInstalled
        );
    }

    #[test]
    #[cfg(unix)]
    fn a_viewer_that_fails_is_quoted() {
        let folder = tempfile::tempdir().unwrap();
        let outcome = taken_with(script(folder.path(), "echo no driver >&2; exit 3"));
        let ScreenshotOutcome::Failed { stderr } = outcome else {
            panic!("{outcome:?}")
        };
        assert!(
            stderr.contains("no driver") && stderr.contains('3'),
            "{stderr}"
        );
    }

    #[test]
    #[cfg(unix)]
    fn a_viewer_that_succeeds_without_a_picture_has_failed() {
        let folder = tempfile::tempdir().unwrap();
        let outcome = taken_with(script(folder.path(), "exit 0"));
        assert!(
            matches!(outcome, ScreenshotOutcome::Failed { .. }),
            "{outcome:?}"
        );
    }

    #[test]
    #[cfg(unix)]
    fn a_viewer_that_hangs_is_stopped() {
        let folder = tempfile::tempdir().unwrap();
        let outcome = taken_with(script(folder.path(), "exec sleep 1000"));
        let ScreenshotOutcome::Failed { stderr } = outcome else {
            panic!("{outcome:?}")
        };
        assert!(stderr.contains("no picture within"), "{stderr}");
    }

    #[test]
    fn the_end_of_much_text_is_kept() {
        let text = format!("{}the reason", "x".repeat(100_000));
        let end = read_end(text.as_bytes());
        assert!(end.len() <= STDERR_BYTES_MAX && end.ends_with("the reason"));
    }
}
