"""What people type: variables, times, ids, files."""

import io
import zipfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from rich.console import Console
from runyard_cli import files, finding
from runyard_cli.client import Api
from runyard_cli.contexts import Place
from runyard_cli.errors import Misused, NotFound
from runyard_cli.output import cell, table, yaml_text
from runyard_cli.values import deadline, instant, unknown, variables

FIRST, SECOND = "019ab2c4-7e00-7000-8000-00000000aaaa", "019ab2c4-7e00-7000-8000-00000000bbbb"


def test_a_value_is_json_unless_the_workflow_wants_a_text(tmp_path: Path) -> None:
    schema = {"properties": {"version": {"type": "string"}, "limit": {"type": "integer"}}}
    given = ["version=2.0", "limit=90", "hosts=[1, 2]", "note=as it is", "empty=", "url=http://a/?b=c"]
    assert variables(given, [], schema) == {
        "version": "2.0", "limit": 90, "hosts": [1, 2], "note": "as it is", "empty": "", "url": "http://a/?b=c",
    }  # fmt: skip
    file = tmp_path / "vars.yaml"
    file.write_text("limit: 10\nday: 2026-11-23\n")
    assert variables(["limit=5"], [file], None) == {"limit": 5, "day": "2026-11-23"}


def test_all_variables_that_are_none_are_named_at_once(tmp_path: Path) -> None:
    with pytest.raises(Misused) as raised:
        variables(["a", "=b", "c=1"], [], None)
    assert len(raised.value.problems) == 2
    (tmp_path / "list.yaml").write_text("[1]")
    with pytest.raises(Misused, match="variables by name"):
        variables([], [tmp_path / "list.yaml"], None)


def test_a_time_is_an_instant_or_how_long_ago() -> None:
    now = datetime(2026, 11, 23, 12, tzinfo=UTC)
    assert instant("90m", now) == "2026-11-23T10:30:00.000Z"
    assert instant("2026-11-23T08:00:00+02:00") == "2026-11-23T06:00:00.000Z"
    with pytest.raises(Misused, match="is no time"):
        instant("yesterday")


def test_a_time_to_come_is_an_instant_or_how_long_it_is_until_then() -> None:
    now = datetime(2026, 11, 23, 12, tzinfo=UTC)
    assert deadline("1.5d", now) == "2026-11-25T00:00:00.000Z"
    assert deadline("2027-12-31T08:00:00Z") == "2027-12-31T08:00:00.000Z"
    assert deadline(None) is None
    for wrong in ("tomorrow", "9999999999d"):
        with pytest.raises(Misused, match="is no time"):
            deadline(wrong)


def test_what_may_be_text_or_nothing_is_text_unless_it_is_null() -> None:
    optional = {"anyOf": [{"type": "string"}, {"type": "null"}]}
    schema = {"properties": {"user": optional, "host": {"type": ["string", "null"]}, "port": {"type": ["integer", "null"]}}}
    assert variables(["user=123", "host=null", "port=22"], [], schema) == {"user": "123", "host": None, "port": 22}


def test_a_variable_that_is_no_input_of_the_workflow_is_told() -> None:
    schema = {"properties": {"limit": {"type": "integer"}}}
    assert unknown(["limt"], schema) == "Not among the inputs of the workflow: 'limt'. It has limit."
    assert unknown(["limit"], schema) == unknown(["limt"], None) == ""
    assert unknown(["more"], schema | {"additionalProperties": True}) == ""


def api_with(rows: list[str], page: int = 200) -> Api:
    """Executions with these ids, searched as the API does."""

    def answer(request: httpx.Request) -> httpx.Response:
        begins, first = request.url.params.get("q", ""), int(request.url.params.get("cursor", "0"))
        found = [each for each in rows if each.startswith(begins)]
        items = [{"executionId": each, "workflowName": "W", "status": "running"} for each in found[first : first + page]]
        return httpx.Response(200, json={"items": items, "nextCursor": str(first + page) if found[first + page :] else None})

    return Api(Place("http://127.0.0.1:1", "key"), transport=httpx.MockTransport(answer))


