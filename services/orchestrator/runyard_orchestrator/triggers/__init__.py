"""What starts executions by itself: schedules and incidents. Pure decisions; `schedule_handler.py` and `incident_handler.py`
are their shell."""
