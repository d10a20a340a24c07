-- Which jobs an agent has, as others may read it.

create view read.held_job as
select job_id, execution_id, tenant_id, agent, since from dispatcher.job where state = 'leased';
comment on view read.held_job is 'Jobs that were sent to an agent and of which it has not said that they ended: what read.agent.running counts. Ask by tenant_id and agent.';
comment on column read.held_job.job_id is 'The job.';
comment on column read.held_job.execution_id is 'The execution it belongs to.';
comment on column read.held_job.tenant_id is 'The tenant it belongs to.';
comment on column read.held_job.agent is 'The name of the agent.';
comment on column read.held_job.since is 'Since when it has it.';
