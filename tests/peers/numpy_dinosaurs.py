"""Time of one training step of the dinosaur-names exercise in NumPy, as its notebook computes it.

    python tests/peers/numpy_dinosaurs.py NAMES_FILE --steps 3000

Vanilla cell, 27 characters, 50 hidden units, one name a step, float64: forward, backward, clipping at 5, gradient descent, state
carried to the next name. The model is that of tests/golden/dinosaurs.py, which is checked against the notebook's printed losses.
Reading and encoding the names and sampling are not timed. Prints one line of JSON; the time is the median over the repeats,
each an equal share of the steps.
"""

import argparse
import json
import os
import platform
import statistics
import sys
import time
from pathlib import Path


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("names_file")
    arguments.add_argument("--steps", type=int, default=3000)
    arguments.add_argument("--repeats", type=int, default=10)
    arguments.add_argument("--threads", type=int, default=1)
    arguments = arguments.parse_args()

    # BLAS libraries read their number of threads once, while NumPy is being imported.
    for variable in ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS"):
        os.environ[variable] = str(arguments.threads)
    sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "golden"))
    import dinosaurs
    import numpy as np

    names, characters = dinosaurs.read_names(arguments.names_file)
    examples = [dinosaurs.encoded(name, characters) for name in names]
    p, a = dinosaurs.initial_parameters(), np.zeros((dinosaurs.HIDDEN, 1))
    share = max(1, arguments.steps // arguments.repeats)
    milliseconds, step = [], 0
    for repeat in range(-1, arguments.repeats):  # the first share warms up
        start = time.perf_counter()
        for _ in range(share):
            _, _, a = dinosaurs.training_step(p, *examples[step % len(examples)], a)
            step += 1
        if repeat >= 0:
            milliseconds.append(1000 * (time.perf_counter() - start) / share)

    print(json.dumps({
        "name": "numpy",
        "work": "train vanilla V27 H50 L1 names B1 f64",
        "milliseconds_per_step": statistics.median(milliseconds),
        "threads": arguments.threads,
        "versions": {"numpy": np.__version__, "python": platform.python_version()},
    }))


if __name__ == "__main__":
    main()
