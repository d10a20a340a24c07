-- Old months of the audit log leave it by tenants, by whole partitions. Whoever archives (the projections) writes the files first, then
-- calls `set_audit_aside` and `forget_audit` in one transaction.

create table gateway.archived_audit (
    tenant_id    text        not null,
    month        date        not null,
    part         integer     not null,
    entries      bigint      not null,
    archived_at  timestamptz not null default now(),
    primary key (tenant_id, month, part)
);
comment on table gateway.archived_audit is
'Which months of whose audit log were archived to files and are not in gateway.audit any more. Part 2 and on: what had come after the part before.';

create function gateway.audit_of(of_tenant text, since uuid, until uuid) returns setof gateway.audit language sql stable as $$
    select * from gateway.audit where tenant_id = of_tenant and audit_id >= since and audit_id < until
$$;
comment on function gateway.audit_of is 'Commands of a tenant between two ids, that is between two times.';

-- The first half, which holds up nobody: what stays of a month is copied to a table beside its partition.
create function gateway.set_audit_aside(of_month date, tenants text[]) returns void language plpgsql as $$
declare
    partition constant text := 'audit_' || to_char(of_month, 'YYYY_MM');
begin
    if to_regclass(format('gateway.%I', partition)) is not null then
        execute format(
            'create table gateway.%I (like gateway.audit including all, constraint month check (audit_id >= %L and audit_id < %L))',
            partition || '_kept', gateway.first_id_at(of_month), gateway.first_id_at(of_month + interval '1 month')
        );
        execute format('insert into gateway.%I select * from gateway.%I where tenant_id <> all($1)', partition || '_kept', partition)
        using tenants;
    end if;
end
$$;
comment on function gateway.set_audit_aside is 'The first half of forgetting a month of the audit log of some tenants; `forget_audit` is the other.';

-- The second half, quick. `entries`: how many of each tenant are in its archive; false if there are others now, of these tenants
-- or of those whose commands stay, and then nothing may be committed.
create function gateway.forget_audit(of_month date, tenants text[], parts integer[], entries bigint[])
returns boolean language plpgsql as $$
declare
    since constant uuid := gateway.first_id_at(of_month);
    until constant uuid := gateway.first_id_at(of_month + interval '1 month');
    partition constant text := 'audit_' || to_char(of_month, 'YYYY_MM');
    there bigint;
    staying bigint;
    going bigint;
begin
    lock table gateway.audit in access exclusive mode;
    if exists (
        select from unnest(tenants, entries) as t(tenant_id, entries)
        where t.entries <> (select count(*) from gateway.audit_of(t.tenant_id, since, until))
    ) then
        return false;
    end if;
    if to_regclass(format('gateway.%I', partition)) is not null then
        execute format('select count(*) from gateway.%I', partition) into there;
        execute format('select count(*) from gateway.%I', partition || '_kept') into staying;
        execute format('select count(*) from gateway.%I where tenant_id = any($1)', partition) into going using tenants;
        if there <> staying + going then
            return false;
        end if;
        execute format('drop table gateway.%I', partition);
        if staying > 0 then
            execute format('alter table gateway.%I rename to %I', partition || '_kept', partition);
            execute format(
                'alter table gateway.audit attach partition gateway.%I for values from (%L) to (%L)', partition, since, until
            );
            execute format('alter table gateway.%I drop constraint month', partition);
        else
            execute format('drop table gateway.%I', partition || '_kept');
        end if;
    end if;
    delete from gateway.audit_default where audit_id >= since and audit_id < until and tenant_id = any(tenants);
    insert into gateway.archived_audit (tenant_id, month, part, entries)
    select t.tenant_id, of_month, t.part, t.entries from unnest(tenants, parts, entries) as t(tenant_id, part, entries);
    return true;
end
$$;
comment on function gateway.forget_audit is 'The second half of forgetting a month of the audit log of some tenants.';
