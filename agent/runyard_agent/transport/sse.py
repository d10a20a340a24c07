"""Reads Server-Sent Events: only what the stream of orders needs of the format."""

from collections.abc import AsyncIterator


async def event_data(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """The data of each event, as it comes. Lines are split as bytes: text has more line ends than the format (U+2028)."""
    rest = b""
    data: list[bytes] = []
    async for chunk in chunks:
        *lines, rest = (rest + chunk).split(b"\n")
        for line in (each.removesuffix(b"\r") for each in lines):
            if line.startswith(b"data:"):
                data.append(line[len(b"data:") :].removeprefix(b" "))
            elif not line and data:
                yield b"\n".join(data)
                data = []
