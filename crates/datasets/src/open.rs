//! Opens a log of whatever supported kind.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read as _, Seek as _};
use std::path::{Path, PathBuf};

use flate2::bufread::MultiGzDecoder;
use sedge_oni::FRAME_MAGIC;
use sedge_world_model::Episode;
use zip::ZipArchive;

use crate::carmen::{self, Drive};
use crate::g2o;
use crate::lines::{Limits, Lines};
use crate::reading::{LogFormat, LogReading, LogWarnings};
use crate::{Collection, LogError, OdometrySource, RunReading, open_collections, read_run};

/// How much of a text is looked at to tell what it is: header comments and parameters of CARMEN
/// logs take up to 20 kB.
const SNIFF_BYTES_MAX: usize = 256 << 10;
const GZIP_MAGIC: &[u8] = &[0x1f, 0x8b];
const ZIP_MAGIC: &[u8] = b"PK\x03\x04";
/// More files than any archive of one log has.
const ZIP_FILES_MAX: usize = 1000;

/// Reads a log: CARMEN text or a planar g2o file with scans, plain, gzip or zip, told apart by
/// their bytes. Text is read line by line; memory is bounded by the episode.
///
/// A log that breaks in the middle gives its good part, with what broke in
/// [`LogReading::defect`].
///
/// # Errors
/// [`LogError`] when the file cannot be read, is something else, or breaks before its first scan.
///
/// # Examples
/// ```no_run
/// let reading = sedge_datasets::open("freiburg.log.gz".as_ref())?;
/// println!("{} scans", reading.episode.scans.len());
/// if let Some(defect) = &reading.defect {
///     eprintln!("the log breaks off: {defect}");
/// }
/// # Ok::<(), sedge_datasets::LogError>(())
/// ```
pub fn open(path: &Path) -> Result<LogReading, LogError> {
    open_within(path, Limits::FILE)
}

/// What a path holds.
#[derive(Debug)]
pub enum Opened {
    /// A log of one robot.
    Log(LogReading),
    /// One run of several robots.
    Run(RunReading),
    /// Folders of runs, none of which was read yet.
    Collections(Vec<Collection>),
}

/// Opens whatever supported kind of log or collection a path holds, told apart by content.
///
/// # Errors
/// As [`open`], [`read_run`] and [`open_collections`].
pub fn open_any(path: &Path) -> Result<Opened, LogError> {
    let io_error = |source| LogError::Io {
        path: path.into(),
        source,
    };
    if path.is_dir() {
        return Ok(Opened::Collections(open_collections(path)?));
    }
    let mut head = [0; FRAME_MAGIC.len()];
    let mut file = File::open(path).map_err(io_error)?;
    let n_head = read_up_to(&mut file, &mut head).map_err(io_error)?;
    if head[..n_head] == FRAME_MAGIC {
        return Ok(Opened::Run(read_run(path)?));
    }
    Ok(Opened::Log(open(path)?))
}

/// [`open`] with other limits, for tests.
pub(crate) fn open_within(path: &Path, limits: Limits) -> Result<LogReading, LogError> {
    let io_error = |source| LogError::Io {
        path: path.into(),
        source,
    };
    let unsupported = |looks_like: &str| LogError::Unsupported {
        path: path.into(),
        looks_like: looks_like.into(),
    };
    let mut file = File::open(path).map_err(io_error)?;
    if file.metadata().map_err(io_error)?.is_dir() {
        return Err(unsupported("a directory"));
    }
    let mut hasher = blake3::Hasher::new();
    hasher.update_reader(&mut file).map_err(io_error)?;
    let hash = hasher.finalize().to_hex().to_string();
    file.rewind().map_err(io_error)?;
    let mut head = [0; 4];
    let n_head = read_up_to(&mut file, &mut head).map_err(io_error)?;
    file.rewind().map_err(io_error)?;

    let mut file = BufReader::new(file);
    let mut reading = if head[..n_head].starts_with(GZIP_MAGIC) {
        read_text(path, &mut BufReader::new(MultiGzDecoder::new(file)), limits)
    } else if head[..n_head].starts_with(ZIP_MAGIC) {
        read_zip(path, file, limits)
    } else {
        read_text(path, &mut file, limits)
    }?;
    reading.episode.source_hash = hash;
    Ok(reading)
}

fn read_up_to(file: &mut File, buffer: &mut [u8]) -> io::Result<usize> {
    let mut n_read = 0;
    while n_read < buffer.len() {
        match file.read(&mut buffer[n_read..])? {
            0 => break,
            n => n_read += n,
        }
    }
    Ok(n_read)
}

/// Reads the first file of an archive that is not a Macintosh's resource fork.
fn read_zip(path: &Path, file: BufReader<File>, limits: Limits) -> Result<LogReading, LogError> {
    let broken = |error: zip::result::ZipError| LogError::Broken {
        path: path.into(),
        line: 0,
        source: io::Error::new(io::ErrorKind::InvalidData, error),
    };
    let mut archive = ZipArchive::new(file).map_err(broken)?;
    let is_log = |name: &str| !name.ends_with('/') && !name.starts_with("__MACOSX");
    let n_files = archive.len().min(ZIP_FILES_MAX);
    let log_idx = (0..n_files).find(|idx| {
        archive
            .name_for_index(*idx)
            .is_some_and(|name| name.is_ok_and(|name| is_log(&name)))
    });
    let Some(log_idx) = log_idx else {
        let looks_like = "a zip archive without files".to_owned();
        return Err(LogError::Unsupported {
            path: path.into(),
            looks_like,
        });
    };
    let entry = archive.by_index(log_idx).map_err(broken)?;
    read_text(path, &mut BufReader::new(entry), limits)
}

