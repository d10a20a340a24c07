"""`python -m runyard_approvals`: the approvals service as a process."""

from runyard_shared.ops import Ops
from runyard_shared.process import run_service
from runyard_shared.process_settings import read_settings

from runyard_approvals.app import create
from runyard_approvals.settings import Settings


def main() -> None:
    settings = read_settings(Settings)
    run_service("approvals", settings, create, Ops(settings.ops_host, settings.ops_port))


if __name__ == "__main__":
    main()
