-- The event log of one service, in its schema. `{schema}` is replaced by the schema's name.

create table {schema}.event (
    position        bigint      not null,
    stream_id       uuid        not null,
    version         integer     not null,
    tenant_id       text        not null,
    topic           text        not null,
    recorded_at     timestamptz not null,
    data            json        not null,
    correlation_id  text,
    causation_id    text,
    primary key (stream_id, version)
) partition by range (stream_id);
create index event_position on {schema}.event (position);

comment on table {schema}.event is 'The log: every event of every stream, never changed. Partitioned by stream_id (a UUIDv7), that is by the month in which the stream began.';
comment on column {schema}.event.position is 'Total order of the log from 1, without gaps; a reader never sees n + 1 before n.';
comment on column {schema}.event.version is 'Place in the stream, from 1, without gaps.';
comment on column {schema}.event.data is 'The event as it was encoded. json, not jsonb: kept byte for byte, cheaper to write and read, and it takes any JSON text (jsonb refuses \u0000).';

create table {schema}.event_default partition of {schema}.event default;
comment on table {schema}.event_default is 'Streams of months that have no partition of their own.';

create table {schema}.log_head (position bigint not null) with (fillfactor = 10);
create unique index log_head_single_row on {schema}.log_head ((true));
insert into {schema}.log_head values (0);
comment on table {schema}.log_head is 'One row: the last position. Its lock puts all writers of the log in one order.';

create table {schema}.claim (
    tenant_id   text        not null,
    scope       text        not null,
    key         text        not null,
    value       json        not null,
    stream_id   uuid        not null,
    claimed_at  timestamptz not null,
    primary key (tenant_id, scope, key)
);
comment on table {schema}.claim is 'Keys that only one may have (idempotency keys, names, cron instants), taken in the transaction of the events.';

create table {schema}.timer (
    stream_id  uuid        not null,
    timer_id   text        not null,
    tenant_id  text        not null,
    due_at     timestamptz not null,
    payload    json        not null,
    primary key (stream_id, timer_id)
);
create index timer_due_at on {schema}.timer (due_at, stream_id, timer_id);
comment on table {schema}.timer is 'Timers that are set; delivered from due_at on, again and again, until an append of the stream clears or moves them.';

create table {schema}.snapshot (
    stream_id     uuid    primary key,
    version       integer not null,
    state_schema  text    not null,
    state         bytea   not null
);
comment on table {schema}.snapshot is 'The last snapshot of a long stream: its state after the event `version`.';

create table {schema}.relay_checkpoint (
    relay     text   primary key,
    position  bigint not null
);
comment on table {schema}.relay_checkpoint is 'Up to which position everything derived from the log was handed over, by relay.';

-- Partitions for the running month and `ahead` more. A month whose streams are already in the default partition is left there.
create function {schema}.create_event_partitions(ahead integer) returns void language plpgsql as $$
declare
    month timestamp;
    partition text;
begin
    perform pg_advisory_xact_lock(hashtext('{schema}.event'));
    for month in
        select date_trunc('month', now() at time zone 'UTC') + make_interval(months => n) from generate_series(0, ahead) n
    loop
        partition := 'event_' || to_char(month, 'YYYY_MM');
        continue when to_regclass(format('{schema}.%I', partition)) is not null;
        begin
            execute format(
                'create table {schema}.%I partition of {schema}.event for values from (%L) to (%L)',
                partition, {schema}.first_id_at(month), {schema}.first_id_at(month + interval '1 month')
            );
        exception when check_violation then
            raise notice 'streams of % are in the default partition and stay there', partition;
        end;
    end loop;
end
$$;

-- The smallest UUIDv7 of an instant (UTC).
create function {schema}.first_id_at(at timestamp) returns uuid language sql immutable as $$
    select (lpad(to_hex((extract(epoch from at) * 1000)::bigint), 12, '0') || repeat('0', 20))::uuid
$$;

