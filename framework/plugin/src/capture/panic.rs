//! Panics of plugins as messages with the author's line.
//!
//! A panic within Burn names a line of Burn. The author's is found in the backtrace, if the library has line tables: the
//! manifest that `hatchery new` writes asks for them.

use std::{
    any::Any,
    backtrace::Backtrace,
    cell::{Cell, RefCell},
    panic::{AssertUnwindSafe, Location, catch_unwind},
    sync::Once,
};

/// Parts of the paths of sources that no plugin's author wrote: the standard library, registries, this framework.
const FOREIGN: [&str; 9] = [
    "/rustc/",
    "/registry/src/",
    "/library/std/",
    "/library/core/",
    "/library/alloc/",
    "/library/test/",
    "framework/plugin/",
    "framework/core/",
    "framework/compile/",
];

thread_local! {
    static QUIET: Cell<bool> = const { Cell::new(false) };
    static PLACE: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Runs a function; a panic becomes its message with the author's line, and this thread's panic hook keeps silent
/// meanwhile.
///
/// # Errors
/// The message of the panic: `index out of bounds: … (src/lib.rs:117:28)`.
pub fn catch_panic<R>(function: impl FnOnce() -> R) -> Result<R, String> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            if QUIET.with(Cell::get) {
                let place = info.location().and_then(place_of);
                PLACE.with(|known| *known.borrow_mut() = place);
            } else {
                before(info);
            }
        }));
    });
    let outer = QUIET.with(|quiet| quiet.replace(true));
    let result = catch_unwind(AssertUnwindSafe(function));
    QUIET.with(|quiet| quiet.set(outer));
    result.map_err(|payload| {
        let place = PLACE.with(|known| known.borrow_mut().take());
        message(payload.as_ref()) + &place.map(|place| format!(" ({place})")).unwrap_or_default()
    })
}

fn message(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<String>().map(String::as_str).or_else(|| payload.downcast_ref().copied());
    // Burn's messages span several lines.
    text.map_or_else(|| "(no message)".to_owned(), |text| text.split_whitespace().collect::<Vec<_>>().join(" "))
}

/// The author's place, as `src/lib.rs:117:28`: that of the panic, or of the innermost call of the backtrace that is the
/// author's.
fn place_of(location: &Location<'_>) -> Option<String> {
    if is_authors(location.file()) {
        return Some(format!("{}:{}:{}", short(location.file()), location.line(), location.column()));
    }
    innermost(&Backtrace::force_capture().to_string())
}

/// The first place in the text of a backtrace that is the author's.
fn innermost(backtrace: &str) -> Option<String> {
    let places = backtrace.lines().filter_map(|line| line.trim_start().strip_prefix("at "));
    places.filter(|place| is_authors(place)).map(|place| short(place).to_owned()).next()
}

fn is_authors(file: &str) -> bool {
    let file = file.replace('\\', "/");
    file.contains(".rs") && !FOREIGN.iter().any(|part| file.contains(part))
}

/// A path from the crate's `src` on.
fn short(path: &str) -> &str {
    path.rfind("/src/").map_or(path, |at| &path[at + 1..])
}

#[cfg(test)]
mod tests {
    use super::{catch_panic, innermost};

    /// Would catch: a line of this framework or of the test harness in the place of an author's. That an author's line is
    /// found is tested with a plugin, by `plugins::kit`.
    #[test]
    fn a_panic_of_the_framework_has_no_authors_line() {
        let widths: Vec<usize> = Vec::new();
        let message = catch_panic(|| widths[3]).expect_err("it panics");
        assert_eq!(message, "index out of bounds: the len is 0 but the index is 3");
    }

    /// Would catch: a line of Burn, or of this framework, in the place of the author's.
    #[test]
    fn the_innermost_line_of_the_author_is_taken() {
        let trace = "   0: std::panicking::begin\n             at /rustc/abc/library/std/src/panicking.rs:1:2\n\
                     \x20  1: burn_tensor::matmul\n             at /home/a/.cargo/registry/src/x/burn-tensor/src/a.rs:3:4\n\
                     \x20  2: mine::Mine::step\n             at /home/a/mine/src/lib.rs:31:19\n\
                     \x20  3: mine::other\n             at /home/a/mine/src/lib.rs:90:1\n";
        assert_eq!(innermost(trace).as_deref(), Some("src/lib.rs:31:19"));
    }
}
