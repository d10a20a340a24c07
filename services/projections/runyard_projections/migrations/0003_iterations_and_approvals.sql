-- Iterations of forEach nodes, subworkflows, approvals and re-runs.
--
-- `execution_id` is everywhere the execution that users see; `stream_id` is the iteration's stream in which it happened, null
-- in the execution's own. What an execution waits for is kept with its nodes, so that an event costs the same however many
-- items wait; the views give the oldest few of them.

alter table projections.execution
    add column parent_node_id  text,
    add column depth           integer not null default 0,
    add column from_node       text,
    add column jobs_live       integer not null default 0,
    add column paused_ms       bigint  not null default 0,
    add column paused_since    timestamptz;

update projections.execution e
set jobs_live = live.jobs
from (select j.execution_id, count(*) as jobs from projections.job j where j.finished_at is null group by j.execution_id) live
where live.execution_id = e.execution_id;

create index execution_reruns on projections.execution (rerun_of, started_at) where rerun_of is not null;
create index execution_children on projections.execution (parent_execution_id, started_at) where parent_execution_id is not null;

alter table projections.job
    add column stream_id         uuid,
    add column queue_expires_at  timestamptz;

create table projections.iteration (
    stream_id         uuid        primary key,
    execution_id      uuid        not null,
    parent_stream_id  uuid        not null,
    node_id           text        not null,
    index             integer     not null,
    path              text        not null,
    item              json        not null,
    status            text        not null,
    started_at        timestamptz not null,
    finished_at       timestamptz,
    output            json,
    error             json
) with (fillfactor = 70);
create index iteration_of_node on projections.iteration (execution_id, node_id, parent_stream_id, index);

-- The index changes only when a node begins or ends to wait for something other than its job.
create table projections.iteration_node (
    execution_id   uuid        not null,
    stream_id      uuid        not null,
    node_id        text        not null,
    status         text        not null,
    job_id         uuid,
    started_at     timestamptz,
    finished_at    timestamptz,
    port           text,
    waiting        json,
    waiting_since  timestamptz,
    output         json,
    error          json,
    position       bigint      not null,
    primary key (execution_id, stream_id, node_id)
) with (fillfactor = 80);
create index iteration_node_waiting on projections.iteration_node (execution_id, waiting_since) where waiting_since is not null;

-- How far a forEach node is; `stream_id` is the stream that holds the node: the execution's id for a top-level one.
create table projections.foreach (
    execution_id  uuid    not null,
    stream_id     uuid    not null,
    node_id       text    not null,
    total         integer not null,
    scheduled     integer not null,
    completed     integer not null,
    failed        integer not null,
    cancelled     integer not null,
    primary key (execution_id, stream_id, node_id)
) with (fillfactor = 50);

create table projections.approval (
    approval_id            uuid        primary key,
    tenant_id              text        not null,
    execution_id           uuid        not null,
    stream_id              uuid        not null,
    node_id                text        not null,
    workflow_name          text        not null,
    started_by             text        not null,
    message                text        not null,
    status                 text        not null,
    approvers              text[]      not null,
    min_approvals          integer     not null,
    prevent_self_approval  boolean     not null,
    requested_at           timestamptz not null,
    expires_at             timestamptz,
    votes                  json[]      not null,
    notifications          json[]      not null,
    escalated_to           text[]      not null,
    escalated_at           timestamptz,
    reminded_at            timestamptz,
    responded_by           text,
    response_note          text,
    responded_via          text,
    responded_at           timestamptz,
    position               bigint      not null
) with (fillfactor = 70);
create index approval_oldest on projections.approval (tenant_id, status, requested_at, approval_id);
create index approval_of_execution on projections.approval (execution_id, requested_at);

-- `body`: the forEach nodes around a node, outermost first (`outer.each`); null for a top-level node. Ids are unique in a document.
alter table projections.workflow_node add column body text;

