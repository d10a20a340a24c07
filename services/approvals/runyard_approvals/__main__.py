"""`python -m runyard_approvals`: the approvals service as a process."""

from runyard_shared.process import run_service

from runyard_approvals.app import create
from runyard_approvals.settings import Settings


def main() -> None:
    run_service("approvals", Settings(), create)


if __name__ == "__main__":
    main()
