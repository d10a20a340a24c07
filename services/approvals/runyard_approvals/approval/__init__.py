"""The approval: a pure state machine. `lifecycle` draws it, `decide` makes events, `evolve` makes state."""
