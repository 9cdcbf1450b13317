//! What benchmarks found, for people and for programs.

use sedge_runtime::bench::{SpanFigures, Surroundings};
use sedge_runtime::latency_run::Readable;
use serde::Serialize;

use super::case::Kind;
use crate::Table;

/// All that was measured in one run; what `--json` prints.
#[derive(Debug, Serialize)]
pub(crate) struct BenchReport {
    /// Which build measured.
    pub(crate) version: &'static str,
    /// Whether it was built for speed.
    pub(crate) is_optimised: bool,
    /// Whether counts were cut down.
    pub(crate) is_quick: bool,
    /// The machine, before the first case.
    pub(crate) surroundings: Surroundings,
    pub(crate) cases: Vec<CaseReport>,
}

/// What one case found.
#[derive(Debug, Serialize)]
pub(crate) struct CaseReport {
    pub(crate) name: String,
    pub(crate) kind: Kind,
    pub(crate) title: String,
    pub(crate) rows: Vec<Row>,
    /// What else there is to know: who could not take part, and why.
    pub(crate) notes: Vec<String>,
    /// What the machine had to do before and after.
    pub(crate) loads: [Option<[f64; 3]>; 2],
}

/// Whose row it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Side {
    Ours,
    /// A peer's. Of several rows with the same rival the better one counts.
    Peer {
        rival: String,
    },
}

/// One contender's turns.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Row {
    /// The work and its pace: rows of the same are set beside each other.
    pub(crate) what: String,
    pub(crate) who: String,
    pub(crate) side: Side,
    #[serde(flatten)]
    pub(crate) figures: SpanFigures,
    /// Messages of a turn, where a turn is a round of many.
    pub(crate) n_messages: Option<u64>,
    /// What it may take, and how often it took longer, where that is declared.
    pub(crate) budget: Option<Kept>,
    /// How many times a rival's time ours is: below 1 is faster.
    pub(crate) ratios: Vec<Ratio>,
}

/// A budget and how it was kept.
#[derive(Debug, Clone, Copy, Serialize)]
pub(crate) struct Kept {
    pub(crate) budget_nanos: u64,
    pub(crate) n_missed: u64,
}

/// Ours through theirs, the better of a rival's rows at each share by itself.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Ratio {
    pub(crate) rival: String,
    pub(crate) p50: f64,
    pub(crate) p99: f64,
}

impl Row {
    pub(crate) fn new(what: &str, who: &str, side: Side, figures: SpanFigures) -> Self {
        Self {
            what: what.to_owned(),
            who: who.to_owned(),
            side,
            figures,
            n_messages: None,
            budget: None,
            ratios: Vec::new(),
        }
    }

    fn per_sec(&self, nanos: u64) -> Option<f64> {
        let n = self.n_messages.filter(|_| nanos > 0)?;
        Some(n as f64 * 1e9 / nanos as f64)
    }
}

/// Sets each of our rows beside every rival in the same work.
pub(crate) fn compare(rows: &mut [Row]) {
    let theirs: Vec<Row> = rows.to_vec();
    for row in rows.iter_mut().filter(|row| row.side == Side::Ours) {
        row.ratios = ratios_of(row, &theirs);
    }
}

fn ratios_of(row: &Row, all: &[Row]) -> Vec<Ratio> {
    let mut best: Vec<(&str, SpanFigures)> = Vec::new();
    for other in all.iter().filter(|it| it.what == row.what) {
        let Side::Peer { rival } = &other.side else {
            continue;
        };
        // Who got no answer at all has no time to be set beside.
        if other.figures.n == 0 || row.figures.n == 0 {
            continue;
        }
        match best.iter_mut().find(|(name, _)| name == rival) {
            Some((_, known)) => {
                known.p50_nanos = known.p50_nanos.min(other.figures.p50_nanos);
                known.p99_nanos = known.p99_nanos.min(other.figures.p99_nanos);
            }
            None => best.push((rival, other.figures)),
        }
    }
    let through = |ours: u64, theirs: u64| ours as f64 / theirs.max(1) as f64;
    let ratio = |(rival, theirs): (&str, SpanFigures)| Ratio {
        rival: rival.to_owned(),
        p50: through(row.figures.p50_nanos, theirs.p50_nanos),
        p99: through(row.figures.p99_nanos, theirs.p99_nanos),
    };
    best.into_iter().map(ratio).collect()
}

