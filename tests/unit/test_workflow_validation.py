"""Everything wrong with a workflow is said at once, with the place of each problem (R47)."""

from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML
from runyard_orchestrator.workflow.validate import problems, warnings
from runyard_shared.contracts.actions import ActionType
from runyard_shared.contracts.commands import Catalog

from tests.engine import CATALOG, Json, action, chain, edge

EXAMPLES = sorted((Path(__file__).parents[2] / "examples").glob("*.yaml"))


RESTART = ActionType(
    type="acme.restart",
    params={
        "type": "object",
        "properties": {
            "service": {"type": "string"},
            "seconds": {"type": "integer"},
            "where": {"anyOf": [{"type": "object", "properties": {"rack": {"type": "integer"}}}, {"type": "null"}]},
        },
        "required": ["service"],
        "additionalProperties": False,
    },
    output={"type": "object", "properties": {"restarted": {"type": "integer"}}},
    connections=["ssh"],
)


def found(document: Json, catalog: Catalog = CATALOG) -> dict[str, str]:
    return {problem.path: problem.message for problem in problems(document, catalog)}


def with_actions(*actions: ActionType) -> Catalog:
    return Catalog(connections=CATALOG.connections, actions=list(actions))


def test_every_problem_is_named_at_once_with_its_place() -> None:
    document = {
        "name": "Bad",
        "inputs": {"type": "strin"},
        "nodes": [
            action("a", action="acme.unknown"),
            {"id": "a", "type": "condition", "expression": "1 +"},
            {"id": "b", "type": "delay"},
            action("c", params={"scrip": "true"}),
            {"id": "j", "type": "join", "mode": "count", "count": 3},
            {"id": "trigger", "type": "parallel"},
        ],
        "edges": [
            edge("trigger", "a"),
            edge("a", "b", "maybe"),
            edge("b", "c"),
            edge("c", "b"),
            edge("b", "nowhere"),
            edge("nobody", "b"),
        ],
    }
    messages = found(document)
    assert "no agent offers the action type 'acme.unknown'" in messages["nodes[0].action"]
    assert "also the id of nodes[0]" in messages["nodes[1].id"]
    assert "not a valid expression" in messages["nodes[1].expression"]
    assert messages["nodes[2]"] == "a delay needs seconds or until"
    assert messages["nodes[3].params.scrip"] == "script.bash has no parameter 'scrip'; did you mean 'script'?"
    assert "can never be reached" in messages["nodes[4]"]
    assert "only 0 lead here" in messages["nodes[4].count"]
    assert "implicit source" in messages["nodes[5].id"]
    assert "has no port 'maybe'" in messages["edges[1].port"]
    assert messages["edges[4].to"] == "there is no node 'nowhere'; there are a, b, c, j, trigger"
    assert messages["edges[5].from"] == "there is no node 'nobody'; there are trigger, a, b, c, j"
    assert messages["edges[3]"] == "the graph must not have cycles, and this edge closes one: b -> c -> b"
    assert "must be object" in messages["inputs.type"]


def test_fields_that_do_not_exist_and_types_that_do_not_fit_are_named_with_their_place() -> None:
    messages = found({"name": "X", "nodes": [action("a", maxRetry=3), {"id": "b!", "type": "nope"}], "edges": [], "extra": 1})
    assert messages["nodes[0].maxRetry"] == "is not a field of this; did you mean 'maxRetries'?"
    assert messages["extra"].startswith("is not a field of this; there are name, description, ")
    assert messages["nodes[1].type"].startswith("'nope' is not a type of this; there are action, approval, ")


def test_values_that_do_not_fit_are_told_what_would_in_plain_words() -> None:
    messages = found(
        {
            "name": "X",
            "timeoutSeconds": -1,
            "inputs": {"type": "object", "properties": {"host": {"type": "text"}, "size": {"type": "integer"}}},
            "triggers": [{"type": "incident", "events": []}],
            "nodes": [action("a", maxRetries="many", params={"script": ""}), {"id": "w", "type": "delay", "seconds": "x"}],
            "edges": [edge("trigger", "a"), edge("a", "w")],
        }
    )
    assert messages == {
        "timeoutSeconds": "must be 0 or more",
        "inputs.properties.host.type": "is not a valid JSON Schema: there are the types string, integer, number, boolean, "
        "array, object and null",
        "triggers[0].events": "must not be empty",
        "nodes[0].maxRetries": "must be a whole number",
        "nodes[0].params.script": "must not be empty",
        "nodes[1].seconds": "must be a number",
    }
    assert found({"name": "X", "nodes": [], "edges": []})["nodes"] == "must not be empty"
    assert found(chain(action("a", params={"script": ""})))["nodes[0].params.script"] == "must not be empty"


