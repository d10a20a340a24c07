-- Of a stream of which nothing is known, not even its end, nothing is missing: `least` passes over a null, and the hole was as
-- long as what was asked for. Who followed the output of a job that had not written yet was sent past its first bytes.

create or replace function read.output_range(of_job uuid, of_stream text, from_offset bigint, max_bytes bigint)
returns table ("offset" bigint, size bigint, data bytea) language sql stable as $$
    with chunk as (
        select greatest(c."offset", from_offset) as starts, least(c."offset" + c.size, from_offset + max_bytes) as ends,
            c."offset" as chunk_starts, c.data
        from projections.output_chunk c
        where c.job_id = of_job and c.stream = of_stream
            and c."offset" + c.size > from_offset and c."offset" < from_offset + max_bytes
    ), known as (
        select greatest(
            (select s.size from projections.output_seal s where s.job_id = of_job and s.stream = of_stream),
            (select max(c."offset") from projections.output_chunk c where c.job_id = of_job and c.stream = of_stream)
        ) as ends
    ), hole as (
        select lag(ends, 1, from_offset) over (order by starts) as starts, starts as ends from chunk
        union all
        select coalesce((select max(ends) from chunk), from_offset), least(ends, from_offset + max_bytes)
        from known where ends is not null
    )
    select starts, ends - starts, substring(chunk.data from (starts - chunk_starts)::integer + 1 for (ends - starts)::integer) from chunk
    union all
    select starts, ends - starts, null from hole where ends > starts
    order by 1
$$;
