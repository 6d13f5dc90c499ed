#!/usr/bin/env bash
# Trains on a text of 1 GB and fails if that takes more than 300 MB of memory of its own: a corpus of any size must stay on the
# disk. Not part of the tests: it needs the disk space and a minute. Usage: tests/memory.sh [PROGRAM]
set -euo pipefail
program="$(realpath "${1:-$(dirname "$0")/../target/release/hatchery}")"
limit_kilobytes=300000
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
cd "$folder"

# Lines of prose-like characters; 1,000,000,000 bytes.
(yes 'the quick brown fox jumps over the lazy dog; pack my box with five dozen liquor jugs! ' || true) | head -c 1000000000 > text.txt
cat > memory.toml <<'TOML'
name = "memory"

[dataset]
type = "stream"
corpus = "text.txt"
steps = 50

[split]
valid = 0.0001

[cell]
type = "gru"
hidden = 64

[optimizer]
type = "adam"
learning-rate = 0.001

[train]
steps = 300
batch = 32
order = "sequential"
report-every = 150

[sample]
count = 1
TOML

"$program" train memory.toml --quiet &
process=$!
anonymous=0
peak=0
while kill -0 "$process" 2> /dev/null; do
    now="$(awk '/^RssAnon:/ { print $2 }' "/proc/$process/status" 2> /dev/null || true)"
    high="$(awk '/^VmHWM:/ { print $2 }' "/proc/$process/status" 2> /dev/null || true)"
    anonymous=$((${now:-0} > anonymous ? ${now:-0} : anonymous))
    peak=$((${high:-0} > peak ? ${high:-0} : peak))
    sleep 0.05
done
wait "$process"
echo "memory of its own (RssAnon), largest seen: $((anonymous / 1000)) MB"
echo "with what of the mapped file was resident (VmHWM): $((peak / 1000)) MB"
if ((peak > limit_kilobytes)); then
    echo "more than $((limit_kilobytes / 1000)) MB" >&2
    exit 1
fi
