#!/bin/sh
# Runs uv for this project. Takes the uv of the machine if it is new enough, else puts one of its own below .runyard/tools,
# with nothing but Python's venv or pip; as root on Debian or Ubuntu it installs a missing python3-venv.
set -eu

oldest=0.8.0
pinned=0.13.9
root=$(CDPATH= cd -- "$(dirname -- "$0")/.." && pwd)
tools=$root/.runyard/tools
log=$tools.log

# the project's own environment, whatever the caller has activated, or the one that `make install` makes
unset VIRTUAL_ENV
export UV_PROJECT_ENVIRONMENT="${RUNYARD_PREFIX:-$root/.venv}"

# where the machine has certificates of its own, as behind a company's proxy, they count
if [ -r /etc/ssl/certs/ca-certificates.crt ]; then
    export UV_SYSTEM_CERTS="${UV_SYSTEM_CERTS:-true}"
fi

usable() {
    found=$("$1" --version 2>/dev/null | sed -n 's/^uv \([0-9.]*\).*/\1/p')
    [ -n "$found" ] && [ "$(printf '%s\n%s\n' "$oldest" "$found" | sort -V | head -n 1)" = "$oldest" ]
}

find_python() {
    for name in python3 python3.14 python3.13 python3.12 python3.11 python; do
        if "$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            echo "$name"
            return
        fi
    done
    echo "Python 3.11 or newer is needed, and there is none on PATH." >&2
    exit 1
}

with_venv() {
    rm -rf "$tools" && "$1" -m venv "$tools" && "$tools/bin/python" -m pip install --disable-pip-version-check "uv==$pinned"
}

with_pip() {
    rm -rf "$tools" && "$1" -m pip install --disable-pip-version-check --target "$tools" "uv==$pinned"
}

with_apt() {
    [ "$(id -u)" = 0 ] && command -v apt-get || return 1
    export DEBIAN_FRONTEND=noninteractive
    apt-get update && apt-get install -y --no-install-recommends python3-venv && with_venv "$1"
}

install_uv() {
    python=$(find_python)
    echo "Getting uv $pinned into .runyard/tools" >&2
    mkdir -p "$root/.runyard"
    if with_venv "$python" >"$log" 2>&1 || with_pip "$python" >>"$log" 2>&1 || with_apt "$python" >>"$log" 2>&1; then
        return
    fi
    rm -rf "$tools"
    tail -n 15 "$log" >&2
    echo >&2
    echo "uv could not be installed. Either install uv (https://docs.astral.sh/uv/), or give Python its venv and pip" >&2
    echo "(Debian, Ubuntu: sudo apt-get install python3-venv), and see that PyPI can be reached; then try again." >&2
    exit 1
}

if usable uv; then
    uv=uv
else
    uv=$tools/bin/uv
    usable "$uv" || install_uv
fi
cd "$root"
exec "$uv" "$@"
