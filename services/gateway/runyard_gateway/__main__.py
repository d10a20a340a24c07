"""`python -m runyard_gateway`: the gateway as a process."""

import sys

from runyard_shared.process import run_service
from runyard_shared.process_settings import read_settings

from runyard_gateway.app import create
from runyard_gateway.http.server import CannotListen
from runyard_gateway.settings import Settings


def main() -> int:
    try:
        run_service("gateway", read_settings(Settings), create)  # type: ignore[arg-type]  # the environment fills it
    except CannotListen as trouble:
        sys.stderr.write(f"{trouble}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
