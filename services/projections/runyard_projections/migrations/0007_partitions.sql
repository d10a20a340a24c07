-- The rows of executions, and of all that belongs to them, in partitions by the month in which the execution was made (its id
-- tells), so that history is dropped whole months at a time. What was there until now becomes the first partition, without being
-- copied; it ends with the running month. A rebuild parts it by months too.
--
-- `<table>_2026_11` is a month, `<table>_default` takes what has none (an id that is not of this time, a log restored). Every
-- partitioned table that has such a default partition is one of these: `create_month` finds them by it.

create function projections.first_id_at(at timestamp) returns uuid language sql immutable as $$
    select (lpad(to_hex((extract(epoch from at) * 1000)::bigint), 12, '0') || repeat('0', 20))::uuid
$$;
comment on function projections.first_id_at is 'The smallest UUIDv7 of an instant (UTC).';

create function projections.month_of(id uuid) returns timestamp language sql immutable as $$
    select date_trunc('month', to_timestamp(('x' || lpad(left(replace(id::text, '-', ''), 12), 16, '0'))::bit(64)::bigint / 1000.0) at time zone 'UTC')
$$;
comment on function projections.month_of is 'The month (UTC) in which an id was made, by its first instant.';

create table projections.archived (
    tenant_id  text  primary key,
    before     uuid  not null
);
comment on table projections.archived is
'The finished executions of a tenant with a smaller id than `before` were archived and are here no more. Events may still name them: they change nothing.';

do $$
declare
    next_month constant timestamp := date_trunc('month', now() at time zone 'UTC') + interval '1 month';
    ends constant uuid := projections.first_id_at(next_month);
    parted constant text[] := array['execution', 'job', 'node', 'iteration', 'iteration_node', 'foreach', 'approval'];
    keys constant text[] := array[
        'execution_id', 'execution_id, job_id', 'execution_id, node_id', 'execution_id, stream_id',
        'execution_id, stream_id, node_id', 'execution_id, stream_id, node_id', 'execution_id, approval_id'
    ];
    this text;
    old text;
    options text;
begin
    for n in 1 .. cardinality(parted) loop
        this := parted[n];
        execute format('alter table projections.%I rename to %I', this, this || '_first');
        for old in select indexname from pg_indexes where schemaname = 'projections' and tablename = this || '_first' loop
            execute format('alter index projections.%I rename to %I', old, old || '_first');
        end loop;
        execute format(
            'create table projections.%I (like projections.%I including defaults including generated including comments'
            ' including storage including compression, constraint %I primary key (%s)) partition by range (execution_id)',
            this, this || '_first', this || '_pkey', keys[n]
        );
    end loop;

    -- by each filter alone and by all of them together, newest first; what is not named in a filter is gone through value by value
    create index execution_newest on projections.execution (tenant_id, started_at desc, execution_id desc);
    create index execution_by_workflow on projections.execution (tenant_id, workflow_id, started_at desc, execution_id desc);
    create index execution_by_status
        on projections.execution (tenant_id, status, trigger_type, started_at desc, execution_id desc);
    create index execution_by_workflow_status
        on projections.execution (tenant_id, workflow_id, status, trigger_type, started_at desc, execution_id desc);
    create index execution_reruns on projections.execution (rerun_of, started_at) where rerun_of is not null;
    create index execution_children on projections.execution (parent_execution_id, started_at)
        where parent_execution_id is not null;
    create index iteration_of_node on projections.iteration (execution_id, node_id, parent_stream_id, index);
    create index iteration_by_stream on projections.iteration (stream_id);
    create index iteration_node_waiting on projections.iteration_node (execution_id, waiting_since)
        where waiting_since is not null;
    create index approval_oldest on projections.approval (tenant_id, status, requested_at, approval_id);
    create index approval_of_execution on projections.approval (execution_id, requested_at);
    create index approval_by_id on projections.approval (approval_id);

    foreach this in array parted loop
        select array_to_string(c.reloptions, ', ') into options from pg_class c
        where c.oid = format('projections.%I', this || '_first')::regclass;
        execute format(
            'create table projections.%I partition of projections.%I default with (%s)', this || '_default', this, options
        );
    end loop;
