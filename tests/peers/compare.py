"""Runs Hatchery and its peers in turn on the same work and prints the ratios of their times.

    cargo build --release && cargo build --release --manifest-path plugins/examples/Cargo.toml
    python tests/peers/compare.py                     # all of them
    python tests/peers/compare.py notebook lstm --rounds 5 --device cpu,flex --threads 1,2

Ours, theirs, ours, theirs, ...: a machine that gets slower for a while slows both. Each number is the median over the rounds;
a ratio above 1 says how many times as fast Hatchery is. `mlstm/step` and `mlstm/loop` are the peer through `torch.compile`. Needs tests/peers/requirements.txt and the texts `dinos` and
`tinyshakespeare` (HATCHERY_DATA, or `hatchery data fetch dinos tinyshakespeare`).
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PEERS = ROOT / "tests" / "peers"


def dinos():
    """The exercise's list of names, from where Hatchery looks for it."""
    cache = os.environ.get("HATCHERY_CACHE") or Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "hatchery"
    for folder in (os.environ.get("HATCHERY_DATA"), cache):
        if folder and (Path(folder) / "dinos.txt").is_file():
            return str(Path(folder) / "dinos.txt")
    sys.exit("the list of names is not here: hatchery data fetch dinos")


def torch_step(cell, threads, hidden=128, layers=1):
    shape = ["--vocabulary", "65", "--hidden", str(hidden), "--layers", str(layers), "--steps", "100", "--batch", "50", "--dtype", "f32"]
    return ["torch_step.py", "--cell", cell, *shape, "--threads", threads, "--repeats", "10"]


def shakespeare(cell, hidden=128, layers=1):
    """tinyshakespeare has 65 symbols; SGD, as in the peer's script."""
    sgd = ["--set", "optimizer.type=sgd", "--set", "optimizer.learning-rate=0.01"]
    shape = ["--set", f"cell.type={cell}", "--set", f"cell.hidden={hidden}", "--set", f"model.layers={layers}"]
    return ["experiments/shakespeare.toml", *shape, *sgd, "--steps", "5", "--repeats", "5"]


def training(cell, **shape):
    return shakespeare(cell, **shape), "milliseconds_per_step", lambda threads: torch_step(cell, threads, **shape)


def beyond(cell, compiled="none"):
    """A cell that PyTorch does not have, and the same written in PyTorch, compiled or not."""
    form = ["--set", "cell.layer-norm=true"] if cell == "layer-norm-lstm" else []
    command = [*shakespeare(cell.removeprefix("layer-norm-")), *form]
    shape = ["--cell", cell, "--vocabulary", "65", "--hidden", "128", "--steps", "100", "--batch", "50", "--compile", compiled]
    return command, "milliseconds_per_step", lambda threads: ["torch_cells.py", *shape, "--threads", threads]


CELLS = ["layer-norm-lstm", "min-gru", "slstm", "mlstm", "gated-delta-net"]
NOTEBOOK = ["experiments/notebooks/coursera-dinos.toml", "--steps", "300", "--repeats", "10"]
NOTEBOOK_SHAPE = ["--cell", "vanilla", "--vocabulary", "27", "--hidden", "50", "--steps", "12", "--batch", "1", "--dtype", "f64", "--clip", "value"]

# name: (ours: arguments of `hatchery bench`, the number that counts, theirs by number of threads)
WORK = {
    "notebook": (NOTEBOOK, "milliseconds_per_step", lambda threads: ["numpy_dinosaurs.py", dinos(), "--steps", "3000", "--threads", threads]),
    "notebook-torch": (NOTEBOOK, "milliseconds_per_step", lambda threads: ["torch_step.py", *NOTEBOOK_SHAPE, "--threads", threads]),
    "vanilla": training("vanilla"),
    "lstm": training("lstm"),
    "gru": training("gru"),
    "lstm-2": training("lstm", layers=2),
    "lstm-512": training("lstm", hidden=512, layers=2),
    **{cell: beyond(cell) for cell in CELLS},
    **{f"{cell}/{compiled}": beyond(cell, compiled) for cell in CELLS for compiled in ("step", "loop")},
    # Both draw from the plain softmax: the experiment's own sampler, which sorts, is left out.
    "generate": ([*shakespeare("lstm"), "--set", "sampler=[]", "--characters", "5000"], "generated_characters_per_second", lambda threads: ["torch_generate.py", "--hidden", "128", "--threads", threads]),
}


def output(command):
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    if result.returncode != 0:
        sys.exit(f"{' '.join(map(str, command))}\n{result.stderr}")
    return json.loads(result.stdout.splitlines()[-1])


def ours(program, arguments, key, device):
    row = output([program, "bench", *arguments, "--device", device, "--json"])
    return 1000 / row[key] if key.endswith("per_second") else row[key]


def theirs(arguments):
    return output([sys.executable, PEERS / arguments[0], *arguments[1:]])["milliseconds_per_step"]


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("work", nargs="*", metavar="WORK", help=f"which: {', '.join(WORK)}; all if left out")
    arguments.add_argument("--rounds", type=int, default=3)
    arguments.add_argument("--device", default="cpu", help="devices of ours, separated by commas")
    arguments.add_argument("--threads", default="1,2", help="threads of theirs, separated by commas")
    target = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    arguments.add_argument("--program", default=target / "release" / "hatchery")
    arguments = arguments.parse_args()
    if not Path(arguments.program).is_file():
        sys.exit(f"there is no {arguments.program}: cargo build --release")
    unknown = [name for name in arguments.work if name not in WORK]
    if unknown:
        sys.exit(f"unknown: {', '.join(unknown)}; known: {', '.join(WORK)}")

    print(f"{'work':20} {'ours':>18} {'theirs':>22} {'ratio':>7}")
    for name in arguments.work or WORK:
        command, key, peer = WORK[name]
        times = {}
        for _ in range(arguments.rounds):
            for device in arguments.device.split(","):
                times.setdefault(("ours", device), []).append(ours(arguments.program, command, key, device))
            for threads in arguments.threads.split(","):
                times.setdefault(("theirs", threads), []).append(theirs(peer(threads)))
        medians = {who: statistics.median(rounds) for who, rounds in times.items()}
        label = "numpy" if name == "notebook" else "pytorch"
        for (side, device), own in medians.items():
            for (other, threads), peer_time in medians.items():
                if (side, other) == ("ours", "theirs"):
                    print(f"{name:20} {device + f' {own:.3f} ms':>18} {f'{label} {threads} thr. {peer_time:.3f} ms':>22} {peer_time / own:7.2f}")


if __name__ == "__main__":
    main()
