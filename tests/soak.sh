#!/usr/bin/env bash
# Kills trainings with SIGKILL at random moments, resumes them, and compares the result with that of an
# uninterrupted training: every byte of the checkpoint, the metrics and the samples.
#
# Usage: tests/soak.sh [KILLS [ARGUMENT…]]    (100 by default)
# The arguments go to `hatchery train`: `--set backend.device=flex`, or `--plugin /…/libmgu.so --set cell.type=mgu`.
# HATCHERY: the program; by default target/release/hatchery. SOAK_SEED: the seed of the moments; 1 by default.
#
# A checkpoint is written after every update, so that many kills come while one is being written; how many did is
# counted by the half-written files that they leave. Several kills hit one run before it comes to its end.
set -euo pipefail
kills="${1:-100}"
more=("${@:2}")
program="${HATCHERY:-$(dirname "$0")/../target/release/hatchery}"
program="$(realpath "$program")"
RANDOM="${SOAK_SEED:-1}"
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
cd "$folder"

cat > soak.toml <<'TOML'
name = "soak"
dataset = { type = "lines", corpus = "dinosaurs" }
split = { valid = 0.02 }
model = { layers = 2, dropout = 0.2 }
cell = { type = "gru", hidden = 48 }
clipper = [{ type = "norm", limit = 1.0 }]
optimizer = { type = "adam", learning-rate = 0.003 }
train = { steps = 120, batch = 4, log-every = 3, report-every = 10, checkpoint-every = 1 }
sample = { count = 2, length = 10 }
TOML

"$program" train soak.toml "${more[@]}" --quiet --runs alone > /dev/null 2> remarks
device="$(sed -n 's/^ *"device": "\(.*\)",$/\1/p' alone/soak/001/environment.json)"
# On the device `cpu` a cell is compiled, or a remark says why not.
how="on Burn"
if [[ "$device" == cpu && ! -s remarks ]]; then how="compiled"; fi
begin=$(date +%s%N)
"$program" train soak.toml "${more[@]}" --quiet --runs timed > /dev/null
whole=$(( ($(date +%s%N) - begin) / 1000 ))   # microseconds of one training

done_kills=0 partial=0 runs=0 late=0
while (( done_kills < kills )); do
    rm -rf killed
    arguments=(soak.toml)
    runs=$((runs + 1))
    # Up to four kills for each run, then it may finish.
    for _ in 1 2 3 4; do
        "$program" train "${arguments[@]}" "${more[@]}" --quiet --runs killed > /dev/null 2> errors &
        child=$!
        # A moment within the time that the whole training takes.
        moment=$(( (RANDOM * 32768 + RANDOM) % whole ))
        sleep "$(printf '%d.%06d' $((moment / 1000000)) $((moment % 1000000)))"
        if kill -KILL "$child" 2> /dev/null; then
            status=0
            wait "$child" 2> /dev/null || status=$?
        else
            status=0
            wait "$child" 2> /dev/null || status=$?
        fi
        if (( status == 137 )); then
            done_kills=$((done_kills + 1))
        elif (( status == 0 )); then
            late=$((late + 1))
            break
        else
            cat errors >&2
            exit 1
        fi
        if compgen -G 'killed/soak/001/.*.partial' > /dev/null; then partial=$((partial + 1)); fi
        if [[ -f killed/soak/001/experiment.toml ]]; then arguments=(--resume killed/soak/001); else rm -rf killed; fi
        (( done_kills < kills )) || break
    done
    if [[ -d killed ]]; then
        if ! "$program" train "${arguments[@]}" "${more[@]}" --quiet --runs killed > /dev/null 2> errors; then cat errors >&2; exit 1; fi
    else
        continue
    fi
    for file in checkpoint.safetensors best.safetensors metrics.jsonl samples.jsonl; do
        if ! cmp "alone/soak/001/$file" "killed/soak/001/$file"; then
            echo "after $done_kills kills, in run $runs: $file is not that of the training that was left alone" >&2
            exit 1
        fi
    done
done
cell="$(sed -n '/^\[cell\]/,/^type/s/^type = "\(.*\)"$/\1/p' alone/soak/001/experiment.toml)"
echo "$cell $how, device $device: $done_kills kills in $runs runs, $partial of them while a file was being written: every byte is the same"
