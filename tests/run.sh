#!/usr/bin/env bash
# Everything a fresh machine needs for the tests (Chromium included), then scripts/check with your arguments: none (all
# that CI runs), fast, full, deep, or pytest's own.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. scripts/environment.sh
prepare_environment requirements-dev.txt

if [ -z "${WAN_CHROMIUM:-}" ] && ! command -v chromium >/dev/null 2>&1; then
  as_root=()
  if [ "$(id -u)" != 0 ]; then as_root=(sudo -n); fi
  echo "Installing Chromium for the browser tests."
  if ! { "${as_root[@]}" apt-get update -qq && "${as_root[@]}" apt-get install -y -qq chromium >/dev/null; }; then
    echo "Chromium could not be installed. Install it by hand, or set WAN_CHROMIUM to its path." >&2
    exit 1
  fi
fi
exec scripts/check "$@"
