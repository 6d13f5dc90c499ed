"""Runs the companion notebooks from top to bottom and keeps what they show.

    pip install nbclient ipykernel matplotlib
    cargo build --release
    python3 book/src/notebooks/run.py            both, or: … run.py names
    python3 book/src/notebooks/run.py --check    without keeping anything

Each runs in a folder of its own that has the experiments in it; the program is `target/release/hatchery`, or the one that
$HATCHERY names. Times and counters are left out of what is kept, so that running again changes nothing.
"""

import os
import pathlib
import sys
import tempfile

import nbclient
import nbformat

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent.parent


def run(path, is_kept):
    notebook = nbformat.read(path, as_version=4)
    program = pathlib.Path(os.environ.get("HATCHERY", ROOT / "target/release/hatchery")).resolve()
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        (folder / "experiments").symlink_to(ROOT / "experiments")
        (folder / "bin").mkdir()
        (folder / "bin/hatchery").symlink_to(program)
        os.environ["PATH"] = f"{folder / 'bin'}:{os.environ['PATH']}"
        client = nbclient.NotebookClient(notebook, timeout=600, resources={"metadata": {"path": folder}})
        client.execute()
    for cell in notebook.cells:
        cell.metadata = {}
    notebook.metadata = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    if is_kept:
        nbformat.write(notebook, path)
    print(path.name, path.stat().st_size, "bytes")


if __name__ == "__main__":
    names = [argument for argument in sys.argv[1:] if argument != "--check"]
    for name in names or ["dinosaurs", "names"]:
        run(HERE / f"{name}.ipynb", "--check" not in sys.argv)
