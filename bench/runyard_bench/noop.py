"""`bench.noop`: does nothing, so that what is measured is the way of a job and not the job."""

from typing import Final

from pydantic import BaseModel, ConfigDict
from runyard_agent.actions.base import Action, Context, Outcome


class NoopParams(BaseModel):
    """Anything."""

    model_config = ConfigDict(extra="ignore")


_DONE: Final = Outcome.completed({})


class Noop(Action[NoopParams]):
    params = NoopParams

    async def run(self, params: NoopParams, context: Context) -> Outcome:
        return _DONE
