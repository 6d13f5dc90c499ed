//! Errors, reported to the person who has to act on them.
//!
//! There are two kinds. A [`Problem`] is a fault that the user can fix: it says what is wrong, where, what was known
//! there and what to do; several are reported together, and the program ends with status 2. Everything else is our fault
//! or the machine's: it has its chain of causes and ends the program with status 1.

use std::{borrow::Cow, fmt, ops::Range, sync::Arc};

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};
use hatchery_plugin::PluginError;

use crate::visible::escape;

/// The result of a function of Hatchery that can fail.
pub type Result<T> = std::result::Result<T, Error>;

/// The user's faults, or an internal one.
#[derive(Debug)]
pub enum Error {
    /// Faults that the user can fix: every problem that was found, at least one.
    User(Vec<Problem>),
    /// A fault of ours, or of the machine.
    Internal {
        /// What was being done.
        message: String,
        /// Why it failed.
        cause: Option<Box<dyn std::error::Error + Send + Sync>>,
    },
}

/// A fault in the user's input.
#[derive(Clone, Debug, PartialEq)]
pub struct Problem {
    /// What is wrong, as a lower-case fragment.
    pub message: String,
    /// The place in the user's text, if there is one.
    pub place: Option<Place>,
    /// What was known there: the keys, the names, the limits.
    pub notes: Vec<String>,
    /// What to do.
    pub hint: Option<String>,
}

/// A range of a text that the user wrote.
#[derive(Clone, Debug, PartialEq)]
pub struct Place {
    /// The file as the user named it, or `--set`.
    pub file: Arc<str>,
    /// The whole text.
    pub text: Arc<str>,
    /// The bytes at fault.
    pub span: Range<usize>,
}

impl Place {
    /// The text with control characters escaped, and the range in it.
    fn escaped(&self) -> (Cow<'_, str>, Range<usize>) {
        let text = escape(&self.text);
        let Cow::Owned(_) = text else { return (text, self.span.clone()) };
        let length = |range: Range<usize>| self.text.get(range).map_or(0, |part| escape(part).len());
        let start = length(0..self.span.start);
        (text, start..start + length(self.span.clone()))
    }
}

impl Problem {
    /// A problem without a place.
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), place: None, notes: Vec::new(), hint: None }
    }

    /// Sets the place.
    #[must_use]
    pub fn at(mut self, place: Place) -> Self {
        self.place = Some(place);
        self
    }

    /// Adds what was known there.
    #[must_use]
    pub fn note(mut self, note: impl Into<String>) -> Self {
        self.notes.push(note.into());
        self
    }

    /// Adds what to do.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The problem as text: message, place with the line and carets under it, notes, hint.
    pub fn render(&self, color: bool) -> String {
        let notes = self.notes.iter().map(|note| Level::NOTE.no_name().message(escape(note)));
        let title = Level::ERROR.primary_title(escape(&self.message));
        let mut report = Vec::new();
        match &self.place {
            Some(place) => {
                let (text, span) = place.escaped();
                let snippet =
                    Snippet::source(text).path(escape(&place.file)).annotation(AnnotationKind::Primary.span(span));
                report.push(title.element(snippet).elements(notes));
            }
            None => report.push(Group::with_title(title).elements(notes)),
        }
        if let Some(hint) = &self.hint {
            report.push(Group::with_title(Level::HELP.with_name("hint").secondary_title(escape(hint))));
        }
        let renderer = if color { Renderer::styled() } else { Renderer::plain() };
        renderer.render(&report)
    }
}

impl Error {
    /// A failure that is not the user's fault.
    pub fn internal(message: impl Into<String>, cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Internal { message: message.into(), cause: Some(cause.into()) }
    }

    /// The status with which the program ends: 2 for the user's faults, 1 for ours.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::User(_) => 2,
            Self::Internal { .. } => 1,
        }
    }

    /// The error as text for a terminal: all problems, or the internal error with its chain of causes.
    pub fn render(&self, color: bool) -> String {
        match self {
            Self::User(problems) => {
                problems.iter().map(|problem| problem.render(color)).collect::<Vec<_>>().join("\n\n")
            }
            Self::Internal { message, cause } => {
                let mut problem = Problem::new(message.clone());
                let mut next = cause.as_deref().map(|cause| cause as &dyn std::error::Error);
                while let Some(cause) = next {
                    problem = problem.note(format!("because: {cause}"));
                    next = cause.source();
                }
                problem.render(color)
            }
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(false))
    }
}

impl std::error::Error for Error {}

impl From<PluginError> for Problem {
    fn from(error: PluginError) -> Self {
        Self { hint: error.hint, ..Self::new(error.message) }
    }
}

impl From<PluginError> for Error {
    fn from(error: PluginError) -> Self {
        Problem::from(error).into()
    }
}

impl From<Problem> for Error {
    fn from(problem: Problem) -> Self {
        Self::User(vec![problem])
    }
}

impl From<Vec<Problem>> for Error {
    fn from(problems: Vec<Problem>) -> Self {
        Self::User(problems)
    }
}
