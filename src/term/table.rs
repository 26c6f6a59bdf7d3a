//! Columns without borders, as kubectl prints them.

use super::foreign::line;
use console::measure_text_width as width;

/// Rows of cells; the last column is cut to the terminal's width, and only on a terminal.
pub struct Table {
    rows: Vec<Vec<String>>,
}

const GAP: usize = 3;

/// The terminal's width; no limit where stdout is none.
pub(super) fn columns() -> usize {
    if super::stdout_is_terminal() { console::Term::stdout().size().1 as usize } else { usize::MAX }
}

impl Table {
    /// An empty header makes a table without a heading.
    pub fn new(header: &[&str]) -> Table {
        let rows = if header.is_empty() { Vec::new() } else { vec![header.iter().map(|h| h.to_string()).collect()] };
        Table { rows }
    }

    pub fn row<S: Into<String>>(&mut self, cells: impl IntoIterator<Item = S>) {
        self.rows.push(cells.into_iter().map(|cell| line(&cell.into())).collect());
    }

    /// Columns that it takes where nothing is cut; and those of one column.
    pub(super) fn width(&self) -> usize {
        let widths = self.widths();
        widths.iter().sum::<usize>() + GAP * widths.len().saturating_sub(1)
    }
    pub(super) fn width_of(&self, column: usize) -> usize {
        self.rows.iter().filter_map(|row| row.get(column)).map(|cell| width(cell)).max().unwrap_or(0)
    }
    fn widths(&self) -> Vec<usize> {
        let count = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        (0..count).map(|column| self.width_of(column)).collect()
    }

    pub fn render(&self, indent: usize) -> String {
        self.render_in(indent, columns())
    }

    pub(super) fn render_in(&self, indent: usize, columns: usize) -> String {
        let widths = self.widths();
        let mut text = String::new();
        for row in &self.rows {
            let mut line = " ".repeat(indent);
            for (column, cell) in row.iter().enumerate() {
                if column + 1 == row.len() {
                    let left = columns.saturating_sub(width(&line)).max(12);
                    line.push_str(&console::truncate_str(cell, left, "..."));
                } else {
                    line.push_str(cell);
                    line.push_str(&" ".repeat(widths[column] - width(cell) + GAP));
                }
            }
            text.push_str(line.trim_end());
            text.push('\n');
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::Table;

    #[test]
    fn columns_align_and_the_last_one_is_cut() {
        let mut table = Table::new(&["NAME", "WHAT"]);
        table.row(["a-long-name", "short"]);
        table.row(["b", "a sentence that is longer than the terminal is wide"]);
        assert_eq!(
            table.render_in(0, 40),
            "NAME          WHAT\na-long-name   short\nb             a sentence that is long...\n"
        );
    }
}
