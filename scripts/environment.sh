# shellcheck shell=bash
# Sourced by start.sh and tests/run.sh: one virtual environment, filled once per state of the requirements.

find_python() {
  local candidate
  for candidate in "${PYTHON:-}" python3 python3.13 python3.12 python3.11 python3.10 python; do
    if [ -n "$candidate" ] && command -v "$candidate" >/dev/null 2>&1 &&
      "$candidate" -c 'import sys; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null; then
      command -v "$candidate"
      return 0
    fi
  done
  echo "Wan Studio needs Python 3.10 to 3.13, and none was found. Install one, or set PYTHON to it." >&2
  return 1
}

# prepare_environment FILE: .venv holds what FILE lists. A stamp per file says for which text of it that is true.
prepare_environment() {
  local file=$1 stamp wanted python
  stamp=.venv/installed-${file%.txt}
  wanted=$(cat requirements.txt "$file" | cksum)
  if [ -x .venv/bin/python ] && [ "$(cat "$stamp" 2>/dev/null)" = "$wanted" ]; then
    return 0
  fi
  python=$(find_python)
  echo "Setting up Wan Studio in .venv with $("$python" --version). This happens once and takes a minute or two."
  if [ ! -x .venv/bin/python ] && ! "$python" -m venv .venv; then
    echo "A virtual environment could not be made. On Debian and Ubuntu: apt-get install python3-venv" >&2
    return 1
  fi
  if ! .venv/bin/python -m pip install -qq --disable-pip-version-check -r "$file"; then
    echo "The packages in $file could not be installed; the lines above say why." >&2
    return 1
  fi
  printf '%s\n' "$wanted" >"$stamp"
}