def test_what_is_nearly_a_field_or_a_type_is_answered_with_the_right_one() -> None:
    wait = {"id": "w", "type": "delay", "second": 1}
    loop = {"id": "f", "type": "forEach", "items": "[1]", "body": {"nodes": [wait], "edges": [{"from": "item", "too": "w"}]}}
    messages = found(
        {
            "name": "X",
            "triggers": [{"type": "schedule", "cron": "* * * * *", "timeZone": "UTC"}, {"type": "webhok"}],
            "nodes": [loop, {"id": "untyped"}],
            "edges": [{"fron": "trigger", "to": "f"}],
        }
    )
    assert messages["triggers[0].timeZone"].endswith("did you mean 'timezone'?")
    assert messages["triggers[1].type"].endswith("did you mean 'webhook'?")
    assert messages["nodes[0].body.nodes[0].second"].endswith("did you mean 'seconds'?")
    assert messages["nodes[0].body.edges[0].too"].endswith("did you mean 'to'?")
    assert messages["nodes[1].type"].startswith("is required; there are action, approval, ")
    assert messages["edges[0].fron"].endswith("did you mean 'from'?")
    assert {"triggers[1].id", "nodes[1]"} < messages.keys(), "what the types that are meant lack, and the untyped node too"
    assert len(messages) == 8, "what seems to be missing is what is misspelt"


def test_a_misspelt_field_does_not_hide_the_other_problems() -> None:
    messages = found(
        {
            "name": "X",
            "nodes": [action("a", maxRetry=3), {"id": "c", "type": "condition", "expression": "1 +"}, "no node at all"],
            "edges": [edge("trigger", "a"), edge("a", "c"), edge("c", "nowhere", "true"), {"from": "a"}],
        }
    )
    assert {"nodes[0].maxRetry", "nodes[1].expression", "nodes[2]", "edges[2].to", "edges[3].to"} == set(messages)


def test_what_an_agent_announced_is_a_known_action() -> None:
    custom = with_actions(ActionType(type="acme.custom"))
    assert found(chain(action("a", action="acme.custom", params={"anything": 1})), custom) == {}


def test_a_template_in_one_parameter_leaves_the_others_checked() -> None:
    params: Json = {"url": "{{ inputs.url }}", "method": "FETCH", "headers": {"a": "{{ inputs.a }}", "b": True}, "verifyTls": 3}
    named = found(chain(action("a", action="http.request", params=params)))
    assert set(named) == {"nodes[0].params.method", "nodes[0].params.headers.b", "nodes[0].params.verifyTls"}


def test_a_value_that_a_template_gives_may_be_of_any_type() -> None:
    params = {"host": "web-01", "command": "true", "port": "{{ inputs.port }}"}
    mail: Json = {"to": "{{ inputs.people }}", "subject": "{{ inputs.subject }}", "text": "Hello"}
    catalog = Catalog(connections={"mail": "smtp"})
    assert found(chain(action("a", action="ssh.executeCommand", params=params))) == {}
    assert found(chain(action("a", action="email.send", params=mail, connection="mail")), catalog) == {}


def test_parameters_of_an_announced_type_are_held_against_its_schema() -> None:
    catalog = with_actions(RESTART)
    bad: Json = {"seconds": "soon", "servise": "web", "where": {"rack": "upstairs"}}
    assert found(chain(action("a", action="acme.restart", params=bad)), catalog) == {
        "nodes[0].params.seconds": '"soon" is not of type "integer"',
        "nodes[0].params.servise": "acme.restart has no parameter 'servise'; did you mean 'service'?",
        "nodes[0].params.where": '{"rack":"upstairs"} is not valid under any of the schemas listed in the \'anyOf\' keyword',
    }
    good: Json = {"service": "web", "seconds": "{{ inputs.s }}", "where": {"rack": "{{ inputs.rack }}"}}
    assert found(chain(action("a", action="acme.restart", params=good)), catalog) == {}


