//! The kinds of things drawn of a swarm, each with a rate and counts of its own.

use std::fmt;

/// One kind of thing drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum SwarmLayer {
    /// Bodies, walkers, trails and modes.
    Team,
    /// Scans.
    Scans,
    /// Imagined futures and the plan chosen among them.
    Plans,
    /// Where a robot believes it is.
    Beliefs,
    /// What it sees moving.
    Movers,
    /// What it knows of other robots.
    Neighbours,
    /// How far predictions were off.
    Errors,
    /// How long stages took.
    Latencies,
    /// Which rung of its degradation ladder it plans on.
    Rungs,
    /// Who sends what to whom.
    Messages,
    /// Lines of the log.
    Texts,
}

impl SwarmLayer {
    /// All of them.
    pub const ALL: [Self; 11] = [
        Self::Team,
        Self::Scans,
        Self::Plans,
        Self::Beliefs,
        Self::Movers,
        Self::Neighbours,
        Self::Errors,
        Self::Latencies,
        Self::Rungs,
        Self::Messages,
        Self::Texts,
    ];
}

impl fmt::Display for SwarmLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Team => "team",
            Self::Scans => "scans",
            Self::Plans => "plans",
            Self::Beliefs => "beliefs",
            Self::Movers => "movers",
            Self::Neighbours => "neighbours",
            Self::Errors => "errors",
            Self::Latencies => "latencies",
            Self::Rungs => "rungs",
            Self::Messages => "messages",
            Self::Texts => "texts",
        })
    }
}
