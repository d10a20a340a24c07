-- The tables of the read models. Readers use the views in schema `read` (next migration); these may change shape.
--
-- Rows hold the result of the events up to `projections.position`, written in the same transaction. Tables that are updated
-- keep room on their pages (fillfactor) and their changing columns out of indexes, so that an update touches no index;
-- the one exception is the status of an execution, which changes once.
-- JSON columns are `json`: kept byte for byte, cheap to write, and any JSON text fits (`jsonb` refuses \u0000).

create table projections.position (
    name        text        primary key,
    position    bigint      not null,
    as_of       timestamptz,
    head        bigint      not null default 0,
    updated_at  timestamptz not null default now()
) with (fillfactor = 10);

insert into projections.position (name, position) values ('executions', 0), ('workflows', 0);

-- projection `executions`

create table projections.execution (
    execution_id         uuid        primary key,
    tenant_id            text        not null,
    workflow_id          uuid        not null,
    workflow_name        text        not null,
    version              integer     not null,
    status               text        not null,
    trigger_type         text        not null,
    trigger              json        not null,
    inputs               json        not null,
    started_by           text        not null,
    parent_execution_id  uuid,
    rerun_of             uuid,
    timeout_seconds      double precision not null,
    started_at           timestamptz not null,
    failing_at           timestamptz,
    finished_at          timestamptz,
    jobs_total           integer     not null,
    jobs_completed       integer     not null,
    pending_approvals    integer     not null default 0,
    error                json,
    cancellation         json,
    position             bigint      not null
) with (fillfactor = 70);

create index execution_newest on projections.execution (tenant_id, started_at desc, execution_id desc);
create index execution_by_workflow on projections.execution (tenant_id, workflow_id, started_at desc, execution_id desc);
create index execution_by_status on projections.execution (tenant_id, status, started_at desc, execution_id desc);
create index execution_by_trigger on projections.execution (tenant_id, trigger_type, started_at desc, execution_id desc);

create table projections.job (
    execution_id   uuid        not null,
    job_id         uuid        not null,
    node_id        text        not null,
    action         text        not null,
    pool           text        not null,
    attempt        integer     not null,
    status         text        not null,
    agent          text,
    queued_at      timestamptz not null,
    dispatched_at  timestamptz,
    started_at     timestamptz,
    finished_at    timestamptz,
    duration_ms    bigint,
    output         json,
    error          json,
    primary key (execution_id, job_id)
) with (fillfactor = 70);

-- `output` is null for a node that has a job: it is the job's, stored once.
create table projections.node (
    execution_id  uuid        not null,
    node_id       text        not null,
    status        text        not null,
    job_id        uuid,
    started_at    timestamptz,
    finished_at   timestamptz,
    port          text,
    waiting       json,
    output        json,
    error         json,
    position      bigint      not null,
    primary key (execution_id, node_id)
) with (fillfactor = 80);

-- projection `workflows`

create table projections.workflow (
    workflow_id        uuid        primary key,
    tenant_id          text        not null,
    name               text        not null,
    draft_document     json        not null,
    draft_source       text        not null,
    draft_format       text        not null,
    drafted_at         timestamptz not null,
    drafted_by         text        not null,
    created_at         timestamptz not null,
    created_by         text        not null,
    active             boolean     not null,
    published_version  integer,
    latest_version     integer,
    archived_at        timestamptz,
    updated_at         timestamptz not null,
    position           bigint      not null
);
create index workflow_by_name on projections.workflow (tenant_id, name, workflow_id);

create table projections.workflow_version (
    workflow_id   uuid        not null,
    version       integer     not null,
    document      json        not null,
    source        text        not null,
    format        text        not null,
    published_at  timestamptz not null,
    published_by  text        not null,
    primary key (workflow_id, version)
);

create table projections.workflow_node (
    workflow_id  uuid    not null,
    version      integer not null,
    node_id      text    not null,
    ordinal      integer not null,
    name         text    not null,
    type         text    not null,
    primary key (workflow_id, version, node_id)
);

-- Not from the log: output of jobs and parked messages, kept as they come. A rebuild leaves them alone.

create table projections.output_chunk (
    job_id        uuid        not null,
    stream        text        not null,
    number        integer     not null,
    "offset"      bigint      not null,
    size          integer     not null,
    data          bytea       not null,
    execution_id  uuid        not null,
    tenant_id     text        not null,
    primary key (job_id, stream, number)
);

create table projections.output_seal (
    job_id        uuid   not null,
    stream        text   not null,
    chunks        integer not null,
    size          bigint not null,
    sha256        text   not null,
    execution_id  uuid   not null,
    tenant_id     text   not null,
    primary key (job_id, stream)
);

create table projections.parked_message (
    message_id  text        primary key,
    queue       text        not null,
    body        bytea       not null,
    reason      text        not null,
    attempts    integer     not null,
    parked_at   timestamptz not null
);
create index parked_message_newest on projections.parked_message (parked_at desc, message_id desc);
