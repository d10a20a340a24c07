"""The action types that come with Runyard: the parameters, the output and the connection of each. One definition for
validation, API, editor and agent.

An agent may offer further types (entry points `runyard.actions`); it announces them when it registers.
"""

from typing import Annotated, Any, Literal

import msgspec
from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

Host = Annotated[str, Field(min_length=1, max_length=253)]


class Params(BaseModel):
    """Base of action parameters: camelCase on the wire, unknown fields are errors.

    A template keeps the type of its value, so a number may stand where text is asked for (`env: {PORT: "{{ inputs.port }}"}`)
    and becomes its text; a boolean may not, because `true` and `True` are both its text.
    """

    model_config = ConfigDict(
        alias_generator=to_camel, validate_by_name=True, extra="forbid", frozen=True, coerce_numbers_to_str=True
    )


class Output(BaseModel):
    """Base of action outputs: what templates see as `nodes.<id>.output`. Made by the agent, documented by its JSON Schema."""

    model_config = ConfigDict(alias_generator=to_camel, validate_by_name=True, frozen=True)


class CommandOutput(Output):
    """Text is cut at 64 KiB, with `truncated`; all of it is in the job's output."""

    stdout: str
    stderr: str
    exit_code: int
    truncated: bool


class BashParams(Params):
    """Runs a script with bash on the agent's host."""

    script: str = Field(min_length=1)
    env: dict[str, str] = Field(default_factory=dict)
    working_directory: str | None = None


class PythonParams(Params):
    """Runs a script with the Python of the agent's host, in a process of its own. `interpreter`: another one, by name or
    path."""

    script: str = Field(min_length=1)
    args: list[str] = Field(default_factory=list)
    env: dict[str, str] = Field(default_factory=dict)
    working_directory: str | None = None
    interpreter: str | None = None


class HttpParams(Params):
    """Sends one HTTP request. 2xx succeeds. At most one of `json` and `body`. With a connection, a `url` that begins with `/`
    is below its base URL."""

    url: str = Field(min_length=1)
    method: Literal["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"] = "GET"
    headers: dict[str, str] = Field(default_factory=dict)
    query: dict[str, str] = Field(default_factory=dict)
    json_body: object | None = Field(default=None, alias="json")
    body: str | None = None
    follow_redirects: bool = True
    verify_tls: bool = True


class HttpOutput(Output):
    """`json` only if the response is JSON and was not cut."""

    status_code: int
    headers: dict[str, str]
    body: str
    json_body: Any = Field(default=None, alias="json")
    truncated: bool


class SshParams(Params):
    """Where to: `host`, or that of the connection. User and key come from the connection, or from the agent's own ssh
    settings."""

    host: Host | None = None
    port: int | None = Field(default=None, ge=1, le=65535)
    username: str | None = None


class SshCommandParams(SshParams):
    """Runs one command on a remote host over ssh."""

    command: str = Field(min_length=1)


class SshScriptParams(SshParams):
    """Runs a script on a remote host over ssh, fed to `interpreter` on its standard input: it leaves no file behind."""

    script: str = Field(min_length=1)
    interpreter: str = Field(default="bash", min_length=1)
    args: list[str] = Field(default_factory=list)
    env: dict[str, str] = Field(default_factory=dict)


class ChatParams(Params):
    """Posts a message through the webhook of the connection. `title` stands above the text."""

    text: str = Field(min_length=1, max_length=40_000)
    title: str | None = Field(default=None, max_length=250)


class ChatOutput(Output):
    status_code: int


class EmailParams(Params):
    """Sends one mail through the connection's server. `html` is an alternative to `text`."""

    to: list[str] = Field(min_length=1, max_length=100)
    subject: str = Field(min_length=1, max_length=998)
    text: str = ""
    html: str | None = None
    cc: list[str] = Field(default_factory=list, max_length=100)
    bcc: list[str] = Field(default_factory=list, max_length=100)
    reply_to: str | None = None


class EmailOutput(Output):
    """`refused`: addresses the server did not take, with its words."""

    message_id: str
    accepted: list[str]
    refused: dict[str, str]


class KubernetesParams(Params):
    """`namespace`: else that of the connection."""

    namespace: str | None = Field(default=None, min_length=1)


