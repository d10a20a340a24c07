from io import StringIO

from rich.console import Console
from runyard_standalone.screen import Screen


def test_the_address_to_sign_in_at_stays_one_link_in_a_narrow_terminal() -> None:
    terminal = Console(file=StringIO(), force_terminal=True, width=60, highlight=False, color_system=None)
    line = "Sign in  http://127.0.0.1:8080/sign-in#key=" + "k" * 43
    Screen(terminal).say(line, "bold")
    assert isinstance(terminal.file, StringIO)
    assert terminal.file.getvalue() == line + "\n"
