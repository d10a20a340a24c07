-- Drafts are counted, so that an editor can say which one it began with.

alter table projections.workflow add column draft_revision integer not null default 1;

-- What was applied before is in the log; a database without one yet has no workflow either.
do $$
begin
    if to_regclass('orchestrator.event') is not null then
        update projections.workflow w
        set draft_revision = drafts.total
        from (
            select e.stream_id, count(*) as total
            from projections.workflow known
            join orchestrator.event e on e.stream_id = known.workflow_id
            where e.topic in ('workflow.created', 'workflow.drafted')
                and e.position <= (select p.position from projections.position p where p.name = 'workflows')
            group by e.stream_id
        ) drafts
        where w.workflow_id = drafts.stream_id;
    end if;
end;
$$;

create or replace view read.workflow as
select
    workflow_id, tenant_id, name, draft_document, draft_source, draft_format, drafted_at, drafted_by, created_at, created_by, active,
    published_version, latest_version, archived_at is not null as archived, archived_at, updated_at, position, draft_revision
from projections.workflow;
comment on column read.workflow.draft_revision is 'Counts the drafts from 1; the ETag of the API.';
