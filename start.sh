#!/usr/bin/env bash
# Sets up what is missing and serves Wan Studio on http://127.0.0.1:7860. The second start installs nothing.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
. scripts/environment.sh
prepare_environment requirements.txt
exec .venv/bin/python app.py "$@"
