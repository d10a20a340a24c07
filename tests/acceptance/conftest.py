"""Each form is started once for a run; `--dist loadgroup` keeps all tests of a form in one worker."""

from collections.abc import Generator, Iterator

import pytest

from tests.acceptance.systems import (
    METRICS_TOKEN,
    Client,
    Distributed,
    Journal,
    Standalone,
    System,
    distributed_system,
    standalone_system,
)

FORMS = [
    pytest.param("standalone", marks=pytest.mark.xdist_group("standalone")),
    pytest.param("distributed", marks=pytest.mark.xdist_group("distributed")),
]


@pytest.fixture(scope="session")
def standalone() -> Iterator[Standalone]:
    with standalone_system() as system:
        yield system


@pytest.fixture(scope="session")
def distributed() -> Iterator[Distributed]:
    with distributed_system(environment={"RUNYARD_METRICS_TOKEN": METRICS_TOKEN}) as system:
        yield system


@pytest.fixture(params=FORMS)
def system(request: pytest.FixtureRequest) -> System:
    found: System = request.getfixturevalue(request.param)
    return found


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """What the processes of the system logged last stands beside a failure."""
    report = yield
    if report.failed and isinstance(item, pytest.Function):
        for system in item.funcargs.values():
            if isinstance(system, Standalone | Distributed):
                report.sections += [(f"log of {name}", tail) for name, tail in system.log_tails().items()]
    return report


@pytest.fixture
def client(system: System) -> Iterator[Client]:
    with Client(system) as client:
        client.has_pool("nobody-home")
        yield client


@pytest.fixture
def journal(system: System) -> Journal:
    return Journal(system)
