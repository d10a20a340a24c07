"""B11: from the navigation to the list of executions until its rows can be clicked, in Chromium.

`deploy/web.sh` gets browser and packages; the script beside the web app's sources drives them.
"""

import asyncio
from pathlib import Path

import msgspec

from runyard_bench.system import System
from runyard_bench.workflows import Wrong

ROOT = Path(__file__).parents[3]
VISITS = 10
PATIENCE_SECONDS = 600.0

_decode = msgspec.json.Decoder(dict[str, list[float]]).decode


async def list_in_browser(system: System) -> dict[str, list[float]]:
    """Seconds by kind of visit: `cold`, with nothing kept by the browser, and `warm`. Raises `Wrong`."""
    command = await asyncio.create_subprocess_exec(
        str(ROOT / "deploy" / "web.sh"), "measure", system.address, system.token, str(VISITS),
        stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            output, trouble = await command.communicate()
    finally:
        if command.returncode is None:
            command.kill()
            await command.wait()
    if command.returncode:
        raise Wrong(f"the browser could not be measured:\n{trouble.decode(errors='replace')[-2000:]}")
    return _decode(output)
