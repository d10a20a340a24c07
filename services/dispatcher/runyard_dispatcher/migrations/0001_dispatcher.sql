-- What the dispatcher knows: agents, jobs from their PlaceJob to their ReleaseJob, and how far it has handled its orders.

create table dispatcher.agent (
    agent_id           uuid              primary key,
    tenant_id          text              not null,
    name               text              not null,
    pool               text              not null,
    tags               text[]            not null,
    capacity           integer           not null,
    version            text              not null,
    actions            text[]            not null,
    session_id         text              not null,
    void_sessions      text[]            not null,
    status             text              not null check (status in ('online', 'offline')),
    reason             text              not null,
    registered_at      timestamptz       not null,
    last_heartbeat_at  timestamptz       not null,
    health             smallint          not null,
    reliability        double precision  not null,
    log_version        integer           not null,
    unique (tenant_id, name)
) with (fillfactor = 50);
comment on table dispatcher.agent is 'Every agent that ever registered, with its last session.';
comment on column dispatcher.agent.session_id is 'The last session: one process of the agent. It is void while the agent is offline.';
comment on column dispatcher.agent.void_sessions is 'Ended sessions, the latest last: a late message of one is told by this.';
comment on column dispatcher.agent.reason is 'Why the agent is offline; empty while it is online.';
comment on column dispatcher.agent.log_version is 'Version of the stream agent_id in dispatcher.event when this row was written.';

-- Fills and empties all the time, so it is vacuumed by the number of dead rows alone.
create table dispatcher.job (
    job_id        uuid         primary key,
    tenant_id     text         not null,
    execution_id  uuid         not null,
    state         text         not null check (state in ('waiting', 'leased', 'lost', 'withdrawn')),
    since         timestamptz  not null,
    dispatch      integer      not null,
    agent         text,
    cancel        text         check (cancel in ('before_start', 'force')),
    demand        text,
    place_job     json         not null,
    check ((state = 'waiting') = (demand is not null)),
    check (state <> 'leased' or agent is not null)
) with (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 10000, autovacuum_vacuum_cost_delay = 0);
create index job_waiting on dispatcher.job (execution_id) where state = 'waiting';
comment on table dispatcher.job is 'Jobs that wait, are leased to an agent, or were reported lost or withdrawn and have not been answered. The leases are the truth: messages to agents may be lost and are sent again from here.';
comment on column dispatcher.job.since is 'When it came into its state.';
comment on column dispatcher.job.dispatch is 'Number of its last lease; 0 before the first.';
comment on column dispatcher.job.agent is 'Name of the agent of its last lease.';
comment on column dispatcher.job.cancel is 'The agent is asked to cancel it: only before it starts, or by force.';
comment on column dispatcher.job.demand is 'While it waits: what it asks of an agent.';
comment on column dispatcher.job.place_job is 'The order as it came.';

create table dispatcher.demand (
    demand     text  primary key,
    tenant_id  text  not null,
    pool       text  not null,
    reason     text  not null
);
comment on table dispatcher.demand is 'What waiting jobs ask of an agent, and why they wait; one row for all jobs that ask the same.';

create table dispatcher.inbox (position bigint not null) with (fillfactor = 10);
create unique index inbox_single_row on dispatcher.inbox ((true));
insert into dispatcher.inbox values (0);
comment on table dispatcher.inbox is 'One row: the position in the orchestrator''s log of the last order that was handled. Orders come in log order; one that is not above it is a repetition.';

create schema if not exists read;

create view read.agent as
select a.agent_id, a.tenant_id, a.name, a.pool, a.tags, a.capacity, a.version, a.actions, a.status, a.reason, a.health,
       a.registered_at, a.last_heartbeat_at, coalesce(held.running, 0) as running
from dispatcher.agent a
left join (
    select tenant_id, agent, count(*)::integer as running from dispatcher.job where state = 'leased' group by tenant_id, agent
) held on held.tenant_id = a.tenant_id and held.agent = a.name;
comment on view read.agent is 'Every agent that ever registered.';
comment on column read.agent.agent_id is 'Also its stream in the dispatcher''s log.';
comment on column read.agent.tenant_id is 'The tenant it works for.';
comment on column read.agent.name is 'Unique in the tenant.';
comment on column read.agent.pool is 'The pool it takes jobs of.';
comment on column read.agent.tags is 'Jobs may ask for an agent that has certain tags.';
comment on column read.agent.capacity is 'How many jobs it may hold at once.';
comment on column read.agent.version is 'Of the agent''s program.';
comment on column read.agent.actions is 'The action types it offers.';
comment on column read.agent.status is 'online or offline.';
comment on column read.agent.reason is 'Why it is offline; empty while it is online.';
comment on column read.agent.health is '0 to 100: 100 x freshness of its heartbeats (1 up to one and a half intervals of silence, falling evenly to 0 where it is declared offline) x the share of its leases that did not end by losing it (the latest weighs a tenth).';
comment on column read.agent.registered_at is 'When its last session began.';
comment on column read.agent.last_heartbeat_at is 'When it was last heard.';
comment on column read.agent.running is 'Jobs it holds: sent to it and not ended.';

create view read.waiting_job as
select j.job_id, j.execution_id, j.tenant_id, d.pool, j.since, d.reason
from dispatcher.job j
join dispatcher.demand d on d.demand = j.demand
where j.state = 'waiting';
comment on view read.waiting_job is 'Jobs that wait for an agent.';
comment on column read.waiting_job.job_id is 'The job.';
comment on column read.waiting_job.execution_id is 'The execution it belongs to.';
comment on column read.waiting_job.tenant_id is 'The tenant it belongs to.';
comment on column read.waiting_job.pool is 'The pool it asks for.';
comment on column read.waiting_job.since is 'Since when it waits.';
comment on column read.waiting_job.reason is 'Why it waits, in words.';