-- executions

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
                left join projections.iteration i on i.stream_id = n.stream_id
                left join projections.approval a on a.approval_id = (n.waiting ->> 'approvalId')::uuid
                union all
                (select j.job_id::text, at.since,
                    json_build_object('for', 'agent', 'nodeId', j.node_id, 'item', i.path, 'jobId', j.job_id, 'pool', j.pool,
                        'since', at.since, 'until', at.until)
                from (
                    select p.job_id, p.node_id, p.stream_id, p.pool, p.queued_at, p.queue_expires_at from projections.job p
                    where p.execution_id = e.execution_id and e.jobs_live > 0 and p.status = 'pending'
                    order by p.queued_at, p.job_id limit 20
                ) j
                left join projections.iteration i on i.stream_id = j.stream_id
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

comment on view read.execution is
'One row for each execution. Newest first is `order by started_at desc, execution_id desc`; a page is
`and (started_at, execution_id) < ($at, $id) … limit n`. Each of these, with tenant_id, has an index in that order: nothing else,
a range of started_at, one workflow_id, one status, one trigger_type. For several values write one such select for each,
joined by `union all`, and order and limit the whole. Also indexed: rerun_of (the re-runs of an execution) and parent_execution_id
(its subworkflows). Free text: names through the workflow ids that read.workflow gives for them (a workflow keeps its name), ids by
their beginning through `execution_id between read.first_id($q) and read.last_id($q)`. `vars`, `waiting` and `waiting_total` cost a
look at the nodes and jobs of the row, but only in a query that names them: do not `select *` for a list.';
comment on column read.execution.status is
'pending, running, paused (all that is outstanding is approvals), completed, failed or cancelled. The last three are final.';
comment on column read.execution.parent_execution_id is 'The execution whose subworkflow node this is, if any.';
comment on column read.execution.jobs_completed is
'Its jobs (rows of read.job, retries and those of iterations included) with the status completed.';
comment on column read.execution.jobs_total is 'All its jobs, retries and those of iterations included.';
comment on column read.execution.pending_approvals is 'Its open approvals, those of iterations included.';
comment on column read.execution.waiting is
'What an active execution waits for, oldest first, at most 20; null when finished. A list of objects with `for`: delay (nodeId, since,
until), retry (nodeId, attempt, maxAttempts, since, until), approval (nodeId, approvalId, approvers, since, until), subworkflow (nodeId,
executionId of the child, since), agent (a job not yet dispatched: nodeId, jobId, pool, since, until), jobs (it is failing, and
count jobs still run: since). What waits in an iteration of a forEach has its path in `item`, such as each[3].';
comment on column read.execution.parent_node_id is 'The subworkflow node of the parent, if any.';
comment on column read.execution.depth is 'How many executions are above it: 0 unless it is a subworkflow.';
comment on column read.execution.from_node is 'Of a re-run from a node: that node; what was upstream of it was reused.';
comment on column read.execution.paused_ms is
'Milliseconds it was paused, without the pause that lasts (add now() - paused_since). Part of duration_ms.';
comment on column read.execution.paused_since is 'When the pause that lasts began; null unless the status is paused.';
comment on column read.execution.waiting_total is 'How many entries `waiting` would have without its limit; null when finished.';

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
left join projections.iteration i on i.stream_id = j.stream_id;

comment on column read.job.execution_id is 'The execution that users see, also for a job of an iteration.';
comment on column read.job.queue_expires_at is 'Until when an agent must have started it; null for no limit.';
comment on column read.job.item is 'The iteration it belongs to, such as each[3] or outer[1].each[0]; null outside of a forEach.';
comment on column read.job.stream_id is 'The stream of its events: the iteration''s, else the execution_id.';

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

comment on view read.node is
'One row for each node of the version that runs, touched or not, without the bodies of forEach nodes (read.iteration_node). Ask with
execution_id. `order by ordinal` is the document''s order.';
comment on column read.node.type is
'action, condition, switch, approval, delay, parallel, join, forEach, subworkflow, setVariables, errorHandler.';
comment on column read.node.status is
'pending (not reached yet), running, waiting (a delay, a retry, an approval), completed, failed, skipped or cancelled.';
comment on column read.node.started_at is 'When it was entered; null if it never was, or if a re-run took over its result.';
comment on column read.node.waiting is
'While it waits: for (delay, retry, approval, subworkflow), since, as applicable until and, for a retry, attempt and maxAttempts, for an
approval approvalId, for a subworkflow executionId.';
comment on column read.node.progress is 'Of a forEach that was entered: its items as total, completed, failed, cancelled, running.';

-- iterations

