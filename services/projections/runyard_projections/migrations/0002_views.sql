-- The public face of the read models: views and functions in schema `read`, documented column by column.

create schema if not exists read;
comment on schema read is 'The read models: what programs and dashboards may rely on. Ids are UUIDv7, times UTC.';

-- executions

create view read.execution as
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
        select coalesce(json_agg(w.reason order by w.since, w.id), '[]')
        from (
            select n.node_id as id, n.waiting ->> 'since' as since,
                json_build_object('for', n.waiting -> 'for', 'nodeId', n.node_id, 'since', n.waiting -> 'since',
                    'until', n.waiting -> 'until', 'attempt', n.waiting -> 'attempt', 'maxAttempts', n.waiting -> 'maxAttempts')
                    as reason
            from projections.node n
            where n.execution_id = e.execution_id and n.status = 'waiting'
            union all
            select j.job_id::text, at.since,
                json_build_object('for', 'agent', 'nodeId', j.node_id, 'jobId', j.job_id, 'pool', j.pool, 'since', at.since)
            from projections.job j
            cross join lateral (select to_char(j.queued_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') as since) at
            where j.execution_id = e.execution_id and j.status = 'pending'
            union all
            select '', max(at.since), json_build_object('for', 'jobs', 'count', count(*), 'since', max(at.since))
            from projections.job j
            cross join lateral (select to_char(e.failing_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') as since) at
            where j.execution_id = e.execution_id and e.failing_at is not null and j.status in ('dispatched', 'running')
            having count(*) > 0
        ) w
    ) end as waiting
from projections.execution e;

comment on view read.execution is
'One row for each execution. Newest first is `order by started_at desc, execution_id desc`; a page is
`and (started_at, execution_id) < ($at, $id) … limit n`. Each of these, with tenant_id, has an index in that order: nothing else,
a range of started_at, one workflow_id, one status, one trigger_type. For several values write one such select for each,
joined by `union all`, and order and limit the whole. Free text: names through the workflow ids that read.workflow gives for
them (a workflow keeps its name), ids by their beginning through `execution_id between read.first_id($q) and read.last_id($q)`. `vars` and `waiting` cost a look at the nodes and jobs of the
row, but only in a query that names them: do not `select *` for a list.';
comment on column read.execution.execution_id is 'Identity, a UUIDv7.';
comment on column read.execution.tenant_id is 'The tenant; every query names it.';
comment on column read.execution.workflow_id is 'The workflow that runs.';
comment on column read.execution.workflow_name is 'The name of the workflow when the execution started.';
comment on column read.execution.version is 'The published version that runs.';
comment on column read.execution.status is 'pending, running, paused, completed, failed or cancelled. The last three are final.';
comment on column read.execution.trigger_type is 'manual, webhook, cron or incident.';
comment on column read.execution.trigger is 'What started it: type and, as applicable, user, webhookId, scheduledAt, event, incidentId, payload.';
comment on column read.execution.inputs is 'The inputs, with defaults filled in (object).';
comment on column read.execution.started_by is 'The actor who started it.';
comment on column read.execution.parent_execution_id is 'The execution whose subworkflow node this is, if any.';
comment on column read.execution.rerun_of is 'The execution this is a re-run of, if any.';
comment on column read.execution.timeout_seconds is 'Time limit of the whole execution in seconds; 0 is none.';
comment on column read.execution.started_at is 'When it was created and began.';
comment on column read.execution.finished_at is 'When its status became final; null while active.';
comment on column read.execution.duration_ms is 'Milliseconds from start to end; null while active (then it is now() - started_at).';
comment on column read.execution.jobs_completed is 'Its jobs (rows of read.job, retries included) with the status completed.';
comment on column read.execution.jobs_total is 'All its jobs, retries included.';
comment on column read.execution.pending_approvals is 'Open approvals.';
comment on column read.execution.failing_at is 'When a critical failure occurred: nothing new starts, running jobs run to their end.';
comment on column read.execution.error is 'The first critical error: reason, message and, as applicable, nodeId, actionType, exitCode, statusCode.';
comment on column read.execution.cancellation is 'Of a cancelled execution: by, reason, force.';
comment on column read.execution.position is 'Log position of its last event that is in this row.';
comment on column read.execution.vars is 'Variables that setVariables nodes have bound so far (object; the latest wins).';
comment on column read.execution.waiting is
'What an active execution waits for, oldest first; null when finished. A list of objects with `for`: delay (nodeId, since, until), retry
(nodeId, attempt, maxAttempts, since, until), agent (a job not yet dispatched: nodeId, jobId, pool, since), jobs (it is failing, and count
jobs still run: since).';

create function read.first_id(beginning text) returns uuid language sql immutable strict as $$
    select case when length(hex) between 1 and 32 and hex ~ '^[0-9a-f]+$' then rpad(hex, 32, '0')::uuid end
    from (select lower(replace(beginning, '-', '')) as hex) q
$$;
comment on function read.first_id is 'The smallest id whose text begins so; null if none can.';
create function read.last_id(beginning text) returns uuid language sql immutable strict as $$
    select case when length(hex) between 1 and 32 and hex ~ '^[0-9a-f]+$' then rpad(hex, 32, 'f')::uuid end
    from (select lower(replace(beginning, '-', '')) as hex) q
$$;
comment on function read.last_id is 'The largest id whose text begins so; null if none can.';

create view read.job as
select
    e.tenant_id, j.execution_id, j.job_id, j.node_id, coalesce(w.name, j.node_id) as node_name, j.action as action_type, j.pool,
    j.attempt, j.status, j.agent, j.queued_at, coalesce(j.dispatched_at, j.started_at) as dispatched_at, j.started_at, j.finished_at,
    coalesce(j.duration_ms, (extract(epoch from j.finished_at - j.started_at) * 1000)::bigint) as duration_ms,
    j.output, j.error
from projections.job j
join projections.execution e on e.execution_id = j.execution_id
left join projections.workflow_node w on w.workflow_id = e.workflow_id and w.version = e.version and w.node_id = j.node_id;

comment on view read.job is
'One row for each job; a retry is a job of its own. Ask with execution_id. Chronological is `order by queued_at, job_id`.';
comment on column read.job.tenant_id is 'The tenant.';
comment on column read.job.execution_id is 'The execution it belongs to.';
comment on column read.job.job_id is 'Identity, a UUIDv7.';
comment on column read.job.node_id is 'The action node.';
comment on column read.job.node_name is 'The name of the node, else its id.';
comment on column read.job.action_type is 'What it does, for example script.bash.';
comment on column read.job.pool is 'The pool whose agents may run it.';
comment on column read.job.attempt is 'Which attempt of the node this is, from 1.';
comment on column read.job.status is 'pending (waits for an agent), dispatched, running, completed, failed, timeout or cancelled.';
comment on column read.job.agent is 'The name of the agent it was last sent to; null while it waits for one.';
comment on column read.job.queued_at is 'When it began to wait for an agent.';
comment on column read.job.dispatched_at is 'When it was sent to the agent.';
comment on column read.job.started_at is 'When the agent started it.';
comment on column read.job.finished_at is 'When it ended.';
comment on column read.job.duration_ms is 'How long it ran, by the agent''s clock, in milliseconds; by the log''s times if the agent could not say.';
comment on column read.job.output is 'What it gave (object), by action type: stdout, stderr, exitCode; statusCode, headers, body, json; truncated.';
comment on column read.job.error is 'Why it did not complete: reason, message and, as applicable, exitCode, statusCode.';

create view read.node as
select
    e.tenant_id, e.execution_id, x.node_id, x.name, x.type, x.ordinal, coalesce(x.status, 'pending') as status, x.started_at,
    x.finished_at, x.port, x.job_id, x.waiting, coalesce(x.output, j.output) as output, x.error
from projections.execution e
cross join lateral (
    select coalesce(w.node_id, n.node_id) as node_id, coalesce(w.name, n.node_id) as name, w.type, w.ordinal,
        n.status, n.started_at, n.finished_at, n.port, n.job_id, n.waiting, n.output, n.error
    from (select * from projections.node n where n.execution_id = e.execution_id) n
    full join (select * from projections.workflow_node w where w.workflow_id = e.workflow_id and w.version = e.version) w
        on w.node_id = n.node_id
) x
left join projections.job j on j.execution_id = e.execution_id and j.job_id = x.job_id and x.finished_at is not null;

comment on view read.node is
'One row for each node of the version that runs, touched or not. Ask with execution_id. `order by ordinal` is the document''s order.';
comment on column read.node.tenant_id is 'The tenant.';
comment on column read.node.execution_id is 'The execution.';
comment on column read.node.node_id is 'The id of the node in the document.';
comment on column read.node.name is 'Its name, else its id.';
comment on column read.node.type is 'action, condition, switch, delay, parallel, join, setVariables, errorHandler.';
comment on column read.node.ordinal is 'Its place in the document, from 0.';
comment on column read.node.status is 'pending (not reached yet), running, waiting (a delay, a retry), completed, failed, skipped or cancelled.';
comment on column read.node.started_at is 'When it was entered; null if it never was.';
comment on column read.node.finished_at is 'When it ended.';
comment on column read.node.port is 'The port whose edges were taken; null for all of them, or none.';
comment on column read.node.job_id is 'Its last job, if it is an action.';
comment on column read.node.waiting is 'While waiting: for (delay, retry), since, until and, for a retry, attempt and maxAttempts.';
comment on column read.node.output is 'What templates see as nodes.<id>.output; of an action, the output of its last job.';
comment on column read.node.error is 'Why it failed.';

-- workflows

create view read.workflow as
select
    workflow_id, tenant_id, name, draft_document, draft_source, draft_format, drafted_at, drafted_by, created_at, created_by, active,
    published_version, latest_version, archived_at is not null as archived, archived_at, updated_at, position
from projections.workflow;
comment on view read.workflow is 'One row for each workflow, with its draft.';
comment on column read.workflow.workflow_id is 'Identity, a UUIDv7.';
comment on column read.workflow.tenant_id is 'The tenant.';
comment on column read.workflow.name is 'The name in the draft.';
comment on column read.workflow.draft_document is 'The draft.';
comment on column read.workflow.draft_source is 'The text of the draft as it was given.';
comment on column read.workflow.draft_format is 'yaml or json.';
comment on column read.workflow.drafted_at is 'When the draft was last saved.';
comment on column read.workflow.drafted_by is 'Who saved it.';
comment on column read.workflow.created_at is 'When the workflow was made.';
comment on column read.workflow.created_by is 'Who made it.';
comment on column read.workflow.active is 'Whether it may run (it also needs a published version).';
comment on column read.workflow.published_version is 'The version that runs; null before the first publish.';
comment on column read.workflow.latest_version is 'The highest version.';
comment on column read.workflow.archived is 'Whether it was deleted: it is kept for the history of its executions.';
comment on column read.workflow.archived_at is 'When it was deleted.';
comment on column read.workflow.updated_at is 'Time of its last event.';
comment on column read.workflow.position is 'Log position of its last event.';

create view read.workflow_version as
select w.tenant_id, v.workflow_id, v.version, v.document, v.source, v.format, v.published_at, v.published_by
from projections.workflow_version v
join projections.workflow w on w.workflow_id = v.workflow_id;
comment on view read.workflow_version is 'One row for each published, immutable version of a workflow.';
comment on column read.workflow_version.tenant_id is 'The tenant.';
comment on column read.workflow_version.workflow_id is 'The workflow.';
comment on column read.workflow_version.version is 'Counts from 1.';
comment on column read.workflow_version.document is 'The document.';
comment on column read.workflow_version.source is 'Its text as it was given.';
comment on column read.workflow_version.format is 'yaml or json.';
comment on column read.workflow_version.published_at is 'When it was published.';
comment on column read.workflow_version.published_by is 'Who published it.';

-- output of jobs

create view read.job_output_chunk as
select tenant_id, execution_id, job_id, stream, number, "offset", size, data from projections.output_chunk;
comment on view read.job_output_chunk is 'The pieces of the output of jobs, while they run and after. Ask with job_id.';
comment on column read.job_output_chunk.tenant_id is 'The tenant.';
comment on column read.job_output_chunk.execution_id is 'The execution.';
comment on column read.job_output_chunk.job_id is 'The job.';
comment on column read.job_output_chunk.stream is 'stdout, stderr or body.';
comment on column read.job_output_chunk.number is 'Counts from 0 without gaps; a number that is not there is missing.';
comment on column read.job_output_chunk."offset" is 'Where in the stream it begins, in bytes.';
comment on column read.job_output_chunk.size is 'Its length in bytes.';
comment on column read.job_output_chunk.data is 'The bytes.';

create view read.job_output as
select
    p.tenant_id, p.execution_id, p.job_id, p.stream, count(p.size) as chunks, coalesce(sum(p.size), 0)::bigint as size,
    coalesce(max(p.ends_at), 0) as known_size, bool_or(p.sealed_size is not null) as sealed, max(p.sealed_chunks) as sealed_chunks,
    max(p.sealed_size) as sealed_size, max(p.sha256) as sha256,
    greatest(coalesce(max(p.sealed_chunks), 0), coalesce(max(p.number) + 1, 0)) - count(p.size) as missing_chunks
from (
    select tenant_id, execution_id, job_id, stream, number, size, "offset" + size as ends_at,
        null::integer as sealed_chunks, null::bigint as sealed_size, null::text as sha256
    from projections.output_chunk
    union all
    select tenant_id, execution_id, job_id, stream, null, null, size, chunks, size, sha256 from projections.output_seal
) p
group by p.tenant_id, p.execution_id, p.job_id, p.stream;
comment on view read.job_output is 'One row for each output stream of a job: what of it has come, and whether that is all. Ask with job_id.';
comment on column read.job_output.tenant_id is 'The tenant.';
comment on column read.job_output.execution_id is 'The execution.';
comment on column read.job_output.job_id is 'The job.';
comment on column read.job_output.stream is 'stdout, stderr or body.';
comment on column read.job_output.chunks is 'Chunks that have come.';
comment on column read.job_output.size is 'Bytes that have come.';
comment on column read.job_output.known_size is 'Bytes the stream has, as far as is known: missing ones counted.';
comment on column read.job_output.sealed is 'Whether the agent has said that nothing follows.';
comment on column read.job_output.sealed_chunks is 'Chunks there are, by the seal.';
comment on column read.job_output.sealed_size is 'Bytes there are, by the seal.';
comment on column read.job_output.sha256 is 'SHA-256 (hex) of all the bytes, by the seal.';
comment on column read.job_output.missing_chunks is 'Chunks that are known to exist and have not come.';

create function read.output_range(of_job uuid, of_stream text, from_offset bigint, max_bytes bigint)
returns table ("offset" bigint, size bigint, data bytea) language sql stable as $$
    with chunk as (
        select greatest(c."offset", from_offset) as starts, least(c."offset" + c.size, from_offset + max_bytes) as ends,
            c."offset" as chunk_starts, c.data
        from projections.output_chunk c
        where c.job_id = of_job and c.stream = of_stream
            and c."offset" + c.size > from_offset and c."offset" < from_offset + max_bytes
    ), hole as (
        select lag(ends, 1, from_offset) over (order by starts) as starts, starts as ends from chunk
        union all
        select coalesce((select max(ends) from chunk), from_offset), least(greatest(
            (select s.size from projections.output_seal s where s.job_id = of_job and s.stream = of_stream),
            (select max(c."offset") from projections.output_chunk c where c.job_id = of_job and c.stream = of_stream)
        ), from_offset + max_bytes)
    )
    select starts, ends - starts, substring(chunk.data from (starts - chunk_starts)::integer + 1 for (ends - starts)::integer) from chunk
    union all
    select starts, ends - starts, null from hole where ends > starts
    order by 1
$$;
comment on function read.output_range is
'The bytes of an output stream from an offset on, at most max_bytes of it, in order and without overlap. A row whose data is null is a hole:
those bytes exist and have not come.';

-- operations

create view read.projection as
select
    name, position, greatest(head, position) as head, greatest(head - position, 0) as lag_events,
    case when head > position then greatest(extract(epoch from now() - as_of), 0) else 0 end::double precision as lag_seconds,
    as_of, updated_at
from projections.position;

comment on view read.projection is 'How far each read model has come.';
comment on column read.projection.name is 'executions (with jobs and nodes) or workflows.';
comment on column read.projection.position is 'Log position up to which its rows are.';
comment on column read.projection.head is 'The end of the log when the projection last looked.';
comment on column read.projection.lag_events is 'Events between the two.';
comment on column read.projection.lag_seconds is 'If it lags: the age of the newest event that is in the rows.';
comment on column read.projection.as_of is 'The time of that event.';
comment on column read.projection.updated_at is 'When the projection last said something; every few seconds while it is alive.';

create view read.parked_message as
select message_id, queue, body, reason, attempts, parked_at from projections.parked_message;
comment on view read.parked_message is 'Messages that could not be handled.';
comment on column read.parked_message.message_id is 'Identity: a hash of the message.';
comment on column read.parked_message.queue is 'The queue it came for.';
comment on column read.parked_message.body is 'The message as received.';
comment on column read.parked_message.reason is 'Why it could not be handled.';
comment on column read.parked_message.attempts is 'How often that was tried.';
comment on column read.parked_message.parked_at is 'When it was set aside.';
