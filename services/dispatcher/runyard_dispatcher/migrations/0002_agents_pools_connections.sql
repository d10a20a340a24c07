-- Agents are created and enrol before they may register; pools and connections are things of their own.

drop view read.agent;

-- --- agents

alter table dispatcher.agent
    add column created_at      timestamptz,
    add column given_tags      text[]   not null default '{}',
    add column announced_tags  text[]   not null default '{}',
    add column key_hash        text     unique,
    add column public_key      bytea,
    add column transport       text     check (transport in ('amqp', 'https', 'local')),
    add column account         text     not null default 'none' check (account in ('none', 'granted', 'void')),
    add column drained         boolean  not null default false,
    alter column session_id        drop not null,
    alter column registered_at     drop not null,
    alter column last_heartbeat_at drop not null,
    drop constraint agent_status_check,
    add constraint agent_status_check check (status in ('new', 'online', 'offline', 'revoked'));

-- Whoever came without a key until now must be given one: its session ends here, and what it held is lost.
update dispatcher.job set state = 'lost', since = now() where state = 'leased';
update dispatcher.agent set
    created_at = registered_at,
    announced_tags = tags,
    void_sessions = case when status = 'online' then void_sessions || session_id else void_sessions end,
    status = 'offline',
    health = 0,
    reason = 'it has no key: rotate its key, and start it with the new one';

alter table dispatcher.agent
    drop column tags,
    alter column created_at set not null,
    alter column given_tags drop default,
    alter column announced_tags drop default,
    alter column account drop default,
    alter column drained drop default;

comment on table dispatcher.agent is 'Every agent that was ever created, with its last session.';
comment on column dispatcher.agent.session_id is 'The last session: one process of the agent. It is void unless the agent is online.';
comment on column dispatcher.agent.reason is 'Why the agent is not online; empty while it is.';
comment on column dispatcher.agent.given_tags is 'Tags that it was given by people.';
comment on column dispatcher.agent.announced_tags is 'Tags that its last session announced, of its host.';
comment on column dispatcher.agent.key_hash is 'SHA-256 (hex) of its key. Without one it cannot enrol, and no session of it counts.';
comment on column dispatcher.agent.public_key is 'X25519, of the process that enrolled last with its key; null until one has.';
comment on column dispatcher.agent.transport is 'How it is connected since it enrolled last.';
comment on column dispatcher.agent.account is 'Its account at the broker: granted (there may be one), void (it must be deleted), none. Written before the account is made and after it is deleted.';
comment on column dispatcher.agent.drained is 'It gets nothing new.';

-- --- pools

create table dispatcher.pool (
    pool_id       uuid         primary key,
    tenant_id     text         not null,
    name          text         not null,
    description   text         not null,
    paused_by     text,
    pause_reason  text         not null,
    created_at    timestamptz  not null,
    log_version   integer      not null,
    unique (tenant_id, name)
);
comment on table dispatcher.pool is 'Pools. The pool default exists without a row, and has one once it was paused.';
comment on column dispatcher.pool.pool_id is 'Its stream in dispatcher.event.';
comment on column dispatcher.pool.paused_by is 'Who paused it; null while it is not paused.';

insert into dispatcher.pool (pool_id, tenant_id, name, description, paused_by, pause_reason, created_at, log_version)
select overlay(gen_random_uuid()::text placing '7' from 15)::uuid, tenant_id, pool, '', null, '', min(created_at), 0
from dispatcher.agent
where pool <> 'default'
group by tenant_id, pool;

-- --- connections

create table dispatcher.connection (
    connection_id  uuid         primary key,
    tenant_id      text         not null,
    name           text         not null,
    kind           text         not null,
    config         json         not null,
    pools          text[]       not null,
    enabled        boolean      not null,
    description    text         not null,
    created_at     timestamptz  not null,
    updated_at     timestamptz  not null,
    tested         json,
    log_version    integer      not null,
    unique (tenant_id, name) deferrable initially deferred
);
comment on table dispatcher.connection is 'What jobs use to reach other systems.';
comment on column dispatcher.connection.connection_id is 'Also its stream in dispatcher.event.';
comment on column dispatcher.connection.pools is 'The pools that may use it; empty: all.';
comment on column dispatcher.connection.tested is 'The last test: {ok, message, agent, at}.';

create table dispatcher.connection_secret (
    connection_id  uuid   not null references dispatcher.connection on delete cascade,
    name           text   not null,
    box            bytea  not null,
    primary key (connection_id, name)
);
comment on table dispatcher.connection_secret is 'Secrets, each in a box that only a master key opens. A row is written only when its secret is given anew, or by rotate-master-key if it still holds the box that was re-sealed.';

create table dispatcher.sealing_key (public_key bytea not null);
create unique index sealing_key_single_row on dispatcher.sealing_key ((true));
comment on table dispatcher.sealing_key is 'At most one row: the public half of the first master key of the dispatcher that leads. No row: it has no master key.';

