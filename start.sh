#!/usr/bin/env bash
# Sets up what is missing and serves Wan Studio on http://127.0.0.1:7860. The second start installs nothing.
# The same on a bare machine, on a pod, and in the container image; arguments go to app.py.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
. scripts/environment.sh
give_identity
prepare_python requirements.txt
exec "$studio_python" app.py "$@" # exec: SIGTERM reaches it directly
