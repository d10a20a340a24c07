"""CEL and templates as workflow authors meet them."""

import pytest
from runyard_orchestrator.workflow.expressions import (
    ExpressionError,
    UnresolvedPath,
    compile_expression,
    compile_template,
    template_expressions,
)

SCOPE = {
    "inputs": {"host": "web-01", "count": 3, "list": [1, 2], "flag": True, "none": None},
    "nodes": {"check": {"output": {"stdout": "91"}, "status": "completed"}},
    "webhook": {"content-type": "json"},
}


@pytest.mark.parametrize(
    ("source", "value"),
    [
        ("int(nodes.check.output.stdout) > 90", True),
        ("inputs.list.map(x, x * 2)", [2, 4]),
        ('has(inputs.nope) ? "there" : "missing"', "missing"),
        ('inputs.host in ["web-01", "web-02"]', True),
        ("size(inputs.list)", 2),
        ('webhook["content-type"]', "json"),
        ("inputs.list[1]", 2),
        ("true", True),
    ],
)
def test_expressions_give_their_value(source: str, value: object) -> None:
    assert compile_expression(source).evaluate(SCOPE) == value


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("nodes.nope.output", "nodes has no 'nope'; it has check"),
        ("int(nodes.check.output.missing) > 1", "nodes.check.output has no 'missing'; it has stdout"),
        ("inputs.list[7]", "inputs.list has 2 elements"),
        ("inputs.host.name", "inputs.host is the text 'web-01', which has no fields"),
        ("inputs.list.exists(x, x == inputs.nope)", "inputs has no 'nope'"),
        ("error.message", "the scope has no 'error'"),
    ],
)
def test_a_path_that_does_not_resolve_says_what_is_there(source: str, message: str) -> None:
    with pytest.raises(UnresolvedPath) as caught:
        compile_expression(source).evaluate(SCOPE)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("1 +", "at column 4, it ends where a value is expected after '+'"),
        ("hosts[0]", "reads hosts, which does not exist; there are error, execution, "),
        ("", "empty"),
        ("x" * 5000, "longer than 4096"),
        ("(" * 2000 + "1" + ")" * 2000, "not a valid expression"),
    ],
)
def test_a_bad_expression_is_refused_with_its_reason(source: str, message: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        compile_expression(source)
    assert message in str(caught.value)
    assert len(str(caught.value)) < 500


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("inputs.count = 3", "at column 14, '=' is no operator; write '==' to compare"),
        ("inputs.flag and inputs.host", "at column 13, write '&&' for 'and'"),
        ("not inputs.flag", "write '!' for 'not', as in !inputs.flag"),
        ("inputs.host not in ['a']", "as in !(a in b)"),
        ("inputs.host is null", "write '==' for 'is'"),
        ("(inputs.count == 3", "at column 1, this '(' is never closed with ')'"),
        ("inputs.count == 3)", "at column 18, ')' closes what was never opened"),
        ("[1, 2)", "')' cannot close the '[' of column 1; ']' does"),
        ("inputs.host == 'a", "at column 16, this ' is never closed"),
        ("inputs.host == 'it's'", "a quote inside of quotes is written \\'"),
        ("inputs.host == ‘a’", "this is not a quote that CEL knows"),
        ("inputs.host.matches('\\d')", "'\\\\d' means nothing inside of quotes"),
        ("[1 2]", "an operator, or a comma, is missing between '1' and '2'"),
        ("inputs.count == == 3", "'==' stands where a value is expected after '=='"),
        ("inputs.host | default('a')", "has(a.b) ? a.b : 'other' for a default"),
        ("inputs.host ?? 'a'", "write has(a.b) ? a.b : 'other'"),
        ("inputs.flag ? 1", "this '?' has no ':' with the other value"),
        ("inputs.host =~ 'a'", "write text.matches('pattern')"),
        ("inputs.host contains 'a'", "write text.contains('part')"),
        ("inputs.list.map(x => x)", "write a macro as in list.map(x, x.name)"),
        ("nodes.1st.output", "after '.' a name is expected"),
        ("inputs.count == 3 &&\n and inputs.flag", "at line 2, column 2, write '&&' for 'and'"),
        ("has(inputs)", "has() takes the path of a field"),
    ],
)
def test_what_is_no_expression_is_told_in_plain_words_where_it_stops_to_be_one(source: str, words: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        compile_expression(source)
    assert words in str(caught.value)
    assert not any(jargon in str(caught.value) for jargon in ("token", "EOF", "IDENTIFIER", "extraneous", "mismatched"))


@pytest.mark.parametrize(
    ("source", "words"),
    [
        (
            "inputs.count + 'a'",
            "do not fit together; convert them, as with int(), double() or string(); inputs.count is the number 3",
        ),
        ("inputs.host > 3", "inputs.host is the text 'web-01'"),
        ("int(inputs.host)", "int() cannot read the text as a number"),
        ("size(inputs.count)", "size() takes no such values; inputs.count is the number 3"),
        ("inputs.none + 1", "null + a whole number cannot be"),
        ("inputs.count.split(',')", "split() is for texts; convert other values with string()"),
        ("inputs.host.matches('(')", "matches() cannot read the pattern: unclosed group"),
        ("inputs.none.deeper + 1", "inputs.none is null, which has no fields"),
    ],
)
def test_what_cannot_be_evaluated_names_the_values_that_were_there(source: str, words: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        compile_expression(source).evaluate(SCOPE)
    assert words in str(caught.value)
    with pytest.raises(ExpressionError) as in_template:
        compile_template({"env": ["{{ " + source + " }}"]}, "params").render(SCOPE, [])
    assert str(in_template.value) == f"params.env[0]: {caught.value}"


def test_an_evaluation_error_is_not_an_unresolved_path() -> None:
    for source in ('inputs.count + "a"', 'int("abc")'):
        with pytest.raises(ExpressionError) as caught:
            compile_expression(source).evaluate(SCOPE)
        assert not isinstance(caught.value, UnresolvedPath)


def test_nested_macros_over_large_lists_are_refused_before_they_run() -> None:
    nested = compile_expression("inputs.list.map(x, inputs.list.map(y, inputs.list.map(z, x + y + z)))")
    assert nested.evaluate({"inputs": {"list": [1]}}) == [[[3]]]
    with pytest.raises(ExpressionError, match="more than 1000000 elements"):
        nested.evaluate({"inputs": {"list": list(range(200))}})


@pytest.mark.parametrize(
    ("template", "value"),
    [
        ("plain", "plain"),
        ("{{ inputs.count }}", 3),
        ("n={{ inputs.count }}", "n=3"),
        ("{{ inputs.list }}", [1, 2]),
        ("l={{ inputs.list }}", "l=[1,2]"),
        ("{{ inputs.flag }}!", "true!"),
        ("[{{ inputs.none }}]", "[]"),
        ('{{ "}}" }}', "}}"),
        ('{{ {"a": {"b": 1}} }}', {"a": {"b": 1}}),
        ({"a": ["{{ inputs.host }}", 1, None]}, {"a": ["web-01", 1, None]}),
        ("{{ timestamp('2026-01-01T00:00:00Z') }}", "2026-01-01T00:00:00.000Z"),
    ],
)
def test_templates_keep_types_when_whole_and_make_text_otherwise(template: object, value: object) -> None:
    warnings: list[str] = []
    assert compile_template(template).render(SCOPE, warnings) == value
    assert warnings == []


def test_an_unresolved_path_in_a_template_is_empty_text_and_a_warning() -> None:
    warnings: list[str] = []
    assert compile_template("<{{ inputs.nope }}>").render(SCOPE, warnings) == "<>"
    assert warnings == ["inputs.nope does not resolve: inputs has no 'nope'; it has count, flag, host, list, none"]


def test_every_expression_of_a_document_is_found_with_its_place() -> None:
    found = list(template_expressions({"a": "{{ 1 + }} {{ b }}", "b": [{"c": "{{ foo }}"}, "{{ open"]}, "params"))
    assert found[:3] == [("params.a", " 1 + "), ("params.a", " b "), ("params.b[0].c", " foo ")]
    path, problem = found[3]
    assert path == "params.b[1]"
    assert "never closed" in str(problem)


def test_a_division_by_zero_is_an_error_of_the_expression() -> None:
    with pytest.raises(ExpressionError, match="division by zero"):
        compile_expression("1 / inputs.n").evaluate({"inputs": {"n": 0}})


@pytest.mark.parametrize(
    ("source", "value"),
    [
        ("inputs.out.trim().split('\\n')", ["web-01", "web-02"]),
        ("inputs.out.split('\\n', 2)", ["web-01", "web-02\n"]),
        ("['a', 'b'].join(', ')", "a, b"),
        ("inputs.out.trim().split('\\n').map(host, host.upperAscii())", ["WEB-01", "WEB-02"]),
        ("'%'.replace('%', 'percent').lowerAscii()", "percent"),
        ("'87%'.substring(0, 2)", "87"),
        ("inputs.out.split('')[0]", "w"),
    ],
)
def test_text_can_be_taken_apart(source: str, value: object) -> None:
    assert compile_expression(source).evaluate({"inputs": {"out": "web-01\nweb-02\n"}}) == value


def test_a_function_on_the_wrong_value_says_so_and_none_makes_a_text_without_end() -> None:
    with pytest.raises(ExpressionError, match="split"):
        compile_expression("inputs.n.split(',')").evaluate({"inputs": {"n": 5}})
    with pytest.raises(ExpressionError, match="more than 1048576 characters"):
        compile_expression("inputs.t.replace('a', inputs.t)").evaluate({"inputs": {"t": "a" * 5000}})
