"""`python -m runyard_orchestrator`: the orchestrator as a process."""

from runyard_shared.ops import Ops
from runyard_shared.process import run_service
from runyard_shared.process_settings import read_settings

from runyard_orchestrator.app import create
from runyard_orchestrator.settings import Settings


def main() -> None:
    settings = read_settings(Settings)
    run_service("orchestrator", settings, create, Ops(settings.ops_host, settings.ops_port))


if __name__ == "__main__":
    main()
