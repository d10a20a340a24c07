-- A publish brings the action types that agents announced with it, as the gateway read them from the dispatcher's views.
drop table orchestrator.action_type;
