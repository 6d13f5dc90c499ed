//! Formats of losses, samples and tables, shared by all commands.

/// A loss with `decimals` decimals, or in scientific notation if it is 100,000 or more.
pub(crate) fn loss(loss: f64, decimals: usize) -> String {
    if loss.abs() < 1e5 { format!("{loss:.decimals$}") } else { format!("{loss:.2e}") }
}

/// Samples with each line indented. If one has several lines, a heading stands above each sample.
pub(crate) fn samples<'a>(texts: impl IntoIterator<Item = &'a str>, indent: &str) -> Vec<String> {
    let texts: Vec<_> = texts.into_iter().collect();
    let headed = texts.len() > 1 && texts.iter().any(|text| text.trim_end().contains('\n'));
    let shown = texts.iter().enumerate().map(|(index, text)| {
        let text = text.replace('\n', &format!("\n{indent}"));
        if headed {
            format!("{indent}── {} of {} ──\n{indent}{text}", index + 1, texts.len())
        } else {
            format!("{indent}{text}")
        }
    });
    shown.collect()
}

/// A column of a table.
pub(crate) struct Column {
    head: String,
    cells: Vec<String>,
    width: usize,
    right: bool,
}

impl Column {
    /// A column of words, aligned left.
    pub(crate) fn left(head: &str, cells: Vec<String>) -> Self {
        Self::new(head, cells, false)
    }

    /// A column of numbers, aligned right.
    pub(crate) fn right(head: &str, cells: Vec<String>) -> Self {
        Self::new(head, cells, true)
    }

    fn new(head: &str, cells: Vec<String>, right: bool) -> Self {
        let width = cells.iter().map(String::as_str).chain([head]).map(|cell| cell.chars().count()).max().unwrap_or(0);
        Self { head: head.to_owned(), cells, width, right }
    }

    /// Its width with the gap before it, in characters.
    pub(crate) fn room(&self) -> usize {
        self.width + 2
    }
}

/// The lines of a table: the heads, then one line per row. All columns must have the same length.
pub(crate) fn table(columns: &[Column]) -> Vec<String> {
    let line = |cell: &dyn Fn(&Column) -> String| {
        let padded = columns.iter().map(|column| {
            let (cell, width) = (cell(column), column.width);
            if column.right { format!("{cell:>width$}") } else { format!("{cell:<width$}") }
        });
        padded.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    let rows = columns.first().map_or(0, |column| column.cells.len());
    let mut lines = vec![line(&|column| column.head.clone())];
    lines.extend((0..rows).map(|row| line(&|column| column.cells[row].clone())));
    lines
}
