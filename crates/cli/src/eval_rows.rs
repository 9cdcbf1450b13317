//! Rows of an evaluation, over one run and over several, and how they are printed.

use sedge_world_model::MetricRow;
use serde::{Deserialize, Serialize};

use crate::Table;

/// One line of `sedge eval`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EvalRow {
    /// Method, horizon and figures.
    #[serde(flatten)]
    pub metrics: MetricRow,
    /// The run's folder, for a single run.
    pub run: Option<String>,
    /// The run's seed, for a single run.
    pub seed: Option<u64>,
    /// How many runs the figures are the mean of.
    pub n_runs: Option<usize>,
    /// Standard deviations over these runs.
    pub spread: Option<Spread>,
}

/// Standard deviation of each figure over several runs.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Spread {
    /// Of the mean absolute error, metres.
    pub mae_m: f64,
    /// Of the root mean squared error, metres.
    pub rmse_m: f64,
    /// Of the median absolute error, metres.
    pub median_m: f64,
    /// Of the share within 5 cm.
    pub within_5cm: f64,
    /// Of the share within 10 cm.
    pub within_10cm: f64,
    /// Of the share within 20 cm.
    pub within_20cm: f64,
    /// Of the log-RMSE.
    pub log_rmse: f64,
}

/// A column of the table.
struct Figure {
    name: &'static str,
    of: fn(&MetricRow) -> f64,
    digits: usize,
}

/// The figures of a row, in the order of the table.
const FIGURES: [Figure; 7] = [
    Figure {
        name: "MAE m",
        of: |row| row.mae_m,
        digits: 3,
    },
    Figure {
        name: "RMSE m",
        of: |row| row.rmse_m,
        digits: 3,
    },
    Figure {
        name: "median m",
        of: |row| row.median_m,
        digits: 4,
    },
    Figure {
        name: "<=5 cm",
        of: |row| row.within_5cm,
        digits: 3,
    },
    Figure {
        name: "<=10 cm",
        of: |row| row.within_10cm,
        digits: 3,
    },
    Figure {
        name: "<=20 cm",
        of: |row| row.within_20cm,
        digits: 3,
    },
    Figure {
        name: "log-RMSE",
        of: |row| row.log_rmse,
        digits: 3,
    },
];

impl EvalRow {
    /// Of something that was not trained.
    pub fn baseline(metrics: MetricRow) -> Self {
        Self {
            metrics,
            run: None,
            seed: None,
            n_runs: None,
            spread: None,
        }
    }

    /// Of one run.
    pub fn of_run(metrics: MetricRow, run: String, seed: u64) -> Self {
        Self {
            run: Some(run),
            seed: Some(seed),
            ..Self::baseline(metrics)
        }
    }
}

/// Mean and spread over the runs that share a method, where there are several.
pub(crate) fn pooled(rows: &[EvalRow]) -> Vec<EvalRow> {
    let mut keys: Vec<(&str, f64)> = Vec::new();
    for row in rows {
        let key = (row.metrics.method.as_str(), place(&row.metrics));
        if !keys
            .iter()
            .any(|(method, at)| *method == key.0 && at.total_cmp(&key.1).is_eq())
        {
            keys.push(key);
        }
    }
    let same = |(method, at): (&str, f64)| -> Vec<&MetricRow> {
        let rows = rows.iter().map(|row| &row.metrics);
        rows.filter(|row| row.method == method && place(row).total_cmp(&at).is_eq())
            .collect()
    };
    keys.into_iter()
        .map(same)
        .filter(|rows| rows.len() > 1)
        .map(|rows| mean_of(&rows))
        .collect()
}

/// What rows of one horizon share: scans ahead where they are counted, seconds elsewhere.
fn place(row: &MetricRow) -> f64 {
    row.horizon_steps
        .map_or(row.horizon_secs, |steps| steps as f64)
}

fn mean_of(rows: &[&MetricRow]) -> EvalRow {
    let n = rows.len() as f64;
    let mean = |figure: fn(&MetricRow) -> f64| rows.iter().map(|row| figure(row)).sum::<f64>() / n;
    let spread = |figure: fn(&MetricRow) -> f64| {
        let mean = mean(figure);
        let squares: f64 = rows.iter().map(|row| (figure(row) - mean).powi(2)).sum();
        (squares / (n - 1.0)).sqrt()
    };
    let [
        mae_m,
        rmse_m,
        median_m,
        within_5cm,
        within_10cm,
        within_20cm,
        log_rmse,
    ] = FIGURES.map(|figure| (mean(figure.of), spread(figure.of)));
    EvalRow {
        metrics: MetricRow {
            mae_m: mae_m.0,
            rmse_m: rmse_m.0,
            median_m: median_m.0,
            within_5cm: within_5cm.0,
            within_10cm: within_10cm.0,
            within_20cm: within_20cm.0,
            log_rmse: log_rmse.0,
            ..rows[0].clone()
        },
        run: None,
        seed: None,
        n_runs: Some(rows.len()),
        spread: Some(Spread {
            mae_m: mae_m.1,
            rmse_m: rmse_m.1,
            median_m: median_m.1,
            within_5cm: within_5cm.1,
            within_10cm: within_10cm.1,
            within_20cm: within_20cm.1,
            log_rmse: log_rmse.1,
        }),
    }
}

