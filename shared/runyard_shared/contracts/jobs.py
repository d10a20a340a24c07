"""What passes between orchestrator, dispatcher and agents about jobs: orders down, agent status and output up."""

from typing import Any

from runyard_shared.contracts.actions import ActionType
from runyard_shared.contracts.base import Contract, Message
from runyard_shared.contracts.values import StreamSeal

# --- orchestrator (its relay) to dispatcher


class Order(Message, frozen=True, kw_only=True):
    """`position`: of the log event that gives the order (`Recorded.position`); an event gives at most one order.

    The relay sends in log order and after a crash repeats a suffix: what is not above the last position handled comes again.
    """

    position: int


class PlaceJob(Order, frozen=True, kw_only=True):
    """Find an agent for the job. `traceparent`: the W3C trace context of the job's span, where it is traced."""

    tenant_id: str
    execution_id: str
    job_id: str
    node_id: str
    attempt: int
    action: str
    params: dict[str, Any]
    pool: str
    agent: str | None = None
    tags: list[str] = []
    connection: str | None = None
    timeout_seconds: float = 0
    traceparent: str | None = None


class RequeueJob(Order, frozen=True, kw_only=True):
    """Lease `dispatch` is void, the job has not started: place it again under the next lease."""

    job_id: str
    dispatch: int


class WithdrawJob(Order, frozen=True, kw_only=True):
    """Do not send the job if it still waits (answer: `JobWithdrawn`); else tell its agent (`CancelJob`)."""

    job_id: str
    force: bool = False


class ReleaseJob(Order, frozen=True, kw_only=True):
    """The job has ended: its lease and its slot are free. `faulty`: its agent could not do it (see `AGENT_FAULTS`), which
    counts against the agent's health; a command that ran and failed does not."""

    job_id: str
    faulty: bool = False


PlacementOrder = PlaceJob | RequeueJob | WithdrawJob | ReleaseJob

# --- dispatcher to agent (its mailbox)


class RunJob(Message, frozen=True, kw_only=True):
    """Run the job under lease `dispatch`. An agent runs a (job, dispatch) at most once, and only one of its own session and
    of the `contact` that it registered last: an order that was on its way while the agent was out of reach may have been given
    to another since.

    `dispatched_at`: RFC 3339, when the lease was made; the agent hands it on with the start. `sealed_connection`: the
    `OpenedConnection` that `connection` names, as a box for the public key that the agent enrolled with. `traceparent`: as of
    the order.
    """

    tenant_id: str
    execution_id: str
    job_id: str
    node_id: str
    attempt: int
    dispatch: int
    session_id: str
    action: str
    params: dict[str, Any]
    connection: str | None = None
    sealed_connection: bytes | None = None
    timeout_seconds: float = 0
    dispatched_at: str | None = None
    traceparent: str | None = None
    contact: int = 0


class CancelJob(Message, frozen=True, kw_only=True):
    """Do not start the job; if it runs, stop it only with `force`."""

    job_id: str
    dispatch: int
    force: bool = False


class SessionRefused(Message, frozen=True, kw_only=True):
    """The dispatcher does not know this session (any more): register again, unless `revoked`: then the agent ends."""

    session_id: str
    reason: str
    revoked: bool = False


class ProbeConnection(Message, frozen=True, kw_only=True):
    """Try the connection out and answer with `ConnectionProbed`. Nothing is changed at the other end."""

    probe_id: str
    sealed_connection: bytes


class LinkTaken(Message, frozen=True, kw_only=True):
    """Among gateways: process `instance` of the agent has opened its stream anew somewhere. A gateway that holds a stream of
    the same instance lets go of it, unless that is the new one, `link`; agents never see this."""

    instance: str
    link: str = ""


AgentOrder = RunJob | CancelJob | SessionRefused | ProbeConnection | LinkTaken

# --- agent to dispatcher


class RegisterAgent(Message, frozen=True, kw_only=True):
    """An agent's process (re)started or reconnected. `session_id` is new for each process. Its pool is what it was made for.

    `tags`: of its host, beside those it was given. `actions`: every type it offers; `action_types` describes those of them that
    did not come with Runyard. `contact`: how often the process was out of reach for so long that its session could have been
    given up; the orders that count from now on carry it.
    """

    tenant_id: str
    name: str
    session_id: str
    tags: list[str]
    capacity: int
    version: str
    actions: list[str]
    action_types: list[ActionType] = []
    leases: list[tuple[str, int]] = []
    contact: int = 0


class AgentHeartbeat(Message, frozen=True, kw_only=True):
    """Every few seconds. `leases`: the (job, dispatch) pairs that the agent has received and not reported finished."""

    tenant_id: str
    name: str
    session_id: str
    leases: list[tuple[str, int]]


class AgentStopping(Message, frozen=True, kw_only=True):
    """The agent ends in good order; it has finished or given back what it had."""

    tenant_id: str
    name: str
    session_id: str


class ConnectionProbed(Message, frozen=True, kw_only=True):
    """How a `ProbeConnection` went. `message` is for people; it holds no secret."""

    tenant_id: str
    name: str
    session_id: str
    probe_id: str
    ok: bool
    message: str
    duration_ms: int


AgentStatus = RegisterAgent | AgentHeartbeat | AgentStopping | ConnectionProbed

# --- agent to projections and gateways


class OutputChunk(Message, frozen=True, kw_only=True):
    """Part `number` (from 0) of one output stream (stdout, stderr, body) of a running job; `data` is base64 on the wire."""

    tenant_id: str
    execution_id: str
    job_id: str
    stream: str
    number: int
    offset: int
    data: bytes


class OutputSealed(Message, frozen=True, kw_only=True):
    """No further chunk of this job follows."""

    tenant_id: str
    execution_id: str
    job_id: str
    seals: list[StreamSeal]


OutputMessage = OutputChunk | OutputSealed


class Parked(Contract, frozen=True, kw_only=True):
    """A message that could not be handled: where it came for, its body as received, and why. `sender`: the agent whose account
    it came by, as `<tenant>/<name>`, if nobody has found yet that it may say this; else empty."""

    queue: str
    body: bytes
    reason: str
    attempts: int
    parked_at: str
    sender: str = ""
