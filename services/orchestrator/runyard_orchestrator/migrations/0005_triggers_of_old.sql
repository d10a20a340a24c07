-- Workflows that were published before schedules had timers and incidents were received: each gets a timer that is due at once,
-- at which the orchestrator does what publishing and activating it does now.
insert into orchestrator.timer (stream_id, timer_id, tenant_id, due_at, payload)
select stream_id, 'schedules', min(tenant_id), now(), '{}'
from orchestrator.event
where topic = 'workflow.published' and data::text ~ '"type": ?"(schedule|incident)"'
group by stream_id
on conflict do nothing;
