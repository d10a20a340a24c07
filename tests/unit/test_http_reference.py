from tests.http_reference import FILE, text


def test_the_page_of_operations_has_each_route_of_the_api_and_nothing_else() -> None:
    assert FILE.read_text(encoding="utf-8") == text(), "run `python -m tests.http_reference`"
