"""`python -m runyard_dispatcher`: the dispatcher as a process."""

from runyard_shared.process import run_service

from runyard_dispatcher.app import create
from runyard_dispatcher.settings import Settings


def main() -> None:
    run_service("dispatcher", Settings(), create)


if __name__ == "__main__":
    main()
