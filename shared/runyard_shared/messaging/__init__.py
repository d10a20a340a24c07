"""One port (`bus.py`), two adapters (`rabbit.py`, `memory.py`), one topology (`topology.py`)."""
