"""`python -m runyard_gateway`: the gateway as a process."""

import sys

from pydantic import ValidationError
from runyard_shared.process import run_service

from runyard_gateway.app import create
from runyard_gateway.http.server import CannotListen
from runyard_gateway.settings import Settings


def main() -> int:
    try:
        run_service("gateway", Settings(), create)  # type: ignore[call-arg]  # the environment fills it
    except ValidationError as error:
        for each in error.errors(include_input=False, include_url=False):
            name = f"RUNYARD_{'_'.join(map(str, each['loc'])).upper()}: " if each["loc"] else ""
            sys.stderr.write(f"{name}{each['msg'].removeprefix('Value error, ')}\n")
        return 2
    except CannotListen as trouble:
        sys.stderr.write(f"{trouble}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
