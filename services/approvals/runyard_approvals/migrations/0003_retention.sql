-- Approvals are history of the execution that asked for them, and leave the log with it: whoever archives the execution (the
-- projections) writes them to a file first, and then calls `forget` in the transaction that takes the execution out of its log.

create index event_correlation on approvals.event (correlation_id, position) where correlation_id is not null;

create function approvals.history_of(of_tenant text, since uuid, until uuid)
returns setof approvals.event language sql stable as $$
    select * from approvals.event
    where correlation_id >= since::text and correlation_id < until::text and tenant_id = of_tenant
$$;
comment on function approvals.history_of is 'The events of approvals of executions that began between two ids.';

-- The caller holds `approvals.event` in access exclusive mode. `events`: how many of each tenant are in its archive; false if there
-- are others now, or if something that follows from them was not handed over yet, and then nothing may be committed. Months of the log that are over and empty then go as partitions.
create function approvals.forget(of_month date, tenants text[], events bigint[]) returns boolean language plpgsql as $$
declare
    since constant uuid := approvals.first_id_at(of_month);
    until constant uuid := approvals.first_id_at(of_month + interval '1 month');
    partition text;
    is_empty boolean;
begin
    create temporary table forgotten_approval on commit drop as
        select t.tenant_id, h.stream_id, count(*) as events, max(h.position) as last from unnest(tenants) as t(tenant_id)
        cross join lateral approvals.history_of(t.tenant_id, since, until) h group by 1, 2;
    if exists (
        select from unnest(tenants, events) as t(tenant_id, events)
        where t.events <> (select coalesce(sum(f.events), 0) from forgotten_approval f where f.tenant_id = t.tenant_id)
    ) or exists (
        select from approvals.relay_checkpoint r where r.position < (select max(f.last) from forgotten_approval f)
    ) then
        return false;
    end if;
    delete from approvals.timer t using forgotten_approval f where t.stream_id = f.stream_id;
    delete from approvals.snapshot s using forgotten_approval f where s.stream_id = f.stream_id;
    delete from approvals.event e using forgotten_approval f where e.stream_id = f.stream_id;
    for partition in
        select c.relname from pg_inherits i join pg_class c on c.oid = i.inhrelid
        where i.inhparent = 'approvals.event'::regclass and c.relname ~ '^event_\d{4}_\d{2}$'
            and to_date(substr(c.relname, 7), 'YYYY_MM') <= of_month
    loop
        execute format('select not exists (select from approvals.%I)', partition) into is_empty;
        if is_empty then
            execute format('drop table approvals.%I', partition);
        end if;
    end loop;
    return true;
end
$$;
comment on function approvals.forget is 'Approvals of a month''s executions of some tenants leave the log.';
