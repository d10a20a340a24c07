"""Asks people, collects their answers, keeps the deadlines, notifies; tells the execution, and never touches it."""
