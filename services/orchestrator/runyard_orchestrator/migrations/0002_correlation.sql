-- The iterations of an execution are streams of their own; their events are found by the execution's id, in order.
create index event_correlation on orchestrator.event (correlation_id, position) where correlation_id is not null;

comment on column read.event.correlation_id is
'The execution that users see, of an event in the stream of one of its iterations; null otherwise. So the execution of an event is coalesce(correlation_id, stream_id::text).';
