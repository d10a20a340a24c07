"""When to try an action again: a pure function of its settings, the attempt that failed, and a random number."""

from runyard_shared.contracts.workflow import ActionNode


def next_retry_delay_seconds(spec: ActionNode, failed_attempt: int, chance: float) -> float | None:
    """Seconds to wait before attempt `failed_attempt` + 1; None when the retries are used up.

    `chance` is in [0, 1): with `jitter` j the delay is spread evenly over ± j of itself.
    """
    if failed_attempt > spec.max_retries:
        return None
    growth = 2 ** min(failed_attempt - 1, 63) if spec.backoff == "exponential" else 1
    delay = min(spec.retry_delay_seconds * growth, spec.max_delay_seconds)
    return float(round(delay * (1 + spec.jitter * (2 * chance - 1)), 3))