/// Reads unpacked text.
fn read_text(path: &Path, input: &mut dyn BufRead, limits: Limits) -> Result<LogReading, LogError> {
    let mut head = Vec::new();
    // A text that breaks this early is read again below, where the break is reported.
    let head_end = (&mut *input)
        .take(SNIFF_BYTES_MAX as u64)
        .read_to_end(&mut head)
        .err();
    let format = sniff(&head).map_err(|looks_like| match head_end {
        Some(_) if head.is_empty() => "a broken gzip or zip file".to_owned(),
        _ => looks_like,
    });
    let format = format.map_err(|looks_like| LogError::Unsupported {
        path: path.into(),
        looks_like,
    })?;
    let rest: Box<dyn BufRead + '_> = match head_end {
        Some(error) => Box::new(BufReader::new(Failing(Some(error)))),
        None => Box::new(input),
    };
    let mut text = io::Cursor::new(head).chain(rest);
    let mut lines = Lines::new(path, &mut text, limits);
    let (drive, defect) = match format {
        LogFormat::G2o => g2o::read(&mut lines),
        LogFormat::Carmen | LogFormat::Synthetic | LogFormat::Collected => carmen::read(&mut lines),
    };
    let n_lines = lines.n_lines();
    assemble(path, format, drive, defect, n_lines)
}

/// A reader that gives back the error that ended the one before it.
struct Failing(Option<io::Error>);

impl io::Read for Failing {
    fn read(&mut self, _buffer: &mut [u8]) -> io::Result<usize> {
        self.0.take().map_or(Ok(0), Err)
    }
}

fn assemble(
    path: &Path,
    format: LogFormat,
    drive: Drive,
    defect: Option<LogError>,
    n_lines: u64,
) -> Result<LogReading, LogError> {
    let Some(geometry) = drive.scans.first().map(|scan| scan.scan.geometry) else {
        let keywords = match format {
            LogFormat::G2o => "ROBOTLASER1",
            LogFormat::Carmen | LogFormat::Synthetic | LogFormat::Collected => {
                "FLASER, ROBOTLASER1 or RAWLASER1"
            }
        };
        let no_scans = LogError::NoScans {
            path: path.into(),
            format,
            keywords,
            n_lines,
        };
        return Err(defect.unwrap_or(no_scans));
    };
    let source = drive.source.unwrap_or(OdometrySource::Absent);
    let episode = Episode {
        name: name_of(path),
        // Filled in by the caller, who has seen all bytes.
        source_hash: String::new(),
        geometry,
        scans: drive.scans,
        odometry: drive.odometry,
        others: Vec::new(),
    };
    let warnings = LogWarnings::of(
        &episode,
        source,
        drive.skipped_lines,
        drive.dropped_odometry,
    );
    Ok(LogReading {
        episode,
        format,
        defect,
        warnings,
    })
}

/// The file's name without the endings that only say how it is written.
fn name_of(path: &Path) -> String {
    let mut name = PathBuf::from(path.file_name().unwrap_or(path.as_os_str()));
    let ending = |name: &Path| name.extension().map(|e| e.to_string_lossy().to_lowercase());
    while let Some("gz" | "zip" | "log" | "clf" | "g2o" | "txt") = ending(&name).as_deref() {
        name.set_extension("");
    }
    name.to_string_lossy().into_owned()
}

/// Tells what a text is from its beginning, or else what it seems to be.
fn sniff(head: &[u8]) -> Result<LogFormat, String> {
    let magics: [(&[u8], &str); 7] = [
        (
            &FRAME_MAGIC,
            "framed ONI messages of several robots, which are read another way",
        ),
        (b"\x89MCAP", "an MCAP recording"),
        (b"#ROSBAG", "a ROS 1 bag"),
        (b"SQLite format 3", "an SQLite database (a ROS 2 bag?)"),
        (b"\x89HDF", "an HDF5 file"),
        (GZIP_MAGIC, "a gzip file within an archive"),
        (ZIP_MAGIC, "a zip file within an archive"),
    ];
    if head.is_empty() {
        return Err("an empty file".to_owned());
    }
    if let Some((_, name)) = magics.iter().find(|(magic, _)| head.starts_with(magic)) {
        return Err((*name).to_owned());
    }
    let text = String::from_utf8_lossy(head);
    for line in text.lines() {
        let Some(keyword) = line.split_ascii_whitespace().next() else {
            continue;
        };
        match keyword {
            "VERTEX_SE2" | "EDGE_SE2" => return Ok(LogFormat::G2o),
            "VERTEX_SE3:QUAT" | "EDGE_SE3:QUAT" => {
                return Err("a g2o file in space (SE3); only planar ones are read".to_owned());
            }
            known if carmen::KEYWORDS.contains(&known) => return Ok(LogFormat::Carmen),
            _ => {}
        }
    }
    Err(guess(head, &text))
}

/// A guess at what a text is that is none of ours.
fn guess(head: &[u8], text: &str) -> String {
    if head.contains(&0) {
        return "a binary file".to_owned();
    }
    let is_comment = |line: &&str| line.starts_with('#') || line.trim().is_empty();
    let row = text
        .lines()
        .find(|line| !is_comment(line))
        .unwrap_or_default();
    let is_numbers = |row: &str| {
        let mut words = row.split_ascii_whitespace().peekable();
        words.peek().is_some() && words.all(|word| word.parse::<f64>().is_ok())
    };
    if is_numbers(row) {
        "a table of numbers (an MRCLAM .dat file?)".to_owned()
    } else if row.trim_start().starts_with(['{', '[']) {
        "JSON or TOML text".to_owned()
    } else {
        format!(
            "some other text, starting {:?}",
            row.chars().take(40).collect::<String>()
        )
    }
}

#[cfg(test)]
mod tests;