end
$$;

-- the views as they were, on the new tables

create or replace view read.execution as
select
    e.execution_id, e.tenant_id, e.workflow_id, e.workflow_name, e.version, e.status, e.trigger_type, e.trigger, e.inputs,
    e.started_by, e.parent_execution_id, e.rerun_of, e.timeout_seconds, e.started_at, e.finished_at,
    (extract(epoch from e.finished_at - e.started_at) * 1000)::bigint as duration_ms,
    e.jobs_completed, e.jobs_total, e.pending_approvals, e.failing_at, e.error, e.cancellation, e.position,
    (
        select coalesce(json_object_agg(bound.key, bound.value), '{}')
        from (
            select distinct on (v.key) v.key, v.value
            from projections.node n
            join projections.workflow_node w
                on w.workflow_id = e.workflow_id and w.version = e.version and w.node_id = n.node_id and w.type = 'setVariables'
            cross join json_each(case when json_typeof(n.output) = 'object' then n.output else '{}' end) v
            where n.execution_id = e.execution_id
            order by v.key, n.position desc
        ) bound
    ) as vars,
    case when e.finished_at is null then (
        select coalesce(json_agg(oldest.reason order by oldest.since, oldest.id), '[]')
        from (
            select w.id, w.since, w.reason
            from (
                select n.node_id as id, n.waiting ->> 'since' as since,
                    json_build_object('for', n.waiting -> 'for', 'nodeId', n.node_id, 'item', i.path,
                        'since', n.waiting -> 'since', 'until', n.waiting -> 'until', 'attempt', n.waiting -> 'attempt',
                        'maxAttempts', n.waiting -> 'maxAttempts', 'executionId', n.waiting -> 'executionId',
                        'approvalId', a.approval_id, 'approvers', a.approvers || a.escalated_to) as reason
                from (
                    (select o.node_id, null::uuid as stream_id, o.waiting from projections.node o
                    where o.execution_id = e.execution_id and o.waiting is not null)
                    union all
                    (select o.node_id, o.stream_id, o.waiting from projections.iteration_node o
                    where o.execution_id = e.execution_id and o.waiting_since is not null
                    order by o.waiting_since, o.stream_id, o.node_id limit 20)
                ) n
                left join projections.iteration i on i.execution_id = e.execution_id and i.stream_id = n.stream_id
                left join projections.approval a
                    on a.execution_id = e.execution_id and a.approval_id = (n.waiting ->> 'approvalId')::uuid
                union all
                (select j.job_id::text, at.since,
                    json_build_object('for', 'agent', 'nodeId', j.node_id, 'item', i.path, 'jobId', j.job_id, 'pool', j.pool,
                        'since', at.since, 'until', at.until)
                from (
                    select p.job_id, p.node_id, p.stream_id, p.pool, p.queued_at, p.queue_expires_at from projections.job p
                    where p.execution_id = e.execution_id and e.jobs_live > 0 and p.status = 'pending'
                    order by p.queued_at, p.job_id limit 20
                ) j
                left join projections.iteration i on i.execution_id = e.execution_id and i.stream_id = j.stream_id
                cross join lateral (
                    select to_char(j.queued_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') as since,
                        to_char(j.queue_expires_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') as until
                ) at)
                union all
                select '', max(at.since), json_build_object('for', 'jobs', 'count', count(*), 'since', max(at.since))
                from projections.job j
                cross join lateral (select to_char(e.failing_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') as since) at
                where j.execution_id = e.execution_id and e.failing_at is not null and e.jobs_live > 0
                    and j.status in ('dispatched', 'running')
                having count(*) > 0
            ) w
            order by w.since, w.id limit 20
        ) oldest
    ) end as waiting,
    e.parent_node_id, e.depth, e.from_node, e.paused_ms, e.paused_since,
    case when e.finished_at is null then
        (select count(*) from projections.node n where n.execution_id = e.execution_id and n.waiting is not null)
        + (select count(*) from projections.iteration_node n where n.execution_id = e.execution_id and n.waiting_since is not null)
        + (
            select count(*) filter (where j.status = 'pending')
                + least(count(*) filter (where e.failing_at is not null and j.status in ('dispatched', 'running')), 1)
            from projections.job j where j.execution_id = e.execution_id and e.jobs_live > 0
        )
    end as waiting_total
from projections.execution e;

create or replace view read.job as
select
    e.tenant_id, j.execution_id, j.job_id, j.node_id, coalesce(w.name, j.node_id) as node_name, j.action as action_type, j.pool,
    j.attempt, j.status, j.agent, j.queued_at, coalesce(j.dispatched_at, j.started_at) as dispatched_at, j.started_at, j.finished_at,
    coalesce(j.duration_ms, (extract(epoch from j.finished_at - j.started_at) * 1000)::bigint) as duration_ms,
    j.output, j.error, i.path as item, coalesce(j.stream_id, j.execution_id) as stream_id,
    j.queue_expires_at
from projections.job j
join projections.execution e on e.execution_id = j.execution_id
left join projections.workflow_node w on w.workflow_id = e.workflow_id and w.version = e.version and w.node_id = j.node_id
left join projections.iteration i on i.execution_id = j.execution_id and i.stream_id = j.stream_id;

create or replace view read.node as
select
    e.tenant_id, e.execution_id, x.node_id, x.name, x.type, x.ordinal, coalesce(x.status, 'pending') as status, x.started_at,
    x.finished_at, x.port, x.job_id, x.waiting, coalesce(x.output, j.output) as output, x.error,
    case when f.total is not null then json_build_object('total', f.total, 'completed', f.completed, 'failed', f.failed,
        'cancelled', f.cancelled, 'running', greatest(f.scheduled - f.completed - f.failed - f.cancelled, 0)) end as progress
from projections.execution e
cross join lateral (
    select coalesce(w.node_id, n.node_id) as node_id, coalesce(w.name, n.node_id) as name, w.type, w.ordinal,
        n.status, n.started_at, n.finished_at, n.port, n.job_id, n.waiting, n.output, n.error
    from (select * from projections.node n where n.execution_id = e.execution_id) n
    full join (
        select * from projections.workflow_node w where w.workflow_id = e.workflow_id and w.version = e.version and w.body is null
    ) w on w.node_id = n.node_id
) x
left join projections.job j on j.execution_id = e.execution_id and j.job_id = x.job_id and x.finished_at is not null
left join projections.foreach f on f.execution_id = e.execution_id and f.stream_id = e.execution_id and f.node_id = x.node_id;

create or replace view read.iteration as
select
    e.tenant_id, i.execution_id, i.stream_id, i.parent_stream_id, i.node_id, i.path, i.index, i.item as value, i.status, i.started_at,
    i.finished_at, (extract(epoch from i.finished_at - i.started_at) * 1000)::bigint as duration_ms, i.output, i.error
from projections.iteration i
join projections.execution e on e.execution_id = i.execution_id;

create or replace view read.iteration_node as
select
    e.tenant_id, n.execution_id, n.stream_id, i.path as item, n.node_id, coalesce(w.name, n.node_id) as name, w.type, w.body, w.ordinal,
    n.status, n.started_at, n.finished_at, n.port, n.job_id, n.waiting, coalesce(n.output, j.output) as output, n.error,
    case when f.total is not null then json_build_object('total', f.total, 'completed', f.completed, 'failed', f.failed,
        'cancelled', f.cancelled, 'running', greatest(f.scheduled - f.completed - f.failed - f.cancelled, 0)) end as progress
from projections.iteration_node n
join projections.execution e on e.execution_id = n.execution_id
left join projections.iteration i on i.execution_id = n.execution_id and i.stream_id = n.stream_id
left join projections.workflow_node w on w.workflow_id = e.workflow_id and w.version = e.version and w.node_id = n.node_id
left join projections.job j on j.execution_id = n.execution_id and j.job_id = n.job_id and n.finished_at is not null
left join projections.foreach f on f.execution_id = n.execution_id and f.stream_id = n.stream_id and f.node_id = n.node_id;

create or replace view read.approval as
select
    a.approval_id, a.tenant_id, a.execution_id, a.stream_id, i.path as item, e.workflow_id, a.workflow_name, a.node_id,
    coalesce(w.name, a.node_id) as node_name, a.message, a.status, a.approvers, a.min_approvals, a.prevent_self_approval,
    array_to_json(a.votes) as votes, a.requested_at, a.expires_at, a.escalated_to, a.escalated_at, a.reminded_at, a.responded_by,
    a.response_note, a.responded_via, a.responded_at, array_to_json(a.notifications) as notifications, a.started_by, a.position
from projections.approval a
join projections.execution e on e.execution_id = a.execution_id
left join projections.workflow_node w on w.workflow_id = e.workflow_id and w.version = e.version and w.node_id = a.node_id
left join projections.iteration i on i.execution_id = a.execution_id and i.stream_id = a.stream_id;

create or replace view read.job_output_chunk as
select
    c.tenant_id, coalesce(
        (select i.execution_id from projections.iteration i where i.stream_id = c.execution_id), c.execution_id
    ) as execution_id, c.job_id, c.stream, c.number, c."offset", c.size, c.data
from projections.output_chunk c;

create or replace view read.job_output as
select
    p.tenant_id, coalesce(
        (select i.execution_id from projections.iteration i where i.stream_id = p.execution_id), p.execution_id
    ) as execution_id, p.job_id, p.stream, p.chunks, p.size, p.known_size, p.sealed,
    p.sealed_chunks, p.sealed_size, p.sha256, p.missing_chunks, p.chunks = 0 and read.output_expired(p.job_id) as expired
from (
    select
        o.tenant_id, o.execution_id, o.job_id, o.stream, count(o.size) as chunks, coalesce(sum(o.size), 0)::bigint as size,
        coalesce(max(o.ends_at), 0) as known_size, bool_or(o.sealed_size is not null) as sealed, max(o.sealed_chunks) as sealed_chunks,
        max(o.sealed_size) as sealed_size, max(o.sha256) as sha256,
        greatest(coalesce(max(o.sealed_chunks), 0), coalesce(max(o.number) + 1, 0)) - count(o.size) as missing_chunks
    from (
        select tenant_id, execution_id, job_id, stream, number, size, "offset" + size as ends_at,
            null::integer as sealed_chunks, null::bigint as sealed_size, null::text as sha256
        from projections.output_chunk
        union all
        select tenant_id, execution_id, job_id, stream, null, null, size, chunks, size, sha256 from projections.output_seal
    ) o
    group by o.tenant_id, o.execution_id, o.job_id, o.stream
) p;

-- Nothing reads the old tables any more: they become the first partitions, or go if nothing is in them.
do $$
declare
    ends constant uuid := projections.first_id_at(date_trunc('month', now() at time zone 'UTC') + interval '1 month');
    parted constant text[] := array['execution', 'job', 'node', 'iteration', 'iteration_node', 'foreach', 'approval'];
    used boolean;
    this text;
    key_of_old text;
begin
    select exists (select from projections.execution_first) into used;
    foreach this in array parted loop
        if not used then
            execute format('drop table projections.%I', this || '_first');
            continue;
        end if;
        execute format(
            'insert into projections.%I select * from projections.%I where execution_id >= %L', this || '_default', this || '_first', ends
        );
        execute format('delete from projections.%I where execution_id >= %L', this || '_first', ends);
        if this in ('iteration', 'approval') then -- whose key had no execution_id
            select conname into strict key_of_old from pg_constraint
            where conrelid = format('projections.%I', this || '_first')::regclass and contype = 'p';
            execute format('alter table projections.%I drop constraint %I', this || '_first', key_of_old);
        end if;
        execute format(
            'alter table projections.%I attach partition projections.%I for values from (minvalue) to (%L)',
            this, this || '_first', ends
        );
    end loop;
    if used then
        drop index projections.execution_by_status_first, projections.execution_by_trigger_first;
    end if;
end
$$;

create function projections.create_month(of_schema text, at timestamp) returns void language plpgsql as $$
declare
    month constant timestamp := date_trunc('month', at);
    starts constant uuid := projections.first_id_at(month);
    ends constant uuid := projections.first_id_at(month + interval '1 month');
    parent text;
    partition text;
    options text;
begin
    for parent, options in
        select p.relname, coalesce('with (' || array_to_string(other.reloptions, ', ') || ')', '')
        from pg_partitioned_table t
        join pg_class p on p.oid = t.partrelid
        join pg_class other on other.oid = t.partdefid and other.relname = p.relname || '_default'
        where p.relnamespace = of_schema::regnamespace
        order by p.oid
    loop
        partition := parent || to_char(month, '_YYYY_MM');
        continue when to_regclass(format('%I.%I', of_schema, partition)) is not null;
        begin
            execute format(
                'create table %I.%I partition of %I.%I for values from (%L) to (%L) %s',
                of_schema, partition, of_schema, parent, starts, ends, options
            );
        exception
            when invalid_object_definition then
                raise debug '% is within the first partition', partition;
            when check_violation then -- some of its rows have come already
                execute format(
                    'create temporary table early on commit drop as select * from %I.%I where execution_id >= %L and execution_id < %L',
                    of_schema, parent || '_default', starts, ends
                );
                execute format(
                    'delete from %I.%I where execution_id >= %L and execution_id < %L', of_schema, parent || '_default', starts, ends
                );
                execute format(
                    'create table %I.%I partition of %I.%I for values from (%L) to (%L) %s',
                    of_schema, partition, of_schema, parent, starts, ends, options
                );
                execute format('insert into %I.%I select * from early', of_schema, partition);
                drop table early;
        end;
    end loop;
end
$$;
comment on function projections.create_month is
'Makes what is missing of the partitions of a month (UTC). Rows of it that are in the default partition move.';

create function projections.create_partitions(ahead interval) returns void language plpgsql as $$
declare
    today constant timestamp := now() at time zone 'UTC';
begin
    perform pg_advisory_xact_lock(hashtext('projections.create_partitions'));
    perform projections.create_month('projections', month)
    from generate_series(date_trunc('month', today), today + ahead, interval '1 month') month;
end
$$;
comment on function projections.create_partitions is
'Makes what is missing of the partitions of the running month and of those that begin within `ahead`.';

select projections.create_partitions('7 days');

-- Part of a workflow's name is found by an index where the server has trigrams; else the names of the tenant are gone through.
do $$
begin
    create extension if not exists pg_trgm;
    create index workflow_by_part_of_name on projections.workflow using gin (name gin_trgm_ops);
exception
    when undefined_file or feature_not_supported or insufficient_privilege then
        raise notice 'without trigrams: %', sqlerrm;
end
$$;

comment on view read.execution is
'One row for each execution, in partitions by the month of its id. Newest first is `order by started_at desc, execution_id desc`; a page
is `and (started_at, execution_id) < ($at, $id) … limit n`. Each of these, with tenant_id, has an index in that order: nothing else, a
range of started_at, one workflow_id, one status with one trigger_type, one workflow_id with one status and one trigger_type. For
anything between, and for several values, go through the values: `from unnest($statuses) s cross join lateral (select … where status =
s order by … limit n) x`, and order and limit the whole. Also indexed: rerun_of (the re-runs of an execution) and parent_execution_id
(its subworkflows). Free text: names through the workflow ids that read.workflow gives for them (a workflow keeps its name), ids by
their beginning through `execution_id between read.first_id($q) and read.last_id($q)`. `vars`, `waiting` and `waiting_total` cost a
look at the nodes and jobs of the row, but only in a query that names them: do not `select *` for a list.';
comment on view read.iteration is
'One row for each iteration of a forEach that began. Ask with execution_id; with node_id and parent_stream_id, `order by index` and a
range of it have an index; so has stream_id.';
comment on view read.approval is
'One row for each approval. With tenant_id and one status, `order by requested_at, approval_id` and a page of it,
`and (requested_at, approval_id) > ($at, $id) … limit n`, have an index; so have execution_id and approval_id.';
comment on view read.job is
'One row for each job; a retry is a job of its own. Ask with execution_id. Ids are made when jobs are queued, so `order by job_id` is
chronological, and with execution_id it has an index.';