-- --- action types, refusals, answers

create table dispatcher.action_type (
    tenant_id         text     not null,
    type              text     not null,
    params            json     not null,
    output            json     not null,
    connections       text[]   not null,
    needs_connection  boolean  not null,
    description       text     not null,
    primary key (tenant_id, type)
);
comment on table dispatcher.action_type is 'Action types beyond those that come with Runyard, as an agent announced them last.';

alter table dispatcher.job
    add column refusal json,
    drop constraint job_state_check,
    add constraint job_state_check check (state in ('waiting', 'leased', 'lost', 'withdrawn', 'refused')),
    add constraint job_refusal_check check ((state = 'refused') = (refusal is not null));
comment on table dispatcher.job is 'Jobs that wait, are leased to an agent, or were reported lost, withdrawn or refused and have not been answered. The leases are the truth: messages to agents may be lost and are sent again from here.';
comment on column dispatcher.job.refusal is 'Why no agent can ever run it: {reason, message}.';

create table dispatcher.answer (
    request_id   text         primary key,
    answered_at  timestamptz  not null,
    reply        json         not null
);
create index answer_answered_at on dispatcher.answer (answered_at);
comment on table dispatcher.answer is 'What was answered to requests of the last day, written with what they changed: a request that comes again gets the same answer and changes nothing.';

-- --- what others may read

create view read.agent as
select a.agent_id, a.tenant_id, a.name, a.pool,
       array(select distinct tag from unnest(a.given_tags || a.announced_tags) tag order by tag) as tags,
       a.capacity, a.version, a.actions,
       case when a.status = 'online' and a.drained then 'draining' else a.status end as status,
       a.drained, a.reason, a.health, a.transport,
       left(encode(sha256(a.public_key), 'hex'), 16) as key_fingerprint,
       a.created_at, a.registered_at, a.last_heartbeat_at, coalesce(held.running, 0) as running
from dispatcher.agent a
left join (
    select tenant_id, agent, count(*)::integer as running from dispatcher.job where state = 'leased' group by tenant_id, agent
) held on held.tenant_id = a.tenant_id and held.agent = a.name;
comment on view read.agent is 'Every agent that was ever created. Ask by tenant_id, and name or agent_id.';
comment on column read.agent.agent_id is 'Also its stream in the dispatcher''s log.';
comment on column read.agent.tenant_id is 'The tenant it works for.';
comment on column read.agent.name is 'Unique in the tenant.';
comment on column read.agent.pool is 'The pool it takes jobs of.';
comment on column read.agent.tags is 'Those it was given and those of its host. Jobs may ask for an agent that has certain tags.';
comment on column read.agent.capacity is 'How many jobs it may hold at once; 0 before it registered for the first time.';
comment on column read.agent.version is 'Of the agent''s program; empty before it enrolled for the first time.';
comment on column read.agent.actions is 'The action types it offers.';
comment on column read.agent.status is 'new (has not enrolled with its key yet), online, draining (online, and gets nothing new), offline or revoked.';
comment on column read.agent.drained is 'It gets nothing new, also when it comes online.';
comment on column read.agent.reason is 'Why it is not online; empty while it is.';
comment on column read.agent.health is '0 to 100: 100 x freshness of its heartbeats (1 up to one and a half intervals of silence, falling evenly to 0 where it is declared offline) x the share of its leases that ended neither by losing it nor by a fault of its own (the latest weighs a tenth). 0 unless it is online.';
comment on column read.agent.transport is 'How it is connected: amqp, https or local; null before it enrolled.';
comment on column read.agent.key_fingerprint is 'Of the public key that secrets are sealed for: the first 16 hex digits of its SHA-256; null before it enrolled.';
comment on column read.agent.created_at is 'When it was created.';
comment on column read.agent.registered_at is 'When its last session began; null before the first.';
comment on column read.agent.last_heartbeat_at is 'When it was last heard; null before it was.';
comment on column read.agent.running is 'Jobs it holds: sent to it and not ended.';

create function read.agent_by_key(key_hash text, out agent_id uuid, out tenant_id text, out name text, out pool text, out status text)
returns setof record language sql stable as $$
    select a.agent_id, a.tenant_id, a.name, a.pool, case when a.status = 'online' and a.drained then 'draining' else a.status end
    from dispatcher.agent a
    where a.key_hash = $1 and a.status <> 'revoked'
$$;
comment on function read.agent_by_key is 'The agent whose key has this SHA-256 (hex); no row for a key that is unknown, was rotated or was revoked.';