def test_the_output_of_an_announced_type_is_checked_by_type() -> None:
    params = {"service": "web"}
    condition = {"id": "c", "type": "condition", "expression": "nodes.a.output.restarted + 'x' == ''"}
    named = found(chain(action("a", action="acme.restart", params=params), condition), with_actions(RESTART))
    assert "types do not fit" in named["nodes[1].expression"]


def test_nothing_is_fetched_for_a_schema_that_refers_to_elsewhere(tmp_path: Path) -> None:
    elsewhere = tmp_path / "schema.json"
    elsewhere.write_text('{"type": "object"}')
    reference = {"$ref": elsewhere.as_uri()}
    assert "Retrieval is disabled" in found(chain(action("a")) | {"inputs": reference})["inputs"]
    announced = with_actions(ActionType(type="acme.custom", params=reference))
    named = found(chain(action("a", action="acme.custom", params={})), announced)
    assert "what agents announce for acme.custom is not a valid JSON Schema" in named["nodes[0].params"]


@pytest.mark.parametrize(
    ("fields", "path", "words"),
    [
        ({"pool": "dmzz"}, "pool", "there is no pool 'dmzz'; did you mean 'dmz'?"),
        ({"agent": "b9"}, "agent", "there is no agent 'b9'; there is a1"),
        ({"connection": "nope"}, "connection", "there is no connection 'nope'; there is none that fits yet"),
        (
            {"action": "ssh.executeCommand", "params": {"command": "true"}, "connection": "ops-slack"},
            "connection",
            "'ops-slack' is of kind slack, but ssh.executeCommand uses ssh; of those that fit there are web-hosts",
        ),
        (
            {"action": "slack.sendMessage", "params": {"text": "{{ inputs.text }}"}},
            "connection",
            "slack.sendMessage needs a connection of kind slack; of those that fit there are ops-slack",
        ),
        (
            {"action": "acme.restart", "params": {"service": "web"}, "connection": "orders-db"},
            "connection",
            "'orders-db' is of kind postgresql, but acme.restart uses ssh; of those that fit there are web-hosts",
        ),
        (
            {"action": "acme.custom", "params": {}, "connection": "orders-db"},
            "connection",
            "acme.custom uses no connection; remove it",
        ),
    ],
)
def test_what_an_action_refers_to_must_be_there(fields: Json, path: str, words: str) -> None:
    actions = [RESTART, ActionType(type="acme.custom")]
    catalog = Catalog(pools=["dmz"], agents=["a1"], connections=CATALOG.connections, actions=actions)
    assert found(chain(action("a", **fields)), catalog) == {f"nodes[0].{path}": words}
    assert found(in_body(action("a", **fields)), catalog) == {f"nodes[1].body.nodes[0].{path}": words}


@pytest.mark.parametrize(
    ("fields", "place"),
    [
        ({"action": "ssh.executeCommand", "params": {"command": "true"}}, "params.host"),
        ({"action": "ssh.executeCommand", "params": {"command": "true"}, "connection": "web-hosts"}, None),
        ({"action": "http.request", "params": {"url": "/health"}}, "params.url"),
        ({"action": "http.request", "params": {"url": "/health"}, "connection": "api"}, None),
        ({"action": "http.request", "params": {"url": "http://x", "json": {}, "body": "{{ inputs.b }}"}}, "params.body"),
        ({"action": "kubernetes.getLogs", "params": {}, "connection": "prod"}, "params"),
        (
            {"action": "kubernetes.getLogs", "params": {"pod": "{{ inputs.p }}", "selector": "a=b"}, "connection": "prod"},
            "params",
        ),
        ({"action": "kubernetes.getLogs", "params": {"pod": "{{ inputs.p }}"}, "connection": "prod"}, None),
    ],
)
def test_parameters_that_do_not_go_together_are_found_as_far_as_they_can_be(fields: Json, place: str | None) -> None:
    catalog = Catalog(connections={"web-hosts": "ssh", "api": "http", "prod": "kubernetes"})
    assert set(found(chain(action("a", **fields)), catalog)) == ({f"nodes[0].{place}"} if place else set())


