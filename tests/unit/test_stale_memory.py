"""A process that had a stream, lost it and has it again decides on what the log holds, not on what it remembers."""

from runyard_shared.contracts.values import JobStatus

from tests.engine import action, chain
from tests.world import World


async def test_what_looks_like_nothing_in_old_memory_is_not_lost() -> None:
    world = World()
    workflow_id = await world.publish(chain(action("first"), {"id": "nap", "type": "delay", "seconds": 5}))
    execution_id = await world.run(workflow_id)
    before = world.handlers
    world.restart()
    await world.finish(world.job_of("first"))
    (timer_id,) = world.state(execution_id).timers
    world.handlers = before  # which has never heard of the timer
    await world.fire(execution_id, timer_id)
    assert world.topics(execution_id)[-1] == "execution.completed"


async def test_what_old_memory_would_have_decided_otherwise_is_decided_by_the_log() -> None:
    world = World()
    workflow_id = await world.publish(chain(action("first"), action("second")))
    execution_id = await world.run(workflow_id)
    before = world.handlers
    world.restart()
    order = world.jobs[world.job_of("first")]
    await world.finish(order.job_id)
    world.handlers = before
    world.jobs[order.job_id] = order
    await world.finish(order.job_id, JobStatus.FAILED)
    assert world.topics(execution_id).count("job.failed") == 0
    assert (await world.cancel(execution_id)).problem is None
    assert {"execution.cancelled", "execution.cancelling"} & set(world.topics(execution_id))
