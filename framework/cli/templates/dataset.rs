/// One example a paragraph, empty lines between them: replace this line by what your dataset does.
///
/// ```toml
/// [dataset]
/// type = "@name@"
/// corpus = "given-names"
/// ```
#[plugin(dataset = "@name@")]
pub struct @Type@ {
    /// Cut and pad every example to this many symbols; without it, to the longest of a batch.
    #[plugin(min = 2)]
    pub length: Option<usize>,
}

impl Dataset for @Type@ {
    fn documents(&self, source: &Source<'_>) -> Result<Documents, PluginError> {
        let mut at = 0;
        let mut ranges = Vec::new();
        for paragraph in source.text.split("\n\n") {
            let text = paragraph.trim_matches('\n');
            if !text.is_empty() {
                let start = at + (paragraph.len() - paragraph.trim_start_matches('\n').len());
                ranges.push(start..start + text.len());
            }
            at += paragraph.len() + "\n\n".len();
        }
        Ok(Documents::Ranges(ranges))
    }

    fn framing(&self) -> Framing {
        let (length, end) = (self.length, Some('\u{3}'));
        Framing::Documents { start: None, end, padding: '\u{3}', length, count_padding: false }
    }
}