def test_all_that_is_missing_is_said_at_once() -> None:
    node = action("a", action="email.send", params={"to": []}, pool="p", agent="x", connection="c")
    assert set(found(chain(node), Catalog())) == {
        f"nodes[0].{path}" for path in ("params.to", "params.subject", "params.text", "pool", "agent", "connection")
    }


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_the_examples_are_valid(path: Path) -> None:
    assert problems(YAML(typ="safe", pure=True).load(path), CATALOG) == ()


def test_there_are_examples() -> None:
    assert EXAMPLES


def in_body(*nodes: Json, **fields: Any) -> Json:
    body = {"nodes": list(nodes), "edges": [{"from": "item", "to": nodes[0]["id"]}]}
    return chain(action("first"), {"id": "each", "type": "forEach", "items": "[1]", "body": body} | fields)


def test_problems_in_a_body_have_their_path_and_do_not_hide_each_other() -> None:
    named = found(
        in_body(
            action("first", params={"script": "{{ nodes.nope.output }}"}),
            action("alone", action="no.such"),
            {"id": "bad", "type": "delay"},
            {"id": "worse", "type": "delay", "secnods": 5},
        )
    )
    assert named["nodes[1].body.nodes[0].id"] == "'first' is also the id of nodes[0]; every node needs its own"
    assert "there is no node 'nope' here" in named["nodes[1].body.nodes[0].params.script"]
    assert "no agent offers" in named["nodes[1].body.nodes[1].action"]
    assert "can never be reached from 'item'" in named["nodes[1].body.nodes[1]"]
    assert named["nodes[1].body.nodes[2]"] != ""
    assert "nodes[1].body.nodes[3].secnods" in named


def test_item_is_known_in_a_body_and_nowhere_else() -> None:
    assert found(in_body(action("a", params={"script": "{{ item }} {{ index }} {{ nodes.first.output.stdout }}"}))) == {}
    outside = found(chain(action("a", params={"script": "{{ item }}"})))
    assert outside == {"nodes[0].params.script": "reads item, which is only there in the body of a forEach"}


@pytest.mark.parametrize(
    ("expression", "words"),
    [
        ("nodes.first.output.stdout > 90", "types do not fit"),
        ('inputs.threshold + "x" == "y"', "types do not fit"),
        ("inputs.threshold", "gives a number; a condition must be true or false"),
        ('nodes.first.output.stdout.beginsWith("x")', "beginsWith()"),
        ("int(nodes.first.output.stdout) > inputs.threshold", None),
        ("nodes.first.output.anything > 3", None),
        ("inputs.untyped > 3", None),
        ('inputs.list[0] == "a"', None),
    ],
)
def test_type_errors_are_found_as_far_as_types_are_known(expression: str, words: str | None) -> None:
    fields: Json = {"threshold": {"type": "integer"}, "untyped": {}, "list": {"type": "array"}}
    document = chain(action("first"), {"id": "c", "type": "condition", "expression": expression})
    named = found(document | {"inputs": {"type": "object", "properties": fields}})
    if words is None:
        assert named == {}
    else:
        assert words in named["nodes[1].expression"]


def test_an_approval_that_can_never_be_given_is_refused() -> None:
    gate: Json = {"id": "gate", "type": "approval", "message": "Go?", "approvers": ["alice"], "minApprovals": 2}
    named = found(chain(gate | {"timeoutSeconds": 60, "remindAfterSeconds": 60, "escalateTo": ["bob"]}))
    assert set(named) == {"nodes[0].remindAfterSeconds", "nodes[0].escalateAfterSeconds"}
    assert "only 1 may answer" in found(chain(gate))["nodes[0].minApprovals"]


