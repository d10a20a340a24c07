"""Composition root of the gateway: the only place that builds its parts and connects them."""

from collections.abc import Sequence
from contextlib import suppress

import asyncpg
import httpx
from pydantic import SecretStr
from runyard_shared.clock import Clock
from runyard_shared.errors import Unavailable
from runyard_shared.ids import new_id
from runyard_shared.messaging.bus import Bus
from runyard_shared.messaging.requests import Requests
from runyard_shared.metrics import at_scrape, no_longer_at_scrape

from runyard_gateway.addresses import is_loopback
from runyard_gateway.agent_messages import AgentMessages
from runyard_gateway.audit import AuditLog
from runyard_gateway.commands import Commands
from runyard_gateway.database import Database, missing_views
from runyard_gateway.expiry import Expiry
from runyard_gateway.graphs import Graphs
from runyard_gateway.http.agent_keys import AgentKeys
from runyard_gateway.http.api_keys import ApiKeys
from runyard_gateway.http.cookies import CookieJar
from runyard_gateway.http.doorkeeper import Doorkeeper
from runyard_gateway.http.endpoint import create_router
from runyard_gateway.http.guesses import Guesses
from runyard_gateway.http.operation import Operation
from runyard_gateway.http.server import HttpServer
from runyard_gateway.http.sessions import Sessions
from runyard_gateway.http.source import Sources
from runyard_gateway.http.tokens import Tokens
from runyard_gateway.http.web_app import web_app_routes
from runyard_gateway.idempotency import Idempotency
from runyard_gateway.metrics import GatewayFigures, Measured
from runyard_gateway.oidc.issuer import TIMEOUT_SECONDS, Issuer
from runyard_gateway.oidc.people import ClaimNames, People
from runyard_gateway.oidc.sign_in import SignIn
from runyard_gateway.own_tables import OwnTables
from runyard_gateway.queries.agent_keys import AgentKeyQueries
from runyard_gateway.queries.agents import AgentQueries
from runyard_gateway.queries.analytics import AnalyticsQueries
from runyard_gateway.queries.api_keys import ApiKeyQueries
from runyard_gateway.queries.approvals import ApprovalQueries
from runyard_gateway.queries.archived import ArchivedQueries
from runyard_gateway.queries.audit import AuditQueries
from runyard_gateway.queries.bulk_requests import BulkRequestQueries
from runyard_gateway.queries.catalog import CatalogQueries
from runyard_gateway.queries.connections import ConnectionQueries
from runyard_gateway.queries.events import DISPATCHER, ORCHESTRATOR, EventQueries
from runyard_gateway.queries.execution_list import ExecutionListQueries
from runyard_gateway.queries.executions import ExecutionQueries
from runyard_gateway.queries.jobs import JobQueries
from runyard_gateway.queries.kept_answers import KeptAnswerQueries
from runyard_gateway.queries.output import OutputQueries
from runyard_gateway.queries.parked_messages import ParkedMessageQueries
from runyard_gateway.queries.pools import PoolQueries
from runyard_gateway.queries.projections import ProjectionQueries, RetentionQueries
from runyard_gateway.queries.roles import RoleQueries
from runyard_gateway.queries.sessions import SessionQueries
from runyard_gateway.queries.tenants import TenantQueries
from runyard_gateway.queries.triggers import TriggerQueries
from runyard_gateway.queries.users import UserQueries
from runyard_gateway.queries.waiting import WaitingQueries
from runyard_gateway.queries.webhooks import WebhookQueries
from runyard_gateway.queries.workflows import WorkflowQueries
from runyard_gateway.read_position import ReadPosition
from runyard_gateway.resources.agent_link import AgentLink
from runyard_gateway.resources.agents import Agents
from runyard_gateway.resources.analytics import Analytics
from runyard_gateway.resources.approval_links import ApprovalLinks
from runyard_gateway.resources.approvals import Approvals
from runyard_gateway.resources.audit import Audit
from runyard_gateway.resources.bulk import Bulk
from runyard_gateway.resources.channels import Channels
from runyard_gateway.resources.connections import Connections
from runyard_gateway.resources.event_streams import EventStreams
from runyard_gateway.resources.events import Events
from runyard_gateway.resources.execution_jobs import ExecutionJobs
from runyard_gateway.resources.execution_logs import ExecutionLogs
from runyard_gateway.resources.execution_reader import ExecutionReader
from runyard_gateway.resources.executions import Executions
from runyard_gateway.resources.incidents import Incidents
from runyard_gateway.resources.kinds import Kinds
from runyard_gateway.resources.list_streams import ListStreams
from runyard_gateway.resources.output import Output
from runyard_gateway.resources.parked_messages import ParkedMessages
from runyard_gateway.resources.pools import Pools
from runyard_gateway.resources.projections import Projections
from runyard_gateway.resources.retention import Retention
from runyard_gateway.resources.roles import Roles
from runyard_gateway.resources.runs import Runs
from runyard_gateway.resources.schedules import Schedules
from runyard_gateway.resources.secrets import Secrets
from runyard_gateway.resources.session import SessionResource
from runyard_gateway.resources.system import System
from runyard_gateway.resources.tenants import Tenants
from runyard_gateway.resources.trigger_records import TriggerRecords
from runyard_gateway.resources.users import Users
from runyard_gateway.resources.waiting_reader import WaitingReader
from runyard_gateway.resources.webhook_deliveries import WebhookDeliveries
from runyard_gateway.resources.webhooks import Webhooks
from runyard_gateway.resources.workflow_files import WorkflowFiles
from runyard_gateway.resources.workflows import Workflows
from runyard_gateway.secret import Secret
from runyard_gateway.settings import Settings
from runyard_gateway.streams.agent_links import DISPATCHER_LOG, AgentLinks
from runyard_gateway.streams.execution_stream import ExecutionStreams
from runyard_gateway.streams.live_events import LiveEvents
from runyard_gateway.streams.live_output import LiveOutput
from runyard_gateway.streams.log_follower import LogFollower
from runyard_gateway.streams.log_tail import LogTail
from runyard_gateway.streams.open_streams import OpenStreams
from runyard_gateway.streams.shared_pages import SharedPages
from runyard_gateway.streams.subscription import Backlog
from runyard_gateway.streams.tenant_stream import TenantStreams
from runyard_gateway.webhook_proof import WebhookProofs


