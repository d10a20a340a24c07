"""The log that is read on from where it was left."""

import httpx
from runyard_cli.client import Api
from runyard_cli.contexts import Place
from runyard_cli.journal import Journal


def test_each_entry_is_told_once_however_pages_fill_up() -> None:
    log = [1, 2, 2]

    def answer(request: httpx.Request) -> httpx.Response:
        """Pages of at most three entries, never between two of one position."""
        after = int(request.url.params.get("cursor") or 0)
        page = [position for position in log if position > after][:3]
        more = bool(page) and page[-1] != log[-1]
        items = [{"position": position} for position in page]
        return httpx.Response(200, json={"items": items, "nextCursor": str(page[-1]) if more else None})

    journal = Journal(Api(Place("http://127.0.0.1:1", "key"), transport=httpx.MockTransport(answer)), "e")
    assert [entry["position"] for entry in journal.news()] == [1, 2, 2]
    assert list(journal.news()) == []
    log += [3, 4, 5, 6, 7]
    assert [entry["position"] for entry in journal.news()] == [3, 4, 5, 6, 7]
    log += [8]
    assert [entry["position"] for entry in journal.news(8)] == [8]
