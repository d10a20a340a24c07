"""`make up` and `make down`: the distributed form, detached, in `.runyard/up`."""

import argparse
import os
import sys

from runyard_standalone.agent_keys import NoAgentKey
from runyard_standalone.distributed import Deployment, NotReady
from runyard_standalone.ports import USUAL_OPS_PORT
from runyard_standalone.postgres import PostgresError
from runyard_standalone.rabbitmq_install import NoRabbitMQ
from runyard_standalone.settings import Settings

PASSED_ON = (
    "RUNYARD_PUBLIC_URL",
    "RUNYARD_APPROVALS_SECRET",
    "RUNYARD_ALLOW_PRIVATE_NOTIFICATIONS",
    "RUNYARD_NOTIFICATION_ATTEMPTS",
    "RUNYARD_NOTIFICATION_RETRY_SECONDS",
)
"""Settings of the approvals service that may be chosen for `make up`."""


MOST = 16
"""Processes of a kind on one machine."""


def main() -> int:
    """Environment: RUNYARD_DATA_DIR (default .runyard), RUNYARD_PORT (8080 or a free one), RUNYARD_ADMIN_TOKEN, and those of
    the approvals service."""
    parser = argparse.ArgumentParser(prog="runyard_standalone.up", description=main.__doc__)
    parser.add_argument("command", choices=["up", "down"])
    parser.add_argument("--replicas", type=_count, metavar="N", help="processes of each service; without it as many as before")
    parser.add_argument("--agents", type=_count, metavar="N", help="agents; without it as many as before")
    arguments = parser.parse_args()
    settings = Settings()
    token = settings.admin_token.get_secret_value() if settings.admin_token else None
    environment = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
    deployment = Deployment(
        settings.data_dir / "up",
        port=settings.port,
        ops_port=USUAL_OPS_PORT,
        token=token,
        environment=environment,
        replicas=arguments.replicas,
        agents=arguments.agents,
    )
    if arguments.command == "down":
        deployment.stop()
        print("Runyard is down; its data stays in", deployment.directory)
        return 0
    print(f"Starting PostgreSQL, RabbitMQ and {len(deployment.names)} processes …", flush=True)
    try:
        deployment.start()
    except (NotReady, NoAgentKey, NoRabbitMQ, PostgresError) as trouble:
        print(trouble, file=sys.stderr)
        return 1
    for gateway in deployment.replicas("gateway"):
        print(f"Address  {deployment.url_of(gateway)}")
    print(f"Token    {deployment.token}")
    print(f"Logs     {deployment.directory}/*.log")
    print("Metrics ", " ".join(f"{deployment.ops_url(name)}/metrics" for name in deployment.names))
    print("`make down` stops it.")
    return 0


def _count(text: str) -> int:
    if not text.isdigit() or not 1 <= int(text) <= MOST:
        raise argparse.ArgumentTypeError(f"must be a number from 1 to {MOST}, not {text!r}")
    return int(text)


if __name__ == "__main__":
    sys.exit(main())
