"""The tables of the projection: rollups, and what has to be known of executions and jobs that are not over."""

from typing import Final

TABLES: Final = (
    "analytics_execution",
    "analytics_workflow",
    "analytics_agent",
    "analytics_open_execution",
    "analytics_open_job",
)
