#!/usr/bin/env bash
# Records the outputs of the book's longer runs and draws its pictures. Run it when a recording is out of date. It needs the
# texts of the notebooks (hatchery data fetch dinos names sonnets sonnets-keras, or HATCHERY_DATA). OUTPUT names another
# folder than book/src, with the folders recorded/, pictures/ and models/.
# Beside a recording stands a file of the same name with the values of its pictures, which book/pictures.py draws.
#   book/record.sh               all of them, a quarter of an hour on two cores
#   book/record.sh dinosaurs     one
# The recordings of devices need a program with --features ndarray,wgpu (HATCHERY names it) and are skipped without one.
set -euo pipefail
root="$(cd "$(dirname "$0")/.." && pwd)"
program="${HATCHERY:-$root/target/release/hatchery}"
output="${OUTPUT:-$root/book/src}"
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
if [ -n "${HATCHERY_DATA:-}" ]; then HATCHERY_DATA="$(realpath "$HATCHERY_DATA")"; export HATCHERY_DATA; fi
mkdir "$work/bin"
ln -s "$program" "$work/bin/hatchery"
ln -s "$root/experiments" "$work/experiments"
ln -s "$root/book" "$work/book"
export PATH="$work/bin:$PATH"
wanted="${1:-all}"
cd "$work"

# begin NAME: opens the recording of that name; fails if another one is wanted.
begin() {
    [ "$wanted" = all ] || [ "$wanted" = "$1" ] || return 1
    out="$output/recorded/$1.txt"
    : > "$out"
    rm -rf runs
    echo "$1" >&2
}

# part NAME: what follows can be included by this name.
part() {
    [ -z "${open:-}" ] || echo "# ANCHOR_END: $open" >> "$out"
    open="$1"
    [ -z "$open" ] || echo "# ANCHOR: $open" >> "$out"
}

# show COMMAND: runs it and records it with all that it prints.
show() {
    echo "\$ $1" >> "$out"
    { bash -c "exec 2>&1; $1" || echo "[status: $?]"; } | sed 's/[[:space:]]*$//' >> "$out"
}

# values NAME: keeps what the pictures of a recording are drawn from.
values() {
    python3 "$root/book/values.py" "$1" > "$output/recorded/$1.json"
}

if begin dinosaurs; then
    part train
    show 'hatchery train experiments/dinosaurs.toml'
    part use
    show 'hatchery sample --prefix tri --count 5'
    show 'hatchery eval'
    part temperatures
    show 'hatchery sample dinosaurs --temperature 0.3,0.8,1.5 --count 4'
    part ''
    values dinosaurs
    cp runs/dinosaurs/001/loss.svg "$output/pictures/dinosaurs.svg"
fi

