#!/bin/sh
# Trains the experiment files and writes what they measured into experiments/README.md. Run it from the root of the
# repository, with the texts fetched or in $HATCHERY_DATA:
#   experiments/measure.sh                         all of them; char-rnn alone takes hours
#   experiments/measure.sh experiments/copy.toml   one; the others keep the results of their newest runs
#   experiments/measure.sh --table                 none: only the table is written anew
set -eu
hatchery=${HATCHERY:-cargo run --release --quiet --}
runs=${RUNS:-runs}
if [ "${1:-}" = --table ]; then
    set --
elif [ $# -eq 0 ]; then
    set -- experiments/*.toml experiments/notebooks/*.toml
fi
for file in "$@"; do
    echo "$file" >&2
    $hatchery train "$file" --runs "$runs" --quiet
done
{
    cat experiments/README.head.md
    $hatchery runs table experiments --runs "$runs"
} > experiments/README.md
