"""Trigger records, and the schedules of the versions that run."""
