-- Old history leaves the log by months of a tenant: everything of the executions and trigger records that began in the month.
-- Streams of workflows stay for ever. Whoever archives (the projections) writes the files first and then calls `set_aside` and
-- `forget` in one transaction.

create table orchestrator.archived_month (
    tenant_id       text        not null,
    month           date        not null,
    part            integer     not null,
    events          bigint      not null,
    first_position  bigint      not null,
    last_position   bigint      not null,
    archived_at     timestamptz not null default now(),
    primary key (tenant_id, month, part)
);
comment on table orchestrator.archived_month is
'Which months of which tenants have left the log. No events: there were none. Part 2 and on: what had come after the part before.';

create view read.archived_month as
select tenant_id, month, part, events, first_position, last_position, archived_at
from orchestrator.archived_month
where events > 0;
comment on view read.archived_month is
'Months whose history was archived to files and is neither in the log nor in the read models any more. After the highest last_position
of a tenant its events are complete; up to there some are missing.';
comment on column read.archived_month.tenant_id is 'The tenant.';
comment on column read.archived_month.month is 'Its first day: the month in which the executions began (UTC).';
comment on column read.archived_month.part is 'Counts from 1; more than one if something came after the first was archived.';
comment on column read.archived_month.events is 'How many events left the log.';
comment on column read.archived_month.first_position is 'Log position of the first of them.';
comment on column read.archived_month.last_position is 'Log position of the last of them.';
comment on column read.archived_month.archived_at is 'When they left it.';

-- Whether an event is history of the executions and trigger records that began between two ids. Iterations have streams of their
-- own, perhaps of a later month; they go with their execution, which is their correlation.
create function orchestrator.is_history(topic text, stream_id uuid, correlation_id text, since uuid, until uuid)
returns boolean language sql immutable as $$
    select coalesce(root.id >= since::text collate "C" and root.id < until::text collate "C", false)
    from (select coalesce(correlation_id, case when topic not like 'workflow.%' then stream_id::text end) collate "C" as id) root
$$;

create function orchestrator.history_of(of_tenant text, since uuid, until uuid)
returns setof orchestrator.event language sql stable as $$
    select * from orchestrator.event
    where stream_id >= since and stream_id < until and tenant_id = of_tenant and correlation_id is null
        and topic not like 'workflow.%'
    union all
    select * from orchestrator.event
    where correlation_id >= since::text and correlation_id < until::text and tenant_id = of_tenant
$$;

-- The first half, without a lock that anybody would notice: what stays of the month's partition is copied to a table beside it,
-- and what hangs on the streams that go (idempotency keys, timers, snapshots) is deleted. Returns the position up to which the
-- copy is complete.
create function orchestrator.set_aside(of_month date, tenants text[]) returns bigint language plpgsql as $$
declare
    since constant uuid := orchestrator.first_id_at(of_month);
    until constant uuid := orchestrator.first_id_at(of_month + interval '1 month');
    partition constant text := 'event_' || to_char(of_month, 'YYYY_MM');
    upto bigint;
begin
    select position into upto from orchestrator.log_head;
    create temporary table forgotten_stream on commit drop as
        select distinct e.stream_id from unnest(tenants) as t(tenant_id)
        cross join lateral orchestrator.history_of(t.tenant_id, since, until) e;
    analyze forgotten_stream;
    delete from orchestrator.claim c using forgotten_stream f
    where c.stream_id = f.stream_id and not (  -- the last instant of a schedule is what the next one is compared with
        c.scope like 'cron/%' and not exists (
            select from orchestrator.claim later
            where later.tenant_id = c.tenant_id and later.scope = c.scope and later.key > c.key
        )
    );
    delete from orchestrator.timer t using forgotten_stream f where t.stream_id = f.stream_id;
    delete from orchestrator.snapshot s using forgotten_stream f where s.stream_id = f.stream_id;
    if to_regclass(format('orchestrator.%I', partition)) is not null then
        execute format(
            'create table orchestrator.%I (like orchestrator.event including all,'
            ' constraint month check (stream_id >= %L and stream_id < %L))',
            partition || '_kept', since, until
        );
        execute format(
            'insert into orchestrator.%I select * from orchestrator.%I e where position <= $1'
            ' and not (tenant_id = any($2) and orchestrator.is_history(topic, stream_id, correlation_id, $3, $4))',
            partition || '_kept', partition
        ) using upto, tenants, since, until;
    end if;
    return upto;
end
$$;
comment on function orchestrator.set_aside is 'The first half of forgetting a month of some tenants; `forget` is the other.';

-- The second half, quick: the caller holds `orchestrator.event` in access exclusive mode, so that nobody reads or appends.
-- `uptos`: for each tenant, the position up to which its archive is complete; false if something came after it, and then nothing
-- may be committed.
create function orchestrator.forget(
    of_month date, tenants text[], parts integer[], events bigint[], firsts bigint[], lasts bigint[], uptos bigint[], aside bigint
) returns boolean language plpgsql as $$
declare
    since constant uuid := orchestrator.first_id_at(of_month);
    until constant uuid := orchestrator.first_id_at(of_month + interval '1 month');
    partition constant text := 'event_' || to_char(of_month, 'YYYY_MM');
    something_stays boolean;
begin
    if exists (
        select from unnest(tenants, uptos) as t(tenant_id, upto)
        join orchestrator.event e on e.position > t.upto and e.tenant_id = t.tenant_id
        where orchestrator.is_history(e.topic, e.stream_id, e.correlation_id, since, until)
    ) then
        return false;
    end if;
    if to_regclass(format('orchestrator.%I', partition)) is not null then
        execute format('insert into orchestrator.%I select * from orchestrator.%I where position > $1', partition || '_kept', partition)
        using aside;
        execute format('drop table orchestrator.%I', partition);
        execute format('select exists (select from orchestrator.%I)', partition || '_kept') into something_stays;
        if something_stays then
            execute format('alter table orchestrator.%I rename to %I', partition || '_kept', partition);
            execute format(
                'alter table orchestrator.event attach partition orchestrator.%I for values from (%L) to (%L)',
                partition, since, until
            );
            execute format('alter table orchestrator.%I drop constraint month', partition);
        else
            execute format('drop table orchestrator.%I', partition || '_kept');
        end if;
    end if;
    delete from orchestrator.event_default e using forgotten_stream f where e.stream_id = f.stream_id;
    delete from orchestrator.event e using forgotten_stream f  -- iterations that began in a later month
    where f.stream_id >= until and e.stream_id >= until and e.stream_id = f.stream_id;
    insert into orchestrator.archived_month (tenant_id, month, part, events, first_position, last_position)
    select t.tenant_id, of_month, t.part, t.events, t.first, t.last
    from unnest(tenants, parts, events, firsts, lasts) as t(tenant_id, part, events, first, last);
    return true;
end
$$;
comment on function orchestrator.forget is 'The second half of forgetting a month of some tenants.';
