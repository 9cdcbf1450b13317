//! What a rule found.

use std::fmt;

/// One place that breaks a rule, with the reason of the rule.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    /// File or folder, from the repository's root.
    pub path: String,
    /// Line, from 1; 0 for the file as a whole.
    pub line: usize,
    /// What is wrong.
    pub what: String,
    /// Why there is such a rule.
    pub why: &'static str,
}

impl Finding {
    /// A finding about a line.
    pub fn at(path: &str, line: usize, what: impl Into<String>, why: &'static str) -> Self {
        Self {
            path: path.to_owned(),
            line,
            what: what.into(),
            why,
        }
    }

    /// A finding about a whole file or folder.
    pub fn about(path: &str, what: impl Into<String>, why: &'static str) -> Self {
        Self::at(path, 0, what, why)
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => write!(f, "{}: {}\n    because {}", self.path, self.what, self.why),
            line => write!(
                f,
                "{}:{line}: {}\n    because {}",
                self.path, self.what, self.why
            ),
        }
    }
}

/// Fails a test with every finding on its own line.
///
/// # Panics
/// When there is a finding.
pub fn assert_none(mut findings: Vec<Finding>) {
    findings.sort();
    let lines: Vec<String> = findings.iter().map(ToString::to_string).collect();
    assert!(
        findings.is_empty(),
        "{} finding(s):\n{}",
        lines.len(),
        lines.join("\n")
    );
}
