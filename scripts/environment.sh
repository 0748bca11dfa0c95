# shellcheck shell=bash disable=SC2034
# Sourced by start.sh and tests/run.sh: which Python runs Wan Studio, and what it must have installed.

find_python() {
  local candidate
  for candidate in "${PYTHON:-}" python3 python3.13 python3.12 python3.11 python; do
    if [ -n "$candidate" ] && command -v "$candidate" >/dev/null 2>&1 &&
      "$candidate" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null; then
      command -v "$candidate"
      return 0
    fi
  done
  echo "Wan Studio needs Python 3.11 to 3.13, and none was found. Install one, or set PYTHON to it." >&2
  return 1
}

# give_identity: a name and a home for a user that has none, as `docker run --user 1000` makes one. PyTorch asks
# for the name when it is imported, and caches go into the home.
give_identity() {
  if ! id -un >/dev/null 2>&1; then
    export USER="${USER:-wan}" LOGNAME="${LOGNAME:-wan}"
  fi
  if [ -z "${HOME:-}" ] || [ ! -w "$HOME" ]; then
    HOME=${TMPDIR:-/tmp}/home-$(id -u)
    mkdir -m 700 "$HOME" 2>/dev/null || [ -O "$HOME" ] || HOME=$(mktemp -d)
    export HOME
  fi
}

# prepare_python FILE: sets studio_python to an interpreter that has what FILE lists. That is .venv when it is
# filled, else a Python that has all of it already (a container image, a Space), else .venv after filling it.
prepare_python() {
  local file=$1 found
  venv_folder
  if environment_ready "$file"; then
    studio_python=$venv/bin/python
    return 0
  fi
  found=$(find_python) || return 1
  if "$found" scripts/installed.py "$file"; then
    studio_python=$found
    return 0
  fi
  prepare_environment "$file" || return 1
  studio_python=$venv/bin/python
}

# venv_folder: sets venv. Beside app.py, or in the user's cache when that folder may not be written to.
venv_folder() {
  venv=.venv
  if [ ! -x .venv/bin/python ] && [ ! -w . ]; then
    venv=${XDG_CACHE_HOME:-${HOME:-/tmp}/.cache}/wan-studio/venv
  fi
}

# environment_ready FILE: the stamp of the environment says that it holds this text of FILE, for its Python.
environment_ready() {
  local stamp=$venv/installed-${1%.txt}
  [ -x "$venv/bin/python" ] && [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$(environment_stamp "$1")" ]
}

environment_stamp() {
  cat requirements.txt "$1" | cksum
  "$venv/bin/python" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null
}

# prepare_environment FILE: the environment holds what FILE lists. A stamp per file says for which text of it
# and for which Python that is true: a machine that was set up anew may bring another one.
prepare_environment() {
  local file=$1 python
  venv_folder
  if environment_ready "$file"; then
    return 0
  fi
  python=$(find_python) || return 1
  echo "Setting up Wan Studio in $venv with $("$python" --version). This happens once and takes a minute or two."
  if ! same_python "$python" && ! "$python" -m venv --clear "$venv"; then
    echo "A virtual environment could not be made in $venv." >&2
    echo "On Debian and Ubuntu: apt-get install python3-venv; elsewhere look at the lines above." >&2
    return 1
  fi
  # PIP_CONSTRAINT, where a machine sets it, is meant for ComfyUI's packages, not for ours.
  if ! env -u PIP_CONSTRAINT "$venv/bin/python" -m pip install -qq --disable-pip-version-check -r "$file"; then
    echo "The packages in $file could not be installed; the lines above say why." >&2
    return 1
  fi
  environment_stamp "$file" >"$venv/installed-${file%.txt}"
}

# same_python PYTHON: the environment is there and of this Python's version.
same_python() {
  local version='import sys; print("%d.%d" % sys.version_info[:2])'
  [ -x "$venv/bin/python" ] && [ -x "$venv/bin/pip" ] &&
    [ "$("$venv/bin/python" -c "$version" 2>/dev/null)" = "$("$1" -c "$version")" ]
}
