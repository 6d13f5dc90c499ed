#!/usr/bin/env bash
# Hits trainings with signals at random moments, resumes them, and compares the result with that of an uninterrupted
# training: every byte of the checkpoint, the best checkpoint, the metrics and the samples.
#
# Usage: tests/soak.sh [BLOWS [ARGUMENT…]]    (100 by default)
#        tests/soak.sh BLOWS all [ARGUMENT…]  (over ten configurations, as many each)
# The arguments go to `hatchery train`: `--set backend.device=flex`, or `--plugin /…/libmgu.so --set cell.type=mgu`. If the
# first is an experiment file, it takes the place of the one below; it has to be short, and gets a checkpoint every update.
# HATCHERY: the program; by default target/release/hatchery. SOAK_SEED: the seed of the moments; 1 by default.
# SOAK_SIGNALS: what is sent; by default "KILL KILL TERM INT STOP". A stopped program is killed or continued.
#
# A checkpoint is written after every update, so that many blows come while one is being written; how many did is
# counted by the half-written files that they leave. Several blows hit one run before it comes to its end, and every
# second one of a resumed program within 80 milliseconds of its start.
set -euo pipefail
blows="${1:-100}"
more=("${@:2}")
program="${HATCHERY:-$(dirname "$0")/../target/release/hatchery}"
program="$(realpath "$program")"
script="$(realpath "$0")"
read -ra signals <<< "${SOAK_SIGNALS:-KILL KILL TERM INT STOP}"
RANDOM="${SOAK_SEED:-1}"

if [[ "${more[0]:-}" == all ]]; then
    each=$(( (blows + 9) / 10 ))
    while read -r line; do
        read -ra arguments <<< "$line"
        HATCHERY="$program" "$script" "$each" "${arguments[@]}" "${more[@]:1}" < /dev/null
    done <<'LIST'
--set seed=1
--set cell.type=lstm --set cell.hidden=32
--set cell.type=vanilla --set clipper=[{type="value",limit=0.5}]
--set backend.device=flex --set cell.hidden=16
--set optimizer={type="sgd",learning-rate=0.1} --set train.keep=3
--set optimizer={type="adam",learning-rate=0.003} --set backend.dtype="f64"
--set dataset={type="windows",corpus="dinosaurs",length=20} --set train.batch=8
--set dataset={type="stream",corpus="dinosaurs",steps=25} --set train.batch=8
--set model.embedding=12 --set train.patience=4 --set schedule={type="cosine"}
--set rng="numpy" --set model.dropout=0.0 --set train.checkpoint-every=2
LIST
    exit
fi

folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
experiment="$folder/soak.toml"
cat > "$experiment" <<'TOML'
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
if [[ "${more[0]:-}" == *.toml ]]; then
    experiment="$(realpath "${more[0]}")"
    more=("${more[@]:1}" --set train.checkpoint-every=1)
fi
more+=(--set name=soak)
cd "$folder"

if ! "$program" train "$experiment" "${more[@]}" --quiet --runs alone > /dev/null 2> remarks; then
    cat remarks >&2
    exit 2
fi
device="$(sed -n 's/^ *"device": "\(.*\)",$/\1/p' alone/soak/001/environment.json)"
# On the device `cpu` a cell is compiled, or a remark says why not.
how="on Burn"
if [[ "$device" == cpu && ! -s remarks ]]; then how="compiled"; fi
begin=$(date +%s%N)
"$program" train "$experiment" "${more[@]}" --quiet --runs timed > /dev/null
whole=$(( ($(date +%s%N) - begin) / 1000 ))   # microseconds of one training

pause() { sleep "$(printf '%d.%06d' $(($1 / 1000000)) $(($1 % 1000000)))"; }

declare -A sent=()
given=0 partial=0 runs=0
while (( given < blows )); do
    rm -rf killed
    arguments=("$experiment")
    runs=$((runs + 1))
    # Up to four blows for each run, then it may finish.
    for blow in 1 2 3 4; do
        # In a group of its own: a background program of a script would ignore INT.
        env --default-signal=INT "$program" train "${arguments[@]}" "${more[@]}" --quiet --runs killed > /dev/null 2> errors &
        child=$!
        # A moment within the time that the whole training takes, or early.
        within=$whole
        if (( blow > 1 && RANDOM % 2 == 0 && whole > 80000 )); then within=80000; fi
        pause $(( (RANDOM * 32768 + RANDOM) % within ))
        signal="${signals[RANDOM % ${#signals[@]}]}"
        hit=0 continued=0
        if kill -"$signal" "$child" 2> /dev/null; then hit=1; fi
        if [[ "$signal" == STOP ]]; then
            pause 5000
            if (( RANDOM % 2 )); then
                kill -CONT "$child" 2> /dev/null || true
                continued=1
            else
                kill -KILL "$child" 2> /dev/null || true
            fi
        fi
        status=0
        wait "$child" 2> /dev/null || status=$?
        # 128 and the signal where it came before the program watched for it; 130 where a checkpoint was written.
        case "$status" in
            137 | 143 | 130) given=$((given + 1)) sent[$signal]=$(( ${sent[$signal]:-0} + 1 )) ;;
            0)
                if (( continued && hit )); then given=$((given + 1)) sent[$signal]=$(( ${sent[$signal]:-0} + 1 )); fi
                break
                ;;
            *)
                echo "after $given blows, in run $runs: status $status after $signal" >&2
                cat errors >&2
                exit 1
                ;;
        esac
        if compgen -G 'killed/soak/001/.*.partial' > /dev/null; then partial=$((partial + 1)); fi
        if [[ -f killed/soak/001/experiment.toml ]]; then arguments=(--resume killed/soak/001); else rm -rf killed; fi
        (( given < blows )) || break
    done
    if [[ ! -d killed ]]; then continue; fi
    if ! "$program" train "${arguments[@]}" "${more[@]}" --quiet --runs killed > /dev/null 2> errors; then
        cat errors >&2
        exit 1
    fi
    for file in alone/soak/001/*.safetensors alone/soak/001/{metrics,samples}.jsonl; do
        # A signal writes a checkpoint of its own, between those that are due: an older one may be another then.
        if [[ "$file" == */checkpoint-* && ! -e "killed/soak/001/${file##*/}" ]]; then continue; fi
        if ! cmp "$file" "killed/soak/001/${file##*/}"; then
            echo "after $given blows, in run $runs: ${file##*/} is not that of the training that was left alone" >&2
            exit 1
        fi
    done
done
cell="$(sed -n '/^\[cell\]/,/^type/s/^type = "\(.*\)"$/\1/p' alone/soak/001/experiment.toml)"
counts=""
for signal in "${!sent[@]}"; do counts+=" ${sent[$signal]} $signal"; done
echo "$cell $how, device $device: $given blows (${counts# }) in $runs runs, $partial of them while a file was being written: every byte is the same"
