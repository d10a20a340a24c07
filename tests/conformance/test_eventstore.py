"""What every user of an event store may rely on."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack
from datetime import timedelta
from urllib.parse import urlsplit
from uuid import uuid4

import asyncpg
import pytest
from runyard_shared.contracts.events import NodeCompleted
from runyard_shared.contracts.feed import Recorded
from runyard_shared.errors import RunyardError, Unavailable, VersionConflict
from runyard_shared.eventstore.store import Claim, ClaimTaken, ClearAllTimers, ClearTimer, Commit, SetTimer, Snapshot
from runyard_shared.ids import derived_id, new_id

from tests.eventstores import AT, MAPPER, SCHEMA, Log, committing_elsewhere, make_log, names, open_log, until, until_blocked


@pytest.fixture
async def log(postgres_url: str) -> AsyncIterator[Log]:
    await make_log(postgres_url)
    async with open_log(postgres_url) as log:
        yield log


class TailingReader:
    """Follows a log by position, and notices what it would miss."""

    def __init__(self) -> None:
        self.position = 0

    def take(self, positions: Iterable[int]) -> None:
        for position in positions:
            assert position == self.position + 1, f"{position} is visible, and not yet (or again) {self.position + 1}"
            self.position = position


async def test_events_come_back_as_they_were_appended(log: Log) -> None:
    stream = new_id()
    event = NodeCompleted(node_id="n", output={"text": 'ä"\u0000\n', "number": 1.5, "none": None})
    commit = await log.store.append(
        stream, 0, [event, event], tenant_id="acme", at=AT, correlation_id="request 1", causation_id="message 2"
    )
    assert commit == Commit(position=2, version=2)
    rows = await log.store.load(stream)
    assert [(row.position, row.version, row.tenant_id, row.topic) for row in rows] == [
        (1, 1, "acme", "node.completed"),
        (2, 2, "acme", "node.completed"),
    ]
    assert [MAPPER.decode(row) for row in rows] == [event, event]
    assert {(row.stream_id, row.recorded_at, row.correlation_id, row.causation_id) for row in rows} == {
        (stream, AT, "request 1", "message 2")
    }
    assert rows == log.batches[0]
    assert await log.store.read(0) == rows
    assert await log.store.load(stream, after_version=1) == rows[1:]
    assert await log.store.head() == 2


async def test_a_stream_that_does_not_exist_is_empty(log: Log) -> None:
    assert await log.store.load(new_id()) == []
    assert await log.store.load("no such id") == []


async def test_a_reader_never_sees_a_position_before_the_one_below_it(log: Log, postgres_url: str) -> None:
    sizes, writers, rounds = (1, 2, 3, 40, 80), 3, 25  # short and long commits side by side: those overtake each other
    reader = TailingReader()

    async def write(store: Log, size: int) -> None:
        stream = new_id()
        for number in range(rounds):
            await store.append(stream, number * size, *("n" * size))

    async def tail() -> None:
        while reader.position < sum(sizes) * writers * rounds:
            reader.take(row.position for row in await log.store.read(reader.position, 500))

    async with AsyncExitStack() as stack, asyncio.timeout(60), asyncio.TaskGroup() as tasks:
        others = [await stack.enter_async_context(open_log(postgres_url)) for _ in sizes]
        tasks.create_task(tail())
        await asyncio.gather(*(write(other, size) for other, size in zip(others, sizes, strict=True) for _ in range(writers)))
    assert reader.position == await log.store.head()


async def test_the_reader_above_would_notice_positions_from_a_sequence(postgres_url: str) -> None:
    first, second = await asyncpg.connect(postgres_url), await asyncpg.connect(postgres_url)
    await first.execute("create table naive (position bigserial)")
    try:
        async with first.transaction():
            await first.execute("insert into naive default values")
            await second.execute("insert into naive default values")
            with pytest.raises(AssertionError, match="2 is visible"):
                TailingReader().take(row["position"] for row in await second.fetch("select position from naive"))
    finally:
        await first.close()
        await second.close()


async def test_a_commit_under_way_elsewhere_holds_back_later_positions(log: Log, postgres_url: str) -> None:
    stream, other = new_id(), new_id()
    async with committing_elsewhere(postgres_url) as connection:
        await connection.execute(
            f"select {SCHEMA}.append(array[$1::uuid], '{{1}}', '{{default}}', '{{node.skipped}}', array[now()],"
            " array['{\"nodeId\":\"first\"}'::json], '{null}', '{null}', '{0}', array[$1], '{0}', null)",
            other,
        )
        appending = asyncio.create_task(log.append(stream, 0, "second"))
        await until_blocked(connection)
        assert await log.store.read(0) == []
    assert (await appending).position == 2
    assert names(await log.store.read(0)) == ["first", "second"]


async def test_the_same_append_again_conflicts_and_changes_nothing(log: Log) -> None:
    stream = new_id()
    await log.append(stream, 0, "a", "b")
    for expected_version in (0, 1):
        with pytest.raises(VersionConflict) as conflict:
            await log.append(stream, expected_version, "a", "b")
        assert (conflict.value.stream_id, conflict.value.expected_version) == (stream, expected_version)
    assert await log.names(stream) == ["a", "b"]
    assert (await log.append(stream, 2, "c")).position == 3


async def test_an_append_beyond_the_end_of_a_stream_conflicts(log: Log) -> None:
    stream = new_id()
    with pytest.raises(VersionConflict):
        await log.append(stream, 1, "a")
    await log.append(stream, 0, "a")
    with pytest.raises(VersionConflict):
        await log.append(stream, 2, "c")
    assert await log.names(stream) == ["a"]


async def test_a_conflict_fails_only_the_append_it_belongs_to(log: Log) -> None:
    taken, fresh, more = new_id(), new_id(), new_id()
    await log.append(taken, 0, "a")
    outcomes = await asyncio.gather(
        log.append(fresh, 0, "b"),
        log.append(taken, 0, "x"),
        log.append(taken, 5, "x"),
        log.append(more, 0, "c"),
        return_exceptions=True,
    )
    assert outcomes[0] == Commit(2, 1)
    assert isinstance(outcomes[1], VersionConflict)
    assert isinstance(outcomes[2], VersionConflict)
    assert outcomes[3] == Commit(3, 1)
    assert [names(batch) for batch in log.batches] == [["a"], ["b", "c"]]


async def test_appends_that_follow_on_each_other_share_a_commit(log: Log) -> None:
    stream = new_id()
    commits = await asyncio.gather(log.append(stream, 0, "a", "b"), log.append(stream, 2, "c"), log.append(stream, 3, "d"))
    assert list(commits) == [Commit(2, 2), Commit(3, 3), Commit(4, 4)]
    assert [names(batch) for batch in log.batches] == [["a", "b", "c", "d"]]


async def test_what_follows_on_a_failed_append_fails_too(log: Log) -> None:
    stream = new_id()
    await log.append(new_id(), 0, "a", claims=[Claim("key", "k", {})])
    outcomes = await asyncio.gather(
        log.append(stream, 0, "x", claims=[Claim("key", "k", {})]),
        log.append(stream, 1, "y"),
        log.append(stream, 2, "z"),
        return_exceptions=True,
    )
    assert [type(outcome) for outcome in outcomes] == [ClaimTaken, VersionConflict, VersionConflict]
    assert await log.names(stream) == []


async def test_of_two_writers_of_one_version_one_wins(log: Log, postgres_url: str) -> None:
    async with open_log(postgres_url) as other:
        for _ in range(20):
            stream = new_id()
            writers = [store.append(stream, 0, str(number)) for number, store in enumerate((log, log, other, other))]
            outcomes = await asyncio.gather(*writers, return_exceptions=True)
            winners = [str(number) for number, outcome in enumerate(outcomes) if isinstance(outcome, Commit)]
            assert len(winners) == 1
            assert sum(isinstance(outcome, VersionConflict) for outcome in outcomes) == 3
            assert await log.names(stream) == winners


async def test_a_claim_is_taken_once_and_tells_later_claimants_its_value(log: Log) -> None:
    first, second = new_id(), new_id()
    await log.append(first, 0, "a", claims=[Claim("idempotency key", "k", {"execution": first})])
    with pytest.raises(ClaimTaken) as taken:
        await log.append(second, 0, "b", claims=[Claim("name", "k", {}), Claim("idempotency key", "k", {"execution": second})])
    assert taken.value.existing == {"execution": first}
    assert taken.value.claim.scope == "idempotency key"
    assert await log.names(second) == []
    assert await log.store.claimed("default", "idempotency key", "k") == {"execution": first}
    assert await log.store.claimed("default", "name", "k") is None
    assert await log.store.claimed("acme", "idempotency key", "k") is None


async def test_a_redelivered_append_with_a_claim_is_told_of_the_claim(log: Log) -> None:
    stream = new_id()
    claim = Claim("idempotency key", "k", {"execution": stream})
    await log.append(stream, 0, "a", claims=[claim])
    with pytest.raises(ClaimTaken):
        await log.append(stream, 0, "a", claims=[claim])


async def test_of_many_claimants_at_once_one_gets_it(log: Log) -> None:
    outcomes = await asyncio.gather(
        *(log.append(new_id(), 0, "x", claims=[Claim("key", "k", {"number": n})]) for n in range(10)), return_exceptions=True
    )
    assert [isinstance(outcome, Commit) for outcome in outcomes] == [True] + [False] * 9
    assert [outcome.existing for outcome in outcomes if isinstance(outcome, ClaimTaken)] == [{"number": 0}] * 9
    assert await log.store.head() == 1


async def test_rivals_in_one_batch_leave_it_whole(log: Log) -> None:
    stream, claim = new_id(), Claim("key", "k", {})
    outcomes = await asyncio.gather(
        log.append(stream, 0, "a"),
        log.append(stream, 0, "x"),
        log.append(new_id(), 0, "b", claims=[claim]),
        log.append(new_id(), 0, "x", claims=[claim]),
        log.append(new_id(), 0, "c"),
        return_exceptions=True,
    )
    assert [type(outcome) for outcome in outcomes] == [Commit, VersionConflict, Commit, ClaimTaken, Commit]
    assert [names(batch) for batch in log.batches] == [["a", "b", "c"]]


async def test_timers_change_with_the_events_or_not_at_all(log: Log) -> None:
    stream, soon, later = new_id(), AT + timedelta(seconds=1), AT + timedelta(days=1)
    await log.append(stream, 0, "a", timers=[SetTimer("retry", soon), SetTimer("deadline", soon)])
    await log.append(stream, 1, "b", timers=[SetTimer("deadline", later), ClearTimer("retry"), ClearTimer("never set")])
    assert await log.timers(stream) == {"deadline": later}
    with pytest.raises(VersionConflict):
        await log.append(stream, 1, "x", timers=[ClearAllTimers(), SetTimer("x", soon)])
    assert await log.timers(stream) == {"deadline": later}
    await log.append(stream, 2, timers=[ClearAllTimers()])
    assert await log.timers(stream) == {}


async def test_the_last_change_of_a_timer_in_a_commit_counts(log: Log) -> None:
    stream, other, soon, later = new_id(), new_id(), AT + timedelta(seconds=1), AT + timedelta(days=1)
    await log.append(stream, 0, "z", timers=[SetTimer("old", soon)])
    await asyncio.gather(
        log.append(other, 0, "z", timers=[SetTimer("other", soon)]),
        log.append(stream, 1, "a", timers=[SetTimer("moved", soon), SetTimer("ended", soon)]),
        log.append(stream, 2, "b", timers=[SetTimer("moved", later), ClearAllTimers(), SetTimer("kept", soon)]),
        log.append(stream, 3, "c", timers=[SetTimer("kept", later), SetTimer("cleared", soon), ClearTimer("cleared")]),
    )
    assert len(log.batches) == 2
    assert await log.timers(stream) == {"kept": later}
    assert await log.timers(other) == {"other": soon}


async def test_an_append_conflicts_when_a_stream_that_it_was_decided_on_has_gone_on(log: Log, postgres_url: str) -> None:
    basis, other = new_id(), new_id()
    await log.append(basis, 0, "a")
    await log.append(other, 0, "x", decided_on={basis: 1})
    async with open_log(postgres_url) as elsewhere:
        await elsewhere.append(basis, 1, "b")
    late = [log.append(new_id(), 0, "y", decided_on={basis: 1}) for _ in range(3)]
    results = await asyncio.gather(*late, log.append(new_id(), 0, "z", decided_on={basis: 2}), return_exceptions=True)
    assert [type(result) for result in results] == [VersionConflict, VersionConflict, VersionConflict, Commit]


async def test_what_was_decided_on_a_stream_is_not_committed_with_what_changes_it_first(log: Log) -> None:
    basis = new_id()
    await log.append(basis, 0, "a")
    timer = SetTimer("t", AT, {"by": "late"}, stream_id=basis)
    early, change, late = (
        log.append(new_id(), 0, "x", decided_on={basis: 1}),
        log.append(basis, 1, "b", timers=[SetTimer("t", AT, {"by": "change"})]),
        log.append(new_id(), 0, "y", timers=[timer], decided_on={basis: 1}),
    )
    results = await asyncio.gather(early, change, late, return_exceptions=True)
    assert [type(result) for result in results] == [Commit, Commit, VersionConflict]
    assert await log.pool.fetchval("select payload ->> 'by' from sample.timer") == "change"


async def test_an_append_may_change_the_timers_of_another_stream_and_be_of_no_events(log: Log) -> None:
    owner = new_id()
    await log.append(owner, 0, "a", timers=[SetTimer("kept", AT), SetTimer("gone", AT)])
    await log.append(new_id(), 0, "x", timers=[SetTimer("set", AT, stream_id=owner), ClearTimer("gone", stream_id=owner)])
    assert set(await log.timers(owner)) == {"kept", "set"}
    assert await log.append(owner, 1, timers=[ClearTimer("kept")], claims=[Claim("s", "k", {})]) == Commit(2, 1)
    assert set(await log.timers(owner)) == {"set"}
    with pytest.raises(VersionConflict):
        await log.append(owner, 0, timers=[ClearTimer("set")])


async def test_the_claims_of_a_scope_are_listed_and_the_last_is_found(log: Log) -> None:
    assert await log.store.last_claimed("default", "s") is None
    for number in (2, 3, 1):
        await log.append(new_id(), 0, "a", claims=[Claim("s", f"{number}", {"n": number}), Claim("other", f"9{number}", {})])
    assert await log.store.last_claimed("default", "s") == ("3", {"n": 3})
    assert await log.store.claims_of("default", "s") == {"1": {"n": 1}, "2": {"n": 2}, "3": {"n": 3}}
    assert await log.store.claims_of("elsewhere", "s") == {}


async def test_a_snapshot_is_replaced_only_by_a_later_one_or_one_of_another_schema(log: Log) -> None:
    stream = new_id()
    assert await log.store.load_snapshot(stream) is None
    await log.append(stream, 0, "a", "b", snapshot=Snapshot(2, "s1", b"\x00two"))
    await log.append(stream, 2, snapshot=Snapshot(1, "s1", b"one"))
    assert await log.store.load_snapshot(stream) == Snapshot(2, "s1", b"\x00two")
    await log.append(stream, 2, snapshot=Snapshot(1, "s2", b"another"))
    assert await log.store.load_snapshot(stream) == Snapshot(1, "s2", b"another")


async def test_appends_that_come_during_a_commit_share_the_next(log: Log, postgres_url: str) -> None:
    async with committing_elsewhere(postgres_url) as connection, asyncio.TaskGroup() as tasks:
        tasks.create_task(log.append(new_id(), 0, "alone"))
        await until_blocked(connection)
        for number in range(200):
            tasks.create_task(log.append(new_id(), 0, str(number)))
        await asyncio.sleep(0)
        await connection.execute("commit; begin")
    assert [len(batch) for batch in log.batches] == [1, 200]
    assert names(log.batches[1]) == [str(number) for number in range(200)]


async def test_a_batch_is_bounded_in_appends_and_bytes(log: Log) -> None:
    await asyncio.gather(*(log.append(new_id(), 0, "x") for _ in range(1200)))
    assert max(map(len, log.batches)) == 500
    log.batches.clear()
    await asyncio.gather(*(log.append(new_id(), 0, "x" * 1_000_000) for _ in range(12)))
    assert [len(batch) for batch in log.batches] == [4, 4, 4]


async def test_commits_are_told_in_order_of_position(log: Log) -> None:
    async def write() -> None:
        stream = new_id()
        for version in range(10):
            await log.append(stream, version, "x")

    await asyncio.gather(*(write() for _ in range(30)))
    reader = TailingReader()
    reader.take(row.position for batch in log.batches for row in batch)
    assert reader.position == 300


async def test_an_append_that_the_database_cannot_take_fails_alone(log: Log) -> None:
    outcomes = await asyncio.gather(
        log.append(new_id(), 0, "a"),
        log.append("no uuid", 0, "x"),
        log.append(new_id(), 0, "x", correlation_id="nul \x00"),
        log.append(new_id(), 0, "b"),
        return_exceptions=True,
    )
    assert [isinstance(outcome, Commit) for outcome in outcomes] == [True, False, False, True]
    assert not any(isinstance(outcome, RunyardError) for outcome in outcomes), "it is no refusal, and no outage"
    assert names(await log.store.read(0)) == ["a", "b"]


async def test_a_cancelled_caller_takes_nobody_with_it(log: Log, postgres_url: str) -> None:
    async with committing_elsewhere(postgres_url) as connection:
        first = asyncio.create_task(log.append(new_id(), 0, "under way"))
        await until_blocked(connection)
        second = asyncio.create_task(log.append(new_id(), 0, "waiting"))
        third = asyncio.create_task(log.append(new_id(), 0, "kept"))
        await asyncio.sleep(0)
        first.cancel()
        second.cancel()
    await third
    assert names(await log.store.read(0)) == ["under way", "kept"]


async def test_a_crash_in_the_middle_of_a_commit_leaves_nothing_of_it(log: Log, postgres_url: str) -> None:
    stream, other = new_id(), new_id()
    await log.append(stream, 0, "before")
    async with committing_elsewhere(postgres_url) as connection:
        lost = asyncio.create_task(log.append(stream, 1, "lost", timers=[SetTimer("t", AT)], claims=[Claim("s", "k", {})]))
        (pid,) = await until_blocked(connection)
        waiting = asyncio.create_task(log.append(other, 0, "waiting"))
        await asyncio.sleep(0)
        await connection.execute("select pg_terminate_backend($1)", pid)
        with pytest.raises(Unavailable, match="PostgreSQL is away"):
            await lost
    assert (await waiting).position == 2
    assert await log.names(stream) == ["before"]
    assert await log.timers(stream) == {}
    assert await log.store.claimed("default", "s", "k") is None
    assert (await log.append(stream, 1, "after")).position == 3
    assert log.store.trouble is None


async def test_the_store_says_that_its_database_is_away_and_comes_back_by_itself(log: Log, postgres_url: str) -> None:
    address = urlsplit(postgres_url)
    database = address.path.strip("/")
    server = await asyncpg.connect(address._replace(path="/postgres").geturl())
    try:
        await server.execute(f"alter database {database} allow_connections false")
        await server.execute("select pg_terminate_backend(pid) from pg_stat_activity where datname = $1", database)
        await until(lambda: log.store.trouble is not None)
        assert "PostgreSQL is away" in str(log.store.trouble)
        with pytest.raises(Unavailable):
            await log.append(new_id(), 0, "x")
        await server.execute(f"alter database {database} allow_connections true")
        await until(lambda: log.store.trouble is None)
        assert (await log.append(new_id(), 0, "x")).position == 1
    finally:
        await server.close()


async def test_closing_commits_what_waits_and_takes_nothing_more(log: Log) -> None:
    appends = [asyncio.create_task(log.append(new_id(), 0, "x")) for _ in range(10)]
    await asyncio.sleep(0)
    await log.store.close()
    assert [(await append).version for append in appends] == [1] * 10
    with pytest.raises(Unavailable):
        await log.append(new_id(), 0, "y")
    assert log.store.trouble is not None


async def test_a_listener_that_fails_does_not_fail_the_append(log: Log) -> None:
    def fail(rows: list[Recorded]) -> None:
        raise LookupError(rows[0].position)

    log.store.on_commit = fail
    assert (await log.append(new_id(), 0, "a")).position == 1
    assert (await log.append(new_id(), 0, "b")).position == 2


async def test_a_stream_lives_in_the_partition_of_its_month_and_any_other_in_the_default(log: Log) -> None:
    long_ago, not_of_time = derived_id(AT.replace(year=2001), "old"), str(uuid4())
    for stream in (new_id(), long_ago, not_of_time):
        await log.append(stream, 0, "a")
        with pytest.raises(VersionConflict):
            await log.append(stream, 0, "a")
    tables = await log.pool.fetch(f"select tableoid::regclass::text as name from {SCHEMA}.event order by position")
    month = await log.pool.fetchval("select to_char(now() at time zone 'UTC', 'YYYY_MM')")
    default = f"{SCHEMA}.event_default"
    assert [table["name"] for table in tables] == [f"{SCHEMA}.event_{month}", default, default]


async def test_a_month_that_began_in_the_default_partition_stays_there(postgres_url: str) -> None:
    await make_log(postgres_url)
    stream = new_id()
    connection = await asyncpg.connect(postgres_url)
    await connection.execute(
        f"insert into {SCHEMA}.event values (1, $1, 1, 'default', 'node.skipped', now(), '{{\"nodeId\":\"a\"}}');", stream
    )
    await connection.execute(f"update {SCHEMA}.log_head set position = 1")
    await connection.close()
    async with open_log(postgres_url) as log:
        await log.append(stream, 1, "b")
        assert await log.names(stream) == ["a", "b"]
