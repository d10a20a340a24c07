"""The action types that come with Runyard and the parameters of each: one definition for validation, API and agent.

An agent may offer further types (entry points `runyard.actions`); it announces their names when it registers.
"""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel


class Params(BaseModel):
    """Base of action parameters: camelCase on the wire, unknown fields are errors.

    A template keeps the type of its value, so a number may stand where text is asked for (`env: {PORT: "{{ inputs.port }}"}`)
    and becomes its text; a boolean may not, because `true` and `True` are both its text.
    """

    model_config = ConfigDict(
        alias_generator=to_camel, validate_by_name=True, extra="forbid", frozen=True, coerce_numbers_to_str=True
    )


class BashParams(Params):
    """Runs a script with bash on the agent's host."""

    script: str = Field(min_length=1)
    env: dict[str, str] = Field(default_factory=dict)
    working_directory: str | None = None


class HttpParams(Params):
    """Sends one HTTP request. 2xx succeeds. At most one of `json` and `body`."""

    url: str = Field(min_length=1)
    method: Literal["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"] = "GET"
    headers: dict[str, str] = Field(default_factory=dict)
    query: dict[str, str] = Field(default_factory=dict)
    json_body: object | None = Field(default=None, alias="json")
    body: str | None = None
    follow_redirects: bool = True
    verify_tls: bool = True


class SshCommandParams(Params):
    """Runs one command on a remote host over ssh. Key and user may come from the agent's own ssh configuration."""

    host: str = Field(min_length=1)
    command: str = Field(min_length=1)
    port: int = Field(default=22, ge=1, le=65535)
    username: str | None = None


BUILT_IN_ACTIONS: dict[str, type[Params]] = {
    "script.bash": BashParams,
    "http.request": HttpParams,
    "ssh.executeCommand": SshCommandParams,
}
