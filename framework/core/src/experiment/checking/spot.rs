//! The place of a table in an experiment, for messages.

/// Where in the experiment a table is.
pub(super) struct Spot {
    pub(super) path: String,
    pub(super) in_list: bool,
}

impl Spot {
    pub(super) fn inner(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }

    /// What the table is one of.
    pub(super) fn noun(&self) -> &str {
        match self.path.rsplit('.').next().unwrap_or_default() {
            "layer" => "cell",
            "wrap" => "wrapper",
            noun => noun,
        }
    }

    pub(super) fn header(&self) -> String {
        if self.in_list { format!("[[{}]]", self.path) } else { format!("[{}]", self.path) }
    }
}
