"""What a user is asked: whether they mean it, and approvals in the place where an execution is watched.

A question does not stop the watching: if somebody else answers, or the execution ends, it is taken back.
"""

import select
import sys
from collections.abc import Callable
from typing import Annotated

import typer
from rich.text import Text

from runyard_cli.client import Api, Json
from runyard_cli.errors import ExitCode, Misused, Refused
from runyard_cli.output import console, errors, plain, when

POLL_SECONDS = 0.3
ANSWERS = {"a": "approve", "approve": "approve", "y": "approve", "yes": "approve"}
ANSWERS |= {"r": "reject", "reject": "reject", "n": "reject", "no": "reject"}
YesOption = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]


def sure(consequence: str, yes: bool) -> None:
    """Before what cannot be taken back, and `consequence` says what that is. Comes back if it is meant."""
    if yes:
        return
    if not sys.stdin.isatty():
        raise Misused("Nobody is here to be asked whether you mean it.", problems=[consequence], hint="Add --yes.")
    if not typer.confirm(f"{plain(consequence)} Go on?", err=True):
        errors().print(Text("Nothing was changed."))
        raise typer.Exit(ExitCode.USAGE)


def can_ask() -> bool:
    return sys.stdin.isatty() and sys.stdout.isatty()


class Asker:
    def __init__(self, api: Api) -> None:
        self._api = api
        self._put_off: set[str] = set()

    def open(self, execution_id: str) -> list[Json]:
        """Those that the user may answer, and has not put off."""
        rows = self._api.get("/approvals", status="pending", mine="true", executionId=execution_id)["items"]
        return [row for row in rows if row["approvalId"] not in self._put_off]

    def ask(self, approval: Json, still_open: Callable[[], bool]) -> None:
        """Until it is answered, put off, or no longer `still_open`."""
        out = console()
        until = f" (until {when(approval['expiresAt'])})" if approval["expiresAt"] else ""
        out.print(Text.assemble(("? ", "magenta"), (plain(approval["message"]), "bold"), (until, "bright_black")))
        while True:
            out.print(Text("  [a]pprove, [r]eject, [l]ater: "), end="")
            answer = _line(still_open)
            if answer is None:
                out.print(Text("\n  It was answered elsewhere.", style="yellow"))
                return
            if answer.lower() in ("l", "later"):
                self._put_off.add(approval["approvalId"])
                return
            if command := ANSWERS.get(answer.lower()):
                break
        out.print(Text("  Note (may stay empty): "), end="")
        note = _line(still_open)
        if note is None:
            out.print(Text("\n  It was answered elsewhere.", style="yellow"))
            return
        self._put_off.add(approval["approvalId"])
        try:
            self._api.command("POST", f"/approvals/{approval['approvalId']}/{command}", {"note": note, "via": "api"})
        except Refused as refused:
            out.print(Text(f"  {plain(refused.message)}", style="yellow"))


def _line(still_open: Callable[[], bool]) -> str | None:
    """What the user types, None if it no longer matters."""
    sys.stdout.flush()
    while True:
        ready, _, _ = select.select([sys.stdin], [], [], POLL_SECONDS)
        if ready:
            typed = sys.stdin.readline()
            if not typed:
                return "l"
            return typed.strip()
        if not still_open():
            return None
