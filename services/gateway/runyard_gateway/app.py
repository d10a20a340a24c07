"""Composition root of the gateway: the only place that builds its parts and connects them."""

from collections.abc import Sequence
from contextlib import suppress

import asyncpg
from runyard_shared.clock import Clock
from runyard_shared.errors import Unavailable
from runyard_shared.ids import new_id
from runyard_shared.messaging.bus import Bus
from runyard_shared.messaging.requests import Requests

from runyard_gateway.agent_messages import AgentMessages
from runyard_gateway.commands import Commands
from runyard_gateway.database import Database, missing_views
from runyard_gateway.expiry import Expiry
from runyard_gateway.graphs import Graphs
from runyard_gateway.http.agent_keys import AgentKeys
from runyard_gateway.http.endpoint import create_router
from runyard_gateway.http.identity import ApiKeys, Identity
from runyard_gateway.http.operation import Operation
from runyard_gateway.http.server import HttpServer
from runyard_gateway.idempotency import Idempotency
from runyard_gateway.own_tables import OwnTables
from runyard_gateway.queries.agent_keys import AgentKeyQueries
from runyard_gateway.queries.agents import AgentQueries
from runyard_gateway.queries.analytics import AnalyticsQueries
from runyard_gateway.queries.api_keys import ApiKeyQueries
from runyard_gateway.queries.approvals import ApprovalQueries
from runyard_gateway.queries.archived import ArchivedQueries
from runyard_gateway.queries.bulk_requests import BulkRequestQueries
from runyard_gateway.queries.catalog import CatalogQueries
from runyard_gateway.queries.connections import ConnectionQueries
from runyard_gateway.queries.events import DISPATCHER, ORCHESTRATOR, EventQueries
from runyard_gateway.queries.execution_list import ExecutionListQueries
from runyard_gateway.queries.executions import ExecutionQueries
from runyard_gateway.queries.kept_answers import KeptAnswerQueries
from runyard_gateway.queries.output import OutputQueries
from runyard_gateway.queries.pools import PoolQueries
from runyard_gateway.queries.users import UserQueries
from runyard_gateway.queries.waiting import WaitingQueries
from runyard_gateway.queries.workflows import WorkflowQueries
from runyard_gateway.read_position import ReadPosition
from runyard_gateway.resources.agent_link import AgentLink
from runyard_gateway.resources.agents import Agents
from runyard_gateway.resources.analytics import Analytics
from runyard_gateway.resources.approval_links import ApprovalLinks
from runyard_gateway.resources.approvals import Approvals
from runyard_gateway.resources.bulk import Bulk
from runyard_gateway.resources.channels import Channels
from runyard_gateway.resources.connections import Connections
from runyard_gateway.resources.event_streams import EventStreams
from runyard_gateway.resources.events import Events
from runyard_gateway.resources.execution_logs import ExecutionLogs
from runyard_gateway.resources.execution_reader import ExecutionReader
from runyard_gateway.resources.executions import Executions
from runyard_gateway.resources.kinds import Kinds
from runyard_gateway.resources.list_streams import ListStreams
from runyard_gateway.resources.output import Output
from runyard_gateway.resources.pools import Pools
from runyard_gateway.resources.runs import Runs
from runyard_gateway.resources.system import System
from runyard_gateway.resources.users import Users
from runyard_gateway.resources.waiting_reader import WaitingReader
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


async def still_open(identity: Identity) -> Identity | None:
    """Keys are checked when a stream is opened."""
    return identity


class Service:
    """The running gateway: HTTP on `address`, with what it needs from the bus and the read models."""

    def __init__(self, settings: Settings, *, bus: Bus, pool: "asyncpg.Pool[asyncpg.Record]", clock: Clock) -> None:
        self._bus = bus
        self._database = database = Database(pool)
        self._own_tables = OwnTables(pool)
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
        archived = ArchivedQueries(database)
        system = System(self.check_health)
        api_keys = ApiKeyQueries(database)
        keys = ApiKeys(settings.tenant, settings.admin_token, api_keys)
        self._streams = streams = OpenStreams(still_open, settings.max_streams)
        secret = Secret(database, settings.gateway_secret)
        idempotency = Idempotency(KeptAnswerQueries(database), secret)
        approvals = Approvals(commands, approval_queries, read_position)
        self.operations: Sequence[Operation] = (
            *Runs(commands).operations(),
            *Workflows(commands, workflows, catalogs, read_position).operations(),
            # before what has an id in the same place of its path
            *Bulk(commands, lists, BulkRequestQueries(database), clock).operations(),
            *ListStreams(streams, pages, lists, waiting, approval_queries, clock).operations(),
            *Executions(executions, lists, reader, waiting, graphs, read_position, clock).operations(),
            *ExecutionLogs(executions, events, reader, graphs, read_position).operations(),
            *Output(OutputQueries(database), executions, reader).operations(),
            *EventStreams(streams, of_executions, of_tenants, logs, archived, reader, read_position, tail).operations(),
            *Events(logs, archived, settings.amqp_namespace).operations(),
            *approvals.operations(),
            *Channels(commands).operations(),
            *ApprovalLinks(commands, approvals, settings.tenant).operations(),
            *Agents(commands, AgentQueries(database), agent_keys, settings.public_url).operations(),
            *Pools(commands, PoolQueries(database)).operations(),
            *Connections(commands, ConnectionQueries(database), settings.connection_test_seconds).operations(),
            *Kinds(catalogs).operations(),
            *Analytics(AnalyticsQueries(database), read_position, clock).operations(),
            *AgentLink(commands, agent_links, AgentMessages(bus, settings.command_timeout_seconds), clock).operations(),
            *Users(UserQueries(database), api_keys, keys, clock).operations(),
            *system.operations(),
        )
        self.operations = [idempotency.front(operation) for operation in self.operations]
        system.document(self.operations)
        self.app = create_router(self.operations, keys, agent_keys, settings.body_limit_bytes)
        self._server = HttpServer(self.app, settings.host, settings.port)

    @property
    def address(self) -> str:
        """`http://host:port` once started."""
        return self._server.address

    async def start(self) -> None:
        """Hears the bus first and listens for requests last. Raises `CannotListen`."""
        await self._own_tables.start()
        self._expiry.start()
        await self._requests.open()
        await self._live_events.start()
        await self._live_output.start()
        self._streams.start()
        await self._server.start()

    async def stop(self) -> None:
        """Ends the streams, answers what is under way, then leaves the bus. Also after a `start` that failed half way."""
        self._agent_links.end()
        self._live_events.end_streams()
        self._pages.end_streams()
        await self._server.stop()
        await self._streams.stop()
        await self._pages.stop()
        await self._live_output.stop()
        await self._live_events.stop()
        await self._read_position.stop()
        await self._requests.close()
        await self._expiry.stop()
        await self._own_tables.stop()

    def health(self) -> dict[str, str | None]:
        return {
            "bus": self._bus.trouble,
            "database": self._own_tables.trouble or self._database.trouble,
            "event streams": self._live_events.trouble,
        }

    async def check_health(self) -> dict[str, str | None]:
        """As `health`, after asking the database."""
        with suppress(Unavailable):  # which `health` then says
            await self._read_position.look()
            if missing := await missing_views(self._database):
                return {**self.health(), "services": f"not started yet, or never: who makes {', '.join(missing)}"}
        return self.health()


async def create(settings: Settings, *, bus: Bus, pool: "asyncpg.Pool[asyncpg.Record]", clock: Clock) -> Service:
    """A gateway on an opened bus and a pool of the database that holds the read models."""
    return Service(settings, bus=bus, pool=pool, clock=clock)
