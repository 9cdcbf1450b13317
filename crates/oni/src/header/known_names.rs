//! Names that a thread has read lately: headers name the same few agents and frames over and over.

use std::cell::RefCell;
use std::thread::LocalKey;

use sedge_spacetime::{AgentName, FrameName, NameError};

/// Names of each kind that a thread keeps; the oldest goes first.
const NAMES_MAX: usize = 32;

type Kept<N> = RefCell<Vec<N>>;

thread_local! {
    static AGENTS: Kept<AgentName> = const { RefCell::new(Vec::new()) };
    static FRAMES: Kept<FrameName> = const { RefCell::new(Vec::new()) };
}

/// The agent of this name.
pub(super) fn agent(name: &str) -> Result<AgentName, NameError> {
    let known = known(&AGENTS, |it| it.as_str() == name);
    known.map_or_else(
        || kept(&AGENTS, AgentName::new(super::codec::short(name))),
        Ok,
    )
}

/// The frame of this name.
pub(super) fn frame(name: &str) -> Result<FrameName, NameError> {
    let known = known(&FRAMES, |it| it.as_str() == name);
    known.map_or_else(
        || kept(&FRAMES, FrameName::new(super::codec::short(name))),
        Ok,
    )
}

fn known<N: Clone>(names: &'static LocalKey<Kept<N>>, is_it: impl FnMut(&&N) -> bool) -> Option<N> {
    // There are none while a thread ends.
    let found = names.try_with(|names| names.borrow().iter().find(is_it).cloned());
    found.ok().flatten()
}

fn kept<N: Clone>(
    names: &'static LocalKey<Kept<N>>,
    name: Result<N, NameError>,
) -> Result<N, NameError> {
    let name = name?;
    names
        .try_with(|names| {
            let mut names = names.borrow_mut();
            if names.len() == NAMES_MAX {
                names.remove(0);
            }
            names.push(name.clone());
        })
        .unwrap_or_default();
    Ok(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_kept_up_to_a_limit_and_bad_ones_not_at_all() {
        for turn in 0..2 {
            for n in 0..2 * NAMES_MAX {
                let name = format!("crane{n}");
                assert_eq!(agent(&name).unwrap().as_str(), name, "turn {turn}");
                assert_eq!(frame(&name).unwrap().as_str(), name);
            }
        }
        assert!(agent("a b").is_err() && frame("").is_err());
        AGENTS.with_borrow(|names| assert_eq!(names.len(), NAMES_MAX));
    }
}
