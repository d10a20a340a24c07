create table orchestrator.action_type (
    tenant_id  text not null,
    name       text not null,
    primary key (tenant_id, name)
);
comment on table orchestrator.action_type is 'Action types that any agent of the tenant has ever announced.';

create schema if not exists read;

create view read.event as
    select position, tenant_id, stream_id, version, topic, recorded_at, data, correlation_id, causation_id
    from orchestrator.event;
comment on view read.event is 'Every event of workflows and executions, in the order of position.';
comment on column read.event.position is 'Total order, from 1, without gaps.';
comment on column read.event.tenant_id is 'Whose event it is.';
comment on column read.event.stream_id is 'The execution or workflow it belongs to.';
comment on column read.event.version is 'Place in that stream, from 1.';
comment on column read.event.topic is 'What happened, such as job.completed.';
comment on column read.event.recorded_at is 'When, UTC, to the millisecond.';
comment on column read.event.data is 'The event itself, JSON with camelCase names.';
comment on column read.event.correlation_id is 'Groups what belongs to one cause, null if nothing does.';
comment on column read.event.causation_id is 'The request that made it, null for reports and timers.';
