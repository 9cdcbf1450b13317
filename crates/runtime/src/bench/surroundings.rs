//! What a benchmark ran on.

use std::fmt;
use std::path::Path;

use serde::Serialize;

use crate::latency_run::this_machine;
use crate::wakeups::governors;

/// Where Linux keeps what it knows of processors.
const CORES: &str = "/sys/devices/system/cpu";

/// The machine, and how this process stands in it; what it does not say is empty or `None`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Surroundings {
    /// Processors and system.
    pub machine: String,
    /// Cores that this process may use.
    pub n_cores: Option<usize>,
    /// What decides over frequencies; none on virtual machines.
    pub governors: Vec<String>,
    /// `normal`, `fifo`, `round robin`, .. as the kernel says.
    pub scheduling: Option<String>,
    /// Nice value, -20 to 19: lower ones go first.
    pub nice: Option<i64>,
    /// Over one, five and fifteen minutes, when this was made.
    pub load_averages: Option<[f64; 3]>,
}

impl Surroundings {
    /// Those of now.
    pub fn now() -> Self {
        let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
        Self {
            machine: this_machine(),
            n_cores: std::thread::available_parallelism()
                .ok()
                .map(std::num::NonZero::get),
            governors: governors(Path::new(CORES)),
            scheduling: scheduling(&stat).map(str::to_owned),
            nice: field(&stat, 19),
            load_averages: load_averages(),
        }
    }
}

impl fmt::Display for Surroundings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.machine)?;
        if let Some(n) = self.n_cores {
            write!(f, ", {n} to use")?;
        }
        match self.governors.as_slice() {
            [] => write!(f, "; governor not visible")?,
            names => write!(f, "; governor {}", names.join(", "))?,
        }
        if let Some(scheduling) = &self.scheduling {
            write!(f, "; scheduling {scheduling}")?;
        }
        if let Some(nice) = self.nice {
            write!(f, ", nice {nice}")?;
        }
        if let Some([one, five, fifteen]) = self.load_averages {
            write!(f, "; load averages {one:.2}, {five:.2}, {fifteen:.2}")?;
        }
        Ok(())
    }
}

/// What the machine had to do over one, five and fifteen minutes.
pub fn load_averages() -> Option<[f64; 3]> {
    averages(&std::fs::read_to_string("/proc/loadavg").ok()?)
}

fn averages(text: &str) -> Option<[f64; 3]> {
    let mut words = text.split_whitespace();
    let mut next = || words.next()?.parse().ok();
    Some([next()?, next()?, next()?])
}

/// A field of `/proc/PID/stat`, counted from 1.
fn field(stat: &str, number: usize) -> Option<i64> {
    // The second, a name in brackets, may hold spaces and brackets.
    let (_, after_name) = stat.rsplit_once(") ")?;
    after_name.split_whitespace().nth(number - 3)?.parse().ok()
}

fn scheduling(stat: &str) -> Option<&'static str> {
    Some(match field(stat, 41)? {
        0 => "normal",
        1 => "fifo",
        2 => "round robin",
        3 => "batch",
        5 => "idle",
        6 => "deadline",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_read_behind_its_name() {
        let fields: Vec<String> = (4..=41)
            .map(|it| if it == 19 { -10 } else { it }.to_string())
            .collect();
        let fields = fields.join(" ").replace(" 41", " 1");
        let stat = format!("17 (a) b (c)) S {fields} 0 0\n");
        assert_eq!(field(&stat, 19), Some(-10));
        assert_eq!(scheduling(&stat), Some("fifo"));
        for other in ["", "17 (a", "17 (a) S 1"] {
            assert_eq!(scheduling(other), None, "{other:?}");
        }
    }

    #[test]
    fn averages_are_three_numbers() {
        assert_eq!(averages("0.50 1.25 2 3/99 1\n"), Some([0.5, 1.25, 2.0]));
        assert_eq!(averages("0.50 x"), None);
        assert_eq!(averages(""), None);
    }

    #[test]
    fn what_the_system_does_not_say_is_left_out() {
        let silent = Surroundings {
            machine: "a machine".to_owned(),
            n_cores: None,
            governors: Vec::new(),
            scheduling: None,
            nice: None,
            load_averages: None,
        };
        assert_eq!(silent.to_string(), "a machine; governor not visible");
        let said = Surroundings {
            n_cores: Some(2),
            governors: vec!["performance".to_owned()],
            scheduling: Some("normal".to_owned()),
            nice: Some(-5),
            load_averages: Some([0.5, 1.0, 2.0]),
            ..silent
        };
        assert_eq!(
            said.to_string(),
            "a machine, 2 to use; governor performance; scheduling normal, nice -5; \
             load averages 0.50, 1.00, 2.00"
        );
    }
}
