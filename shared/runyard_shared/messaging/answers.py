"""Answers to requests: what a handler made of a request, as the reply that goes to the mailbox of whoever asked."""

from collections.abc import Iterable
from typing import Any

from runyard_shared.contracts.commands import Problem, Reply, Request
from runyard_shared.errors import Refusal

Answer = tuple[str, Reply]
"""A reply and the mailbox it goes to."""
Outcome = tuple[Request, dict[str, Any] | Problem]
"""A request and what became of it."""


def problem_of(refusal: Refusal) -> Problem:
    return Problem(
        code=refusal.code,
        detail=refusal.detail,
        status=refusal.status,
        errors=[{"path": error.path, "message": error.message} for error in refusal.errors],
        extra=refusal.extra,
    )


def answers_to(outcomes: Iterable[Outcome], position: int | None) -> list[Answer]:
    """`position`: where the log stands for whoever wants to read their own write. Requests without a mailbox get no answer."""
    answers: list[Answer] = []
    for request, outcome in outcomes:
        if request.reply_to is None:
            continue
        if isinstance(outcome, Problem):
            reply = Reply(request_id=request.request_id, problem=outcome)
        else:
            reply = Reply(request_id=request.request_id, result=outcome, position=position)
        answers.append((request.reply_to, reply))
    return answers
