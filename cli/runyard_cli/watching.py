"""Following an execution to its end: the stream says when something happened, the API says how things are, a view shows it."""

import time
from functools import partial

from runyard_cli.asking import Asker
from runyard_cli.client import Api, Json
from runyard_cli.errors import ExitCode, TimeIsUp
from runyard_cli.stream import LOST, Event, Follower, events
from runyard_cli.views import View

FINISHED = {"completed": ExitCode.DONE, "failed": ExitCode.FAILED, "cancelled": ExitCode.CANCELLED}
SHORTEST_TAKE_SECONDS = 0.1
LOOK_SECONDS = 0.25
"""So seldom at least is the API asked how things are, however much happens."""


class Watch:
    """One execution, until it has ended. Raises TimeIsUp when that takes longer than `timeout_seconds`."""

    def __init__(
        self, api: Api, execution_id: str, view: View, *, asker: Asker | None = None, timeout_seconds: float | None = None
    ) -> None:
        self._api = api
        self._execution_id = execution_id
        self._view = view
        self._asker = asker
        self._deadline = None if timeout_seconds is None else time.monotonic() + timeout_seconds
        self._follower = Follower(events(api, f"/executions/{execution_id}/events"))
        self._detail: Json | None = None
        self._asked_of: Json | None = None
        self._position: int | None = None
        self._looked = 0.0
        self._stale = False

    def to_the_end(self) -> Json:
        """Its detail, once it has ended."""
        with self._view:
            while not (self._finished and not self._stale):
                self._take(LOOK_SECONDS)
                if self._follower.ended and not self._finished:
                    # the stream has said all, and the read model is a moment behind
                    time.sleep(LOOK_SECONDS)
                    self._stale = True
                if self._stale and (self._follower.ended or time.monotonic() - self._looked >= LOOK_SECONDS):
                    self._look()
                if self._asker is not None and self._waits_for_people and self._detail is not self._asked_of:
                    self._asked_of = self._detail
                    self._ask(self._asker)
                self._keep_time()
        if self._detail is None:
            raise RuntimeError("the stream ended without a snapshot")
        return self._detail

    @property
    def _finished(self) -> bool:
        return self._detail is not None and self._detail["status"] in FINISHED

    @property
    def _waits_for_people(self) -> bool:
        return self._detail is not None and not self._finished and bool(self._detail["pendingApprovals"])

    def _take(self, seconds: float) -> None:
        """What comes within this time, and what came already: a look at the end tells of all of it. A job that writes without
        end does not keep the others from being seen."""
        until = time.monotonic() + max(seconds, SHORTEST_TAKE_SECONDS)
        event = self._follower.next(seconds)
        while event is not None:
            self._fold(event)
            event = self._follower.next(0) if time.monotonic() < until else None

    def _fold(self, event: Event) -> None:
        match event.name:
            case "snapshot":
                self._detail, self._position = event.data, event.data["asOf"]
                self._looked = time.monotonic()
                self._view.note("")
                self._view.changed(event.data, self._position)
            case "output":
                self._view.output(event.data["jobId"], event.data["text"])
            case "end":
                self._stale = True
            case _ if event.name == LOST:
                self._view.note(f"Connection lost ({event.data['reason']}), connecting again…")
            case _:
                self._view.note("")
                self._position = max(self._position or 0, event.position or 0)
                self._stale = True

    def _look(self) -> None:
        self._stale = False
        self._looked = time.monotonic()
        self._detail = self._api.get(f"/executions/{self._execution_id}", minPosition=self._position)
        self._view.changed(self._detail, self._position)

    def _ask(self, asker: Asker) -> None:
        for approval in asker.open(self._execution_id):
            with self._view.aside():
                asker.ask(approval, partial(self._is_open, asker, approval["approvalId"]))
            self._stale = True

    def _is_open(self, asker: Asker, approval_id: str) -> bool:
        self._keep_time()
        self._take(0)
        if not self._stale:
            return True
        self._look()
        return self._waits_for_people and any(row["approvalId"] == approval_id for row in asker.open(self._execution_id))

    def _keep_time(self) -> None:
        if self._deadline is not None and time.monotonic() > self._deadline and not self._finished:
            raise TimeIsUp(
                f"The time is up; execution {self._execution_id} goes on.", hint=f"runyard watch {self._execution_id}"
            )
