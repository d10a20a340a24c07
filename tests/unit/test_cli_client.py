"""What the command line makes of answers, of problems, and of answers that never come."""

from collections.abc import Callable

import httpx
import pytest
from runyard_cli.client import Api
from runyard_cli.contexts import Place
from runyard_cli.errors import ExitCode, Refused, Unreachable

Answer = httpx.Response | Exception


class Gateway:
    """Answers by turns, the last for ever; keeps what it was asked and how long its client paused."""

    def __init__(self, *answers: Answer) -> None:
        self._answers = list(answers)
        self.asked: list[httpx.Request] = []
        self.pauses: list[float] = []
        self.told: list[str] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer

    def api(self) -> Api:
        place = Place("http://127.0.0.1:1", "key")
        return Api(place, transport=httpx.MockTransport(self), sleep=self.pauses.append, tell=self.told.append)


def problem(status: int, code: str, detail: str = "no", **fields: object) -> httpx.Response:
    body = {"type": "x", "title": code, "status": status, "detail": detail, "code": code, **fields}
    return httpx.Response(status, json=body, headers={"Retry-After": "1"} if status in (409, 503) else {})


def run(api: Api) -> dict[str, object]:
    return api.command("POST", "/workflows/w/run", {"variables": {}})


@pytest.mark.parametrize(
    "first",
    [
        httpx.ReadError("connection reset"),
        httpx.RemoteProtocolError("server disconnected"),
        problem(503, "unavailable"),
        problem(409, "request_under_way"),
        httpx.Response(502, text="<html>bad gateway</html>"),
    ],
)
def test_a_command_whose_answer_was_lost_is_sent_again_under_the_same_key(first: Answer) -> None:
    gateway = Gateway(first, httpx.ConnectError("refused"), httpx.Response(202, json={"executionId": "e"}))
    if not isinstance(first, httpx.TransportError):
        gateway = Gateway(first, httpx.Response(202, json={"executionId": "e"}))
    assert run(gateway.api()) == {"executionId": "e"}
    assert len(gateway.asked) >= 2
    assert len({request.headers["Idempotency-Key"] for request in gateway.asked}) == 1


def test_a_command_ends_when_the_lists_that_the_next_one_reads_show_what_it_did() -> None:
    late = problem(503, "unavailable", "the read model executions has not reached position 7 yet")
    gateway = Gateway(httpx.Response(202, json={"executionId": "e", "position": 7}), late, httpx.Response(200, json={}))
    api = gateway.api()
    assert run(api) == {"executionId": "e", "position": 7}
    api.send("/workflows/import", b"", "application/zip")
    assert [request.url.path for request in gateway.asked] == [
        "/api/v1/workflows/w/run", "/api/v1/executions", "/api/v1/executions", "/api/v1/workflows/import",
    ]  # fmt: skip
    assert gateway.asked[2].url.params["minPosition"] == "7"
    workflows = Gateway(httpx.Response(200, json={"position": 8}))
    workflows.api().send("/workflows/import", b"", "application/zip")
    assert workflows.asked[1].url.path == "/api/v1/workflows"


@pytest.mark.parametrize("trouble", [problem(403, "forbidden"), problem(500, "internal_error"), httpx.ReadError("reset")])
def test_a_command_that_was_carried_out_does_not_fail_for_lists_that_cannot_be_read(
    trouble: Answer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("runyard_cli.client.SHOWN_SECONDS", 0)
    gateway = Gateway(httpx.Response(202, json={"executionId": "e", "position": 7}), trouble)
    assert run(gateway.api())["executionId"] == "e"
    refused = isinstance(trouble, httpx.Response) and trouble.status_code == 403
    assert [each.startswith("It is done") for each in gateway.told] == ([] if refused else [True])


def test_two_commands_have_two_keys_unless_the_user_gives_one() -> None:
    gateway = Gateway(httpx.Response(202, json={}))
    api = gateway.api()
    run(api), run(api)
    api.command("POST", "/workflows/w/run", once="deploy-42")
    keys = [request.headers["Idempotency-Key"] for request in gateway.asked]
    assert keys[0] != keys[1]
    assert keys[2] == "deploy-42"


def test_a_gateway_that_is_not_there_is_said_at_once() -> None:
    gateway = Gateway(httpx.ConnectError("Connection refused"))
    with pytest.raises(Unreachable, match=r"http://127.0.0.1:1 cannot be reached: Connection refused") as raised:
        run(gateway.api())
    assert gateway.pauses == []
    assert raised.value.exit_code == ExitCode.UNREACHABLE


def test_retry_after_is_kept_to_and_what_would_take_too_long_is_not_waited_for() -> None:
    patient = Gateway(problem(503, "unavailable"), httpx.Response(200, json={}))
    patient.api().get("/me")
    assert patient.pauses == [1.0]
    guessed = Gateway(httpx.Response(503, json={"status": 503, "detail": "much later"}, headers={"Retry-After": "900"}))
    with pytest.raises(Unreachable, match="much later"):
        guessed.api().get("/me")
    assert guessed.pauses == []


def test_who_has_to_wait_is_told_once_for_what(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("runyard_cli.client.TOLD_AFTER_SECONDS", 0)
    away = problem(503, "unavailable", "PostgreSQL is away.")
    gateway = Gateway(away, away, httpx.Response(200, json={}))
    gateway.api().get("/me")
    assert len(gateway.told) == 1 and gateway.told[0].startswith("No answer yet: PostgreSQL is away. Asking for ")


def test_a_refusal_has_all_its_problems_and_says_what_to_do() -> None:
    errors = [{"path": "variables.host", "message": "is missing"}, {"path": "", "message": "too much"}]
    with pytest.raises(Refused) as raised:
        run(Gateway(problem(422, "invalid_variables", "Two problems.", errors=errors)).api())
    assert (raised.value.exit_code, raised.value.message) == (ExitCode.REFUSED, "Two problems.")
    assert raised.value.problems == ["variables.host: is missing", "too much"]
    for message in ("no host", "variables.host: no host"):
        with pytest.raises(Refused) as raised:
            run(Gateway(problem(422, "x", message, errors=[{"path": "variables.host", "message": "no host"}])).api())
        assert raised.value.problems == []
    with pytest.raises(Refused) as raised:
        run(Gateway(problem(401, "unauthorized")).api())
    assert "runyard login" in raised.value.hint


@pytest.mark.parametrize(
    "elsewhere", [lambda: httpx.Response(404, text="<html>nginx</html>"), lambda: httpx.Response(200, text="hello")]
)
def test_an_address_where_something_else_answers_is_recognised(elsewhere: Callable[[], httpx.Response]) -> None:
    with pytest.raises((Refused, Unreachable), match=r"not by Runyard|no gateway of Runyard"):
        Gateway(elsewhere()).api().get("/me")
