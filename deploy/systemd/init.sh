#!/bin/sh
# Makes the settings of an installation with systemd (docs/howto/operate.md) in /etc/runyard, or the directory that is given: a
# file that every service reads, and one for each with secrets of its own, made at random, readable by root alone. What is there
# already stays as it is, so it may be run again after an upgrade that needs a new one.
#
# At the first run RUNYARD_DATABASE_URL, RUNYARD_AMQP_URL, RUNYARD_AMQP_MANAGEMENT_URL and RUNYARD_PUBLIC_URL say what is where.
set -eu

directory=${1:-/etc/runyard}
umask 077
mkdir -p "$directory"
: "${RUNYARD_DATABASE_URL=}" "${RUNYARD_AMQP_URL=}" "${RUNYARD_AMQP_MANAGEMENT_URL=}" "${RUNYARD_PUBLIC_URL=}"

random() {
    od -An -N32 -tx1 /dev/urandom | tr -d ' \n'
}

keep() {
    file=$directory/$1.env
    touch "$file"
    if grep -q "^$2=" "$file"; then return; fi
    if [ -z "$3" ]; then
        echo "$2 is not in $file: set it for this command" >&2
        exit 1
    fi
    printf '%s=%s\n' "$2" "$3" >>"$file"
    echo "made $2 in $file"
}

keep runyard RUNYARD_DATABASE_URL "$RUNYARD_DATABASE_URL"
keep runyard RUNYARD_AMQP_URL "$RUNYARD_AMQP_URL"
keep runyard RUNYARD_LOG_FORMAT json
keep dispatcher RUNYARD_AMQP_MANAGEMENT_URL "$RUNYARD_AMQP_MANAGEMENT_URL"
keep dispatcher RUNYARD_MASTER_KEYS "$(random)"
keep approvals RUNYARD_PUBLIC_URL "$RUNYARD_PUBLIC_URL"
keep approvals RUNYARD_APPROVALS_SECRET "$(random)"
keep projections RUNYARD_ARCHIVE_DIR /var/lib/runyard/archive
keep gateway RUNYARD_PUBLIC_URL "$RUNYARD_PUBLIC_URL"
keep gateway RUNYARD_ADMIN_TOKEN "ry_$(random)"
keep gateway RUNYARD_GATEWAY_SECRET "$(random)"
keep gateway RUNYARD_METRICS_TOKEN "$(random)"
keep orchestrator RUNYARD_OPS_PORT 9401
keep dispatcher RUNYARD_OPS_PORT 9402
keep approvals RUNYARD_OPS_PORT 9403
keep projections RUNYARD_OPS_PORT 9404
echo "The settings are in $directory. Keep a copy apart from the database: without RUNYARD_MASTER_KEYS no connection can be opened."
