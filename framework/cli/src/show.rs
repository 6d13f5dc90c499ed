//! How losses, samples and tables are shown: the same by every command.

/// A loss as people read it: with so many decimals, or as a power of ten when it is far from any sensible loss.
pub(crate) fn loss(loss: f64, decimals: usize) -> String {
    if loss.abs() < 1e5 { format!("{loss:.decimals$}") } else { format!("{loss:.2e}") }
}

/// Samples, each line of them indented. Where one has several lines, a line says which sample begins.
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
    /// Words: they begin below each other.
    pub(crate) fn left(head: &str, cells: Vec<String>) -> Self {
        Self::new(head, cells, false)
    }

    /// Numbers: they end below each other.
    pub(crate) fn right(head: &str, cells: Vec<String>) -> Self {
        Self::new(head, cells, true)
    }

    fn new(head: &str, cells: Vec<String>, right: bool) -> Self {
        let width = cells.iter().map(String::as_str).chain([head]).map(|cell| cell.chars().count()).max().unwrap_or(0);
        Self { head: head.to_owned(), cells, width, right }
    }

    /// The characters that it takes, with the gap before it.
    pub(crate) fn room(&self) -> usize {
        self.width + 2
    }
}

/// The lines of a table: the heads, then a line for each row. All columns are as long.
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