class Service:
    """The running gateway: HTTP on `address`, with what it needs from the bus and the read models."""

    def __init__(self, settings: Settings, *, bus: Bus, pool: "asyncpg.Pool[asyncpg.Record]", clock: Clock) -> None:
        self._bus = bus
        self._database = database = Database(pool)
        self._own_tables = OwnTables(pool, settings.tenant)
        self._expiry = Expiry(database)
        self._requests = Requests(bus, f"gateway-{new_id()}")
        logs = {log: EventQueries(database, log) for log in (ORCHESTRATOR, DISPATCHER)}
        events = logs[ORCHESTRATOR]
        self._read_position = read_position = ReadPosition(database, events, settings.read_model_wait_seconds)
        approval_queries = ApprovalQueries(database)
        executions = ExecutionQueries(database, approval_queries)
        lists = ExecutionListQueries(database)
        workflows = WorkflowQueries(database)
        catalogs = CatalogQueries(database)
        agent_keys = AgentKeys(AgentKeyQueries(database))
        self._agent_links = agent_links = AgentLinks(bus, agent_keys)
        backlog = Backlog(settings.streams_buffer_bytes)
        tails = {log: LogTail(queries, settings.stream_buffer_bytes, backlog, log) for log, queries in logs.items()}
        tail = tails[ORCHESTRATOR]
        self._live_events = LiveEvents(bus, tails, {DISPATCHER_LOG: agent_links.hear_log})
        self._live_output = LiveOutput(bus, tail, events)
        self._pages = pages = SharedPages(
            tail, read_position, settings.stream_buffer_bytes, backlog, settings.keep_alive_seconds
        )
        commands = Commands(self._requests, settings.command_timeout_seconds)
        graphs = Graphs(workflows, read_position)
        waiting = WaitingReader(WaitingQueries(database), graphs)
        reader = ExecutionReader(executions, events, waiting, read_position, clock)
        followers = {log: LogFollower(settings.keep_alive_seconds, log) for log in logs}
        of_executions = ExecutionStreams(tail, events, followers[ORCHESTRATOR])
        of_tenants = {log: TenantStreams(tails[log], logs[log], followers[log]) for log in logs}
        archived, parked = ArchivedQueries(database), ParkedMessageQueries(database)
        self._figures = GatewayFigures(lambda: len(self._streams), ProjectionQueries(database).lags)
        system = System(
            self.check_health, ProjectionQueries(database), parked,
            metrics_token=_metrics_token(settings), stale_after_seconds=settings.stale_after_seconds,
        )  # fmt: skip
        api_keys, users, tenants = ApiKeyQueries(database), UserQueries(database), TenantQueries(database)
        keys = ApiKeys(settings.tenant, settings.admin_token, api_keys)
        sessions = Sessions(
            SessionQueries(database, settings.session_idle_seconds), keys.admin, settings.admin_token, settings.session_seconds
        )
        jar, guesses = CookieJar(settings.public_url, settings.host), Guesses()
        self._http_client, tokens, sign_in = _identity_provider(settings, users, tenants, clock)
        self.doorkeeper = doorkeeper = Doorkeeper(keys, sessions, tokens, jar, guesses)
        audit_queries = AuditQueries(database)
        self._audit = audit = AuditLog(audit_queries, clock)
        session = SessionResource(
            sessions, doorkeeper, jar, guesses, sign_in,
            lifetime_seconds=settings.session_seconds, public_url=settings.public_url, tenant_id=settings.tenant,
        )  # fmt: skip
        self._streams = streams = OpenStreams(doorkeeper.still, settings.max_streams)
        secret = Secret(database, settings.gateway_secret)
        idempotency, proofs = Idempotency(KeptAnswerQueries(database), secret), WebhookProofs(secret)
        approvals = Approvals(commands, approval_queries, executions, read_position)
        self.operations: Sequence[Operation] = (
            *Runs(commands).operations(),
            *Incidents(commands).operations(),
            *Schedules(TriggerQueries(database), read_position, clock).operations(),
            *TriggerRecords(TriggerQueries(database), read_position).operations(),
            *WebhookDeliveries(commands, WebhookQueries(database), proofs, clock).operations(),
            *Webhooks(
                WebhookQueries(database), workflows, events, read_position, proofs, settings.public_url, clock
            ).operations(),
            *WorkflowFiles(commands, workflows, catalogs, read_position).operations(),
            *Workflows(commands, workflows, catalogs, read_position).operations(),
            # before what has an id in the same place of its path
            *Bulk(commands, lists, BulkRequestQueries(database), clock).operations(),
            *ListStreams(streams, pages, lists, waiting, approval_queries, clock).operations(),
            *Executions(executions, lists, approval_queries, reader, waiting, graphs, read_position, clock).operations(),
            *ExecutionJobs(JobQueries(database), executions, reader, read_position, clock).operations(),
            *ExecutionLogs(executions, events, reader, graphs, read_position).operations(),
            *Output(OutputQueries(database), executions, reader).operations(),
            *EventStreams(streams, of_executions, of_tenants, logs, archived, reader, read_position, tail).operations(),
            *Events(logs, archived, settings.amqp_namespace).operations(),
            *approvals.operations(),
            *Channels(commands).operations(),
            *ApprovalLinks(commands, approvals, settings.tenant).operations(),
            *Agents(commands, AgentQueries(database), agent_keys, settings.public_url, clock).operations(),
            *Pools(commands, PoolQueries(database), clock).operations(),
            *Connections(commands, ConnectionQueries(database), settings.connection_test_seconds).operations(),
            *Kinds(catalogs).operations(),
            *Analytics(AnalyticsQueries(database), read_position, clock).operations(),
            *AgentLink(commands, agent_links, AgentMessages(bus, settings.command_timeout_seconds), clock).operations(),
            *Users(users, api_keys, doorkeeper, clock).operations(),
            *Roles(RoleQueries(database), doorkeeper, clock).operations(),
            *Tenants(tenants, doorkeeper, clock).operations(),
            *session.operations(),
            *Audit(audit_queries).operations(),
            *Projections(commands, ProjectionQueries(database)).operations(),
            *ParkedMessages(commands, parked, bus, settings.command_timeout_seconds).operations(),
            *Secrets(commands, WebhookQueries(database), proofs).operations(),
            *Retention(commands, RetentionQueries(database)).operations(),
            *system.operations(),
        )
        self.operations = [idempotency.front(operation) for operation in self.operations]
        system.document(self.operations)
        router = create_router(
            self.operations, doorkeeper, agent_keys, audit, Sources(settings.trusted_proxies), settings.body_limit_bytes,
            web_app_routes(), access_log=settings.access_log,
        )  # fmt: skip
        self.app = Measured(router, self.operations)
        self._server = HttpServer(self.app, settings.host, settings.port)

    @property
    def address(self) -> str:
        """`http://host:port` once started."""
        return self._server.address

    async def start(self) -> None:
        """Hears the bus first and listens for requests last. Raises `CannotListen`."""
        await self._own_tables.start()
        await self._audit.start()
        self._expiry.start()
        await self._requests.open()
        await self._live_events.start()
        await self._live_output.start()
        self._streams.start()
        at_scrape(self._figures.read_streams)
        at_scrape(self._figures.read_lags)
        await self._server.start()

    async def stop(self) -> None:
        """Ends the streams, answers what is under way, then leaves the bus. Also after a `start` that failed half way."""
        no_longer_at_scrape(self._figures.read_streams)
        no_longer_at_scrape(self._figures.read_lags)
        self._agent_links.end()
        self._streams.end()
        await self._server.stop()
        await self._streams.stop()
        await self._pages.stop()
        await self._live_output.stop()
        await self._live_events.stop()
        await self._read_position.stop()
        await self._requests.close()
        await self._audit.stop()
        await self._expiry.stop()
        await self._own_tables.stop()
        if self._http_client is not None:
            await self._http_client.aclose()

    def health(self) -> dict[str, str | None]:
        return {
            "bus": self._bus.trouble,
            "database": self._own_tables.trouble or self._database.trouble,
            "audit": self._audit.trouble,
            "event streams": self._live_events.trouble,
        }

    def standing(self) -> dict[str, str]:
        """Every gateway does everything."""
        return {}

    async def check_health(self) -> dict[str, str | None]:
        """As `health`, after asking the database."""
        with suppress(Unavailable):  # which `health` then says
            await self._read_position.look()
            if missing := await missing_views(self._database):
                return {**self.health(), "services": f"not started yet, or never: who makes {', '.join(missing)}"}
        return self.health()


