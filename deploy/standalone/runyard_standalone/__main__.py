"""`python -m runyard_standalone`, which is `make run`: everything in one process, until Ctrl-C."""

import argparse
import asyncio
import signal
import sys
import time
from urllib.parse import quote

import uvloop
from pydantic import ValidationError
from runyard_gateway.http.server import CannotListen

from runyard_standalone.app import AlreadyRunning, Standalone
from runyard_standalone.demo import run_demo
from runyard_standalone.postgres import PostgresError
from runyard_standalone.screen import Screen
from runyard_standalone.settings import Settings


def main() -> int:
    """Environment: RUNYARD_DATA_DIR (default .runyard), RUNYARD_PORT (8080), RUNYARD_ADMIN_TOKEN, RUNYARD_DEMO=0."""
    parser = argparse.ArgumentParser(prog="runyard_standalone", description=main.__doc__)
    parser.add_argument("--no-demo", action="store_true", help="apply no examples and run none")
    arguments = parser.parse_args()
    try:
        settings = Settings()
    except ValidationError as error:
        print("\n".join(f"RUNYARD_{'_'.join(map(str, each['loc'])).upper()}: {each['msg']}" for each in error.errors()))
        return 2
    if arguments.no_demo:
        settings = settings.model_copy(update={"demo": False})
    try:
        uvloop.run(_run(settings))
    except asyncio.CancelledError:
        return 0
    except (AlreadyRunning, CannotListen, PostgresError) as trouble:
        print(trouble, file=sys.stderr)
        return 1
    return 0


async def _run(settings: Settings) -> None:
    """A signal cancels this task wherever it is; what was started so far is then ended in order."""
    screen = Screen()
    task = asyncio.current_task()
    assert task is not None
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    began = time.monotonic()
    try:
        async with Standalone(settings) as standalone:
            screen.say(f"Runyard is ready after {time.monotonic() - began:.1f} s: PostgreSQL, five services, one agent", "bold")
            screen.say(f"Address  {standalone.address}", "bold")
            screen.say(f"Sign in  {standalone.address}/sign-in#key={quote(standalone.token, safe='')}", "bold")
            screen.say(f"Token    {standalone.token}", "bold")
            screen.say(f"Log      {standalone.log_path}", "bright_black")
            screen.say()
            if settings.demo:
                await run_demo(standalone.address, standalone.token, settings.examples_dir, screen)
            screen.say(f"curl -H 'Authorization: Bearer {standalone.token}' {standalone.address}/api/v1/executions", "cyan")
            screen.say("Ctrl-C stops it; started again it goes on where it was.", "bright_black")
            await asyncio.Event().wait()
    except asyncio.CancelledError:
        screen.say("stopped", "bright_black")
        raise


if __name__ == "__main__":
    sys.exit(main())
