//! A hint works: who follows it succeeds, or gets a truthful next message.

mod sources;

use crate::lab::{Lab, TINY, root};

/// What was asked for, a part of the hint, and what a reader of the hint asks for then.
struct Case {
    refused: &'static str,
    hint: &'static str,
    followed: &'static str,
}

const fn case(refused: &'static str, hint: &'static str, followed: &'static str) -> Case {
    Case { refused, hint, followed }
}

/// Cases in a lab of [`lab`], one after the other: each hint is printed, and leads to success.
const COMMANDS: &[Case] = &[
    // Values on the command line.
    case(
        "check tiny.toml --set optimizer.learning-rate=.001",
        "did you mean `0.001`?",
        "check tiny.toml --set optimizer.learning-rate=0.001",
    ),
    case(
        "check tiny.toml --set optimizer.learning-rate=\"0.1\"",
        "leave out the quotes",
        "check tiny.toml --set optimizer.learning-rate=0.1",
    ),
    case("check tiny.toml --set train.steps=5.", "did you mean `5`?", "check tiny.toml --set train.steps=5"),
    case("check tiny.toml --set name=7", "put it in quotes", "check tiny.toml --set name=\"7\""),
    case(
        "check tiny.toml --set clipper.type=norm",
        "did you mean `clipper.0.type=norm`?",
        "check tiny.toml --set clipper.0.type=norm --set clipper.0.limit=1",
    ),
    case(
        "check clipped.toml --set clipper.limit=1",
        "name the entry first: `clipper.0.limit=1`",
        "check clipped.toml --set clipper.0.limit=1",
    ),
    case("check tiny.toml --set cell.unit=8", "did you mean `hidden`?", "check tiny.toml --set cell.hidden=8"),
    case(
        "check tiny.toml --set schedule.type=\"constant\" --set schedule.unit=\"steps\"",
        "`unit` is a key of [schedule] with `type = \"decay\"`",
        "check tiny.toml --set schedule={type=\"decay\",factor=0.5,every=1,unit=\"steps\"}",
    ),
    case(
        "check tiny.toml --set train.steps",
        "write `--set KEY=VALUE`, for example `--set train.steps=10`",
        "check tiny.toml --set train.steps=10",
    ),
    case("check tiny.toml --set base=\"clipped.toml\"", "name that file itself", "check clipped.toml"),
    case(
        "check tiny.toml --set cell..hidden=64",
        "write it as in `--set cell.hidden=64`",
        "check tiny.toml --set cell.hidden=64",
    ),
    case(
        "check tiny.toml --set sample.prefix=",
        "for an empty text write `\"\"`",
        "check tiny.toml --set sample.prefix=\"\"",
    ),
    case(
        "check tiny.toml --set numpy.shuffle-seed=1",
        "set `rng = \"numpy\"`, or leave [numpy] out",
        "check tiny.toml --set numpy.shuffle-seed=1 --set rng=numpy",
    ),
    case(
        "check tiny.toml --set split.valid=0.9 --set split.test=0.9",
        "make them smaller: 0.1 each is usual",
        "check tiny.toml --set split.valid=0.1 --set split.test=0.1",
    ),
    case(
        "check tiny.toml --set backend.device=\"wgpu:\"",
        "write \"wgpu\", or \"wgpu:0\"",
        "check tiny.toml --no-data --set backend.device=\"wgpu:0\"",
    ),
    case(
        "check tiny.toml --set backend.device=\"cpu:1\"",
        "write \"cpu\"",
        "check tiny.toml --set backend.device=\"cpu\"",
    ),
    case("check tiny.toml --device-less", "--help", "check --help"),
    case(
        "check tiny.toml --set backend={device=\"wgpu\",dtype=\"f64\"}",
        "set `dtype = \"f32\"`, or `device = \"cpu\"`",
        "check tiny.toml --set backend={device=\"cpu\",dtype=\"f64\"}",
    ),
    case(
        "check tiny.toml --set model.dropout=0.5",
        "set `dropout-last = true`, `layers = 2`, or `dropout = 0.0`",
        "check tiny.toml --set model.dropout=0.5 --set model.layers=2",
    ),
    case(
        "check tiny.toml --set model.initializer={type=\"values\",values=[0.5]}",
        "for example `xavier-uniform`",
        "check tiny.toml --set model.initializer={type=\"xavier-uniform\"}",
    ),
    case(
        "check bare.toml --set train.patience=3",
        "hold something out: `valid = 0.1` in [split]",
        "check bare.toml --set train.patience=3 --set split.valid=0.1",
    ),
    case(
        "check tiny.toml --set sample.prefix=Rex",
        "the training text is in small letters: begin samples with \"rex\"",
        "check tiny.toml --set sample.prefix=rex",
    ),
    case(
        "check tiny.toml --set sample.prefix=\"42\"",
        "begin samples with characters of the training text",
        "check tiny.toml --set sample.prefix=a",
    ),
    // Files.
    case("check tiny.tom", "did you mean `tiny.toml`?", "check tiny.toml"),
    case("check experiments", "name one of them: `experiments/own.toml`", "check experiments/own.toml"),
    case(
        "check words.txt",
        "to train on it, name it in an experiment file, under [dataset]: corpus = \"words.txt\"",
        "check tiny.toml --set dataset.corpus=words.txt",
    ),
    case(
        "check huge.txt",
        "is it the text to train on? name that as `corpus` in [dataset]",
        "check tiny.toml --set dataset.corpus=huge.txt",
    ),
    case("check long.toml", "break the line: lists may go over several", "check tiny.toml"),
    case("check circle.toml", "take `base` out of one of them", "check clipped.toml"),
    case("check both.toml", "keep the one that says how long to train", "check tiny.toml"),
    case(
        "check neither.toml",
        "say how long to train: `steps = 1000`, or `epochs = 10`",
        "check neither.toml --set train.steps=1000",
    ),
    case("check cells.toml", "there is one such table only: write its header in single brackets", "check tiny.toml"),
    case(
        "check clipper.toml",
        "there may be several such tables: write the header in double brackets",
        "check clipped.toml",
    ),
    case("check twice.toml", "keep one of the two", "check tiny.toml"),
    case("train tiny.toml --plugin words.txt", "name a shared library", "plugins list"),
    case("train tiny.toml --plugin nowhere.so", "check the path", "plugins list"),
    // Texts.
    case(
        "check tiny.toml --set dataset.corpus=[\"a.txt\",\"b.txt\"]",
        "several files are one pattern: corpus = { glob = \"folder/*.txt\" }",
        "check tiny.toml --set dataset.corpus={glob=\"folder/*.txt\"}",
    ),
    case(
        "check tiny.toml --set dataset.corpus=folder",
        "name a file, or all files of the folder: corpus = { glob = \"folder/*.txt\" }",
        "check tiny.toml --set dataset.corpus={glob=\"folder/*.txt\"}",
    ),
    case(
        "check tiny.toml --set dataset.corpus={glob=\"folder\"}",
        "it is a folder; its texts are \"folder/*.txt\"",
        "check tiny.toml --set dataset.corpus={glob=\"folder/*.txt\"}",
    ),
    case(
        "check tiny.toml --set dataset.corpus={glob=\"*.text\"}",
        "`*` stands for any part of a name, `**` for any folders",
        "check tiny.toml --set dataset.corpus={glob=\"**/b.txt\"}",
    ),
    case(
        "check tiny.toml --set dataset.corpus={glob=\"a***\"}",
        "`**` for any folders, `?` for one character",
        "check tiny.toml --set dataset.corpus={glob=\"folder/?.txt\"}",
    ),
    case(
        "check tiny.toml --set dataset.corpus=\"folder\\new.txt\"",
        "in double quotes a backslash begins an escape: write the path with `/`, or in single quotes",
        "check tiny.toml --set dataset.corpus=folder/a.txt",
    ),
    case(
        "check tiny.toml --set dataset.corpus=dinosaur",
        "did you mean `dinosaurs`?",
        "check tiny.toml --set dataset.corpus=dinosaurs",
    ),
    case(
        "check tiny.toml --set dataset.corpus=nowhere.txt",
        "give one of these names, or the path of a text file",
        "check tiny.toml --set dataset.corpus=words.txt",
    ),
    case(
        "check tiny.toml --set dataset.corpus=empty.txt",
        "a text of a few thousand characters is a good start",
        "check tiny.toml --set dataset.corpus=words.txt",
    ),
    case(
        "check stream.toml --set train.batch=1000",
        "set a smaller train.batch or fewer `steps`, or use a larger corpus",
        "check stream.toml --set train.batch=4",
    ),
    case(
        "check windows.toml --set dataset.length=4000",
        "set a smaller `length`",
        "check windows.toml --set dataset.length=20",
    ),
    case(
        "check tiny.toml --set dataset.corpus=blank.txt",
        "check the corpus and the keys of [dataset]",
        "check tiny.toml --set dataset.corpus=words.txt",
    ),
    case(
        "check stream.toml --set split.valid=0.0001",
        "change the shares in [split], or use a larger corpus",
        "check stream.toml --set split.valid=0.1",
    ),
    case(
        "check long-line.toml",
        "read running text with [dataset] type = \"stream\" or \"windows\"",
        "check long-line.toml --set dataset.length=20",
    ),
    case(
        "check tiny.toml --set cell.hidden=9223372036854775807",
        "make the widths in [cell] smaller",
        "check tiny.toml --set cell.hidden=8",
    ),
    case(
        "check tiny.toml --set cell.hidden=100000",
        "make cell.hidden, model.layers, train.batch or the dataset's steps smaller",
        "check tiny.toml --set cell.hidden=8",
    ),
    case(
        "eval tiny --text capitals.txt",
        "--skip-unknown leaves such characters out and counts them",
        "eval tiny --text capitals.txt --skip-unknown",
    ),
    case(
        "score tiny Anna",
        "--skip-unknown leaves such characters out and counts them",
        "score tiny Anna --skip-unknown",
    ),
    case(
        "train capitals.toml --from tiny/1",
        "set vocabulary.unknown = \"skip\" to leave such characters out",
        "train capitals.toml --from tiny/1 --quiet --set vocabulary.unknown=skip",
    ),
    // Models and runs.
    case(
        "train steep.toml",
        "set train.on-nonfinite = \"rewind\"",
        "train steep.toml --quiet --set optimizer.learning-rate=0.01",
    ),
    case(
        "train tiny.toml --set name=diverged --set optimizer={type=\"sgd\",learning-rate=3e12}",
        "lower optimizer.learning-rate, or clip gradients",
        "train tiny.toml --quiet --set name=tame --set optimizer={type=\"sgd\",learning-rate=0.1}",
    ),
    case(
        "train --resume",
        "`hatchery runs list` shows all of them; name one: --resume RUN",
        "train --resume tiny/1 --quiet --set train.steps=9",
    ),
    case(
        "train tiny.toml --from tiny/1 --set cell.hidden=9",
        "take a checkpoint that this experiment wrote",
        "train tiny.toml --quiet --set name=second --from tiny/1",
    ),
    case("sample tinny", "did you mean `tiny`?", "sample tiny"),
    case(
        "sample tiny.toml",
        "name a run of it (`hatchery runs list` shows them), or leave it out for the newest",
        "sample",
    ),
    case(
        "sample nothing --runs empty",
        "train first: `hatchery train EXPERIMENT.toml`; or name a run's folder, or a checkpoint file",
        "sample runs/tiny/001",
    ),
    case(
        "sample --runs empty",
        "train first: `hatchery train EXPERIMENT.toml`",
        "train tiny.toml --quiet --runs empty",
    ),
    case(
        "sample runs/tiny/001/metrics.jsonl",
        "name a checkpoint that `hatchery train` wrote",
        "sample runs/tiny/001/checkpoint.safetensors",
    ),
    case("runs show runs/tiny/001/best.safetensors", "name the folder that it lies in", "runs show runs/tiny/001"),
    case(
        "runs reproduce runs/bare/001/checkpoint.safetensors",
        "name the folder of its run",
        "runs reproduce runs/bare/001",
    ),
    case(
        "runs reproduce bare --from runs/tiny/001/best.safetensors",
        "leave out `runs/tiny/001/best.safetensors`",
        "runs reproduce bare",
    ),
    case("runs note tiny now", "the newest of that name is `tiny/", "runs note tiny/001 now"),
    case("eval tiny --dynamic 0", "0.1 is the rate without a value: --dynamic", "eval tiny --dynamic"),
    case("eval tiny --seed 5", "leave out --seed to evaluate the model", "eval tiny"),
    case(
        "eval tiny --split test",
        "train with --set split.test=0.1, or evaluate --split train",
        "eval tiny --split train",
    ),
    case(
        "eval runs/tiny/001/best.safetensors --best",
        "leave out --best, or name the run's folder",
        "eval runs/tiny/001 --best",
    ),
    case("eval bare --best", "leave out --best for the last one", "eval bare"),
    case("eval copied --text words.txt", "leave out --text: `hatchery eval` evaluates what it made", "eval copied"),
    case("eval windows --dynamic", "leave out --dynamic", "eval windows"),
    case("score tiny ''", "give a text, or `-` and a text on standard input", "score tiny rex"),
    case("sample tiny/1 foreign", "average models of one corpus and one [dataset] table", "sample tiny/1 second"),
    case("sample tiny --temperature -1", "0 is the most likely character", "sample tiny --temperature 0"),
    case("sample tiny --sampler top-k:k=]", "for example --sampler greedy", "sample tiny --sampler greedy"),
    case("sample tiny --sampler top-q:p=0.5", "did you mean `top-k` or `top-p`?", "sample tiny --sampler top-p:p=0.5"),
    case(
        "gradients runs/tiny/001/best.safetensors --updates",
        "name the run's folder: its metrics.jsonl does contain them",
        "gradients runs/tiny/001 --updates",
    ),
    case(
        "drift tiny.toml --devices flex",
        "name another: --devices cpu,flex",
        "drift tiny.toml --devices cpu,flex --steps 2",
    ),
    // Plugins.
    case("plugins show cell gruu", "did you mean `gru`?", "plugins show cell gru"),
    case("plugins show sampler greedy --program", "only cells are compiled", "plugins show cell gru --program"),
    case("plugins show cell qqq", "`hatchery plugins list` says what each is", "plugins list"),
    case(
        "check tiny.toml --set plugins=[\"nowhere.so\"]",
        "build it, or correct the path, which is relative to this file",
        "check tiny.toml --set plugins=[]",
    ),
    case(
        "new cell mine --hatchery ROOT",
        "choose another name, or another place with --path",
        "new cell mine --path elsewhere --hatchery ROOT",
    ),
    case(
        "new cell Mine --hatchery ROOT",
        "use lower-case words with hyphens between them",
        "new cell layer-norm-lstm --hatchery ROOT",
    ),
    case("new cell self --hatchery ROOT", "add a word: `self-cell`", "new cell self-cell --hatchery ROOT"),
    case("new cell gru --hatchery ROOT", "choose another name", "new cell other --hatchery ROOT"),
];

