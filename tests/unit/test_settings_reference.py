from tests.settings_reference import FILE, text, undescribed


def test_the_page_of_the_settings_is_what_the_processes_read() -> None:
    assert FILE.read_text(encoding="utf-8") == text(), "run `python -m tests.settings_reference`"


def test_every_setting_says_what_it_is_for() -> None:
    assert not list(undescribed())