-- Writes a batch of appends, or refuses it as a whole and says why: `refused` is then a JSON list of append with version
-- (the stream is not where that append expects it) or append with claim and value (that claim is taken).
--
-- The first eight arrays are the events in order. `head_*` name, for each append that is the first of its stream in the
-- batch, the version it expects. `extras` (null in the plain case) holds claims, timer changes and snapshots.
create function {schema}.append(
    stream_ids uuid[], versions integer[], tenant_ids text[], topics text[], recorded_ats timestamptz[], event_data json[],
    correlation_ids text[], causation_ids text[],
    head_appends integer[], head_stream_ids uuid[], head_versions integer[],
    extras json,
    out base bigint, out refused json
) language plpgsql as $$
begin
    -- From here to the commit no other writer can change what is checked below.
    select position into base from {schema}.log_head for update;

    select json_agg(json_build_object('append', h.append, 'version', h.version)) into refused
    from (
        select expected.append, expected.version as expected_version, coalesce((
            select event.version from {schema}.event where event.stream_id = expected.stream_id
            order by event.version desc limit 1
        ), 0) as version
        from unnest(head_appends, head_stream_ids, head_versions) as expected(append, stream_id, version)
    ) h
    where h.version <> h.expected_version;

    if extras is not null then
        select json_agg(r) into refused
        from (
            select value as r from json_array_elements(refused)
            union all
            select json_build_object('append', wanted.append, 'claim', wanted.claim, 'value', claim.value)
            from json_to_recordset(extras -> 'claims')
                as wanted(append integer, claim integer, "tenantId" text, scope text, key text)
            join {schema}.claim on claim.tenant_id = wanted."tenantId" and claim.scope = wanted.scope and claim.key = wanted.key
        ) every;
    end if;
    if refused is not null then
        return;
    end if;

    if cardinality(stream_ids) > 0 then
        insert into {schema}.event
            (position, stream_id, version, tenant_id, topic, recorded_at, data, correlation_id, causation_id)
        select base + e.n, e.stream_id, e.version, e.tenant_id, e.topic, e.recorded_at, e.data, e.correlation_id, e.causation_id
        from unnest(stream_ids, versions, tenant_ids, topics, recorded_ats, event_data, correlation_ids, causation_ids)
            with ordinality
            as e(stream_id, version, tenant_id, topic, recorded_at, data, correlation_id, causation_id, n);
        update {schema}.log_head set position = base + cardinality(stream_ids);
    end if;

    if extras is not null then
        perform {schema}.append_extras(extras);
    end if;
end
$$;

create function {schema}.append_extras(extras json) returns void language plpgsql as $$
begin
    insert into {schema}.claim (tenant_id, scope, key, value, stream_id, claimed_at)
    select "tenantId", scope, key, value, "streamId", "claimedAt"
    from json_to_recordset(extras -> 'claims')
        as c("tenantId" text, scope text, key text, value json, "streamId" uuid, "claimedAt" timestamptz);

    delete from {schema}.timer
    using json_array_elements_text(extras -> 'endedStreamIds') as ended(stream_id)
    where timer.stream_id = ended.stream_id::uuid;

    delete from {schema}.timer
    using json_to_recordset(extras -> 'clearedTimers') as c("streamId" uuid, "timerId" text)
    where timer.stream_id = c."streamId" and timer.timer_id = c."timerId";

    insert into {schema}.timer (stream_id, timer_id, tenant_id, due_at, payload)
    select "streamId", "timerId", "tenantId", "dueAt", payload
    from json_to_recordset(extras -> 'setTimers')
        as s("streamId" uuid, "timerId" text, "tenantId" text, "dueAt" timestamptz, payload json)
    on conflict (stream_id, timer_id) do update
        set tenant_id = excluded.tenant_id, due_at = excluded.due_at, payload = excluded.payload;

    insert into {schema}.snapshot (stream_id, version, state_schema, state)
    select "streamId", version, "stateSchema", decode(state, 'base64')
    from json_to_recordset(extras -> 'snapshots')
        as s("streamId" uuid, version integer, "stateSchema" text, state text)
    on conflict (stream_id) do update
        set version = excluded.version, state_schema = excluded.state_schema, state = excluded.state
        where snapshot.version < excluded.version or snapshot.state_schema <> excluded.state_schema;
end
$$;
