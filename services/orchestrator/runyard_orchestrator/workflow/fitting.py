"""What a value would have to be, in words for whoever wrote it: pydantic speaks of validation, and to programmers."""

from typing import Any, Final

from pydantic_core import ErrorDetails

_WORDS: Final = {
    "string_type": "must be a text",
    "int_type": "must be a whole number",
    "int_parsing": "must be a whole number",
    "int_from_float": "must be a whole number",
    "float_type": "must be a number",
    "float_parsing": "must be a number",
    "finite_number": "must be a number",
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
    "list_type": "must be a list",
    "dict_type": "must be a map",
    "model_type": "must be a map",
    "model_attributes_type": "must be a map",
    "literal_error": "must be {expected}",
    "greater_than_equal": "must be {ge} or more",
    "less_than_equal": "must be {le} or less",
    "greater_than": "must be more than {gt}",
    "less_than": "must be less than {lt}",
    "string_too_short": "must have at least {min_length} characters",
    "string_too_long": "must have at most {max_length} characters",
    "too_short": "must have at least {min_length} items",
    "too_long": "must have at most {max_length} items",
}


def what_fits(found: ErrorDetails) -> str:
    """Goes on from the path of the value. Of what is seldom met the words are pydantic's."""
    context = {name: _plain(value) for name, value in found.get("ctx", {}).items()}
    if context.get("min_length") == 1:
        return "must not be empty"
    words = _WORDS.get(found["type"])
    return words.format(**context) if words else found["msg"][:1].lower() + found["msg"][1:]


def _plain(value: Any) -> Any:
    """A bound of 0.0 is 0 to people."""
    return int(value) if isinstance(value, float) and value.is_integer() else value
