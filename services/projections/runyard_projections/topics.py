"""The topics of the orchestrator's log, in families, by how they begin. A projection passes over the families that are not its
own; at a topic of none it stops, so a new family is entered here and nowhere else."""

from typing import Final

OF_WORKFLOWS: Final = ("workflow.",)
OF_EXECUTIONS: Final = ("execution.", "node.", "job.", "foreach.", "iteration.", "subworkflow.", "children.", "approval.")
OF_TRIGGERS: Final = ("incident.", "schedule.", "trigger.")
