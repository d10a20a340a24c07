"""The HTTP API as a caller sees it: JSON in and out, problems as exceptions, and a lost answer asked for again. When a command
has been carried out lists show it: the next one in a script finds what this one made.

Each command carries an `Idempotency-Key` of its own, so that asking again after a lost answer counts once. A gateway that
cannot be reached at all is said at once; one that was lost while it answered is waited for.
"""

import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import quote

import httpx

from runyard_cli.contexts import Place, is_loopback
from runyard_cli.errors import Refused, Unreachable

Json = dict[str, Any]
PREFIX = "/api/v1"
PATIENCE_SECONDS = 30.0
"""How long an answer is asked for again."""
FIRST_PAUSE_SECONDS = 0.2
LONGEST_PAUSE_SECONDS = 3.0
TOLD_AFTER_SECONDS = 2.0
"""Who waits for longer is told for what."""
SHOWN_SECONDS = 10.0
"""So long at most lists are waited for after a command, which is done in any case."""
CONNECT_SECONDS = 10.0
ANSWER_SECONDS = 60.0
PAGE = 200
_AWAY = {502, 503, 504}


class Api:
    """One user at one gateway. Close it, or use it as a context manager."""

    def __init__(
        self,
        place: Place,
        *,
        transport: httpx.BaseTransport | None = None,
        sleep: Callable[[float], None] = time.sleep,
        patience_seconds: float = PATIENCE_SECONDS,
        answer_seconds: float = ANSWER_SECONDS,
        tell: Callable[[str], None] = lambda _: None,
    ) -> None:
        """`tell` is told why nothing comes, once for each answer that has to be waited for."""
        self.url = place.url
        self.answered = False
        self.sleep = sleep
        self._tell = tell
        self._patience_seconds = patience_seconds
        local = is_loopback(place.url)
        self._http = httpx.Client(
            base_url=place.url + PREFIX,
            headers={"Authorization": f"Bearer {place.key}", "Accept": "application/json"},
            timeout=httpx.Timeout(answer_seconds, connect=min(CONNECT_SECONDS, answer_seconds)),
            transport=transport,
            # the machine's proxy is not for loopback, and plain HTTP needs no certificates, which take long to read
            trust_env=not local,
            verify=place.url.startswith("https:"),
        )

    def __enter__(self) -> "Api":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._http.close()

    def get(self, path: str, **query: Any) -> Json:
        return _json(self.answer("GET", path, query=query))

    def rows(self, path: str, **query: Any) -> list[Json]:
        """All of a list."""
        return [row for page in self.pages(path, **query) for row in page["items"]]

    def whole(self, path: str, **query: Any) -> Json:
        """All of a list, as one page of it."""
        return {"items": self.rows(path, **query), "nextCursor": None}

    def pages(self, path: str, **query: Any) -> Iterator[Json]:
        """Every page of a list."""
        query = {"limit": PAGE, **query}
        while True:
            page = self.get(path, **query)
            yield page
            if not page["nextCursor"]:
                return
            query["cursor"] = page["nextCursor"]

    def command(self, method: str, path: str, body: Any = None, *, once: str | None = None, **query: Any) -> Json:
        """Something is to be done. `once` is its Idempotency-Key: without one it is a new command."""
        headers = {"Idempotency-Key": once or str(uuid.uuid4())}
        content: Any = None if method == "DELETE" else {} if body is None else body
        return self._shown(path, _json(self.answer(method, path, query=query, headers=headers, json=content)))

    def send(self, path: str, content: bytes, content_type: str, **query: Any) -> Json:
        """A POST of a file."""
        headers = {"Idempotency-Key": str(uuid.uuid4()), "Content-Type": content_type}
        return self._shown(path, _json(self.answer("POST", path, query=query, headers=headers, content=content)))

    def _shown(self, path: str, answer: Json) -> Json:
        """The answer to a command, once lists show what it did. Whoever may not read them does not wait for them."""
        if not answer.get("position"):
            return answer
        rows = "/executions" if path.startswith("/executions") or path.endswith("/run") else "/workflows"
        try:
            self.answer("GET", rows, query={"limit": 1, "minPosition": answer["position"]}, patience_seconds=SHOWN_SECONDS)
        except Refused:
            pass
        except Unreachable as late:
            self._tell(f"It is done, and lists do not show it yet: {late.message}")
        return answer

    def answer(
        self, method: str, path: str, *, query: Json | None = None, patience_seconds: float | None = None, **options: Any
    ) -> httpx.Response:
        """An answer that is no problem."""
        params = {name: value for name, value in (query or {}).items() if value is not None}
        began = time.monotonic()
        deadline = began + (self._patience_seconds if patience_seconds is None else patience_seconds)
        pause = FIRST_PAUSE_SECONDS
        lost = told = False
        while True:
            wait = pause
            try:
                found = self._http.request(method, path, params=params, **options)
            except httpx.TransportError as trouble:
                unsent = isinstance(trouble, httpx.ConnectError | httpx.ConnectTimeout | httpx.ProxyError)
                if isinstance(trouble, httpx.UnsupportedProtocol) or (unsent and not lost) or time.monotonic() > deadline:
                    raise self.unreachable(trouble) from None
                lost = True
                why = f"the connection to {self.url} was lost."
            else:
                self.answered = True
                if not found.is_error:
                    return found
                problem = problem_of(found)
                why = problem.message
                again = found.status_code in _AWAY or problem.code == "request_under_way"
                wait = max(pause, retry_after(found) or 0)
                if not again or time.monotonic() + wait > deadline:
                    raise self.refusal(problem, method)
            if not told and time.monotonic() - began > TOLD_AFTER_SECONDS:
                told = True
                self._tell(f"No answer yet: {why} Asking for {deadline - time.monotonic():.0f} s more…")
            self.sleep(wait)
            pause = min(2 * pause, LONGEST_PAUSE_SECONDS)

    @contextmanager
    def stream(self, path: str, *, query: Json, headers: dict[str, str], read_seconds: float) -> Iterator[httpx.Response]:
        """An answer that is read as it comes, whatever its status."""
        timeout = httpx.Timeout(ANSWER_SECONDS, connect=CONNECT_SECONDS, read=read_seconds)
        params = {name: value for name, value in query.items() if value is not None}
        with self._http.stream("GET", path, params=params, headers=headers, timeout=timeout) as answer:
            yield answer

    def refusal(self, problem: Refused, method: str = "GET") -> Exception:
        """5xx is a gateway that cannot answer, not one that says no."""
        if problem.status < 500:
            return problem
        again = "try again in a while." if method == "GET" else "it may be carried out yet: look before you give it again."
        return Unreachable(problem.message, problems=problem.problems, hint=f"`runyard` asked {self.url}; {again}")

    def unreachable(self, trouble: Exception) -> Unreachable:
        why = str(trouble) or type(trouble).__name__
        return Unreachable(
            f"{self.url} cannot be reached: {why}",
            hint=(
                "Does it speak TLS? Where it does not, its address begins with http://."
                if "WRONG_VERSION_NUMBER" in why
                else "Is the address right, and does the gateway run? `runyard contexts` shows the addresses."
            ),
        )


def in_path(name: str) -> str:
    """What a user typed, as one part of a path."""
    return quote(name, safe="")


def problem_of(answer: httpx.Response) -> Refused:
    """What an answer of 4xx or 5xx says; what stands before the gateway may answer anything."""
    try:
        body = answer.json()
    except ValueError:
        body = None
    if not isinstance(body, dict) or "status" not in body:
        what = f"HTTP {answer.status_code} {answer.reason_phrase}".rstrip()
        body = {"detail": f"{what}, and not by Runyard: is the address right?"}
    return Refused(answer.status_code, body)


def retry_after(answer: httpx.Response) -> float | None:
    """Seconds, if the answer says when to ask again."""
    text = answer.headers.get("Retry-After", "")
    return float(text) if text.isdecimal() else None


def _json(answer: httpx.Response) -> Json:
    if answer.status_code == 204:
        return {}
    try:
        body = answer.json()
    except ValueError:
        body = None
    if not isinstance(body, dict):
        raise Unreachable(f"{answer.url} answers, but is no gateway of Runyard.", hint="Is the address right?")
    return body