impl CaseReport {
    /// Whom ours was set beside, in the order of the rows.
    fn rivals(&self) -> Vec<&str> {
        let mut rivals: Vec<&str> = Vec::new();
        for ratio in self.rows.iter().flat_map(|row| &row.ratios) {
            if !rivals.contains(&ratio.rival.as_str()) {
                rivals.push(&ratio.rival);
            }
        }
        rivals
    }

    pub(crate) fn table(&self) -> Table {
        let has_rates = self.rows.iter().any(|row| row.n_messages.is_some());
        let has_budgets = self.rows.iter().any(|row| row.budget.is_some());
        let rivals = self.rivals();
        let mut header = vec!["what".to_owned(), "who".to_owned()];
        let fixed: &[&str] = if has_rates {
            &["rounds", "median /s", "least /s", "lost"]
        } else {
            &["n", "p50", "p99", "p99.9", "max", "lost"]
        };
        header.extend(fixed.iter().map(|it| (*it).to_owned()));
        if has_budgets {
            header.extend(["budget".to_owned(), "missed".to_owned()]);
        }
        for rival in &rivals {
            header.push(format!("p50, of {rival}"));
            if !has_rates {
                header.push(format!("p99, of {rival}"));
            }
        }
        let mut table = Table::new(header);
        for row in &self.rows {
            table.push(cells(row, (has_rates, has_budgets), &rivals));
        }
        table
    }
}

fn cells(row: &Row, (has_rates, has_budgets): (bool, bool), rivals: &[&str]) -> Vec<String> {
    let it = &row.figures;
    let time = |nanos: u64| {
        if it.n == 0 {
            String::new()
        } else {
            Readable(nanos).to_string()
        }
    };
    let rate = |nanos: u64| row.per_sec(nanos).map(|n| format!("{n:.0}"));
    let mut cells = vec![row.what.clone(), row.who.clone(), it.n.to_string()];
    if has_rates {
        let rates = [rate(it.p50_nanos), rate(it.max_nanos)];
        cells.extend(rates.map(Option::unwrap_or_default));
    } else {
        let times = [it.p50_nanos, it.p99_nanos, it.p999_nanos, it.max_nanos];
        cells.extend(times.map(time));
    }
    cells.push(it.n_lost.to_string());
    if has_budgets {
        let kept = row.budget;
        let budget = kept.map(|kept| Readable(kept.budget_nanos).to_string());
        cells.push(budget.unwrap_or_default());
        cells.push(kept.map_or_else(String::new, |kept| kept.n_missed.to_string()));
    }
    for rival in rivals {
        let ratio = row.ratios.iter().find(|ratio| ratio.rival == *rival);
        let cell = |of: fn(&Ratio) -> f64| {
            ratio.map_or_else(String::new, |ratio| format!("{:.2}x", of(ratio)))
        };
        cells.push(cell(|ratio| ratio.p50));
        if !has_rates {
            cells.push(cell(|ratio| ratio.p99));
        }
    }
    cells
}

/// Load averages in words.
fn load(averages: Option<[f64; 3]>) -> String {
    averages.map_or_else(
        || "unknown".to_owned(),
        |[one, five, fifteen]| format!("{one:.2}, {five:.2}, {fifteen:.2}"),
    )
}

impl BenchReport {
    /// For a terminal.
    pub(crate) fn text(&self) -> String {
        let mut text = format!("{}\n", self.head());
        for case in &self.cases {
            text = text + "\n" + &case.name + ": " + &case.title + "\n" + &case.table().text();
            text += &case.notes_text();
        }
        text
    }

    /// For a page.
    pub(crate) fn markdown(&self, command: &str) -> String {
        let mut page = format!(
            "# What benchmarks found\n\nMade by `{command}`. What each case does is in its file; \
             every turn is timed by itself and nothing is left out. \"p50, of X\" is our median \
             through X's: below 1 is faster.\n\n{}\n",
            self.head()
        );
        for case in &self.cases {
            let table = case.table().markdown();
            page = page + "\n## " + &case.name + "\n" + &case.title + ".\n\n" + &table + "\n";
            page += &case.notes_text();
        }
        page
    }

