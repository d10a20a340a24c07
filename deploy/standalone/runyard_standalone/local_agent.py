"""The one agent of standalone, in the process of its server: made known and enrolled over the bus, with the same commands as
every other agent."""

from importlib.metadata import version
from pathlib import Path

import msgspec
from runyard_shared.agent_keys import hash_of, new_agent_key
from runyard_shared.contracts.commands import Command, CreateAgent, EnrolAgent, Reply, RotateAgentKey
from runyard_shared.contracts.link import Enrolment
from runyard_shared.errors import RunyardError
from runyard_shared.ids import new_id
from runyard_shared.messaging.bus import Bus
from runyard_shared.messaging.requests import Requests
from runyard_shared.messaging.topology import DISPATCHER_COMMANDS
from runyard_shared.sealing import OpeningKey

from runyard_standalone.secret_files import kept, write

_ACTOR = "standalone"


class NotEnrolled(RunyardError):
    """The dispatcher did not take the agent; the message is its answer."""


class LocalAgent:
    """The agent `name` of `tenant_id`. `directory` keeps its key and its key pair."""

    def __init__(self, bus: Bus, directory: Path, *, tenant_id: str, name: str) -> None:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._requests = Requests(bus, f"standalone-{new_id()}")
        self._tenant_id = tenant_id
        self._name = name
        self._id_file = directory / "agent-id"
        self._key_file = directory / "agent-key"
        self.key = OpeningKey(bytes.fromhex(kept(directory / "private-key", _new_private_key)))

    async def enrol(self) -> Enrolment:
        """Raises `NotEnrolled`, `Unavailable`."""
        await self._requests.open()
        try:
            if not self._key_file.exists():
                await self._get_key()
            command = EnrolAgent(
                agent_id=self._id_file.read_text().strip(),
                key_hash=hash_of(self._key_file.read_text().strip()),
                public_key=self.key.public,
                version=version("runyard-agent"),
                transport="local",
            )
            return msgspec.convert(self._result(await self._ask(command)), Enrolment)
        finally:
            await self._requests.close()

    async def _get_key(self) -> None:
        agent_key = new_agent_key()
        created = await self._ask(
            CreateAgent(agent_id=new_id(), name=self._name, pool="default", tags=[], key_hash=hash_of(agent_key))
        )
        if created.problem is not None and created.problem.code == "agent_exists":
            # it was made for this data by an earlier start that died before its key was written, or by an earlier release
            agent_id = str(created.problem.extra["agentId"])
            self._result(await self._ask(RotateAgentKey(agent_id=agent_id, key_hash=hash_of(agent_key))))
        else:
            agent_id = str(self._result(created)["agentId"])
        write(self._id_file, agent_id)
        write(self._key_file, agent_key)

    async def _ask(self, command: Command) -> Reply:
        return await self._requests.ask(DISPATCHER_COMMANDS, command, tenant_id=self._tenant_id, actor=_ACTOR)

    def _result(self, reply: Reply) -> dict[str, object]:
        if reply.problem is not None:
            raise NotEnrolled(f"agent {self._name}: {reply.problem.detail}")
        return reply.result or {}


def _new_private_key() -> str:
    return OpeningKey.generate().private.hex()
