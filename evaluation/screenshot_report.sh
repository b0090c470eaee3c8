#!/usr/bin/env bash
# Makes the picture of the demo report that the README shows, as far down as where each
# stance has occurred in the text. Needs chromium; run `make demo` first.
set -euo pipefail
cd "$(dirname "$0")/.."
chromium --headless --no-sandbox --disable-gpu --hide-scrollbars --no-first-run \
  --user-data-dir="$(mktemp -d)" --window-size=1280,1950 \
  --screenshot="$PWD/evaluation/results/report.png" "file://$PWD/out/demo/report.html"