create view read.iteration as
select
    e.tenant_id, i.execution_id, i.stream_id, i.parent_stream_id, i.node_id, i.path, i.index, i.item as value, i.status, i.started_at,
    i.finished_at, (extract(epoch from i.finished_at - i.started_at) * 1000)::bigint as duration_ms, i.output, i.error
from projections.iteration i
join projections.execution e on e.execution_id = i.execution_id;

comment on view read.iteration is
'One row for each iteration of a forEach that began. Ask with execution_id; with node_id and parent_stream_id, `order by index` and a
range of it have an index.';
comment on column read.iteration.tenant_id is 'The tenant.';
comment on column read.iteration.execution_id is 'The execution that users see.';
comment on column read.iteration.stream_id is 'Identity: the stream of the iteration''s events, a UUIDv7.';
comment on column read.iteration.parent_stream_id is 'The stream that holds the forEach: the execution_id, or that of an iteration around it.';
comment on column read.iteration.node_id is 'The forEach node.';
comment on column read.iteration.path is 'Its name among all iterations of the execution, such as each[3] or outer[1].each[0].';
comment on column read.iteration.index is 'Its place among the items of its forEach, from 0.';
comment on column read.iteration.value is 'The item it is for (any JSON).';
comment on column read.iteration.status is 'running, completed, failed or cancelled.';
comment on column read.iteration.started_at is 'When it began.';
comment on column read.iteration.finished_at is 'When it ended.';
comment on column read.iteration.duration_ms is 'Milliseconds from start to end; null while it runs.';
comment on column read.iteration.output is 'What it gave to the list that is the output of its forEach.';
comment on column read.iteration.error is 'Why it failed.';

create view read.iteration_node as
select
    e.tenant_id, n.execution_id, n.stream_id, i.path as item, n.node_id, coalesce(w.name, n.node_id) as name, w.type, w.body, w.ordinal,
    n.status, n.started_at, n.finished_at, n.port, n.job_id, n.waiting, coalesce(n.output, j.output) as output, n.error,
    case when f.total is not null then json_build_object('total', f.total, 'completed', f.completed, 'failed', f.failed,
        'cancelled', f.cancelled, 'running', greatest(f.scheduled - f.completed - f.failed - f.cancelled, 0)) end as progress
from projections.iteration_node n
join projections.execution e on e.execution_id = n.execution_id
left join projections.iteration i on i.stream_id = n.stream_id
left join projections.workflow_node w on w.workflow_id = e.workflow_id and w.version = e.version and w.node_id = n.node_id
left join projections.job j on j.execution_id = n.execution_id and j.job_id = n.job_id and n.finished_at is not null
left join projections.foreach f on f.execution_id = n.execution_id and f.stream_id = n.stream_id and f.node_id = n.node_id;

comment on view read.iteration_node is
'One row for each node that an iteration of a forEach has reached. Ask with execution_id, for one iteration with its stream_id too.';
comment on column read.iteration_node.tenant_id is 'The tenant.';
comment on column read.iteration_node.execution_id is 'The execution that users see.';
comment on column read.iteration_node.stream_id is 'The iteration (read.iteration).';
comment on column read.iteration_node.item is 'The path of the iteration, such as each[3].';
comment on column read.iteration_node.node_id is 'The id of the node in the document.';
comment on column read.iteration_node.name is 'Its name, else its id.';
comment on column read.iteration_node.type is 'As in read.node.';
comment on column read.iteration_node.body is 'The forEach nodes around it, outermost first, such as outer.each.';
comment on column read.iteration_node.ordinal is 'Its place in the body, from 0.';
comment on column read.iteration_node.status is 'running, waiting (a delay, a retry, an approval), completed, failed, skipped or cancelled.';
comment on column read.iteration_node.started_at is 'When it was entered; null if it never was.';
comment on column read.iteration_node.finished_at is 'When it ended.';
comment on column read.iteration_node.port is 'The port whose edges were taken; null for all of them, or none.';
comment on column read.iteration_node.job_id is 'Its last job, if it is an action.';
comment on column read.iteration_node.waiting is 'While it waits: as in read.node.';
comment on column read.iteration_node.output is 'What templates see as nodes.<id>.output; of an action, the output of its last job.';
comment on column read.iteration_node.error is 'Why it failed.';
comment on column read.iteration_node.progress is 'Of a forEach inside a forEach: as in read.node.';

