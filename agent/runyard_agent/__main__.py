"""Runs an agent as a process, until SIGTERM or SIGINT asks it to end in good order."""

import asyncio
import signal

import structlog
import uvloop

from runyard_agent.app import create
from runyard_agent.settings import Settings
from runyard_shared.clock import SystemClock

log = structlog.get_logger(__name__)