def _metrics_token(settings: Settings) -> SecretStr | None:
    """None: anybody who reaches the gateway may see the figures, which then is nobody from elsewhere."""
    if not settings.metrics_token.get_secret_value() and is_loopback(settings.host):
        return None
    return settings.metrics_token


def _identity_provider(
    settings: Settings, users: UserQueries, tenants: TenantQueries, clock: Clock
) -> tuple[httpx.AsyncClient | None, Tokens | None, SignIn | None]:
    """What is needed of it, as far as it is set up."""
    if not settings.oidc_issuer:
        return None, None, None
    client = httpx.AsyncClient(timeout=TIMEOUT_SECONDS)
    issuer = Issuer(settings.oidc_issuer, client)
    names = ClaimNames(
        user=settings.oidc_user_claim,
        groups=settings.oidc_groups_claim,
        tenant=settings.oidc_tenant_claim,
        roles_of_group=settings.oidc_roles,
    )
    people = People(names, settings.tenant, users, tenants, clock)
    sign_in = None
    if settings.oidc_client_id:
        sign_in = SignIn(issuer, people, settings.oidc_client_id, settings.oidc_client_secret, settings.oidc_scopes)
    return client, Tokens(issuer, people, settings.oidc_audience), sign_in


async def create(settings: Settings, *, bus: Bus, pool: "asyncpg.Pool[asyncpg.Record]", clock: Clock) -> Service:
    """A gateway on an opened bus and a pool of the database that holds the read models."""
    return Service(settings, bus=bus, pool=pool, clock=clock)
