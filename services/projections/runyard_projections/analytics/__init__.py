"""Figures of executions and jobs by time: counted as events come, so that a year is answered as quickly as a day."""
