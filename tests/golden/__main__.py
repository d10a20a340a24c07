"""`python -m tests.golden` writes the golden files of events that have none yet. It never touches one that is there."""

import sys

from tests.golden.files import write_missing

for name in write_missing():
    sys.stdout.write(f"wrote {name}.json\n")