def test_an_execution_is_found_by_its_end_and_by_its_beginning() -> None:
    api = api_with([FIRST, SECOND])
    assert finding.execution_id(api, "0000bbbb") == SECOND
    assert finding.execution_id(api, "AAAA") == FIRST
    assert finding.execution_id(api, FIRST) == FIRST
    with pytest.raises(Misused, match="any of these") as raised:
        finding.execution_id(api, "019ab2c4-7e00")
    assert len(raised.value.problems) == 2
    with pytest.raises(NotFound):
        finding.execution_id(api, "cccccccc")
    with pytest.raises(Misused):
        finding.execution_id(api, "my execution")


def test_the_eight_digits_that_a_list_shows_find_what_is_not_among_the_newest_any_more() -> None:
    newer = [f"019ab2c4-7e00-7000-8000-{number:012x}" for number in range(30)]
    api = api_with([*newer, SECOND], page=10)
    assert finding.execution_id(api, "0000bbbb") == SECOND
    with pytest.raises(NotFound) as raised:
        finding.execution_id(api, "bbbb")
    assert "among the newest 5,000" in raised.value.hint


def test_a_workflow_that_is_mistyped_is_guessed() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        names = [name for name in ("Disk check", "Update a fleet") if request.url.params.get("q", "") in name]
        items = [{"workflowId": FIRST, "name": name} for name in names]
        return httpx.Response(200, json={"items": items, "nextCursor": None})

    api = Api(Place("http://127.0.0.1:1", "key"), transport=httpx.MockTransport(answer))
    with pytest.raises(NotFound) as raised:
        finding.workflow(api, "Disk chek")
    assert raised.value.problems == ["Disk check"]


@pytest.mark.parametrize("width", [40, 60, 80, 120])
def test_ids_and_names_of_a_table_are_whole_in_a_narrow_terminal_and_no_word_is_lost(width: int) -> None:
    asks, of = "Update 3 hosts to 2.1.1 now that the window is open?", "anybody who may run it"
    row = {"id": "9c48c888", "workflow": "Update a fleet", "asks": asks, "of": of, "until": "13:49:27"}
    columns = [(name.upper(), lambda row, name=name: row[name]) for name in row]
    out = Console(width=width, file=io.StringIO(), highlight=False)
    with out.capture() as shown:
        out.print(table([row, row], *columns))
    lines = shown.get().splitlines()
    assert all(len(line) <= width for line in lines)
    assert sum("9c48c888  Update a fleet" in line for line in lines) == 2
    assert shown.get().split().count("window") == shown.get().split().count("anybody") == 2


def test_directories_are_read_with_what_is_below_and_each_file_once(tmp_path: Path) -> None:
    for name in ("a.yaml", "deep/b.json", ".git/c.yaml", "notes.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("{}")
    found = files.documents([str(tmp_path), str(tmp_path / "a.yaml")])
    assert [each.name for each in found] == [str(tmp_path / "a.yaml"), str(tmp_path / "deep/b.json")]
    assert files.archive(found) == files.archive(found)
    with zipfile.ZipFile(io.BytesIO(files.archive(found))) as packed:
        assert [files.names_inside(found)[name] for name in packed.namelist()] == [each.name for each in found]
    with pytest.raises(Misused) as raised:
        files.documents([str(tmp_path / "missing.yaml"), str(tmp_path / "neither.yaml")])
    assert len(raised.value.problems) == 2


def test_text_from_elsewhere_cannot_steer_the_terminal() -> None:
    assert cell("name\x1b[2J\r\x07").plain == "name\ufffd[2J\ufffd\ufffd"
    assert "[bold]" in str(cell("[bold]"))
    assert table([], ("A", lambda row: row))


def test_yaml_keeps_the_order_and_the_types_of_the_answer() -> None:
    answer: dict[str, Any] = {"b": "1.0", "a": [None, True, 2], "t": "2026-11-23T00:00:00Z"}
    assert yaml_text(answer).splitlines() == ["b: '1.0'", "a:", "- null", "- true", "- 2", "t: '2026-11-23T00:00:00Z'"]
