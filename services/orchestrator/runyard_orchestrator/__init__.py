"""Workflows, executions and triggers: decides what happens next, and is the only writer of an execution's history."""
