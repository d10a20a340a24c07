"""Contracts: what crosses a process boundary or is kept for ever. What is published here is a promise.

Commands, events, reports and job messages are frozen msgspec Structs; wire names are camelCase, Python names snake_case.
"""
