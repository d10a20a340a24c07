"""Which gateway, and with which key: a file that only its user can read, with a context for each gateway by name.

`RUNYARD_URL` and `RUNYARD_API_KEY` come before it. A key that was stored for one address is never sent to another one.
"""

import json
import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from runyard_cli.errors import Misused

DEFAULT_NAME = "default"
_HOW = "Sign in with `runyard login URL`, or set RUNYARD_URL and RUNYARD_API_KEY."


@dataclass(frozen=True)
class Place:
    """A gateway and a key that opens it."""

    url: str
    key: str


@dataclass
class Contexts:
    """What the file holds. `current` is the name of the one that is used if none is named."""

    path: Path
    current: str = DEFAULT_NAME
    places: dict[str, Place] = field(default_factory=dict)

    @classmethod
    def load(cls, environment: Mapping[str, str] = os.environ) -> "Contexts":
        home = environment.get("XDG_CONFIG_HOME") or str(Path(environment.get("HOME") or Path.home()) / ".config")
        path = Path(home) / "runyard" / "contexts.json"
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            places = {str(name): Place(str(each["url"]), str(each["key"])) for name, each in content["contexts"].items()}
            return cls(path, str(content["current"]), places)
        except FileNotFoundError:
            return cls(path)
        except (ValueError, KeyError, TypeError, AttributeError) as problem:
            raise Misused(
                f"{path} cannot be read: {problem!r}", hint="Delete it, and sign in again with `runyard login`."
            ) from None
        except OSError as problem:
            raise Misused(f"{path} cannot be read: {problem.strerror}") from None

    def save(self) -> None:
        """Beside its place and moved there, so that nobody reads half of it, or a key that others may read for a moment."""
        content: dict[str, Any] = {
            "current": self.current,
            "contexts": {name: {"url": place.url, "key": place.key} for name, place in sorted(self.places.items())},
        }
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            handle, draft = tempfile.mkstemp(dir=self.path.parent, prefix=".contexts-")
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(json.dumps(content, indent=2) + "\n")
            Path(draft).replace(self.path)
        except OSError as problem:
            raise Misused(f"{self.path} cannot be written: {problem.strerror}") from None

    def place(self, name: str | None, environment: Mapping[str, str] = os.environ) -> Place:
        """The one to use now."""
        url, key = environment.get("RUNYARD_URL"), environment.get("RUNYARD_API_KEY")
        if name is None and url:
            address = address_of(url)
            stored = next((place.key for place in self.places.values() if place.url == address), None)
            if not (key or stored):
                raise Misused(f"RUNYARD_URL is {address}, and there is no key for it.", hint=_HOW)
            return Place(address, key or stored or "")
        wanted = name or environment.get("RUNYARD_CONTEXT") or self.current
        if wanted not in self.places:
            names = ", ".join(sorted(self.places))
            there = f"There is no context {wanted}" + (f"; there are {names}." if names else ".")
            raise Misused(there if name or names else "You are not signed in anywhere.", hint=_HOW)
        place = self.places[wanted]
        return Place(place.url, key) if key and name is None else place


def address_of(text: str) -> str:
    """The address of a gateway as it is kept: scheme, host, port and a path if a proxy put it below one."""
    address = text.strip()
    try:
        parts = urlsplit(address if "://" in address else f"https://{address}")
        usable = parts.scheme in ("http", "https") and parts.hostname and not (parts.query or parts.fragment or parts.username)
        _ = parts.port
    except ValueError:
        usable = False
    if not usable:
        raise Misused(f"{text!r} is not the address of a gateway.", hint="It looks like https://runyard.example.com")
    return parts.geturl().rstrip("/")


def is_loopback(address: str) -> bool:
    host = urlsplit(address).hostname or ""
    return host in ("localhost", "::1") or host.startswith("127.")
