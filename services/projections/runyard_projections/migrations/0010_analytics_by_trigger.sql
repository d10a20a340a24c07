-- Figures by trigger, and of the jobs of one workflow by agent.
--
-- The projection begins anew: what is in the log is counted again. What was archived before cannot be: its executions are of no
-- trigger (empty), and its jobs are in the rows of all workflows alone.

alter table projections_archived.analytics_execution add column trigger_type text not null default '';
alter table projections_archived.analytics_execution alter column trigger_type drop default;
alter table projections_archived.analytics_execution drop constraint analytics_execution_pkey;
alter table projections_archived.analytics_execution
    add constraint analytics_execution_pkey primary key (tenant_id, workflow_id, width, starts_at, trigger_type);
alter table projections_archived.analytics_agent
    add column workflow_id uuid not null default '00000000-0000-0000-0000-000000000000';
alter table projections_archived.analytics_agent alter column workflow_id drop default;
alter table projections_archived.analytics_agent drop constraint analytics_agent_pkey;
alter table projections_archived.analytics_agent
    add constraint analytics_agent_pkey primary key (tenant_id, workflow_id, width, starts_at, agent);
alter table projections_archived.analytics_open_execution add column trigger_type text not null default '';
alter table projections_archived.analytics_open_execution alter column trigger_type drop default;

truncate projections.analytics_execution, projections.analytics_workflow, projections.analytics_agent,
    projections.analytics_open_execution, projections.analytics_open_job;
alter table projections.analytics_execution add column trigger_type text not null;
alter table projections.analytics_execution drop constraint analytics_execution_pkey;
alter table projections.analytics_execution
    add constraint analytics_execution_pkey primary key (tenant_id, workflow_id, width, starts_at, trigger_type);
alter table projections.analytics_agent add column workflow_id uuid not null;
alter table projections.analytics_agent drop constraint analytics_agent_pkey;
alter table projections.analytics_agent
    add constraint analytics_agent_pkey primary key (tenant_id, workflow_id, width, starts_at, agent);
alter table projections.analytics_open_execution add column trigger_type text not null;

insert into projections.analytics_execution select * from projections_archived.analytics_execution;
insert into projections.analytics_workflow select * from projections_archived.analytics_workflow;
insert into projections.analytics_agent select * from projections_archived.analytics_agent;
insert into projections.analytics_open_execution select * from projections_archived.analytics_open_execution;
insert into projections.analytics_open_job select * from projections_archived.analytics_open_job;
update projections.position set position = 0, as_of = null where name = 'analytics';

create or replace view read.analytics_execution as
select tenant_id, workflow_id, width, starts_at, started, completed, failed, cancelled, duration_ms, buckets, counts, trigger_type
from projections.analytics_execution;
comment on view read.analytics_execution is
'One row for each interval and trigger with which executions started, for each workflow and for all of a tenant together. Ask with
tenant_id, workflow_id, width and a range of starts_at; sums of rows that do not overlap are figures of the time that they cover.
Every row of width 86400 is the sum of rows of width 900.';
comment on column read.analytics_execution.trigger_type is
'manual, webhook, cron or incident; empty for executions that were archived before triggers were counted apart.';

create or replace view read.analytics_agent as
select tenant_id, agent, width, starts_at, completed, failed, timed_out, cancelled, busy_ms, workflow_id
from projections.analytics_agent;
comment on view read.analytics_agent is
'One row for each interval and agent, for each workflow and for all of a tenant together: jobs that have ended, of executions that
started in the interval. Ask with tenant_id, workflow_id, width and a range of starts_at. Rows of the two widths as in
read.analytics_execution.';
comment on column read.analytics_agent.workflow_id is
'The workflow; 00000000-0000-0000-0000-000000000000 for all of the tenant together.';