def test_everything_wrong_with_the_triggers_is_said_at_once() -> None:
    triggers: list[Json] = [
        {"type": "manual"},
        {"type": "schedule", "cron": "61 25 * *", "timezone": "Berlin"},
        {"type": "schedule", "cron": "61 6 * * *"},
        {"type": "webhook", "id": "ci"},
        {"type": "webhook", "id": "no good"},
        {"type": "webhook", "id": "ci"},
        {"type": "incident", "events": ["incident.created"], "condition": "incident.severity =="},
        {"type": "incident", "events": ["incident.created"], "condition": "inputs.host == incident.host"},
        {"type": "incident", "events": ["incident.created"], "condition": "incident.severity + 1 == incident.host"},
        {
            "type": "incident",
            "events": ["incident.created"],
            "condition": '"incident.no" in incident.tags && incident.team > "a"',
        },
        {"type": "incident", "events": ["incident.created"], "condition": 'incident.severty == "high"'},
        {"type": "schedule", "cron": "0 6 * * *", "catchUp": "some"},
    ]
    messages = found(chain(action("a")) | {"triggers": triggers})
    assert messages["triggers[1].cron"].startswith("has 4 fields; a cron expression has five")
    assert "there is no time zone 'Berlin'" in messages["triggers[1].timezone"]
    assert "minute '61' must be 0-59" in messages["triggers[2].cron"]
    assert "letters, digits" in messages["triggers[4].id"]
    assert messages["triggers[5].id"] == "'ci' is also the id of triggers[3]; every webhook needs its own"
    assert "not a valid expression" in messages["triggers[6].condition"]
    assert messages["triggers[7].condition"] == "reads inputs; when an incident is judged there is nothing but incident"
    assert "types do not fit" in messages["triggers[8].condition"]
    assert messages["triggers[10].condition"] == (
        "reads incident.severty, which an incident does not have; did you mean 'severity'?"
    )
    assert "triggers[11].catchUp" in messages
    assert len(messages) == 10


def test_inputs_that_no_trigger_can_give_are_warned_of_and_stop_no_publish() -> None:
    properties = {"host": {"type": "string"}, "limit": {"type": "integer", "default": "many"}}
    document = chain(action("a")) | {"inputs": {"type": "object", "required": ["host"], "properties": properties}}
    alone = [{"type": "schedule", "cron": "0 6 * * *"}, {"type": "manual"}, {"type": "webhook", "id": "ci"}]
    assert warned(document) == warned(document | {"triggers": [{"type": "manual"}]}) == {}
    told = warned(document | {"triggers": alone})
    assert '"host" is a required property, but triggers[0], triggers[2]' in told["inputs"]
    assert "give it a default that fits, or do not require it" in told["inputs.properties.limit"]
    assert found(document | {"triggers": alone}) == {}


def warned(document: Json) -> dict[str, str]:
    return {warning.path: warning.message for warning in warnings(document)}


SCRIPT: Json = {"params": {"script": "true"}}


