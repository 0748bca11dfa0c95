# shellcheck shell=bash disable=SC2034
# Sourced by start.sh, tests/run.sh and scripts/lock: which Python runs Wan Studio, and what it must have installed.

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

# temporary_folder: prints the folder that Python's tempfile takes.
temporary_folder() {
  local folder
  for folder in "${TMPDIR:-}" "${TEMP:-}" "${TMP:-}" /tmp /var/tmp /usr/tmp; do
    if [ -n "$folder" ] && [ -d "$folder" ] && [ -w "$folder" ]; then
      printf '%s\n' "$folder"
      return 0
    fi
  done
  echo "No folder for temporary files can be written to." >&2
  echo "Start a read-only container with --tmpfs /tmp, or set TMPDIR to a folder that is writable." >&2
  return 1
}

# give_identity: a name and a home for a user that has none, as `docker run --user 1000` makes one. PyTorch asks
# for the name when it is imported, and caches go into the home.
give_identity() {
  local temporary why
  temporary=$(temporary_folder) || return 1
  if ! id -un >/dev/null 2>&1; then
    export USER="${USER:-wan}" LOGNAME="${LOGNAME:-wan}"
  fi
  if [ -z "${HOME:-}" ] || [ ! -d "$HOME" ] || [ ! -w "$HOME" ]; then
    why="There is no home folder (HOME)"
    if [ -n "${HOME:-}" ]; then why="The home folder $HOME cannot be written to"; fi
    HOME=$temporary/home-$(id -u)
    if ! mkdir -m 700 "$HOME" 2>/dev/null && { [ -L "$HOME" ] || [ ! -O "$HOME" ] || [ ! -w "$HOME" ]; }; then
      HOME=$(mktemp -d "$temporary/home-$(id -u)-XXXXXXXX") || return 1
    fi
    export HOME
    echo "$why: caches go into $HOME." >&2
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
  if [ "${STUDIO_IMAGE:-}" = page ]; then
    not_in_image "$file"
    return 1
  fi
  prepare_environment "$file" || return 1
  studio_python=$venv/bin/python
}

# not_in_image FILE: nothing is installed in the image of the page; why that would be needed.
not_in_image() {
  case $1 in
    requirements-worker.txt)
      echo "This image has the page alone and cannot be the worker of a RunPod endpoint." >&2
      echo "Give the endpoint the image with ComfyUI (docker build -t wan-studio .), or unset RUNPOD_WEBHOOK_GET_JOB for the page." >&2
      ;;
    *)
      echo "This image has other packages than $1 lists: it was built from another version of Wan Studio." >&2
      echo "Build it again: docker build -t wan-studio:page --target studio ." >&2
      ;;
  esac
}

# venv_folder: sets venv. Beside app.py, or in the user's cache when that folder may not be written to.
venv_folder() {
  venv=.venv
  if [ ! -x .venv/bin/python ] && [ ! -w . ]; then
    venv=${XDG_CACHE_HOME:-${HOME:-/tmp}/.cache}/wan-studio/venv
  fi
}

# lock_of FILE: the lock that is installed for a file of requirements. scripts/lock writes it.
lock_of() { printf '%s\n' "${1%.txt}.lock"; }

# environment_ready FILE: succeeds if the environment has the packages locked for FILE and this Python.
environment_ready() {
  local stamp=$venv/installed-${1%.txt}
  [ -x "$venv/bin/python" ] && [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$(environment_stamp "$1")" ]
}

environment_stamp() {
  cksum <"$(lock_of "$1")"
  "$venv/bin/python" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null
}

# prepare_environment FILE: the environment holds the lock of FILE. A stamp per file says for which text of it
# and for which Python that is true: a machine that was set up anew may bring another one.
prepare_environment() {
  local file=$1 python
  venv_folder
  if environment_ready "$file"; then
    return 0
  fi
  python=$(find_python) || return 1
  echo "Setting up Wan Studio in $venv with $("$python" --version). This happens once and takes a minute or two."
  if ! same_python "$python"; then
    make_environment "$python" || return 1
  fi
  # PIP_CONSTRAINT, where a machine sets it, is meant for ComfyUI's packages, not for ours. --no-deps: the lock has
  # all packages, but pip takes a dependency with an extra, such as pydantic[email], for one without a version.
  # --no-compile: pip compiles one file after the other, compileall on all cores. Some packages have files that no
  # Python 3 can compile; those are not imported.
  if ! env -u PIP_CONSTRAINT "$venv/bin/python" -m pip install -qq --disable-pip-version-check --no-compile \
    --require-hashes --no-deps -r "$(lock_of "$file")"; then
    echo "The packages in $(lock_of "$file") could not be installed; the lines above say why." >&2
    return 1
  fi
  "$venv/bin/python" -m compileall -qq -j 0 "$venv/lib" >/dev/null 2>&1 || true
  environment_stamp "$file" >"$venv/installed-${file%.txt}"
}

# make_environment PYTHON: a new virtual environment in $venv.
make_environment() {
  if ! "$1" -c 'import ensurepip, venv' 2>/dev/null; then
    echo "$("$1" --version) cannot make a virtual environment: its venv module is not installed." >&2
    echo "On Debian and Ubuntu: apt-get install python3-venv." >&2
    return 1
  fi
  if ! mkdir -p "$venv" 2>/dev/null || [ ! -w "$venv" ]; then
    echo "The folder $venv, where Wan Studio's packages go, cannot be written to." >&2
    echo "Give it to the user that starts Wan Studio, or mount its disk for writing." >&2
    return 1
  fi
  if ! "$1" -m venv --clear "$venv"; then
    echo "A virtual environment could not be made in $venv; the lines above say why." >&2
    return 1
  fi
}

# same_python PYTHON: the environment is there and of this Python's version.
same_python() {
  local version='import sys; print("%d.%d" % sys.version_info[:2])'
  [ -x "$venv/bin/python" ] && [ -x "$venv/bin/pip" ] &&
    [ "$("$venv/bin/python" -c "$version" 2>/dev/null)" = "$("$1" -c "$version")" ]
}
