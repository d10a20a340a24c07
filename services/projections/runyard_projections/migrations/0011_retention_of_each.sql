-- How long a tenant keeps the output of its jobs and its audit log, beside its history.

alter table projections.retention
    add column output_days   integer check (output_days >= 0),
    add column audit_months  integer check (audit_months > 0);

create table projections.output_default (days integer not null);
create unique index output_default_single_row on projections.output_default ((true));
comment on table projections.output_default is
'One row, as the projections were last started: for how many days output is kept where the tenant says nothing; 0 for ever.';

create or replace view read.retention as
select tenant_id, history_months, changed_at, changed_by, output_days, audit_months from projections.retention;
comment on view read.retention is
'How long the history of a tenant is kept before it is archived, its audit log likewise, and the output of its jobs before it is dropped. A
tenant without a row keeps history and audit log for ever, and output as the installation does.';
comment on column read.retention.output_days is 'Days after a job was made; 0 for ever; null as the installation does (read.output_default).';
comment on column read.retention.audit_months is 'Months after the end of the month of a command; null for ever.';

create view read.output_default as select days from projections.output_default;
comment on view read.output_default is 'One row: how long the installation keeps the output of jobs of tenants that say nothing.';
comment on column read.output_default.days is 'Days after a job was made; 0 for ever.';

-- A day that only some tenants want to keep is copied once for what stays, and put in the place of the old one.
alter table projections.output_partition
    add column only_of  text[],
    add column without  text[] not null default '{}';
comment on column projections.output_partition.only_of is 'The tenants whose output is still in it; null: of all but `without`.';
comment on column projections.output_partition.without is 'Tenants whose output has left it.';

-- Tells what came while a day was copied. Tiny, since rows come in the order of that time.
create index output_chunk_by_arrival on projections.output_chunk using brin (kept_at);

create function read.output_expired(of_tenant text, of_job uuid) returns boolean language sql stable as $$
    select exists (
        select from projections.output_partition
        where ends > of_job and (dropped_at is not null or of_tenant <> all(only_of) or of_tenant = any(without))
    )
$$;
comment on function read.output_expired(text, uuid) is
'Whether the output of the tenant''s jobs as old as this one was deleted because its time was over. What came after that is there all the same.';

create or replace view read.job_output as
select
    p.tenant_id, coalesce(
        (select i.execution_id from projections.iteration i where i.stream_id = p.execution_id), p.execution_id
    ) as execution_id, p.job_id, p.stream, p.chunks, p.size, p.known_size, p.sealed,
    p.sealed_chunks, p.sealed_size, p.sha256, p.missing_chunks, p.chunks = 0 and read.output_expired(p.tenant_id, p.job_id) as expired
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
) p;

drop function read.output_expired(uuid);
