//! The `hatchery` command: parses the command line, runs the command, prints errors and sets the exit status.

/// Prints a line of progress to standard error. Unlike `eprintln!` it does not panic if the line cannot be written.
macro_rules! say {
    ($($words:tt)*) => {{
        use std::io::Write as _;
        let _ = writeln!(std::io::stderr(), "{}", crate::terminal::for_stderr(&format!($($words)*)));
    }};
}

/// Prints a line of results to standard output.
macro_rules! out {
    ($($words:tt)*) => { println!("{}", crate::terminal::for_stdout(&format!($($words)*))) };
}

/// Prints a part of a line to standard output.
macro_rules! put {
    ($($words:tt)*) => { print!("{}", crate::terminal::for_stdout(&format!($($words)*))) };
}

mod arguments;
mod commands;
mod progress;
mod show;
mod terminal;

use std::io::{IsTerminal, Write};

use clap::Parser;
use hatchery::error::Result;
use hatchery_cli::interrupt;

use arguments::{Arguments, Command, Data, Export, Import, Plugins, Runs, Sweep};

/// Bytes of the stack on which the program runs: the first thread has what the user's limit leaves it.
const STACK: usize = 16 << 20;

fn main() {
    let started = std::thread::Builder::new().name("main".to_owned()).stack_size(STACK).spawn(program);
    match started.map(std::thread::JoinHandle::join) {
        Ok(Ok(())) => {}
        // A panic, which is reported already.
        Ok(Err(_)) => std::process::exit(101),
        // There is no room for another thread.
        Err(_) => program(),
    }
}

fn program() {
    end_without_an_output();
    interrupt::report_large_files();
    let arguments = Arguments::parse();
    terminal::set_raw(arguments.raw);
    let status = run(&arguments).unwrap_or_else(|error| {
        let color = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
        // Not by `say!`, which would escape the colors: `render` has already escaped text from outside the program.
        let _ = writeln!(std::io::stderr(), "{}", error.render(color));
        error.exit_code()
    });
    // Exit without destructors: all files are closed, and drivers of graphics cards sometimes crash on exit, while their
    // threads still use what the destructors free.
    std::io::stdout().flush().ok();
    signal_hook::low_level::exit(status.into());
}

/// Runs the command, and returns the exit status.
fn run(arguments: &Arguments) -> Result<u8> {
    match &arguments.command {
        Command::Train(train) => return commands::train::run(train),
        Command::ResumeTest(test) => commands::resume_test::run(test),
        Command::Sample(sample) => commands::sample::run(sample),
        Command::Eval(eval) => commands::eval::run(eval),
        Command::Score(score) => commands::score::run(score),
        Command::Gradients(gradients) => commands::gradients::run(gradients),
        Command::Check(check) => commands::check::run(check),
        Command::Bench(bench) => commands::bench::run(bench),
        Command::Devices { json } => {
            commands::devices::run(*json);
            Ok(())
        }
        Command::Drift(drift) => commands::drift::run(drift),
        Command::Plugins(Plugins::List { json, libraries }) => commands::plugins::list(*json, libraries),
        Command::Plugins(Plugins::Show { kind, name, program, after, libraries }) => {
            commands::plugins::show(*kind, name, *program, after.as_deref(), libraries)
        }
        Command::Plugins(Plugins::Check(check)) => commands::library::check(check),
        Command::Plugins(Plugins::Doctor { library }) => commands::library::doctor(library),
        Command::Plugins(Plugins::Trust(trust)) => commands::library::trust(trust),
        Command::New(new) => commands::new::run(new),
        Command::Runs(Runs::List(list)) => commands::list::list(list),
        Command::Runs(Runs::Metrics { run, runs, json }) => commands::runs::metrics(run.as_deref(), runs, *json),
        Command::Runs(Runs::Note { run, text, runs }) => commands::keeping::note(run, text, runs),
        Command::Runs(Runs::Delete { deleted, yes, runs }) => commands::keeping::delete(deleted, *yes, runs),
        Command::Runs(Runs::Reproduce { run, from, runs, libraries }) => {
            commands::reproduce::run(run.as_deref(), runs, from.as_deref(), libraries)
        }
        Command::Runs(Runs::Show { run, runs, json }) => commands::runs::show(run.as_deref(), runs, *json),
        Command::Runs(Runs::Compare { compared, picture, runs, json }) => {
            commands::compare::compare(compared, picture.as_deref(), runs, *json)
        }
        Command::Runs(Runs::Table { experiments, runs }) => commands::table::table(experiments, runs),
        Command::Sweep(sweep) => return run_sweep(sweep),
        Command::Data(Data::List) => {
            commands::data::list();
            Ok(())
        }
        Command::Data(Data::Fetch { names, from }) => commands::data::fetch(names, from.as_deref()),
        Command::Data(Data::Show { corpus, experiment, picture }) => {
            commands::data::show(corpus.as_deref(), experiment.as_deref(), picture.as_deref())
        }
        Command::Import(Import::Keras { model, into }) => commands::import::keras(model, into),
        Command::Import(Import::Burn { model, mapping, into }) => commands::import::tensors(model, None, mapping, into),
        Command::Import(Import::Pytorch { model, key, mapping, into }) => {
            commands::import::tensors(model, key.as_deref(), mapping, into)
        }
        Command::Export(Export::Html(html)) => commands::export::html(html),
        Command::Schema { libraries } => commands::schema::run(libraries),
        Command::Completions { shell } => {
            commands::completions(*shell);
            Ok(())
        }
    }?;
    Ok(0)
}

fn run_sweep(sweep: &Sweep) -> Result<u8> {
    match sweep {
        Sweep::Run(run) => return commands::sweep::run(run),
        Sweep::Work { folder, one, order, libraries } => {
            return commands::sweep::work_on(folder, *one, *order, libraries);
        }
        Sweep::Plan(plan) => commands::sweep::plan(plan),
        Sweep::Status { folder, json } => commands::sweep::status(folder, *json),
        Sweep::Table { folder, format, equal, importance } => {
            commands::sweep::print(folder, *format, *equal, *importance)
        }
        Sweep::Test { folder, libraries } => commands::sweep::test(folder, libraries),
        Sweep::Ask { file, folder, libraries } => commands::sweep::ask(file, folder.as_deref(), libraries),
        Sweep::Tell { folder } => commands::sweep::tell(folder),
        Sweep::Picture { folder, form, picture } => commands::sweep::picture(folder, *form, picture.as_deref()),
    }
    .map(|()| 0)
}

/// Ends the program when standard output cannot be written: silently if the pipe was closed, as in `hatchery … | head`,
/// with an error otherwise. `println!` reports a failed write by a panic only, hence the hook.
fn end_without_an_output() {
    let report = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        let message = panic.payload_as_str().unwrap_or_default();
        match message.strip_prefix("failed printing to stdout: ") {
            Some(reason) if reason.contains("Broken pipe") => std::process::exit(0),
            Some(reason) => {
                say!("error: cannot write to standard output: {reason}");
                std::process::exit(1);
            }
            None => report(panic),
        }
    }));
}