/// One table a horizon, for terminals.
pub(crate) fn text(rows: &[EvalRow]) -> String {
    let tables = by_horizon(rows).map(|(title, table)| title + "\n" + &table.text());
    tables.collect::<Vec<_>>().join("\n")
}

/// One table a horizon, as a page of Markdown.
pub(crate) fn markdown(log: &str, rows: &[EvalRow]) -> String {
    let tables = by_horizon(rows).map(|(title, table)| {
        let table = table.markdown();
        format!("## {title}\n\n{table}")
    });
    format!("# {log}\n\n") + &tables.collect::<Vec<_>>().join("\n")
}

fn by_horizon(rows: &[EvalRow]) -> impl Iterator<Item = (String, Table)> {
    let same = |a: &EvalRow, b: &EvalRow| place(&a.metrics).total_cmp(&place(&b.metrics)).is_eq();
    rows.chunk_by(same)
        .map(|rows| (title(&rows[0].metrics), table(rows)))
}

fn title(row: &MetricRow) -> String {
    match row.horizon_steps {
        Some(steps) => {
            let scans = if steps == 1 { "scan" } else { "scans" };
            format!(
                "{steps} {scans} ahead (mean {:.2} s), {} starts",
                row.horizon_secs, row.n
            )
        }
        None => format!("{} s ahead, {} starts", row.horizon_secs, row.n),
    }
}

/// Of runs with a mean, only the mean is shown: the single runs are in the JSON.
fn table(rows: &[EvalRow]) -> Table {
    let mut table = Table::new(
        ["method"]
            .into_iter()
            .chain(FIGURES.map(|figure| figure.name)),
    );
    let has_mean = |row: &EvalRow| {
        let same = |other: &&EvalRow| other.metrics.method == row.metrics.method;
        row.run.is_some() && rows.iter().filter(same).any(|other| other.spread.is_some())
    };
    for row in rows.iter().filter(|row| !has_mean(row)) {
        let name = match row.n_runs {
            Some(n_runs) => format!("{} ({n_runs} runs)", row.metrics.method),
            None => row.metrics.method.clone(),
        };
        let cells = FIGURES.iter().zip(spreads(row)).map(|(figure, spread)| {
            let digits = figure.digits;
            let value = format!("{:.digits$}", (figure.of)(&row.metrics));
            spread.map_or(value.clone(), |spread| {
                format!("{value} +-{spread:.digits$}")
            })
        });
        table.push([name].into_iter().chain(cells));
    }
    table
}

fn spreads(row: &EvalRow) -> [Option<f64>; 7] {
    let Some(spread) = row.spread else {
        return [None; 7];
    };
    let Spread {
        mae_m,
        rmse_m,
        median_m,
        within_5cm,
        within_10cm,
        within_20cm,
        log_rmse,
    } = spread;
    [
        mae_m,
        rmse_m,
        median_m,
        within_5cm,
        within_10cm,
        within_20cm,
        log_rmse,
    ]
    .map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(method: &str, mae_m: f64, horizon_steps: Option<usize>) -> MetricRow {
        MetricRow {
            method: method.to_owned(),
            horizon_secs: 1.0,
            horizon_steps,
            oracle: false,
            n: 10,
            n_beams: 100,
            mae_m,
            rmse_m: 1.0,
            median_m: 0.1,
            within_5cm: 0.5,
            within_10cm: 0.6,
            within_20cm: 0.7,
            log_rmse: 0.2,
        }
    }

    #[test]
    fn runs_of_one_method_become_one_row_with_their_spread() {
        let of_run =
            |mae_m, seed| EvalRow::of_run(row("sedge mean", mae_m, None), "r".into(), seed);
        let mut rows = vec![of_run(0.3, 1), of_run(0.5, 2)];
        let means = pooled(&rows);
        assert_eq!(means.len(), 1);
        assert_eq!(means[0].n_runs, Some(2));
        assert!((means[0].metrics.mae_m - 0.4).abs() < 1e-12);
        let spread = means[0].spread.unwrap().mae_m;
        assert!((spread - 0.02_f64.sqrt()).abs() < 1e-12, "{spread}");
        rows.extend(means);
        let page = text(&rows);
        assert!(
            page.contains("sedge mean (2 runs)  0.400 +-0.141"),
            "{page}"
        );
        assert_eq!(page.matches("sedge mean").count(), 1, "{page}");
    }

    #[test]
    fn a_single_run_has_no_spread() {
        let rows = [EvalRow::of_run(row("sedge mean", 0.3, None), "r".into(), 1)];
        assert!(pooled(&rows).is_empty());
    }

    #[test]
    fn json_rows_hold_the_stable_fields_at_their_top() {
        let row = EvalRow::baseline(row("persist", 0.25, Some(2)));
        let json = serde_json::to_value(&row).unwrap();
        for field in [
            "method",
            "horizon_secs",
            "horizon_steps",
            "n",
            "mae_m",
            "rmse_m",
            "median_m",
            "within_5cm",
            "within_10cm",
            "within_20cm",
            "log_rmse",
        ] {
            assert!(
                json.get(field).is_some_and(|value| !value.is_null()),
                "{field}"
            );
        }
        assert!(text(&[row]).starts_with("2 scans ahead (mean 1.00 s), 10 starts\n"));
    }
}
