#!/bin/sh
# Makes the secrets of a compose installation: random values in .env beside this file, readable by its owner alone. What is there
# already stays as it is, so it may be run again after an upgrade that needs a new one.
set -eu

file=$(CDPATH= cd -- "$(dirname -- "$0")" && pwd)/.env
if [ $# -gt 0 ]; then file=$1; fi
umask 077
touch "$file"
chmod 600 "$file"

random() {
    od -An -N32 -tx1 /dev/urandom | tr -d ' \n'
}

keep() {
    if ! grep -q "^$1=" "$file"; then
        printf '%s=%s\n' "$1" "$2" >>"$file"
        echo "made $1"
    fi
}

keep RUNYARD_ADMIN_TOKEN "ry_$(random)"
keep RUNYARD_MASTER_KEYS "$(random)"
keep RUNYARD_GATEWAY_SECRET "$(random)"
keep RUNYARD_APPROVALS_SECRET "$(random)"
keep RUNYARD_METRICS_TOKEN "$(random)"
keep RUNYARD_DASHBOARD_PASSWORD "$(random)"
keep POSTGRES_PASSWORD "$(random)"
keep RABBITMQ_PASSWORD "$(random)"
keep GRAFANA_PASSWORD "$(random)"
keep RUNYARD_PUBLIC_URL "http://127.0.0.1:8080"
echo "The secrets are in $file. Keep a copy of it apart from the database: without RUNYARD_MASTER_KEYS no connection can be opened."