fn lab() -> Lab {
    let with = |old: &str, new: &str| {
        assert!(TINY.contains(old), "{old}");
        TINY.replacen(old, new, 1)
    };
    let running = |name: &str, dataset: &str| {
        with("type = \"lines\"\ncorpus = \"dinosaurs\"", &format!("{dataset}\ncorpus = \"running.txt\""))
            .replace("\"tiny\"", &format!("{name:?}"))
    };
    let steep = with("type = \"gru\"", "type = \"vanilla\"\nactivation = \"relu\"")
        .replace("type = \"adam\"\nlearning-rate = 0.01", "type = \"sgd\"\nlearning-rate = 1e39")
        .replace("\"tiny\"", "\"steep\"");
    let lab = Lab::new()
        .with("folder/a.txt", "anna\nbob\ncarla\n".repeat(9))
        .with("folder/b.txt", "dora\nemil\n".repeat(9))
        .with("words.txt", "anna\nbob\ncarla\ndora\n".repeat(9))
        .with("running.txt", "to be or not to be\n".repeat(40))
        .with("capitals.txt", "Anna\nBob\n".repeat(20))
        .with("capitals.toml", with("\"dinosaurs\"", "\"capitals.txt\"").replace("\"tiny\"", "\"capitals\""))
        .with("empty.txt", "")
        .with("blank.txt", "\n\n\n")
        .with("empty/nothing.txt", "")
        .with("huge.txt", "abcdefgh\n".repeat(200_000))
        .with("line.txt", "a".repeat(30_000) + "\nbb\n")
        .with("long.toml", format!("name = \"{}\"", "x".repeat(20_000)))
        .with("long-line.toml", with("\"dinosaurs\"", "\"line.txt\"").replace("valid = 0.1", ""))
        .with("clipped.toml", format!("{TINY}\n[[clipper]]\ntype = \"norm\"\nlimit = 2.0\n"))
        .with("clipper.toml", format!("{TINY}\n[clipper]\ntype = \"norm\"\nlimit = 2.0\n"))
        .with("cells.toml", with("[cell]", "[[cell]]"))
        .with("twice.toml", with("hidden = 8", "hidden = 8\nhidden = 9"))
        .with("circle.toml", format!("base = \"circle.toml\"\n{TINY}"))
        .with("both.toml", with("steps = 6", "steps = 6\nepochs = 2"))
        .with("neither.toml", with("steps = 6\n", ""))
        .with("bare.toml", with("valid = 0.1", "").replace("\"tiny\"", "\"bare\""))
        .with(
            "copied.toml",
            with(
                "type = \"lines\"\ncorpus = \"dinosaurs\"",
                "type = \"copy\"\ncorpus = \"none\"\nlength = 4\nletters = 3\ndocuments = 200",
            )
            .replace("\"tiny\"", "\"copied\""),
        )
        .with("foreign.toml", with("\"dinosaurs\"", "\"words.txt\"").replace("\"tiny\"", "\"foreign\""))
        .with("stream.toml", running("stream", "type = \"stream\"\nsteps = 10"))
        .with("windows.toml", running("windows", "type = \"windows\"\nlength = 10\nstride = 3\npredict = \"all\""))
        .with("experiments/own.toml", TINY)
        .with("steep.toml", steep);
    lab.ok(&format!("new cell mine --hatchery {}", root().display()));
    for name in ["bare", "copied", "foreign", "windows", "tiny"] {
        lab.ok(&format!("train {name}.toml --quiet"));
    }
    lab
}

