//! A table, laid out for a terminal or as Markdown. Control characters in cells are shown, never sent.

/// On which side a column is filled up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Alignment {
    /// Text.
    Left,
    /// Numbers.
    Right,
}

/// Columns with titles, and rows of cells.
#[derive(Clone, Debug, Default)]
pub struct Table {
    columns: Vec<(String, Alignment)>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table with these columns: a title beginning with `>` is set to the right.
    #[must_use]
    pub fn new(titles: &[&str]) -> Self {
        let columns = titles
            .iter()
            .map(|title| match title.strip_prefix('>') {
                Some(rest) => (rest.to_owned(), Alignment::Right),
                None => ((*title).to_owned(), Alignment::Left),
            })
            .collect();
        Self { columns, rows: Vec::new() }
    }

    /// Adds a row; missing cells stay empty, cells beyond the columns are dropped.
    pub fn push<I: IntoIterator<Item = S>, S: Into<String>>(&mut self, cells: I) {
        let mut row: Vec<String> = cells.into_iter().map(|cell| visible(&cell.into())).collect();
        row.resize(self.columns.len(), String::new());
        self.rows.push(row);
    }

    /// Whether it has no rows.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// For a terminal: columns two spaces apart, titles first, no lines.
    #[must_use]
    pub fn to_text(&self) -> String {
        let widths: Vec<usize> = (0..self.columns.len())
            .map(|index| {
                let cells = self.rows.iter().map(|row| width(&row[index]));
                cells.chain([width(&self.columns[index].0)]).max().unwrap_or(0)
            })
            .collect();
        let titles: Vec<String> = self.columns.iter().map(|(title, _)| title.clone()).collect();
        let mut text = String::new();
        for row in std::iter::once(&titles).chain(&self.rows) {
            let mut line = String::new();
            for (index, cell) in row.iter().enumerate() {
                let fill = " ".repeat(widths[index] - width(cell));
                if index > 0 {
                    line.push_str("  ");
                }
                match self.columns[index].1 {
                    Alignment::Left => line.push_str(&format!("{cell}{fill}")),
                    Alignment::Right => line.push_str(&format!("{fill}{cell}")),
                }
            }
            text.push_str(line.trim_end());
            text.push('\n');
        }
        text
    }

    /// As Markdown, for a comment on a pull request.
    #[must_use]
    pub fn to_markdown(&self) -> String {
        let line = |cells: &mut dyn Iterator<Item = String>| {
            format!("| {} |\n", cells.collect::<Vec<_>>().join(" | "))
        };
        let mut text = line(&mut self.columns.iter().map(|(title, _)| title.clone()));
        text.push_str(&line(&mut self.columns.iter().map(|(_, alignment)| match alignment {
            Alignment::Left => "---".to_owned(),
            Alignment::Right => "---:".to_owned(),
        })));
        for row in &self.rows {
            text.push_str(&line(&mut row.iter().map(|cell| cell.replace('|', "\\|"))));
        }
        text
    }
}

fn width(text: &str) -> usize {
    text.chars().count()
}

/// The text with control characters escaped, so that data cannot steer a terminal.
fn visible(text: &str) -> String {
    if text.chars().any(char::is_control) {
        text.chars()
            .flat_map(|c| if c.is_control() { c.escape_default().collect() } else { vec![c] })
            .collect()
    } else {
        text.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up() {
        let mut table = Table::new(&["metric", ">value"]);
        table.push(["rmse", "57.41"]);
        table.push(["mean error", "-1"]);
        assert_eq!(table.to_text(), "metric      value\nrmse        57.41\nmean error     -1\n");
        assert_eq!(
            table.to_markdown(),
            "| metric | value |\n| --- | ---: |\n| rmse | 57.41 |\n| mean error | -1 |\n"
        );
    }

    #[test]
    fn data_cannot_steer_the_terminal() {
        let mut table = Table::new(&["a"]);
        table.push(["\u{1b}[31mred"]);
        assert!(table.to_text().contains("\\u{1b}[31mred"));
    }
}
