"""The ways to run Runyard on one machine: all in one process (`app.py`), or a process for each service (`distributed.py`)."""