-- approvals

create view read.approval as
select
    a.approval_id, a.tenant_id, a.execution_id, a.stream_id, i.path as item, e.workflow_id, a.workflow_name, a.node_id,
    coalesce(w.name, a.node_id) as node_name, a.message, a.status, a.approvers, a.min_approvals, a.prevent_self_approval,
    array_to_json(a.votes) as votes, a.requested_at, a.expires_at, a.escalated_to, a.escalated_at, a.reminded_at, a.responded_by,
    a.response_note, a.responded_via, a.responded_at, array_to_json(a.notifications) as notifications, a.started_by, a.position
from projections.approval a
join projections.execution e on e.execution_id = a.execution_id
left join projections.workflow_node w on w.workflow_id = e.workflow_id and w.version = e.version and w.node_id = a.node_id
left join projections.iteration i on i.stream_id = a.stream_id;

comment on view read.approval is
'One row for each approval. With tenant_id and one status, `order by requested_at, approval_id` and a page of it,
`and (requested_at, approval_id) > ($at, $id) … limit n`, have an index; so has execution_id.';
comment on column read.approval.approval_id is 'Identity, a UUIDv7.';
comment on column read.approval.tenant_id is 'The tenant; every query names it.';
comment on column read.approval.execution_id is 'The execution that users see.';
comment on column read.approval.stream_id is 'The stream that waits: the iteration''s, else the execution_id.';
comment on column read.approval.item is 'The iteration it belongs to, such as each[3]; null outside of a forEach.';
comment on column read.approval.workflow_id is 'The workflow.';
comment on column read.approval.workflow_name is 'Its name when the execution started.';
comment on column read.approval.node_id is 'The approval node.';
comment on column read.approval.node_name is 'The name of the node, else its id.';
comment on column read.approval.message is 'What is asked, rendered.';
comment on column read.approval.status is 'pending, approved, rejected, expired or cancelled. All but the first are final.';
comment on column read.approval.approvers is 'Who may answer, as an array of names and `role:` names; empty for anyone who may execute.';
comment on column read.approval.min_approvals is 'How many different people must approve.';
comment on column read.approval.prevent_self_approval is 'Whether the person who started the execution is refused.';
comment on column read.approval.votes is 'Approvals before the deciding answer, oldest first: a list of by, note, via, at.';
comment on column read.approval.requested_at is 'When it was asked.';
comment on column read.approval.expires_at is 'When it expires unanswered; null for never.';
comment on column read.approval.escalated_to is 'Who may answer as well since escalated_at, as an array; empty before.';
comment on column read.approval.escalated_at is 'When it was escalated.';
comment on column read.approval.reminded_at is 'When approvers were reminded.';
comment on column read.approval.responded_by is 'Who gave the deciding answer; null if nobody did.';
comment on column read.approval.response_note is 'The note of the deciding answer, or why there was none; null while it is pending.';
comment on column read.approval.responded_via is 'Where the deciding answer came from: web, mobile, api or link.';
comment on column read.approval.responded_at is 'When it was decided.';
comment on column read.approval.notifications is
'What channels were told or could not be told, oldest first: a list of channel, purpose (requested, reminder, escalation), error, attempts, at.';
comment on column read.approval.started_by is 'The actor who started the execution.';
comment on column read.approval.position is 'Log position of its last event that is in this row.';

-- output of jobs: under the execution that users see

create or replace view read.job_output_chunk as
select c.tenant_id, coalesce(i.execution_id, c.execution_id) as execution_id, c.job_id, c.stream, c.number, c."offset", c.size, c.data
from projections.output_chunk c
left join projections.iteration i on i.stream_id = c.execution_id;
comment on column read.job_output_chunk.execution_id is 'The execution that users see.';

create or replace view read.job_output as
select
    p.tenant_id, coalesce(i.execution_id, p.execution_id) as execution_id, p.job_id, p.stream, p.chunks, p.size, p.known_size, p.sealed,
    p.sealed_chunks, p.sealed_size, p.sha256, p.missing_chunks
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
) p
left join projections.iteration i on i.stream_id = p.execution_id;
comment on column read.job_output.execution_id is 'The execution that users see.';

comment on column read.projection.name is 'executions (with jobs, nodes, iterations and approvals) or workflows.';
