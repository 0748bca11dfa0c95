#!/usr/bin/env bash
# Everything a fresh machine needs for the tests (a browser included), then scripts/check with your arguments: none (all
# that CI runs), fast, full, deep, or pytest's own.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. scripts/environment.sh
prepare_environment requirements-dev.txt

apt() { # apt ARGUMENT...: as root, and without waiting long for a network that is not there
  local as_root=()
  if [ "$(id -u)" != 0 ]; then as_root=(sudo -n); fi
  timeout 300 "${as_root[@]}" apt-get -qq -o Acquire::Retries=0 -o Acquire::http::Timeout=15 "$@" >/dev/null
}

# Chromium without its windows does a third of the work for each visitor of the page. The whole one serves as well.
if [ -z "${WAN_CHROMIUM:-}" ] && ! command -v chromium-headless-shell >/dev/null 2>&1; then
  echo "Installing Chromium for the browser tests."
  if ! { apt update && { apt install -y chromium-headless-shell || apt install -y chromium; }; } &&
    ! command -v chromium >/dev/null 2>&1; then
    echo "Chromium could not be installed. Install it by hand, or set WAN_CHROMIUM to its path." >&2
    exit 1
  fi
fi
exec scripts/check "$@"
