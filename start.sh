#!/usr/bin/env bash
# Sets up what is missing and serves Wan Studio on http://127.0.0.1:7860. The second start installs nothing.
# The same on a bare machine, on a pod, and in the container image; arguments go to app.py. On a RunPod
# Serverless worker, where nobody could see a page, it is the worker.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
. scripts/environment.sh
give_identity
if [ -n "${RUNPOD_WEBHOOK_GET_JOB:-}" ] && [ "${1:-serve}" = serve ]; then
  set -- worker
fi
case ${1:-} in
  worker) prepare_python requirements-worker.txt ;;
  *) prepare_python requirements.txt ;;
esac
exec "$studio_python" app.py "$@" # exec: SIGTERM reaches it directly