create view read.pool as
with existing as (
    select tenant_id, name, description, paused_by, pause_reason from dispatcher.pool
    union all
    select tenant_id, 'default', '', null, ''
    from (
        select tenant_id from dispatcher.agent
        union select tenant_id from dispatcher.pool
        union select tenant_id from dispatcher.connection
        union select tenant_id from dispatcher.job
    ) tenant
    where not exists (select from dispatcher.pool p where p.tenant_id = tenant.tenant_id and p.name = 'default')
), manned as (
    select a.tenant_id, a.pool, count(*)::integer as agents,
           count(*) filter (where a.status = 'online')::integer as online,
           coalesce(sum(a.capacity) filter (where a.status = 'online'), 0)::integer as capacity,
           coalesce(sum(a.running), 0)::integer as running
    from (
        select agent.tenant_id, agent.pool, agent.status, agent.capacity, held.running
        from dispatcher.agent
        left join (
            select tenant_id, agent, count(*) as running from dispatcher.job where state = 'leased' group by tenant_id, agent
        ) held on held.tenant_id = agent.tenant_id and held.agent = agent.name
        where agent.status <> 'revoked'
    ) a
    group by a.tenant_id, a.pool
), wanted as (
    select d.tenant_id, d.pool, count(*)::integer as waiting
    from dispatcher.job j join dispatcher.demand d on d.demand = j.demand
    where j.state = 'waiting'
    group by d.tenant_id, d.pool
)
select e.tenant_id, e.name, e.description, e.paused_by is not null as paused, e.paused_by, e.pause_reason,
       coalesce(m.agents, 0) as agents, coalesce(m.online, 0) as online, coalesce(m.capacity, 0) as capacity,
       coalesce(m.running, 0) as running, coalesce(w.waiting, 0) as waiting
from existing e
left join manned m on m.tenant_id = e.tenant_id and m.pool = e.name
left join wanted w on w.tenant_id = e.tenant_id and w.pool = e.name;
comment on view read.pool is 'Pools of agents. The pool default is there for every tenant that has anything.';
comment on column read.pool.tenant_id is 'The tenant it belongs to.';
comment on column read.pool.name is 'Unique in the tenant.';
comment on column read.pool.description is 'What it is for.';
comment on column read.pool.paused is 'Nothing new is sent to its agents.';
comment on column read.pool.paused_by is 'Who paused it; null while it is not paused.';
comment on column read.pool.pause_reason is 'Why it is paused; may be empty.';
comment on column read.pool.agents is 'How many agents are in it, revoked ones not counted.';
comment on column read.pool.online is 'How many of them are online, draining ones included.';
comment on column read.pool.capacity is 'How many jobs those online may hold at once.';
comment on column read.pool.running is 'Jobs that its agents hold.';
comment on column read.pool.waiting is 'Jobs that ask for it and wait.';

create view read.connection as
select c.connection_id, c.tenant_id, c.name, c.kind, c.config,
       array(select s.name from dispatcher.connection_secret s where s.connection_id = c.connection_id order by s.name) as secrets,
       c.pools, c.enabled, c.description, c.created_at, c.updated_at, c.tested
from dispatcher.connection c;
comment on view read.connection is 'What jobs use to reach other systems. No secret is in it. Ask by tenant_id, and name or connection_id.';
comment on column read.connection.connection_id is 'Also its stream in the dispatcher''s log.';
comment on column read.connection.tenant_id is 'The tenant it belongs to.';
comment on column read.connection.name is 'Unique in the tenant: how workflows name it.';
comment on column read.connection.kind is 'ssh, http, slack, teams, smtp, postgresql, kubernetes or secrets.';
comment on column read.connection.config is 'What is no secret of it.';
comment on column read.connection.secrets is 'The names of the secrets it has.';
comment on column read.connection.pools is 'The pools that may use it; empty: all.';
comment on column read.connection.enabled is 'A job that uses a disabled one fails at once.';
comment on column read.connection.description is 'What it is for.';
comment on column read.connection.created_at is 'When it was made.';
comment on column read.connection.updated_at is 'When it was changed last.';
comment on column read.connection.tested is 'The last test: {ok, message, agent, at}; null if there was none since it was changed.';

create view read.action_type as
select tenant_id, type, params, output, connections, needs_connection, description from dispatcher.action_type;
comment on view read.action_type is 'Action types beyond those that come with Runyard, as an agent announced them last. None is ever removed.';
comment on column read.action_type.tenant_id is 'The tenant whose agents offer it.';
comment on column read.action_type.type is 'How workflows name it.';
comment on column read.action_type.params is 'JSON Schema of its parameters.';
comment on column read.action_type.output is 'JSON Schema of its output.';
comment on column read.action_type.connections is 'The kinds of connection it can use; none if empty.';
comment on column read.action_type.needs_connection is 'It cannot do without a connection.';
comment on column read.action_type.description is 'What it does.';

create view read.sealing_key as select public_key from dispatcher.sealing_key;
comment on view read.sealing_key is 'One row: the public key (X25519, 32 bytes) that secrets are sealed for on their way to the dispatcher. No row: the dispatcher has no master key and takes none.';
comment on column read.sealing_key.public_key is 'Of the first master key.';
