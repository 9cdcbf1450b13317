//! Where Sedge keeps what it fetches.

use std::ffi::OsString;
use std::path::PathBuf;

use anyhow::Context as _;

/// `$XDG_DATA_HOME/sedge`, or `~/.local/share/sedge`.
///
/// # Errors
/// When neither `XDG_DATA_HOME` nor `HOME` says an absolute path.
pub fn data_folder() -> anyhow::Result<PathBuf> {
    choose(std::env::var_os("XDG_DATA_HOME"), std::env::var_os("HOME"))
        .context("expected an absolute path in XDG_DATA_HOME or HOME, got none")
}

/// A relative `XDG_DATA_HOME` does not count, as its specification says.
fn choose(data_home: Option<OsString>, home: Option<OsString>) -> Option<PathBuf> {
    let absolute = |path: OsString| Some(PathBuf::from(path)).filter(|path| path.is_absolute());
    let data_home = data_home.and_then(absolute);
    let from_home = || {
        home.and_then(absolute)
            .map(|home| home.join(".local").join("share"))
    };
    data_home
        .or_else(from_home)
        .map(|folder| folder.join("sedge"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_relative_data_home_does_not_count() {
        let check = |data_home: Option<&str>, home: Option<&str>, expected: Option<&str>| {
            let got = choose(data_home.map(Into::into), home.map(Into::into));
            assert_eq!(got, expected.map(PathBuf::from), "{data_home:?} {home:?}");
        };
        check(Some("/data"), Some("/home/me"), Some("/data/sedge"));
        check(
            Some("data"),
            Some("/home/me"),
            Some("/home/me/.local/share/sedge"),
        );
        check(None, Some("/home/me"), Some("/home/me/.local/share/sedge"));
        check(None, None, None);
    }
}
