"""The API fuzzed from its own description: whatever is sent, the answer is one that the description has, and never a 5xx.

`RUNYARD_FUZZ_EXAMPLES`: how many requests of each kind, at random; with it the fuzzer also goes through all combinations of
what is required, which takes a while.
"""

import asyncio
import os
import re
import sys
from pathlib import Path

import asyncpg
import httpx

from tests.gateway import CHAIN, TOKEN, House, house

EXAMPLES = int(os.environ.get("RUNYARD_FUZZ_EXAMPLES", "4"))
PHASES = "coverage,fuzzing" if "RUNYARD_FUZZ_EXAMPLES" in os.environ else "fuzzing"
CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "allow_header_conformance",
    "unsupported_method",
)
LARGE = ("createWorkflow", "saveDraft", "importWorkflows")
"""Bodies with so many parts that each of their combinations would be tens of thousands."""


# One worker: where two threads parse Python at the same time, as the fuzzer does to describe what it draws, the interpreter may
# fail (SystemError: AST constructor recursion depth mismatch).
async def fuzz(home: House, directory: Path, phases: str, *options: str) -> None:
    arguments = [
        sys.executable, "-m", "schemathesis.cli", "run", f"{home.gateway.address}/openapi.json",
        "--header", f"Authorization: Bearer {TOKEN}", "--phases", phases, "--checks", ",".join(CHECKS),
        "--max-examples", str(EXAMPLES), "--seed", "1", "--no-shrink", "--continue-on-failure", "--workers", "1",
        "--suppress-health-check", "all", "--warnings", "off", *options,
    ]  # fmt: skip
    fuzzer = await asyncio.create_subprocess_exec(
        *arguments, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT, cwd=directory
    )
    said = (await fuzzer.communicate())[0].decode()
    assert fuzzer.returncode == 0, said[-60_000:]
    tested = re.search(r"Tested: (\d+)", said)
    assert tested is not None and int(tested[1]) > 2, said[-60_000:]


def without(*names: str) -> list[str]:
    return [option for name in names for option in ("--exclude-operation-id", name)]


def only(*names: str) -> list[str]:
    return [option for name in names for option in ("--include-operation-id", name)]


async def test_every_operation_answers_as_described_whatever_it_is_sent(pool: asyncpg.Pool, tmp_path: Path) -> None:
    async with house(pool) as home:
        await home.run(await home.publish())
        streams = [operation.name for operation in home.gateway.operations if operation.stream]
        await fuzz(home, tmp_path, PHASES, *without(*LARGE, *streams))


async def test_workflow_documents_of_every_shape_are_taken_or_refused(pool: asyncpg.Pool, tmp_path: Path) -> None:
    async with house(pool) as home:
        await fuzz(home, tmp_path, "fuzzing", *only(*LARGE), "--max-examples", str(3 * EXAMPLES))


HOSTILE = ["", "0", "-1", "9" * 20, "\ufffd", "x" * 300, "null", "true", "..", "{}", "1e30", "running"]


async def test_streams_open_or_say_what_is_wrong_with_the_request(pool: asyncpg.Pool) -> None:
    async with house(pool) as home:
        execution_id = await home.run(await home.publish(CHAIN))
        for operation in home.gateway.operations:
            if not operation.stream or operation.for_agents:
                continue
            path = operation.path.format(executionId=execution_id)
            names = [field.alias or name for name, field in operation.query.model_fields.items()] if operation.query else []
            for value in HOSTILE:
                for name in (*names, "nothing"):
                    await opened(home, path, params={name: value})
                if value.isprintable() and value.isascii():
                    await opened(home, path, headers={"Last-Event-ID": value})


async def opened(home: House, path: str, **options: object) -> None:
    request = home.http.build_request("GET", path, **options)  # type: ignore[arg-type]
    answer: httpx.Response = await home.http.send(request, stream=True)
    try:
        assert answer.status_code < 500, (str(request.url), dict(request.headers), await answer.aread())
        kind = "text/event-stream" if answer.status_code == 200 else "application/problem+json"
        assert answer.headers["content-type"].startswith(kind), str(request.url)
    finally:
        await answer.aclose()


DEEP = 100_000
BODIES = {
    "nested": b'{"variables":' + b"[" * DEEP + b"]" * DEEP + b"}",
    "nested objects": b'{"variables":' + b'{"a":' * DEEP + b"1" + b"}" * DEEP + b"}",
    "a megabyte and more": b'{"variables":{"a":"' + b"x" * (1024 * 1024) + b'"}}',
    "half a character": b'{"variables":{"a":"\\ud800"}}',
    "nul": b'{"variables":{"a":"\\u0000"}}',
    "not utf-8": b'{"variables":{"a":"\xff"}}',
    "an endless number": b'{"variables":{"a":' + b"9" * 100_000 + b"}}",
    "one key twice": b'{"variables":{"a":1},"variables":{"a":2}}',
    "no json": b"<xml/>",
    "cut": b'{"variables":{"a":',
}


async def test_a_hostile_body_is_refused_by_every_command_and_the_gateway_goes_on(pool: asyncpg.Pool) -> None:
    async with house(pool) as home:
        commands = [
            each for each in home.gateway.operations if each.body is not None and not each.public and not each.for_agents
        ]
        for what, body in BODIES.items():
            for operation in commands:
                path = re.sub(r"\{\w+\}", "019ab2c4-0000-7000-8000-000000000001", operation.path)
                headers = {"Content-Type": operation.body_types[0]}
                answer = await home.http.request(operation.method, path, content=body, headers=headers)
                says_so = {"importWorkflows": b'"refused"', "checkWorkflow": b'"valid":false'}.get(operation.name)
                refused = 400 <= answer.status_code < 500 or (says_so is not None and says_so in answer.content)
                assert refused, (operation.name, what, answer.status_code, answer.text)
                assert answer.headers["content-type"].startswith("application/"), (operation.name, what)
        assert (await home.http.get("/api/v1/me")).status_code == 200