@pytest.mark.parametrize(
    ("node", "told"),
    [
        (
            {"type": "action", "action": "script.bash", "parms": {"scrip": "x"}, "maxRetries": "many"},
            {
                "parms": "is not a field of this; did you mean 'params'?",
                "parms.scrip": "script.bash has no parameter 'scrip'; did you mean 'script'?",
                "maxRetries": "must be a whole number",
            },
        ),
        (
            {"type": "action", "action": "script.bash", "script": "true", "timeoutSeconds": "5m"},
            {
                "script": "is a parameter of the action; write it below params, as params: {script: …}",
                "timeoutSeconds": "must be a number; write 300 for 5m",
            },
        ),
        ({"type": "script.bash", **SCRIPT}, {"type": "write type: action and action: script.bash"}),
        ({"action": "script.bash", **SCRIPT}, {"type": "is required; did you mean 'action'?"}),
        (
            {"type": "action", "action": "script.bsh", "params": {}},
            {"action": "'script.bash'?", "params.script": "is required"},
        ),
        ({"type": "action", "action": "script.bash", "params": "true"}, {"params": "must be a map"}),
        ({"type": "action", "action": "script.bash", **SCRIPT, "tags": "linux"}, {"tags": "write it in brackets: [linux]"}),
        ({"type": "action", "action": "script.bash", **SCRIPT, "pool": "{{ inputs.p }}"}, {"pool": "no template is evaluated"}),
        (
            {"type": "action", "action": "script.bash", **SCRIPT, "depends_on": ["b"]},
            {"depends_on": "is in the edges, as {from"},
        ),
        ({"type": "condition", "expresion": "1 +"}, {"expresion": "is not a field of this"}),
        ({"type": "condition", "expression": True}, {"expression": 'must be a text; write it in quotes: "true"'}),
        ({"type": "aproval", "mesage": "{{ foo }}"}, {"type": "did you mean 'approval'?", "mesage": "did you mean 'message'?"}),
        (
            {"type": "approval", "message": "?", "approvers": ["role: a"]},
            {"approvers[0]": "the name of a role, without spaces"},
        ),
        ({"type": "delay", "secnods": 5}, {"secnods": "did you mean 'seconds'?"}),
        ({"type": "delay", "seconds": "{{ inputs.s }}"}, {"seconds": "must be a number; no template is evaluated here"}),
        ({"type": "join", "mode": "cuont", "count": 1}, {"mode": "did you mean 'count'?"}),
        (
            {"type": "switch", "expression": "1", "cases": [1.5, None]},
            {"cases[0]": "or a whole number", "cases[1]": "nothing here"},
        ),
        ({"type": "setVariables", "values": {"a-b": 1}}, {"values.a-b": "letters, digits and underscores"}),
        ({"type": "forEach", "items": "[1]", "body": [SCRIPT]}, {"body": "must be a map; write {nodes: …, edges: …}"}),
        ({"type": "nothing", "expression": "1 +"}, {"type": "'nothing' is not a type of this; there are action, approval, "}),
    ],
)
def test_one_mistake_hides_no_other_and_brings_about_none(node: Json, told: dict[str, str]) -> None:
    """As a node of the workflow, and in the body of a loop beside a node with a mistake of its own."""
    wrong = {"id": "wrong", **node}
    named = found({"name": "X", "nodes": [wrong], "edges": [edge("trigger", "wrong")]})
    assert set(named) == {f"nodes[0].{path}" for path in told}
    for path, words in told.items():
        assert path in ("expresion", "mesage") or words in named[f"nodes[0].{path}"]
    inside = found(in_body(wrong, {"id": "other", "type": "delay"}))
    assert set(inside) == {f"nodes[1].body.nodes[0].{path}" for path in told} | {
        "nodes[1].body.nodes[1]",
    }


@pytest.mark.parametrize(
    ("parts", "told"),
    [
        ({"nodes": {"a": action("a")}}, {"nodes": "must be a list; write each of its entries after a dash"}),
        ({"edges": None}, {"edges": "must be a list; there is nothing here"}),
        ({"nodes": [action("my-node")], "edges": [edge("trigger", "my-node")]}, {"nodes[0].id": "expressions name it"}),
        ({"nodes": [{"type": "parallel"}], "edges": [edge("trigger", "a")]}, {"nodes[0].id": "is required"}),
        ({"edges": [edge("trigger", "A")]}, {"edges[0].to": "there is no node 'A'; did you mean 'a'?"}),
        ({"edges": [{"source": "trigger", "target": "a"}]}, {"edges[0].source": "'from'?", "edges[0].target": "'to'?"}),
        ({"edges": ["trigger -> a"]}, {"edges[0]": "must be a map; write {from: …, to: …}"}),
        (
            {"nodes": [action("a"), action("b"), action("c")], "edges": [edge("a", "b"), edge("b", "c")]},
            {"nodes[0]": "'a' can never be reached from the trigger, and so neither can b, c; add an edge to it"},
        ),
        (
            {"edges": [edge("trigger", "a"), edge("a", "a")]},
            {"edges[1]": "the graph must not have cycles, and this edge closes one: a -> a"},
        ),
        (
            {
                "nodes": [{"id": "a", "type": "condition", "expression": "true"}, action("b")],
                "edges": [edge("trigger", "a"), {"from": "a", "port": True, "to": "b"}],
            },
            {"edges[1].port": 'must be a text; write it in quotes: "true"'},
        ),
        ({"triggers": [{"type": "schedule", "cron": "@daily"}]}, {"triggers[0].cron": "write 0 0 * * * for @daily"}),
        ({"triggers": ["manual"]}, {"triggers[0]": "must be a map; write {type: …}"}),
        (
            {"inputs": {"type": "object", "properties": {"host": "string", "n": {"type": "int"}}, "required": "host"}},
            {
                "inputs.properties.host": "must be a map, such as {type: string}",
                "inputs.properties.n.type": "there are the types string, integer, ",
                "inputs.required": "must be a list",
            },
        ),
        (
            {"steps": [action("a")], "nodes": None},
            {"steps": "did you mean 'nodes'?", "nodes": "must be a list"},
        ),
    ],
)
def test_what_follows_from_a_mistake_is_not_told_again(parts: Json, told: dict[str, str]) -> None:
    named = found(chain(action("a")) | parts)
    assert set(named) == set(told)
    assert all(words in named[path] for path, words in told.items())


