"""`python -m tests.web_api` writes the OpenAPI document that the web app's types are made from. A test holds it current."""

import asyncio
import json
from pathlib import Path

import asyncpg
import runyard_gateway.app
import runyard_gateway.settings
from pydantic import SecretStr
from runyard_gateway.openapi import openapi_document
from runyard_shared.clock import SystemClock
from runyard_shared.messaging.memory import MemoryBus

PATH = Path(__file__).parents[1] / "services" / "gateway" / "ui" / "openapi.json"


async def document() -> str:
    """Of a gateway that was never started."""
    settings = runyard_gateway.settings.Settings(admin_token=SecretStr("nobody-asks-for-it"))
    gateway = runyard_gateway.app.Service(settings, bus=MemoryBus(), pool=asyncpg.create_pool(), clock=SystemClock())
    return json.dumps(openapi_document(gateway.operations), indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    PATH.write_text(asyncio.run(document()), encoding="utf-8")
