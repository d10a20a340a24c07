-- What triggers did: schedules and their instants, incidents and what they started.

create table projections.incident (
    record_id   uuid  primary key,
    tenant_id   text  not null,
    payload     json  not null
);
comment on table projections.incident is 'Incidents as they were sent, one for each event that was received.';

create table projections.trigger_record (
    record_id      uuid         not null,
    workflow_id    uuid         not null,
    trigger        integer      not null,
    tenant_id      text         not null,
    workflow_name  text         not null,
    version        integer      not null,
    type           text         not null,
    event          text,
    incident_id    text,
    scheduled_at   timestamptz,
    received_at    timestamptz  not null,
    outcome        text         not null,
    execution_id   uuid,
    reason         text         not null,
    reads          json         not null,
    position       bigint       not null,
    primary key (record_id, workflow_id, trigger)
);
create index trigger_record_newest on projections.trigger_record (tenant_id, position desc, workflow_id, trigger);
create index trigger_record_type on projections.trigger_record (tenant_id, type, position desc, workflow_id, trigger);
create index trigger_record_outcome on projections.trigger_record (tenant_id, outcome, position desc, workflow_id, trigger);
create index trigger_record_workflow on projections.trigger_record (tenant_id, workflow_id, position desc, trigger);
create index trigger_record_received on projections.trigger_record (tenant_id, received_at);

create table projections.scheduled_workflow (
    workflow_id      uuid     primary key,
    tenant_id        text     not null,
    name             text     not null,
    running_version  integer,
    active           boolean  not null,
    archived         boolean  not null
);
create index scheduled_workflow_tenant on projections.scheduled_workflow (tenant_id);

create table projections.schedule (
    workflow_id  uuid     not null,
    version      integer  not null,
    trigger      integer  not null,
    cron         text     not null,
    timezone     text     not null,
    overlap      text     not null,
    catch_up     text     not null,
    primary key (workflow_id, version, trigger)
);
comment on table projections.schedule is 'The schedules of every published version.';

create table projections.schedule_run (
    workflow_id        uuid         not null,
    trigger            integer      not null,
    last_scheduled_at  timestamptz  not null,
    last_execution_id  uuid,
    primary key (workflow_id, trigger)
);

insert into projections.position (name, position) values ('triggers', 0);

create view read.trigger_record as
select
    r.record_id, r.tenant_id, r.workflow_id, r.workflow_name, r.version, r.type, r.trigger, r.event, r.incident_id, r.scheduled_at,
    r.received_at, r.outcome, r.execution_id, r.reason, r.reads, i.payload, r.position
from projections.trigger_record r
left join projections.incident i on i.record_id = r.record_id;

comment on view read.trigger_record is
'One row for each instant of a schedule that came, and for each incident trigger that an event of an incident concerned: what it
started, or why nothing. Newest first is `order by position desc, workflow_id, trigger`; each of these has an index in that order:
tenant_id alone, with type, with outcome, with workflow_id. Webhooks and people leave no record but the execution.';
comment on column read.trigger_record.record_id is 'The record; all triggers that one event of an incident concerned have the same.';
comment on column read.trigger_record.tenant_id is 'The tenant.';
comment on column read.trigger_record.workflow_id is 'The workflow whose trigger it was.';
comment on column read.trigger_record.workflow_name is 'Its name.';
comment on column read.trigger_record.version is 'The version that ran then.';
comment on column read.trigger_record.type is 'cron or incident.';
comment on column read.trigger_record.trigger is 'The place of the trigger in the document, from 0.';
comment on column read.trigger_record.event is 'Of an incident: incident.created, incident.acknowledged, …';
comment on column read.trigger_record.incident_id is 'Of an incident: its id, if it has one.';
comment on column read.trigger_record.scheduled_at is 'Of a schedule: the instant.';
comment on column read.trigger_record.received_at is 'When it was dealt with.';
comment on column read.trigger_record.outcome is
'started; skipped (see reason); or refused: an execution was announced and could not begin.';
comment on column read.trigger_record.execution_id is 'The execution that was announced; null if skipped.';
comment on column read.trigger_record.reason is
'Why not. Of a schedule: overlap (the execution before had not ended), missed (nobody was there at the instant), superseded (the
schedule was changed meanwhile). Of an incident, and of a refusal: in words.';
comment on column read.trigger_record.reads is 'Of an incident: the paths that the condition read, and their values (object).';
comment on column read.trigger_record.payload is 'The incident as it was sent; null for a schedule.';
comment on column read.trigger_record.position is 'Log position of the record.';

create view read.schedule as
select
    w.tenant_id, w.workflow_id, w.name as workflow_name, s.version, s.trigger, s.cron, s.timezone, s.overlap, s.catch_up, w.active,
    r.last_scheduled_at, r.last_execution_id
from projections.scheduled_workflow w
join projections.schedule s on s.workflow_id = w.workflow_id and s.version = w.running_version
left join projections.schedule_run r on r.workflow_id = s.workflow_id and r.trigger = s.trigger
where not w.archived;

comment on view read.schedule is
'One row for each schedule of the versions that run; none of archived workflows. Ask with tenant_id, or tenant_id and workflow_id.';
comment on column read.schedule.tenant_id is 'The tenant.';
comment on column read.schedule.workflow_id is 'The workflow.';
comment on column read.schedule.workflow_name is 'Its name.';
comment on column read.schedule.version is 'The version that runs.';
comment on column read.schedule.trigger is 'The place of the schedule among the triggers of the document, from 0.';
comment on column read.schedule.cron is 'Five fields: minute, hour, day of month, month, day of week.';
comment on column read.schedule.timezone is 'The IANA time zone in which they are meant.';
comment on column read.schedule.overlap is 'allow, skip or cancelPrevious.';
comment on column read.schedule.catch_up is 'none, latest or all.';
comment on column read.schedule.active is 'Whether its instants start executions now: the workflow is active.';
comment on column read.schedule.last_scheduled_at is 'The last instant that came, whatever became of it; null if none has.';
comment on column read.schedule.last_execution_id is 'The execution it started last, if any.';
