//! On what a run was made, and how long it took: what is worth knowing about a run but must not change its numbers, so
//! that it stands apart from them in `environment.json`.

use std::{ffi::OsString, path::Path};

use serde::{Deserialize, Serialize};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use super::{LARGEST_PAGE, failure, replace};
use crate::{
    device::card,
    error::{Error, Problem, Result},
    files,
};

/// The version of Burn that this program is built on; the workspace pins it.
pub const BURN: &str = "0.22.1";

/// On what a run was made, and how long it took.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Environment {
    /// Version of Hatchery.
    pub hatchery: String,
    /// Version of Burn.
    pub burn: String,
    /// Operating system, as Rust names it.
    pub operating_system: String,
    /// Processor architecture, as Rust names it.
    pub architecture: String,
    /// Processors that the program may use.
    pub processors: usize,
    /// The device that computed.
    pub device: String,
    /// The graphics card that it is, as it names itself, if it is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub card: Option<String>,
    /// Its dtype.
    pub dtype: String,
    /// The command line, of paths from the root only their last part.
    pub command: Vec<String>,
    /// When the run began, as in RFC 3339, in UTC.
    pub start: String,
    /// When it last ended, finished or not.
    pub end: Option<String>,
    /// Seconds of training, of all its parts when it was continued.
    pub wall_seconds: f64,
    /// Updates that are done.
    pub updates: u64,
    /// Whether these are all that the experiment asks for.
    pub finished: bool,
    /// How it last ended; nothing while it trains, after a kill, and for runs of earlier versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ending: Option<End>,
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum End {
    /// After its last update.
    Finished,
    /// By `train.patience`.
    Patience,
    /// By a signal, with a checkpoint.
    Stopped,
    /// By a loss or a gradient that was not finite.
    Diverged,
    /// By another error.
    Failed,
}

impl Environment {
    /// The environment of a run that begins now.
    pub fn begin(device: &str, dtype: &str, arguments: impl IntoIterator<Item = OsString>) -> Self {
        Self {
            hatchery: env!("CARGO_PKG_VERSION").to_owned(),
            burn: BURN.to_owned(),
            operating_system: std::env::consts::OS.to_owned(),
            architecture: std::env::consts::ARCH.to_owned(),
            processors: std::thread::available_parallelism().map_or(1, usize::from),
            device: device.to_owned(),
            card: card(device),
            dtype: dtype.to_owned(),
            command: arguments.into_iter().map(|argument| without_root(&argument.to_string_lossy())).collect(),
            start: now(),
            end: None,
            wall_seconds: 0.0,
            updates: 0,
            finished: false,
            ending: None,
        }
    }

    /// The environment of a run that is resumed now: begun when it began, with the seconds that it took before.
    #[must_use]
    pub fn after(self, before: Option<Self>) -> Self {
        match before {
            Some(before) => Self { start: before.start, wall_seconds: before.wall_seconds, ..self },
            None => self,
        }
    }

    /// Notes that training ended now, after `updates` updates and `seconds` more seconds.
    pub fn end(&mut self, updates: u64, seconds: f64, ending: End) {
        self.end = Some(now());
        self.updates = updates;
        self.wall_seconds += seconds;
        self.finished = matches!(ending, End::Finished | End::Patience);
        self.ending = Some(ending);
    }

    /// Reads `environment.json`.
    ///
    /// # Errors
    /// When it cannot be read or is something else.
    pub fn read(path: &Path) -> Result<Self> {
        let text = files::read_text(path, LARGEST_PAGE).map_err(|error| failure("read", path, error))?;
        let environment = serde_json::from_str(&text);
        Ok(environment.map_err(|error| {
            Problem::new(format!("`{}` does not describe a run: {error}", path.display()))
                .hint("delete it: nothing but lists of runs depends on it")
        })?)
    }

    /// Writes `environment.json`, replacing it if it is there.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write(&self, path: &Path) -> Result<()> {
        let text = serde_json::to_string_pretty(self)
            .map_err(|error| Error::internal("cannot write down the environment of a run", error))?;
        replace::text(path, &(text + "\n"))
    }
}

/// The present moment to the second, as in RFC 3339, in UTC.
fn now() -> String {
    let now = OffsetDateTime::now_utc();
    let second = now.replace_nanosecond(0).unwrap_or(now);
    second.format(&Rfc3339).expect("RFC 3339 has a form for every year that a clock shows")
}

/// An argument without the folders of paths from the root, wherever they are in it (`--set dataset.corpus="/…"`):
/// they tell about the machine and its user, and a run may be passed on.
fn without_root(argument: &str) -> String {
    const BETWEEN: [char; 9] = ['=', '"', '\'', '[', ']', '{', '}', ',', ' '];
    let parts = argument.split_inclusive(BETWEEN).map(|part| {
        let (bare, end) = part.split_at(part.trim_end_matches(BETWEEN).len());
        match Path::new(bare).file_name() {
            Some(name) if Path::new(bare).is_absolute() => name.to_string_lossy().into_owned() + end,
            _ => part.to_owned(),
        }
    });
    parts.collect()
}