def test_problems_come_as_the_document_is_read_and_not_without_end() -> None:
    bad: Json = {"id": "a", "type": "delay", "seconds": "x", "nope": 1}
    assert [problem.path for problem in problems({"edges": 1, "nodes": [bad], "name": 1}, CATALOG)] == [
        "edges", "nodes[0].seconds", "nodes[0].nope", "name"
    ]  # fmt: skip
    many = problems(chain(*(action(f"a{place}", **{f"no{field}": 1 for field in range(9)}) for place in range(99))), CATALOG)
    assert (len(many), many[0].message) == (201, "has more than 200 problems; these are some of them")


@pytest.mark.parametrize(
    ("expression", "words"),
    [
        ("host == 'a'", "reads host, which does not exist; did you mean inputs.host?"),
        ("first.output.stdout == 'a'", "reads first, which does not exist; did you mean nodes.first?"),
        ("nodes.frist.output.stdout == 'a'", "but there is no node 'frist' here; did you mean 'first'?"),
        ("input.host == 'a'", "did you mean inputs?"),
        ("inputs.host == None", "write null"),
        ("secrets.password == 'a'", "only a connection, which an action names, holds secrets"),
        ("len(inputs.host) > 3", "calls len(), which does not exist; write size(value)"),
        ("inputs.host.startWith('a')", "did you mean 'startsWith'?"),
        ("{{ inputs.host == 'a' }}", "the whole field is an expression, without {{ and }}"),
    ],
)
def test_names_that_do_not_exist_are_answered_with_those_that_are_meant(expression: str, words: str) -> None:
    document = chain(action("first"), {"id": "c", "type": "condition", "expression": expression})
    named = found(document | {"inputs": {"type": "object", "properties": {"host": {"type": "string"}}}})
    assert words in named["nodes[1].expression"]


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("{ inputs.host }", "a template has two braces on each side: {{ inputs.host }}"),
        ("echo ${inputs.host}", "{{ inputs.host }}"),
        ("{% if inputs.host %}x{% endif %}", "is plain text; there is only {{ … }}"),
        ("${{ inputs.host }}", "the $ is plain text"),
        ("{{ inputs.hots }}", "which the inputs do not declare; did you mean 'host'?"),
        ("{{ nodes.first.stdout }}", "did you mean nodes.first.output.stdout?"),
        ("{{ nodes.first.output.stdot }}", "did you mean 'stdout'?"),
        ("{{ inputs.anything }} {{ nodes.first.output.stdout }} ${HOME} {item} awk '{print $1}'", None),
    ],
)
def test_what_will_hardly_do_what_was_meant_is_warned_of(script: str, words: str | None) -> None:
    document = chain(action("first"), action("then", params={"script": script}))
    document |= {"inputs": {"type": "object", "properties": {"host": {"type": "string", "default": "a"}}}}
    told = warned(document)
    assert found(document) == {}
    assert words is None or words in told["nodes[1].params.script"]
    assert (words is None) == (told == {})


def test_inputs_that_are_no_schema_and_gates_and_loops_for_nobody_are_warned_of() -> None:
    gate = {"id": "gate", "type": "approval", "message": "?", "approvers": []}
    document = in_body(action("a"), items=[])
    document["nodes"].append(gate)
    document["edges"].append(edge("each", "gate"))
    told = warned(document | {"inputs": {"host": {"type": "string"}}})
    assert told["inputs.host"].endswith("write properties: {host: …}")
    assert told["nodes[1].items"] == "is empty: the body will never run"
    assert "whoever may execute the workflow can answer" in told["nodes[2].approvers"]