/// The words of a command line; `''` is an empty one, and `ROOT` the checkout.
fn words(line: &str) -> Vec<String> {
    let word = |word: &str| match word {
        "''" => String::new(),
        "ROOT" => root().display().to_string(),
        word => word.to_owned(),
    };
    line.split_whitespace().map(word).collect()
}

/// Would catch: a hint that leads to the same or to another refusal.
#[test]
fn hints_on_the_command_line_lead_on() {
    let lab = lab();
    let run = |line: &str| {
        let words = words(line);
        lab.run_with(&words.iter().map(String::as_str).collect::<Vec<_>>())
    };
    let mut wrong = Vec::new();
    for Case { refused, hint, followed } in COMMANDS {
        let said = run(refused).stderr;
        if !said.contains(hint) {
            wrong.push(format!("{refused}: no `{hint}` in:\n{said}"));
        }
        let outcome = run(followed);
        if outcome.code != Some(0) {
            wrong.push(format!("{followed}: the hint `{hint}` leads to:\n{}", outcome.stderr));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

/// Would catch: a path of Windows of which only "invalid escape" is said.
#[test]
fn a_path_with_backslashes_is_explained() {
    for (written, right) in
        [("C:\\\\users\\\\x".replace("\\\\", "\\"), "C:/users/x"), ("folder\\a.txt".to_owned(), "folder/a.txt")]
    {
        let lab = lab().with("own.toml", TINY.replace("\"dinosaurs\"", &format!("\"{written}\"")));
        let refusal = lab.refused("check own.toml");
        let way = refusal.split("write ").last().unwrap().trim();
        assert!(way.starts_with(&format!("\"{right}\", or '{written}'")), "{refusal}");
        if right.starts_with("folder") {
            let lab = lab.with("own.toml", TINY.replace("\"dinosaurs\"", &format!("\"{right}\"")));
            lab.ok("check own.toml");
        }
    }
}

/// Would catch: names of options that other programs have, and that lead to `--next` here.
#[test]
fn options_have_the_names_that_people_know() {
    let lab = Lab::new();
    lab.ok("train tiny.toml --quiet");
    assert_eq!(lab.ok("sample -n 3 -t 0.5 -p tri"), lab.ok("sample --count 3 --temperature 0.5 --prefix tri"));
    assert_eq!(lab.ok("sample -n 3 --top-k 5"), lab.ok("sample --count 3 --sampler top-k:k=5"));
    assert_eq!(lab.ok("sample -n 3 --top-p 0.5"), lab.ok("sample --count 3 --sampler top-p:p=0.5"));
    let chain = "--sampler temperature:temperature=0.8 --sampler top-k:k=5 --sampler top-p:p=0.9";
    let both = lab.ok("sample -n 3 -t 0.8 --top-k 5 --top-p 0.9");
    assert_eq!(both, format!("temperature 0.8:\n{}", lab.ok(&format!("sample -n 3 {chain}"))));
    assert!(lab.refused("sample --top-k 0").contains("out of range: 0"));
}

/// Would catch: a stream of which half seems to be held out, and a space that cannot be seen.
#[test]
fn numbers_and_symbols_are_shown_as_what_they_are() {
    let stream = TINY
        .replace("type = \"lines\"\ncorpus = \"dinosaurs\"", "type = \"stream\"\nsteps = 10\ncorpus = \"text.txt\"");
    let lab = Lab::new().with("text.txt", "to be or not to be \n".repeat(50)).with("stream.toml", stream);
    let printed = lab.run("train stream.toml --set split.test=0.1").stderr;
    assert!(
        printed.contains(
            "tiny: 800 characters in 4 parallel streams, 100 held out for validation, 100 held out for test; "
        ),
        "{printed}"
    );
    let next = lab.ok("sample --next 20");
    assert!(
        next.lines().any(|line| line.starts_with("␣ ")) && next.lines().any(|line| line.starts_with("\\n ")),
        "{next}"
    );
    let both = lab.run("train tiny.toml --set split.test=0.1").stderr;
    assert!(both.contains(" 240 held out, "), "the test split is held out too: {both}");
}
