"""`python -m runyard_orchestrator`: the orchestrator as a process."""

from runyard_shared.process import run_service

from runyard_orchestrator.app import create
from runyard_orchestrator.settings import Settings


def main() -> None:
    run_service("orchestrator", Settings(), create)


if __name__ == "__main__":
    main()
