-- What happened to agents, pools and connections, as others may read it.

create view read.dispatcher_event as
    select position, tenant_id, stream_id, version, topic, recorded_at, data, correlation_id, causation_id
    from dispatcher.event;
comment on view read.dispatcher_event is 'Every event of agents, pools and connections, in the order of position. No event has a secret. Ask by position; one stream by stream_id.';
comment on column read.dispatcher_event.position is 'Total order of this log, from 1, without gaps; it says nothing about the order with read.event.';
comment on column read.dispatcher_event.tenant_id is 'Whose event it is.';
comment on column read.dispatcher_event.stream_id is 'The agent, pool or connection it belongs to.';
comment on column read.dispatcher_event.version is 'Place in that stream, from 1.';
comment on column read.dispatcher_event.topic is 'What happened, such as agent.offline.';
comment on column read.dispatcher_event.recorded_at is 'When, UTC, to the millisecond.';
comment on column read.dispatcher_event.data is 'The event itself, JSON with camelCase names.';
comment on column read.dispatcher_event.correlation_id is 'Always null: no such event belongs to an execution.';
comment on column read.dispatcher_event.causation_id is 'The request that made it, null for what agents and time did.';
