"""Lets Optuna search: its sampler proposes values, `hatchery sweep` trains them.

    pip install optuna
    python experiments/sweeps/optuna_search.py experiments/sweeps/asked.toml

A result depends on the experiment and the seed alone, so that the same search finds the same, with any number of workers."""

import argparse
import json
import math
import subprocess

import optuna


def suggest(trial):
    """The keys of the experiment that are varied, and their ranges."""
    return {
        "optimizer.learning-rate": trial.suggest_float("optimizer.learning-rate", 1e-4, 1e-1, log=True),
        "cell.type": trial.suggest_categorical("cell.type", ["gru", "lstm"]),
    }


def run(arguments, text=""):
    """The JSON lines that a command prints."""
    done = subprocess.run(arguments, input=text, text=True, stdout=subprocess.PIPE, check=True)
    return [json.loads(line) for line in done.stdout.splitlines()]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("sweep", help="a sweep file with [search] type = \"ask\"")
    parser.add_argument("--folder", default="sweeps/asked", help="the sweep's folder")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--batch", type=int, default=4, help="proposals of a round, trained side by side")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--hatchery", default="hatchery", help="the program")
    options = parser.parse_args()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=1))
    sweep = [options.hatchery, "sweep"]
    for _ in range(options.rounds):
        trials = [study.ask() for _ in range(options.batch)]
        proposals = "".join(json.dumps(suggest(trial)) + "\n" for trial in trials)
        asked = run([*sweep, "ask", options.sweep, "--folder", options.folder], proposals)
        workers = [subprocess.Popen([*sweep, "work", options.folder]) for _ in range(options.workers)]
        if any([worker.wait() for worker in workers]):
            raise SystemExit("a worker failed")
        results = {row["variant"]: row["nats"] for row in run([*sweep, "tell", options.folder])}
        for trial, variant in zip(trials, asked):
            nats = results[variant["variant"]]
            study.tell(trial, math.inf if nats is None else nats)
    print(f"best: {study.best_value:.4f} nats per character with {json.dumps(study.best_params)}")


if __name__ == "__main__":
    main()
