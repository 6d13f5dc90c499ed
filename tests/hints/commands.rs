//! What was refused on the command line, the hint, and what a reader of it asks for then.

use super::{Case, case};

/// Cases in a lab of [`lab`](super::lab).
pub(super) const COMMANDS: &[Case] = &[
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
        "hold out more in [split], or use a larger corpus",
        "check stream.toml --set split.valid=0.1",
    ),
    case(
        "check long-line.toml",
        "read running text with [dataset] type = \"stream\" or \"windows\"",
        "check long-line.toml --set dataset.length=20",
    ),
    case(
        "check tiny.toml --set cell.hidden=9223372036854775807",
        "make the widths in [cell] and [model] smaller",
        "check tiny.toml --set cell.hidden=8",
    ),
    case(
        "check tiny.toml --set cell.hidden=100000",
        "make the widths in [cell] and [model] smaller",
        "check tiny.toml --set cell.hidden=8",
    ),
    case(
        "check tiny.toml --set cell.hidden=25000 --set model.layers=64",
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
        "set vocabulary.grow = true to add what is new to its symbols",
        "train capitals.toml --from tiny/1 --quiet --set vocabulary.grow=true",
    ),
    case(
        "train capitals.toml --from tiny/1 --set vocabulary.unknown=token",
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
        "set these keys as the checkpoint has them, or train without --from",
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
    case("runs show runs/tiny/001/best.safetensors", "name the folder that it is in", "runs show runs/tiny/001"),
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
    case("export html tiny --device cpu", "leave it out", "export html tiny"),
    case("export html tiny", "`-o tiny.html` replaces that one", "export html tiny -o tiny.html"),
];
