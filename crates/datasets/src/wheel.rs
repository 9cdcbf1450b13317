//! Taking a public log out of the Python package that carries it.

use std::fs::File;
use std::io::{self, BufReader, Read as _};
use std::path::{Path, PathBuf};

use zip::ZipArchive;

use crate::LogError;

/// The log of the MIT Killian Court in package `rtb-data` 2.0.0 (where it lies in
/// `rtbdata/data/`).
const KILLIAN: &str = "killian.g2o.zip";
/// It has 0.9 MB; more than this is something else.
const KILLIAN_BYTES_MAX: u64 = 16 << 20;

/// Takes `killian.g2o.zip` out of the wheel of `rtb-data` 2.0.0 and puts it into `folder`.
///
/// # Errors
/// [`LogError`] when the wheel cannot be read or has no such file, or `folder` not written.
pub fn unpack_wheel(wheel: &Path, folder: &Path) -> Result<PathBuf, LogError> {
    let io_error = |path: &Path| {
        let path = path.to_owned();
        move |source| LogError::Io { path, source }
    };
    let broken = |error: zip::result::ZipError| LogError::Broken {
        path: wheel.into(),
        line: 0,
        source: io::Error::new(io::ErrorKind::InvalidData, error),
    };
    let file = File::open(wheel).map_err(io_error(wheel))?;
    let mut archive = ZipArchive::new(BufReader::new(file)).map_err(broken)?;
    let is_killian = |name: &str| name.rsplit('/').next() == Some(KILLIAN);
    let name = archive
        .file_names()
        .filter_map(Result::ok)
        .find(|name| is_killian(name));
    let Some(name) = name.map(String::from) else {
        let looks_like = format!("a zip archive without {KILLIAN}");
        return Err(LogError::Unsupported {
            path: wheel.into(),
            looks_like,
        });
    };
    let mut entry = archive
        .by_name(&name)
        .map_err(broken)?
        .take(KILLIAN_BYTES_MAX + 1);
    let target = folder.join(KILLIAN);
    let mut output = File::create(&target).map_err(io_error(&target))?;
    let n_bytes = io::copy(&mut entry, &mut output).map_err(io_error(&target))?;
    if n_bytes > KILLIAN_BYTES_MAX {
        let bytes_max = KILLIAN_BYTES_MAX;
        return Err(LogError::TooLong {
            path: wheel.into(),
            line: 0,
            bytes_max,
        });
    }
    Ok(target)
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn wheel(folder: &Path, entry: &str) -> PathBuf {
        let path = folder.join("a.whl");
        let mut writer = zip::ZipWriter::new(File::create(&path).unwrap());
        writer
            .start_file(entry, zip::write::SimpleFileOptions::default())
            .unwrap();
        writer.write_all(b"the log").unwrap();
        writer.finish().unwrap();
        path
    }

    #[test]
    fn the_log_is_found_wherever_it_lies_and_nothing_else_is_written() {
        let folder = tempfile::tempdir().unwrap();
        let wheel = wheel(folder.path(), "rtbdata/data/killian.g2o.zip");
        let unpacked = unpack_wheel(&wheel, folder.path()).unwrap();
        assert_eq!(unpacked, folder.path().join("killian.g2o.zip"));
        assert_eq!(std::fs::read(unpacked).unwrap(), b"the log");
    }

    #[test]
    fn a_wheel_without_the_log_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let wheel = wheel(folder.path(), "rtbdata/data/killian-small.toro");
        let message = unpack_wheel(&wheel, folder.path()).unwrap_err().to_string();
        assert!(message.contains("without killian.g2o.zip"), "{message}");
        std::fs::write(&wheel, b"no zip at all").unwrap();
        assert!(unpack_wheel(&wheel, folder.path()).is_err());
        assert!(unpack_wheel(&folder.path().join("absent"), folder.path()).is_err());
    }
}