    fn head(&self) -> String {
        let build = if self.is_optimised {
            "an optimised build"
        } else {
            "a debug build, whose figures say nothing of Sedge"
        };
        let quick = if self.is_quick {
            "; counts cut down by --quick"
        } else {
            ""
        };
        let (version, surroundings) = (self.version, &self.surroundings);
        format!("Sedge {version}, {build}{quick}. On {surroundings}.")
    }
}

impl CaseReport {
    /// A line each.
    fn notes_text(&self) -> String {
        let [before, after] = self.loads.map(load);
        let loads = format!("Load averages before {before}; after {after}.");
        let notes = self.notes.iter().chain([&loads]);
        notes.fold(String::new(), |text, note| text + "- " + note + "\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figures(p50_nanos: u64, p99_nanos: u64) -> SpanFigures {
        SpanFigures {
            n: 10,
            p50_nanos,
            p99_nanos,
            p999_nanos: p99_nanos,
            max_nanos: p99_nanos,
            n_lost: 0,
        }
    }

    fn peer(rival: &str) -> Side {
        Side::Peer {
            rival: rival.to_owned(),
        }
    }

    fn case(rows: Vec<Row>) -> CaseReport {
        CaseReport {
            name: "a".to_owned(),
            kind: Kind::Filter,
            title: "A".to_owned(),
            rows,
            notes: vec!["A note.".to_owned()],
            loads: [Some([0.5, 1.0, 2.0]), None],
        }
    }

    #[test]
    fn ours_is_set_beside_the_better_of_a_rivals_rows_in_the_same_work() {
        let mut rows = vec![
            Row::new("w", "ours", Side::Ours, figures(100, 400)),
            Row::new("w", "eager", peer("T"), figures(400, 500)),
            Row::new("w", "compiled", peer("T"), figures(200, 800)),
            Row::new("w", "raw", peer("Z"), figures(100, 100)),
            Row::new("other", "raw", peer("Z"), figures(1, 1)),
        ];
        compare(&mut rows);
        let ratios: Vec<(&str, f64, f64)> = rows[0]
            .ratios
            .iter()
            .map(|it| (it.rival.as_str(), it.p50, it.p99))
            .collect();
        assert_eq!(ratios, [("T", 0.5, 0.8), ("Z", 1.0, 4.0)]);
        assert!(rows[1..].iter().all(|row| row.ratios.is_empty()));
        let text = case(rows).table().text();
        let lines: Vec<Vec<&str>> = text
            .lines()
            .map(|line| line.split_whitespace().collect())
            .collect();
        assert_eq!(
            lines[1][lines[1].len() - 4..],
            ["0.50x", "0.80x", "1.00x", "4.00x"]
        );
    }

    #[test]
    fn who_got_no_answer_is_set_beside_nobody() {
        let none = SpanFigures {
            n: 0,
            n_lost: 10,
            ..figures(0, 0)
        };
        let mut rows = vec![
            Row::new("w", "ours", Side::Ours, figures(100, 400)),
            Row::new("w", "raw", peer("Z"), none),
        ];
        compare(&mut rows);
        assert!(rows[0].ratios.is_empty());
        let text = case(rows).table().text();
        assert!(text.lines().nth(2).unwrap().ends_with("10"), "{text}");
    }

    #[test]
    fn a_round_of_many_messages_is_shown_as_messages_a_second() {
        let mut row = Row::new("w", "ours", Side::Ours, figures(1_000_000, 2_000_000));
        row.n_messages = Some(1_000);
        let text = case(vec![row]).table().text();
        let line: Vec<&str> = text.lines().nth(1).unwrap().split_whitespace().collect();
        assert_eq!(line, ["w", "ours", "10", "1000000", "500000", "0"]);
    }

    #[test]
    fn a_page_says_what_measured_and_under_which_load() {
        let report = BenchReport {
            version: "0.1.0",
            is_optimised: false,
            is_quick: true,
            surroundings: Surroundings::now(),
            cases: vec![case(Vec::new())],
        };
        let page = report.markdown("sedge bench --quick");
        for words in [
            "Made by `sedge bench --quick`.",
            "a debug build",
            "cut down",
            "- A note.",
            "- Load averages before 0.50, 1.00, 2.00; after unknown.",
        ] {
            assert!(page.contains(words), "expected {words:?} in {page}");
        }
    }
}
