//! The repository's files as the rules see them.

use std::path::{Path, PathBuf};
use std::process::Command;

/// Where the repository begins.
///
/// # Panics
/// Never: this package lies in a folder of the repository.
pub fn repository_root() -> PathBuf {
    let manifest_folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    manifest_folder
        .parent()
        .expect("the package lies in a folder of the repository")
        .to_path_buf()
}

/// One file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceFile {
    /// From the repository's root, with `/`.
    pub path: String,
    /// The text; empty for a file that is not UTF-8.
    pub text: String,
    /// Size on disk.
    pub n_bytes: usize,
}

/// All files that are, or would be, in the repository.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SourceTree {
    /// The files, by path.
    pub files: Vec<SourceFile>,
}

impl SourceFile {
    /// A file that exists only in a test.
    pub fn new(path: &str, text: impl Into<String>) -> Self {
        let text = text.into();
        Self {
            path: path.to_owned(),
            n_bytes: text.len(),
            text,
        }
    }

    /// Whether the name ends like this, without the dot.
    pub fn has_extension(&self, extension: &str) -> bool {
        Path::new(&self.path)
            .extension()
            .is_some_and(|actual| actual == extension)
    }

    /// Lines with their numbers, from 1.
    pub fn numbered_lines(&self) -> impl Iterator<Item = (usize, &str)> {
        self.text
            .lines()
            .enumerate()
            .map(|(idx, line)| (idx + 1, line))
    }

    /// Whether the whole file is test code.
    pub fn is_test_file(&self) -> bool {
        let path = &self.path;
        path.starts_with("tests/") || path.contains("/tests/") || path.ends_with("/tests.rs")
    }

    /// Whether each line of a Rust file is test code: `#[cfg(test)]` and the item after it.
    pub fn test_lines(&self) -> Vec<bool> {
        let lines: Vec<&str> = self.text.lines().collect();
        let mut is_test = vec![self.is_test_file(); lines.len()];
        let mut idx = 0;
        while idx < lines.len() {
            if lines[idx].trim() != "#[cfg(test)]" {
                idx += 1;
                continue;
            }
            let end = item_end(&lines, idx);
            is_test[idx..=end].fill(true);
            idx = end + 1;
        }
        is_test
    }
}

/// The last line of the item whose attributes begin at `first`: rustfmt puts its closing brace at
/// the indentation of its attributes.
fn item_end(lines: &[&str], first: usize) -> usize {
    let indentation = |line: &str| line.len() - line.trim_start().len();
    let depth = indentation(lines[first]);
    let ends = |line: &&str| {
        let is_outer = indentation(line) == depth;
        is_outer && (line.trim_end().ends_with(';') || line.trim_start().starts_with('}'))
    };
    let rest = lines[first..].iter().position(ends);
    rest.map_or(lines.len() - 1, |n_after| first + n_after)
}

impl SourceTree {
    /// A tree that exists only in a test.
    pub fn of(files: &[(&str, &str)]) -> Self {
        Self {
            files: files
                .iter()
                .map(|(path, text)| SourceFile::new(path, *text))
                .collect(),
        }
    }

    /// Everything git tracks or would track, as it is on disk.
    ///
    /// # Panics
    /// When git does not answer: the house rules are about a clone.
    pub fn read() -> Self {
        let root = repository_root();
        let output = Command::new("git")
            .args([
                "ls-files",
                "-z",
                "--cached",
                "--others",
                "--exclude-standard",
            ])
            .current_dir(&root)
            .output()
            .expect("git is installed");
        assert!(
            output.status.success(),
            "git: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        let listed = String::from_utf8(output.stdout).expect("our paths are UTF-8");
        let mut files: Vec<SourceFile> = listed
            .split_terminator('\0')
            // A file that is deleted but not yet committed is still listed.
            .filter_map(|path| {
                std::fs::read(root.join(path))
                    .ok()
                    .map(|bytes| (path, bytes))
            })
            .map(|(path, bytes)| SourceFile {
                path: path.to_owned(),
                n_bytes: bytes.len(),
                text: String::from_utf8(bytes).unwrap_or_default(),
            })
            .collect();
        files.sort_by(|left, right| left.path.cmp(&right.path));
        assert!(
            files.len() > 20,
            "expected a repository in {}, got {files:?}",
            root.display()
        );
        Self { files }
    }

    /// The file at a path.
    pub fn file(&self, path: &str) -> Option<&SourceFile> {
        self.files.iter().find(|file| file.path == path)
    }

    /// Whether there is such a file.
    pub fn has(&self, path: &str) -> bool {
        self.file(path).is_some()
    }

    /// Folders directly in this one (`""` for the root), each once.
    pub fn folders_in(&self, folder: &str) -> Vec<&str> {
        let inside = self.files.iter().filter_map(|file| {
            let rest = file.path.strip_prefix(folder)?.trim_start_matches('/');
            rest.split_once('/').map(|(name, _)| name)
        });
        let mut names: Vec<&str> = inside.collect();
        names.sort_unstable();
        names.dedup();
        names
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn test_items_end_at_their_own_brace() {
        let text = "fn a() {\n}\n#[cfg(test)]\nmod tests {\n    fn b() {\n    }\n}\nfn c() {}\n";
        let marks = SourceFile::new("crates/x/src/a.rs", text).test_lines();
        assert_eq!(marks, [false, false, true, true, true, true, true, false]);
    }

    #[test]
    fn declared_test_modules_are_one_item() {
        let text = "#[cfg(test)]\nmod tests;\nfn a() {}\n";
        let marks = SourceFile::new("crates/x/src/a.rs", text).test_lines();
        assert_eq!(marks, [true, true, false]);
    }

    #[test]
    fn folders_are_listed_once() {
        let tree = SourceTree::of(&[
            ("a/b/c.rs", ""),
            ("a/d.rs", ""),
            ("e.rs", ""),
            ("a/b/f", ""),
        ]);
        assert_eq!(tree.folders_in(""), ["a"]);
        assert_eq!(tree.folders_in("a"), ["b"]);
    }
}
