"""`dns.lookup`: the addresses of a name, as the agent's host sees them."""

import asyncio
import socket
from typing import Literal

from pydantic import Field
from runyard_agent.actions.base import Action, Context, InvalidParams, Outcome
from runyard_shared.contracts.actions import Output, Params

_FAMILIES = {"any": socket.AF_UNSPEC, "IPv4": socket.AF_INET, "IPv6": socket.AF_INET6}


class LookupParams(Params):
    """Looks a name up with the resolver of the agent's host."""

    name: str = Field(min_length=1, max_length=253)
    family: Literal["any", "IPv4", "IPv6"] = "any"
    at_least: int = Field(default=1, ge=1, description="Fewer addresses than this fail the job")


class LookupOutput(Output):
    """`addresses`: each once, sorted."""

    name: str
    addresses: list[str]


class Lookup(Action[LookupParams]):
    """Fails if there are fewer addresses than asked for."""

    params = LookupParams
    output = LookupOutput

    async def run(self, params: LookupParams, context: Context) -> Outcome:
        try:
            host = params.name.encode("idna").decode()
        except UnicodeError:
            raise InvalidParams(f"name: {params.name!r} cannot be a host's name") from None
        try:
            found = await asyncio.get_running_loop().getaddrinfo(
                host, None, family=_FAMILIES[params.family], type=socket.SOCK_STREAM
            )
        except socket.gaierror as error:
            return Outcome.failed("refused", f"{params.name}: {error.strerror}")
        addresses = sorted({str(address[0]) for *_, address in found})
        stdout = context.stream("stdout")
        stdout.write("".join(f"{address}\n" for address in addresses).encode())
        output = LookupOutput(name=params.name, addresses=addresses).model_dump(by_alias=True)
        if len(addresses) < params.at_least:
            message = f"{params.name} has {len(addresses)} addresses, fewer than {params.at_least}"
            return Outcome.failed("refused", message, output)
        return Outcome.completed(output)
