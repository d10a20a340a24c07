"""Old history, month by month of a tenant: written to files, taken out of the log and the read models, and brought back."""
