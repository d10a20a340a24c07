"""Every event of a tenant, exactly once: `python -m runyard_consumer --help`."""

import argparse
import asyncio
import contextlib
import logging
import os
from pathlib import Path
from typing import Any

import httpx

from runyard_consumer.consumer import Consumer
from runyard_consumer.history import History
from runyard_consumer.ledger import Ledger

HTTP_SECONDS = 30


def main() -> None:
    parser = argparse.ArgumentParser(prog="runyard-consumer", description=__doc__)
    parser.add_argument("file", type=Path, help="gets a line for each event (with --post: for each that was posted)")
    parser.add_argument("--tenant", default="default")
    parser.add_argument("--events", default="#", help="which: job.*, job.completed (default: all)")
    parser.add_argument("--queue", help="its name; default: consumer.<tenant>.events")
    parser.add_argument("--exchange", default="runyard.events")
    parser.add_argument("--post", metavar="URL", help="post each event there, and keep only which they were")
    parser.epilog = (
        "RUNYARD_URL and RUNYARD_API_KEY lead to the gateway, RUNYARD_AMQP_URL to the broker, with an account of the tenant."
    )
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_run(arguments))


async def _run(arguments: argparse.Namespace) -> None:
    ledger = Ledger(arguments.file, whole=arguments.post is None)
    headers = {"Authorization": f"Bearer {os.environ['RUNYARD_API_KEY']}"}
    gateway = httpx.AsyncClient(base_url=os.environ["RUNYARD_URL"], headers=headers, timeout=HTTP_SECONDS)
    async with gateway, httpx.AsyncClient(timeout=HTTP_SECONDS) as receiver:

        async def post(event: dict[str, Any]) -> None:
            """With a key by which the receiver tells an event that is posted twice."""
            kind = {"Content-Type": "application/cloudevents+json", "Idempotency-Key": f"{event['source']}/{event['id']}"}
            (await receiver.post(arguments.post, json=event, headers=kind)).raise_for_status()

        await Consumer(
            os.environ["RUNYARD_AMQP_URL"],
            arguments.exchange,
            arguments.queue or f"consumer.{arguments.tenant}.events",
            f"{arguments.tenant}.{arguments.events}",
            History(gateway, arguments.events.rstrip("*#")),
            ledger,
            post if arguments.post else None,
        ).run()


if __name__ == "__main__":
    main()
