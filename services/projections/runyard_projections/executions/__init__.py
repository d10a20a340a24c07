"""Executions with their jobs, nodes, iterations and approvals."""