class RestartDeploymentParams(KubernetesParams):
    """Restarts the pods of a deployment one after the other, and waits until all are new and ready unless `wait` is false."""

    deployment: str = Field(min_length=1)
    wait: bool = True


class ScaleDeploymentParams(KubernetesParams):
    """Sets the number of replicas, and waits until they are ready unless `wait` is false."""

    deployment: str = Field(min_length=1)
    replicas: int = Field(ge=0, le=10_000)
    wait: bool = True


class DeploymentOutput(Output):
    namespace: str
    deployment: str
    generation: int
    replicas: int
    ready_replicas: int


class PodLogsParams(KubernetesParams):
    """The log of a pod, or of every pod that a label selector (`app=web`) finds. Exactly one of `pod` and `selector`."""

    pod: str | None = Field(default=None, min_length=1)
    selector: str | None = Field(default=None, min_length=1)
    container: str | None = None
    tail_lines: int = Field(default=200, ge=1, le=100_000)
    since_seconds: int | None = Field(default=None, ge=1)
    previous: bool = False


class PodLogsOutput(Output):
    """`stdout`: the lines, of several pods each after the pod's name."""

    pods: list[str]
    stdout: str
    truncated: bool


class QueryParams(Params):
    """One SQL statement; `args` stand for $1, $2, …. At most `max_rows` rows are kept. `read_only`: the database refuses
    writes."""

    sql: str = Field(min_length=1)
    args: list[Any] = Field(default_factory=list)
    max_rows: int = Field(default=1000, ge=1, le=100_000)
    read_only: bool = True


class QueryOutput(Output):
    """`rows`: objects by column; `command`: what the database says it did (`UPDATE 3`)."""

    columns: list[str]
    rows: list[dict[str, Any]]
    row_count: int
    truncated: bool
    command: str


class ActionSpec(msgspec.Struct, frozen=True, kw_only=True):
    """`connections`: the kinds it can use, none if empty. `needs_connection`: it cannot do without."""

    params: type[Params]
    output: type[Output]
    connections: tuple[str, ...] = ()
    needs_connection: bool = False


ACTIONS: dict[str, ActionSpec] = {
    "script.bash": ActionSpec(params=BashParams, output=CommandOutput, connections=("secrets",)),
    "script.python": ActionSpec(params=PythonParams, output=CommandOutput, connections=("secrets",)),
    "http.request": ActionSpec(params=HttpParams, output=HttpOutput, connections=("http",)),
    "ssh.executeCommand": ActionSpec(params=SshCommandParams, output=CommandOutput, connections=("ssh",)),
    "ssh.executeScript": ActionSpec(params=SshScriptParams, output=CommandOutput, connections=("ssh",)),
    "slack.sendMessage": ActionSpec(params=ChatParams, output=ChatOutput, connections=("slack",), needs_connection=True),
    "teams.sendMessage": ActionSpec(params=ChatParams, output=ChatOutput, connections=("teams",), needs_connection=True),
    "email.send": ActionSpec(params=EmailParams, output=EmailOutput, connections=("smtp",), needs_connection=True),
    "kubernetes.restartDeployment": ActionSpec(
        params=RestartDeploymentParams, output=DeploymentOutput, connections=("kubernetes",), needs_connection=True
    ),
    "kubernetes.scaleDeployment": ActionSpec(
        params=ScaleDeploymentParams, output=DeploymentOutput, connections=("kubernetes",), needs_connection=True
    ),
    "kubernetes.getLogs": ActionSpec(
        params=PodLogsParams, output=PodLogsOutput, connections=("kubernetes",), needs_connection=True
    ),
    "database.query": ActionSpec(params=QueryParams, output=QueryOutput, connections=("postgresql",), needs_connection=True),
}
"""The action types that come with Runyard."""


class ActionType(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True, kw_only=True):
    """An action type as an agent announces it, and as the catalog of a publish has it: `params` and `output` are JSON
    Schemas."""

    type: str
    params: dict[str, Any] = {}
    output: dict[str, Any] = {}
    connections: list[str] = []
    needs_connection: bool = False
    description: str = ""
