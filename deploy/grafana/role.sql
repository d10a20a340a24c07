-- Roles for dashboards: they read the views that are meant for dashboards, and nothing else.
--
--   psql "$RUNYARD_DATABASE_URL" -v ON_ERROR_STOP=1 -f deploy/grafana/role.sql
--
-- as the user that Runyard itself connects as. It may be run again at any time, and should be after an upgrade that changed it.
-- Then, for each role (docs/howto/dashboards.md):
--
--   select dashboards.add_role('grafana');                   sees every tenant
--   select dashboards.add_role('grafana_acme', 'acme');      sees the tenant acme
--   \password grafana
--   select dashboards.drop_role('grafana_acme');
--
-- Runyard's services call dashboards.withdraw() before and dashboards.refresh() after they change views, so that roles may read
-- views that are added later and no tenant's views stand in the way of an upgrade.

begin;

create schema if not exists dashboards;
comment on schema dashboards is 'Roles of dashboards, and what they may read.';

create table if not exists dashboards.role (
    role_name  name  primary key,
    tenant_id  text,
    added_at   timestamptz not null default now()
);
comment on table dashboards.role is 'Roles that may read for dashboards. With a tenant_id, the rows of that tenant, in a schema of the role''s name.';

-- Nobody makes tables in the database of Runyard but Runyard; not even for a moment.
do $$
begin
    if pg_has_role((select datdba from pg_database where datname = current_database()), 'usage') then
        execute format('revoke temporary, create on database %I from public', current_database());
        execute format('grant temporary on database %I to current_user', current_database());
    end if;
    if has_schema_privilege(current_user, 'public', 'usage') and pg_get_userbyid(
        (select nspowner from pg_namespace where nspname = 'public')) = current_user then
        revoke create on schema public from public;
    end if;
end
$$;

create or replace function dashboards.withheld() returns table (view_name name, columns name[]) language sql immutable as $$
    values
        ('event'::name, null::name[]),
        ('dispatcher_event', null),
        ('job_output_chunk', null),
        ('sealing_key', null),
        ('parked_message', array['body'::name]),
        ('job_output', array['expired'::name])
$$;
comment on function dashboards.withheld is
'Views of the schema read that are no dashboard''s business, or columns of them: the logs and the output of jobs, which are more than a dashboard needs, the key that the gateway seals with, messages as they were received, and what a function looks up with the rights of who asks.';

create or replace function dashboards.readable()
returns table (view_name name, columns name[], of_tenants boolean) language sql stable as $$
    select c.relname, array_agg(a.attname order by a.attnum), bool_or(a.attname = 'tenant_id')
    from pg_class c
    join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
    left join dashboards.withheld() w on w.view_name = c.relname
    where c.relnamespace = 'read'::regnamespace and c.relkind = 'v'
        and (w.view_name is null or (w.columns is not null and a.attname <> all (w.columns)))
    group by c.relname
$$;
comment on function dashboards.readable is 'What dashboards may read: views of the schema read, with their columns. Those with a tenant_id are also for the roles of one tenant.';

create or replace function dashboards.withdraw() returns void language plpgsql as $$
declare
    its name;
begin
    for its in select role_name from dashboards.role where tenant_id is not null loop
        begin
            execute format('drop schema if exists %I cascade', its);
        exception when insufficient_privilege then
            raise warning 'the views of % stay: %', its, sqlerrm;
        end;
    end loop;
end
$$;
comment on function dashboards.withdraw is 'Takes away the views of roles of one tenant, until refresh() makes them again.';

create or replace function dashboards.refresh() returns void language plpgsql as $$
declare
    its record;
    each record;
    list text;
begin
    perform dashboards.withdraw();
    for its in select r.role_name, r.tenant_id from dashboards.role r join pg_roles p on p.rolname = r.role_name loop
        begin
            execute format('grant usage on schema read to %I', its.role_name);
            if its.tenant_id is null then
                execute format('revoke select on all tables in schema read from %I', its.role_name);
            else
                execute format('create schema %I', its.role_name);
                execute format('grant usage on schema %I to %I', its.role_name, its.role_name);
            end if;
            for each in select * from dashboards.readable() loop
                select string_agg(quote_ident(c), ', ') into list from unnest(each.columns) c;
                if its.tenant_id is null then
                    execute format('grant select (%s) on read.%I to %I', list, each.view_name, its.role_name);
                elsif each.of_tenants then
                    execute format(
                        'create view %I.%I with (security_barrier) as select %s from read.%I where tenant_id = %L',
                        its.role_name, each.view_name, list, each.view_name, its.tenant_id
                    );
                    execute format('grant select on %I.%I to %I', its.role_name, each.view_name, its.role_name);
                end if;
            end loop;
        exception when insufficient_privilege or duplicate_schema then
            raise warning 'the role % may not read: %', its.role_name, sqlerrm;
        end;
    end loop;
end
$$;
comment on function dashboards.refresh is 'Lets every role read what it should, as the views are now.';

create or replace function dashboards.add_role(role_name name, tenant text default null) returns void language plpgsql as $$
declare
    its_path text := case when tenant is null then 'read' else quote_ident(role_name) || ', read' end;
    its record;
begin
    if tenant is not null and to_regnamespace(quote_ident(role_name)) is not null
        and not exists (select from dashboards.role r where r.role_name = add_role.role_name) then
        raise exception 'there is a schema % already: choose another name for the role', role_name;
    end if;
    if not exists (select from pg_roles where rolname = role_name) then
        execute format('create role %I login nosuperuser nocreatedb nocreaterole noreplication connection limit 10', role_name);
    end if;
    for its in
        select * from (values
            ('default_transaction_read_only', 'on'), ('statement_timeout', '15s'),
            ('idle_in_transaction_session_timeout', '60s'), ('timezone', 'UTC')
        ) as settings(name, value)
    loop
        execute format('alter role %I in database %I set %s = %L', role_name, current_database(), its.name, its.value);
    end loop;
    execute format('alter role %I in database %I set search_path = %s', role_name, current_database(), its_path);
    execute format('grant connect on database %I to %I', current_database(), role_name);
    delete from dashboards.role r where r.role_name = add_role.role_name;
    insert into dashboards.role (role_name, tenant_id) values (role_name, tenant);
    perform dashboards.refresh();
end
$$;
comment on function dashboards.add_role is 'Makes a role that may log in (give it a password) and read: every tenant''s rows in read, or one tenant''s in a schema of the role''s name. The role''s search_path finds them.';

create or replace function dashboards.drop_role(role_name name) returns void language plpgsql as $$
begin
    if exists (select from dashboards.role r where r.role_name = drop_role.role_name and r.tenant_id is not null) then
        execute format('drop schema if exists %I cascade', role_name);
    end if;
    delete from dashboards.role r where r.role_name = drop_role.role_name;
    if exists (select from pg_roles where rolname = role_name) then
        execute format('drop owned by %I', role_name);
        execute format('drop role %I', role_name);
    end if;
end
$$;
comment on function dashboards.drop_role is 'Removes a role that add_role made.';

select dashboards.refresh();

commit;