if begin models; then
    part ''
    show 'for n in 0 500 1000 2000; do hatchery train experiments/dinosaurs.toml --quiet --set name=rnn-$n --set "cell={type=\"vanilla\", hidden=50}" --set "schedule={type=\"constant\"}" --set train.steps=$((n > 0 ? n : 1)) --set optimizer.learning-rate=$([ $n = 0 ] && echo 1e-30 || echo 0.002); done'
    show 'for n in 0 500 1000 2000; do hatchery export html rnn-$n -o dinosaurs-$n.html; done'
    show 'hatchery train experiments/dinosaurs.toml --quiet --set name=gru --set cell.hidden=40'
    show 'hatchery export html gru --best -o gru.html'
    cp ./*.html "$output/models"
fi

if begin larger-models; then
    part ''
    show 'hatchery train experiments/given-names.toml --quiet --set model.embedding=16 --set cell.hidden=40 --set train.steps=2000'
    show 'hatchery export html given-names --best -o given-names.html'
    show 'hatchery train experiments/shakespeare.toml --quiet --set model.embedding=16 --set cell.hidden=48 --set train.steps=1200'
    show 'hatchery export html shakespeare --best -o shakespeare.html'
    cp given-names.html shakespeare.html "$output/models"
fi

if begin coursera-dinos; then
    part losses
    show 'hatchery train experiments/notebooks/coursera-dinos.toml 2>&1 | grep -E "smoothed|steps in"'
    part ''
    values coursera-dinos
fi

if begin overfitting; then
    part train
    show 'hatchery train experiments/dinosaurs.toml --set name=overfit --set train.steps=6000 --quiet'
    show 'hatchery runs list'
    part copied
    show 'hatchery sample overfit --count 200 --novelty | grep "word for word"'
    show 'hatchery sample runs/overfit/001/best.safetensors --count 200 --novelty | grep "word for word"'
    part best
    show 'hatchery eval runs/overfit/001/best.safetensors'
    show 'hatchery eval overfit'
    show 'hatchery eval overfit --split train'
    part patience
    show 'hatchery train experiments/dinosaurs.toml --set name=patient --set train.steps=6000 --set train.patience=4 2>&1 | grep -E "^step|^ended|^The best" | sed "s/  ([0-9]* s)//; s/ in [0-9.]* s//"'
    part dropout
    show 'for units in 48 192; do for rate in 0 0.5; do hatchery train experiments/dropout.toml --quiet --set cell.hidden=$units --set model.dropout=$rate --set name=drop-$units-$rate --set train.report-every=250; done; done'
    show 'hatchery runs list | grep -E "^run|drop"'
    part ''
    values overfitting
fi

if begin sonnets; then
    part train
    show 'hatchery train experiments/notebooks/sonnets.toml --set train.log-every=246'
    part import
    show 'hatchery import keras "$HATCHERY_DATA/model_shakespeare_kiank_350_epoch.h5" --experiment experiments/notebooks/sonnets.toml --output imported.safetensors'
    show 'hatchery eval imported.safetensors --split train'
    show 'hatchery sample imported.safetensors --prefix "darkness came" --next 3'
    show 'hatchery train experiments/notebooks/sonnets.toml --from imported.safetensors --set name=continued --set train.log-every=246'
    show 'hatchery sample continued --prefix "darkness came" --length 300'
    part ''
fi

if begin names; then
    part train
    show 'hatchery train experiments/notebooks/hse-names.toml'
    part prefix
    show 'hatchery sample hse-names --prefix Trump --count 10'
    part masked
    show 'hatchery train experiments/notebooks/hse-names-masked.toml 2>&1 | grep -E "^step|steps in"'
    part dynamic
    show 'hatchery train experiments/notebooks/hse-names-dynamic.toml 2>&1 | grep -E "^step|steps in"'
    part compare
    show 'hatchery train experiments/notebooks/hse-names-lstm.toml --quiet'
    show 'hatchery train experiments/notebooks/hse-names-gru.toml --quiet'
    show 'hatchery runs compare hse-names-dynamic hse-names-lstm hse-names-gru | head -n 4'
    part ''
    values names
fi

if begin gradients; then
    part train
    show 'hatchery train experiments/gradients.toml --quiet'
    show 'hatchery train experiments/gradients.toml --quiet --set cell.type=lstm --set name=gradients-lstm'
    show 'hatchery train experiments/gradients.toml --quiet --set cell.type=gru --set name=gradients-gru'
    part untrained
    show 'hatchery gradients gradients-vanilla gradients-lstm gradients-gru --untrained'
    part trained
    show 'hatchery gradients gradients-vanilla gradients-lstm gradients-gru'
    part gates
    show 'python3 book/gates.py runs/gradients-gru/001/checkpoint.safetensors'
    part scale
    show 'for std in 0.05 0.1 0.15 0.2; do hatchery train experiments/gradients.toml --quiet --set train.steps=1 --set name=std-$std --set "model.initializer={type=\"normal\", std=$std}"; done'
    show 'hatchery gradients std-0.05 std-0.1 std-0.15 std-0.2 --untrained'
    part unclipped
    show "hatchery train experiments/exploding.toml --quiet --set name=unclipped --set 'clipper=[]'"
    show 'hatchery gradients --updates unclipped'
    part clipped-count
    show 'hatchery train experiments/exploding.toml --quiet --set name=exploding-all --set train.log-every=1'
    show 'grep -cE "\"clipped_norm\":(0.9999|1[,.])" runs/exploding-all/001/metrics.jsonl'
    show 'hatchery eval exploding-all'
    part ''
    values gradients
fi

if ! hatchery devices --json | grep '"wgpu:0"' > /dev/null; then
    [ "$wanted" != devices ] || { echo "this program or machine has no wgpu device" >&2; exit 1; }
elif begin devices; then
    part devices
    show 'hatchery devices'
    part drift
    show 'hatchery drift experiments/dropout.toml --devices flex,wgpu --steps 100 --picture drift.svg 2> /dev/null'
    part ''
    cp drift.svg "$output/pictures/drift.svg"
fi
