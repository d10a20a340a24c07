"""One module for each kind of figure. Every one measures a running system through its API and gives rows of the table."""
