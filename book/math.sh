#!/usr/bin/env bash
# Makes src/math/stix-two-math.woff2: the letters and signs that the book's formulas use, cut out of STIX Two Math (SIL Open
# Font License, src/math/LICENSE.txt), so that formulas look the same on machines without a font for them.
# Needs npm, and pip install fonttools brotli.
set -euo pipefail
cd "$(dirname "$0")"
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
(cd "$work" && npm pack --silent @fontsource/stix-two-math@5.3.0 > /dev/null && tar xzf ./*.tgz)
signs="U+20-7E,U+A0-FF,U+391-3C9,U+3D1,U+3D5,U+3F5,U+2016,U+2018-201D,U+2026,U+2032-2033,U+2061-2064,U+20D7,U+210E,U+2113"
signs="$signs,U+2190-2194,U+2200-2265,U+2295-2299,U+22A4,U+22C5-22EF,U+2308-230B,U+23DE-23DF,U+27E8-27E9,U+2A00"
signs="$signs,U+1D434-1D467,U+1D6E2-1D71B,U+300-304,U+20D6-20D7,U+2C6-2DC"
pyftsubset "$work/package/files/stix-two-math-latin-400-normal.woff2" --unicodes="$signs" --layout-features=ssty,dtls \
    --no-layout-closure --flavor=woff2 --output-file=src/math/stix-two-math.woff2
cp "$work/package/LICENSE" src/math/LICENSE.txt
