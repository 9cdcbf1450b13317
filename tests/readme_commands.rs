//! Commands in a README's code fences.

use crate::SourceFile;

/// Languages of fences whose lines are commands.
const SHELLS: [&str; 4] = ["sh", "bash", "console", "shell"];

/// The commands in shell fences, with their lines: prompts, comments and empty lines left out,
/// continued lines joined, spaces made single. In a `console` fence only lines after a `$` count.
pub fn commands_in(page: &SourceFile) -> Vec<(usize, String)> {
    let mut commands: Vec<(usize, String)> = Vec::new();
    let mut fence: Option<&str> = None;
    let mut is_continued = false;
    for (number, line) in page.numbered_lines() {
        if let Some(language) = line.trim_start().strip_prefix("```") {
            fence = if fence.is_some() {
                None
            } else {
                Some(language.trim())
            };
            is_continued = false;
            continue;
        }
        let Some(language) = fence.filter(|language| SHELLS.contains(language)) else {
            continue;
        };
        let is_prompted = line.trim().starts_with("$ ");
        if language == "console" && !is_prompted && !is_continued {
            continue;
        }
        let Some(text) = asked(line) else {
            continue;
        };
        let words: Vec<&str> = text.trim_end_matches('\\').split_whitespace().collect();
        match commands.last_mut().filter(|_| is_continued) {
            Some((_, command)) => {
                command.push(' ');
                command.push_str(&words.join(" "));
            }
            None => commands.push((number, words.join(" "))),
        }
        is_continued = text.trim_end().ends_with('\\');
    }
    commands
}

/// What a line of a fence asks for: prompt and comment taken off; nothing if that leaves nothing.
fn asked(line: &str) -> Option<&str> {
    let text = line.trim().strip_prefix("$ ").unwrap_or(line);
    // A comment begins after a space, so that `a#b` stays whole.
    let text = text.split(" #").next().unwrap_or(text).trim();
    (!text.is_empty() && !text.starts_with('#')).then_some(text)
}
