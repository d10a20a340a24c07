-- Figures by time (projection `analytics`): rollups by quarter of an hour and by UTC day, from which the days of any time zone
-- are summed, and what has to be known of executions and jobs that are not over.
--
-- An execution counts where it started, whenever it ended; its jobs count with it. `width` is in seconds: 900 or 86400. The rows
-- of the running quarter and day change with every batch: they keep room on their pages, and no index holds what changes.

insert into projections.position (name, position) values ('analytics', 0);

-- `workflow_id` zero stands for all of the tenant's workflows together. `buckets` and `counts`: how many durations are in each
-- bucket (see read.duration_bucket); `duration_ms` is their sum.
create table projections.analytics_execution (
    tenant_id    text        not null,
    workflow_id  uuid        not null,
    width        integer     not null,
    starts_at    timestamptz not null,
    started      integer     not null,
    completed    integer     not null,
    failed       integer     not null,
    cancelled    integer     not null,
    duration_ms  bigint      not null,
    buckets      integer[]   not null,
    counts       integer[]   not null,
    primary key (tenant_id, workflow_id, width, starts_at)
) with (fillfactor = 70);

create table projections.analytics_workflow (
    tenant_id    text not null,
    workflow_id  uuid not null,
    name         text not null,
    primary key (tenant_id, workflow_id)
);

-- `agent` is empty for jobs that never reached one.
create table projections.analytics_agent (
    tenant_id    text        not null,
    agent        text        not null,
    width        integer     not null,
    starts_at    timestamptz not null,
    completed    integer     not null,
    failed       integer     not null,
    timed_out    integer     not null,
    cancelled    integer     not null,
    busy_ms      bigint      not null,
    primary key (tenant_id, width, starts_at, agent)
) with (fillfactor = 70);

-- Until an execution has ended and nothing of it is outstanding: jobs and iterations that began.
create table projections.analytics_open_execution (
    execution_id  uuid        primary key,
    tenant_id     text        not null,
    workflow_id   uuid        not null,
    started_at    timestamptz not null,
    ended         boolean     not null,
    outstanding   integer     not null
) with (fillfactor = 70);

-- Jobs that an agent has, until they end.
create table projections.analytics_open_job (
    job_id      uuid        primary key,
    agent       text        not null,
    started_at  timestamptz
) with (fillfactor = 70);

-- The same of what has left the log: a rebuild begins with it.
create schema projections_archived;
create table projections_archived.analytics_execution (like projections.analytics_execution including all);
create table projections_archived.analytics_workflow (like projections.analytics_workflow including all);
create table projections_archived.analytics_agent (like projections.analytics_agent including all);
create table projections_archived.analytics_open_execution (like projections.analytics_open_execution including all);
create table projections_archived.analytics_open_job (like projections.analytics_open_job including all);

create function read.duration_bucket(duration_ms bigint) returns integer language sql immutable strict parallel safe as $$
    select case
        when duration_ms < 64 then greatest(duration_ms, 0)
        else (59 - position('1' in duration_ms::bit(64)::text)) * 32
            + (duration_ms >> (59 - position('1' in duration_ms::bit(64)::text)))
    end::integer
$$;
comment on function read.duration_bucket is
'The bucket of read.analytics_execution.buckets that a duration in milliseconds is in: itself below 64, then 32 for each doubling.';

create function read.bucket_duration(bucket integer) returns double precision language sql immutable strict parallel safe as $$
    select case
        when bucket < 64 then bucket::double precision
        else ((bucket % 32 + 32)::bigint << (bucket / 32 - 1)) + ((1::bigint << (bucket / 32 - 1)) - 1) / 2.0::double precision
    end
$$;
comment on function read.bucket_duration is 'The middle of a bucket in milliseconds: at most 1.6 % from any duration in it.';

create view read.analytics_execution as
select tenant_id, workflow_id, width, starts_at, started, completed, failed, cancelled, duration_ms, buckets, counts
from projections.analytics_execution;
comment on view read.analytics_execution is
'One row for each interval in which executions started, for each workflow and for all of a tenant together. Ask with tenant_id,
workflow_id, width and a range of starts_at; sums of rows that do not overlap are figures of the time that they cover. Every row of
width 86400 is the sum of rows of width 900.';
comment on column read.analytics_execution.tenant_id is 'The tenant; every query names it.';
comment on column read.analytics_execution.workflow_id is
'The workflow; 00000000-0000-0000-0000-000000000000 for all of the tenant together.';
comment on column read.analytics_execution.width is 'Length of the interval in seconds: 900 (a quarter of an hour) or 86400 (a day in UTC).';
comment on column read.analytics_execution.starts_at is 'When the interval begins, a multiple of its length since 1970.';
comment on column read.analytics_execution.started is 'Executions that started in it, subworkflows and re-runs included.';
comment on column read.analytics_execution.completed is 'Those of them that have completed, whenever that was.';
comment on column read.analytics_execution.failed is 'Those of them that have failed.';
comment on column read.analytics_execution.cancelled is 'Those of them that were cancelled. What is left of started is active.';
comment on column read.analytics_execution.duration_ms is 'Sum of the durations of those that have ended, in milliseconds.';
comment on column read.analytics_execution.buckets is
'Buckets of durations that occur, in order: see read.duration_bucket and read.bucket_duration. With counts as unnest(buckets, counts).';
comment on column read.analytics_execution.counts is 'How many durations are in each of the buckets.';

create view read.analytics_workflow as
select tenant_id, workflow_id, name from projections.analytics_workflow;
comment on view read.analytics_workflow is 'One row for each workflow that was ever executed.';
comment on column read.analytics_workflow.tenant_id is 'The tenant.';
comment on column read.analytics_workflow.workflow_id is 'The workflow.';
comment on column read.analytics_workflow.name is 'Its name when it was last executed.';

create view read.analytics_agent as
select tenant_id, agent, width, starts_at, completed, failed, timed_out, cancelled, busy_ms from projections.analytics_agent;
comment on view read.analytics_agent is
'One row for each interval and agent: jobs that have ended, of executions that started in the interval. Ask with tenant_id, width and
a range of starts_at. Rows of the two widths as in read.analytics_execution.';
comment on column read.analytics_agent.tenant_id is 'The tenant.';
comment on column read.analytics_agent.agent is 'The name of the agent; empty for jobs that ended without having reached one.';
comment on column read.analytics_agent.width is 'Length of the interval in seconds: 900 or 86400.';
comment on column read.analytics_agent.starts_at is 'When the interval begins.';
comment on column read.analytics_agent.completed is 'Jobs that completed, retries counted each.';
comment on column read.analytics_agent.failed is 'Jobs that failed.';
comment on column read.analytics_agent.timed_out is 'Jobs with the status timeout.';
comment on column read.analytics_agent.cancelled is 'Jobs that were cancelled.';
comment on column read.analytics_agent.busy_ms is 'Sum of how long they ran, in milliseconds.';
