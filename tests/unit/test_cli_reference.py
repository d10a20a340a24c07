from tests.cli_reference import FILE, text


def test_the_page_of_the_command_line_is_what_the_command_line_is() -> None:
    assert FILE.read_text(encoding="utf-8") == text(), "run `python -m tests.cli_reference`"
