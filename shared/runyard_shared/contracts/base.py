"""The two bases of everything on the wire and in the log."""

from typing import ClassVar

import msgspec


class Contract(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True, kw_only=True, gc=False):
    """An immutable value with camelCase wire names; fields at their default are left out.

    Contracts form no cycles, so the garbage collector need not walk the many that a busy service holds.
    """


class Message(Contract, frozen=True, tag_field="type", tag=True, kw_only=True):
    """A contract that travels in a message; its class name is its `type` on the wire."""


class Event(Contract, frozen=True, kw_only=True):
    """A fact in a log. `topic` names it for ever (`job.completed`); `revision` counts its incompatible shapes."""

    topic: ClassVar[str] = ""
    revision: ClassVar[int] = 1
