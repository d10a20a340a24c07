-- The output of jobs in partitions by day, told by the time in the job's id, so that what is old is dropped whole. What was kept
-- until now is the first partition. Rows of no day's partition (a job that begins to talk when its day was dropped already, an id
-- that is not of this time) are in `output_chunk_other`, and leave it by `kept_at`.

alter table projections.output_chunk rename to output_chunk_first;
alter index projections.output_chunk_pkey rename to output_chunk_first_pkey;
alter table projections.output_chunk_first add column kept_at timestamptz not null default now();

create table projections.output_chunk (
    job_id        uuid        not null,
    stream        text        not null,
    number        integer     not null,
    "offset"      bigint      not null,
    size          integer     not null,
    data          bytea       not null,
    execution_id  uuid        not null,
    tenant_id     text        not null,
    kept_at       timestamptz not null default now(),
    primary key (job_id, stream, number)
) partition by range (job_id);
create table projections.output_chunk_other partition of projections.output_chunk default;

-- `starts` (null: from the beginning) and `ends` are ids: the first job of the partition, and the first after it.
create table projections.output_partition (
    name        text        primary key,
    starts      uuid,
    ends        uuid        not null,
    dropped_at  timestamptz
);

do $$
declare
    tomorrow constant timestamptz := (date_trunc('day', now() at time zone 'UTC') + interval '1 day') at time zone 'UTC';
    first_ends constant uuid := (lpad(to_hex((extract(epoch from tomorrow) * 1000)::bigint), 12, '0') || repeat('0', 20))::uuid;
begin
    insert into projections.output_chunk_other select * from projections.output_chunk_first where job_id >= first_ends;
    delete from projections.output_chunk_first where job_id >= first_ends;
    execute format(
        'alter table projections.output_chunk attach partition projections.output_chunk_first for values from (minvalue) to (%L)',
        first_ends
    );
    insert into projections.output_partition (name, ends) values ('output_chunk_first', first_ends);
    -- pglz would take most of the time of a write. lz4 costs next to nothing, but not every server is built with it.
    begin
        alter table projections.output_chunk alter column data set compression lz4;
    exception when feature_not_supported then
        alter table projections.output_chunk alter column data set storage external;
    end;
end
$$;

create function read.output_expired(of_job uuid) returns boolean language sql stable as $$
    select exists (select from projections.output_partition where dropped_at is not null and ends > of_job)
$$;
comment on function read.output_expired is
'Whether the output of jobs as old as this one was deleted because its time was over. What came after that is there all the same.';

create or replace view read.job_output_chunk as
select c.tenant_id, coalesce(i.execution_id, c.execution_id) as execution_id, c.job_id, c.stream, c.number, c."offset", c.size, c.data
from projections.output_chunk c
left join projections.iteration i on i.stream_id = c.execution_id;

create or replace view read.job_output as
select
    p.tenant_id, coalesce(i.execution_id, p.execution_id) as execution_id, p.job_id, p.stream, p.chunks, p.size, p.known_size, p.sealed,
    p.sealed_chunks, p.sealed_size, p.sha256, p.missing_chunks, p.chunks = 0 and read.output_expired(p.job_id) as expired
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
comment on column read.job_output.expired is
'Whether its bytes were deleted because their time was over: then its seal alone is left. A stream without a seal leaves no row; see read.output_expired().';
