//! Tables of text: aligned for terminals, with pipes for Markdown.

/// Rows of cells under a header.
///
/// ```
/// let mut table = sedge::Table::new(["method", "MAE m"]);
/// table.push(["persist", "0.883"]);
/// assert_eq!(table.text(), "method   MAE m\npersist  0.883\n");
/// assert_eq!(table.markdown(), "| method | MAE m |\n|---|---:|\n| persist | 0.883 |\n");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    header: Vec<String>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// An empty table with these columns.
    pub fn new<Cell: Into<String>>(header: impl IntoIterator<Item = Cell>) -> Self {
        Self {
            header: header.into_iter().map(Into::into).collect(),
            rows: Vec::new(),
        }
    }

    /// Adds a row; missing cells stay empty and surplus ones are left out.
    pub fn push<Cell: Into<String>>(&mut self, cells: impl IntoIterator<Item = Cell>) {
        let mut row: Vec<String> = cells.into_iter().map(Into::into).collect();
        row.resize(self.header.len(), String::new());
        self.rows.push(row);
    }

    /// Whether it has no rows.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// In columns of equal width, two blanks apart; columns of numbers are aligned right.
    pub fn text(&self) -> String {
        let all = || std::iter::once(&self.header).chain(&self.rows);
        let width = |column: usize| {
            all()
                .map(|row| row[column].chars().count())
                .max()
                .unwrap_or(0)
        };
        let widths: Vec<usize> = (0..self.header.len()).map(width).collect();
        let numeric: Vec<bool> = (0..self.header.len()).map(|n| self.is_numeric(n)).collect();
        let line = |row: &Vec<String>| {
            let cells = row.iter().enumerate().map(|(column, cell)| {
                let width = widths[column];
                if numeric[column] {
                    format!("{cell:>width$}")
                } else {
                    format!("{cell:<width$}")
                }
            });
            let line = cells.collect::<Vec<_>>().join("  ");
            line.trim_end().to_owned() + "\n"
        };
        all().map(line).collect()
    }

    fn is_numeric(&self, column: usize) -> bool {
        let is_number = |cell: &String| {
            cell.is_empty()
                || cell.starts_with(|first: char| {
                    first.is_ascii_digit() || first == '-' || first == '+'
                })
        };
        column > 0 && !self.rows.is_empty() && self.rows.iter().all(|row| is_number(&row[column]))
    }

    /// As lines of a name and a value, both aligned left: for tables of two columns.
    pub fn lines(&self) -> String {
        let all = || std::iter::once(&self.header).chain(&self.rows);
        let width = all().map(|row| row[0].chars().count()).max().unwrap_or(0);
        let line = |row: &Vec<String>| {
            let line = format!("{:<width$}  {}", row[0], row[1..].join("  "));
            line.trim_end().to_owned() + "\n"
        };
        all().map(line).collect()
    }

    /// As a Markdown table.
    pub fn markdown(&self) -> String {
        let line = |row: &Vec<String>| {
            let cells: Vec<String> = row.iter().map(|cell| cell.replace('|', "\\|")).collect();
            format!("| {} |\n", cells.join(" | "))
        };
        let rule = format!(
            "|---|{}\n",
            "---:|".repeat(self.header.len().saturating_sub(1))
        );
        line(&self.header) + &rule + &self.rows.iter().map(line).collect::<String>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let mut table = Table::new(["a", "bb", "c"]);
        table.push(["é long one", "1"]);
        table.push(["x", "100", "2", "left out"]);
        assert_eq!(
            table.text(),
            "a            bb  c\né long one    1\nx           100  2\n"
        );
    }

    #[test]
    fn a_pipe_in_a_cell_does_not_split_it() {
        let mut table = Table::new(["a"]);
        table.push(["x|y"]);
        assert_eq!(table.markdown(), "| a |\n|---|\n| x\\|y |\n");
    }
}
