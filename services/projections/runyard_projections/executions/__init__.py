"""Executions with their jobs and nodes."""
