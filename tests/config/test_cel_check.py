"""What is wrong with an expression is said before anybody depends on it."""

import string

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from chatops.adapters.configuration import load
from chatops.kernel.cel import BOOL, STRING, CelMistake, check, list_of, possible, record, spoken_of, vocabulary
from chatops.kernel.cel.syntax import CelSyntaxError, parse
from tests.config.acme import ACTIONS, acme
from tests.support.later import Later
from tests.support.thoroughness import examples

cel = Later("cel")


@pytest.fixture(scope="module")
def words(tmp_path_factory):
    folder = acme(tmp_path_factory.mktemp("acme"))
    return vocabulary(ACTIONS, load(folder, ACTIONS).platform)


RIGHT = [
    "true",
    'env.tier == "production" && action.risk != "read"',
    'env["tier"] == "production"',
    'env.name in ["staging", "production"]',
    'action.name == "scale" && inputs.replicas > 3',
    'action.name != "scale" || inputs.replicas > 3',
    'action.name == "scale" ? inputs.replicas > 3 : false',
    "has(inputs.replicas) && inputs.replicas > 3",
    '"replicas" in inputs && inputs.replicas > 3',
    "!has(inputs.replicas) || inputs.replicas <= 3",
    'action.name in ["deploy", "scale"] && inputs.service == "checkout"',
    'action.risk == "danger" && inputs.name.startsWith("prod")',
    'inputs.environment == "staging"',  # every action of Acme's has it
    'has(service.labels.pci) && service.labels.pci == "yes"',
    '"pci" in service.labels && service.labels["pci"] == "yes"',
    'service.labels.exists(k, service.labels[k] == "yes")',
    '"sre" in requester.groups || requester.email.endsWith("@acme.test")',
    'plan.changes.exists(c, c.field.endsWith(".image") && c.before != c.after)',
    "plan.changes.all(c, c.object.startsWith('Deployment/')) && size(plan.warnings) == 0",
    "plan.changes.filter(c, c.field == 'x').map(c, c.object).size() > 1",
    "plan.changes.exists_one(c, c.after == 3)",
    'now >= timestamp("2026-12-24T00:00:00Z") && now < timestamp("2026-12-27T00:00:00+01:00")',
    'now - timestamp("2026-12-24T00:00:00Z") > duration("36h")',
    'now + duration("1h30m") < timestamp("2026-12-24T00:00:00.5Z") - duration("1m") - duration("1s")',
    'now.getDayOfWeek() == 5 && now.getHours("Europe/Berlin") >= 16',
    'string(size(plan.changes)) == "3" && int("3") == 3 && double(1) == 1.0 && 3u > uint(2)',
    "(1 + 2) * 3 - 4 / 2 % 2 == -1 && -1.5 < 1 && !false",
    '{"a": 1, "b": 2}["a"] == 1 && [1, 2,][0] == 1 && "a" in {"a": true}',
    'r"\\d+" == "\\\\d+" && "\\x41\\u00e9\\101" != \'\'\'it"s\'\'\' && b"a" == b\'a\'',
    'env.name.lowerAscii().replace("a", "b").split("-").join("+").trim().upperAscii().contains("X") // a remark',
    'env.name.matches("^prod(uction)?$") && env.name.substring(1, 2).indexOf("r") == 0',
    "plan.changes.exists(c, c.after == null)",
    'env.cluster == ""',
]

WRONG = [
    ('env.teir == "x"', "unknown field env.teir: did you mean env.tier?"),
    ("env.owner", "unknown field env.owner: env has name, tier, namespace, cluster"),
    ('evn.tier == "x"', "unknown variable evn: did you mean env?"),
    ("zzz == 1", "unknown variable zzz: there are action, env, incident, inputs, now, plan, requester, service"),
    ("env.tier == 3", 'env.tier is text and 3 is a whole number: they can never be equal: did you mean "3"?'),
    ("env.tier in [1, 2]", "env.tier is text, but [1, 2] holds a whole number: it can never be in there"),
    ("size(plan.changes) > true", "cannot be compared"),
    ("plan.changes > 3", "plan.changes is a list: > compares numbers, texts, times and durations"),
    ('env.tier == "prodution"', 'there is no tier "prodution": did you mean "production"?'),
    ('env.name in ["staging", "qa"]', 'there is no environment "qa": there are production, staging'),
    ('action.name == "deplyo"', 'there is no action "deplyo": did you mean "deploy"?'),
    ('action.risk == "write"', 'there is no risk "write": there are change, danger, read'),
    ('"sres" in requester.groups', 'there is no group "sres": did you mean "sre"?'),
    ('service.team == "shopp"', 'there is no team "shopp": did you mean "shop"?'),
    (
        'action.name == "deploy" && inputs.service == "chekout"',
        'there is no service "chekout": did you mean "checkout"?',
    ),
    (
        "inputs.replicas > 3",
        'not in every action (not in deploy, drop, restart): write action.name == "scale" && … before it',
    ),
    ('inputs.replicas > 3 && action.name == "scale"', "inputs.replicas is not in every action"),
    ('action.name == "deploy" && inputs.replicas > 3', "inputs.replicas is not in every action"),
    ('action.name == "scale" || inputs.replicas > 3', "inputs.replicas is not in every action"),
    (
        'inputs.service == "cart"',
        'write action.name in ["deploy", "restart", "rollback", "scale", "status"] && … before it',
    ),
    ("inputs.replica > 3", "no action has an input replica: did you mean inputs.replicas?"),
    ("has(inputs.replica)", "no action has an input replica: did you mean inputs.replicas?"),
    ('action.name == "scale" && inputs.replicas == "3"', "they can never be equal"),
    (
        'service.labels.pci == "yes"',
        "not every service has the label pci: write has(service.labels.pci) && … before it",
    ),
    ('service.labels.pcii == "yes"', "nothing has the label pcii: did you mean pci?"),
    ("env.tier", "the expression gives text, where true or false is needed"),
    ("1 + 2", "the expression gives a whole number, where true or false is needed"),
    ("env.tier && true", "env.tier is text, where true or false is needed"),
    ("!env.tier", "env.tier is text, where true or false is needed"),
    ("-env.tier == 1", "env.tier is text: only numbers can be negative"),
    ("env.tier ? true : false", "env.tier is text, where true or false is needed"),
    ('"prod" in env.tier', "`in` looks into lists and maps, not into text: did you mean env.tier.contains(…)?"),
    ("1 in 2", "`in` looks into lists and maps, 2 is a whole number"),
    ("now == 3", "now is a time and 3 is a whole number: they can never be equal"),
    ('now > "2026-12-24"', 'now is a time and "2026-12-24" is text: they cannot be compared'),
    ("now + now > now", "now is a time and now is a time: they cannot be combined with +"),
    ('duration("1h") + now > now', 'did you mean now + duration("1h")?'),
    ('duration("7d") > now - now', '"7d" is no duration of CEL, which knows h, m, s and ms: did you mean "168h"?'),
    ('now > timestamp("2026-12-24")', '"2026-12-24" says no time zone: did you mean "2026-12-24T00:00:00Z"?'),
    ('now > timestamp("Christmas")', '"Christmas" is no time in RFC 3339'),
    ('now.getHours("Berlin") > 3', 'there is no time zone "Berlin": did you mean "Europe/Berlin"?'),
    ("1 + 1.0 == 2.0", "they cannot be combined with + (convert one: double(…), int(…))"),
    ('env.name + 1 == "x"', "they cannot be combined with +"),
    ('env.name.statsWith("p")', "unknown function statsWith: did you mean startsWith?"),
    ('startsWith(env.name, "p")', 'startsWith is called on a value: did you mean env.name.startsWith("p")?'),
    ("env.name.string()", "string is a function: did you mean string(env.name)?"),
    ("siez(plan.changes) > 1", "unknown function siez: did you mean size?"),
    ("math.greatest(1, 2) == 2", "unknown function math.greatest"),
    ("env.name.startsWith()", "startsWith takes 1 argument, not 0"),
    ("size() == 1", "size takes 1 argument, not 0"),
    ("env.name.startsWith(1)", "startsWith wants text, 1 is a whole number"),
    ("now.startsWith('x')", "startsWith wants text, now is a time"),
    ("env.name.matches('(')", '"(" is no pattern'),
    ("env.name.matches('(?=a)')", "the pattern may not use (?=: CEL's patterns (RE2) have no look-around"),
    ("plan.changes.exists(c, c.feild == '')", "unknown field c.feild: did you mean c.field?"),
    ("plan.changes.exists(c.field == '')", "exists takes a name and an expression"),
    ("plan.changes.all(c, c.field)", "c.field is text, where true or false is needed"),
    ("env.name.exists(c, true)", "exists goes through lists and maps, env.name is text"),
    ("has(env)", "has takes one field"),
    ("has(env.teir)", "unknown field env.teir: did you mean env.tier?"),
    ('plan.changes["x"] == 1', 'a place in a list is a whole number, "x" is text'),
    ("env.tier[0] == 'p'", "env.tier is text: only lists and maps have […]"),
    ("env.tier.name == 'p'", "env.tier is text, it has no field name"),
    ("", "the expression is empty"),
    ('env.tier = "x"', "one = compares nothing: did you mean ==?"),
    ('env.tier == "x" and true', "did you mean &&?"),
    ("env.tier == “x”", '“ is a typographic quotation mark: did you mean "?'),
    ('env.tier == "x', 'the text that starts with " has no end'),
    ("(true", "the expression ends here: expected )"),
    ("true)", "unexpected )"),
    ("true ? false", "the expression ends here: expected :"),
    ("size(plan.changes,) > 1", "another argument belongs after the comma"),
    ("plan.changes[0", "expected ]"),
    ("env.", "a field's name belongs after the dot"),
    ('"\\q" == ""', "CEL knows no escape \\q"),
    ("9223372036854775808 > 1", "9223372036854775808 is too large: whole numbers have 64 bits"),
    ("if == 1", "if is a reserved word of CEL"),
    ("env{tier: 1}", "CEL messages are not known here"),
    ("(" * 60 + "true" + ")" * 60, "nested deeper than 48"),
    (" || ".join(["true"] * 120), "more than 100 operations in a chain: use a list and `in`"),
    ('"' + "x" * 5000 + '" == ""', "at most 4096"),
]


@pytest.mark.parametrize("expression", RIGHT)
def test_a_right_expression_is_accepted_and_the_library_can_read_it(expression, words):
    assert check(expression, words) == ()
    assert cel.compile(expression)


@pytest.mark.parametrize(("expression", "sentence"), WRONG, ids=[text[:50] for text, _ in WRONG])
def test_a_wrong_expression_is_explained(expression, sentence, words):
    said = [str(mistake) for mistake in check(expression, words)]
    assert any(sentence in one for one in said), said


def test_every_mistake_of_an_expression_is_told_with_its_offset(words):
    found = check('env.teir == "x" && size(plan.chnges) > 1', words)
    assert [(one.offset, one.suggestion) for one in found] == [(0, "env.tier"), (24, "plan.changes")]


def test_a_later_variable_can_be_added(words):
    later = words.with_variables(alert=record(name=STRING, labels=list_of(STRING)))
    assert check('alert.name == "disk"', later) == ()
    assert check("alert.nmae == ''", later) == (CelMistake(0, "unknown field alert.nmae", "alert.name"),)


def test_an_expression_may_be_asked_to_give_something_else(words):
    assert check("env.name + '!'", words, result=STRING) == ()
    assert check("env.name", words, result=None) == ()
    assert len(check("env.name", words, result=BOOL)) == 1


@pytest.mark.parametrize(
    ("expression", "known", "answer"),
    [
        ('service.team == "shop"', {"service.team": "shop"}, True),
        ('service.team == "shop" && env.tier == "x"', {"service.team": "shop"}, None),
        ('service.team == "shop" && env.tier == "x"', {"service.team": "data"}, False),
        ('service.team != "shop" || env.tier == "x"', {"service.team": "data"}, True),
        ('!(service.team in ["shop", "data"])', {"service.team": "data"}, False),
        ('service.team.startsWith("sh") ? true : env.tier == "x"', {"service.team": "shop"}, True),
        ("env.tier == 'x'", {"service.team": "shop"}, None),
    ],
)
def test_what_part_of_the_facts_already_decides(expression, known, answer):
    assert possible(expression, known) is answer


@pytest.mark.parametrize(
    ("expression", "paths"),
    [
        ('env.tier == "x" && inputs["replicas"] > 3', {"env.tier", "inputs.replicas"}),
        ("plan.changes.exists(c, c.field == env.name)", {"plan.changes", "env.name"}),
        (
            "has(service.labels.x) ? now.getHours() > 3 : [1, action.name] == {}",
            {"service.labels", "now", "action.name"},
        ),
    ],
)
def test_which_facts_an_expression_speaks_of(expression, paths):
    assert spoken_of(expression) == paths


PIECES = [
    *"()[]{}.,?:!-+*/%<>", "&&", "||", "==", "!=", "<=", "in", "a", "b", "has", "map", "size", "1", "2u", "0x1f", "1.5",
    ".5", "1e3", '"t"', "'t'", 'r"\\q"', "true", "null", "if", "// c\n", "\n",
]  # fmt: skip


def library_reads(expression: str) -> bool:
    try:
        cel.compile(expression)
    except ValueError:
        return False
    return True


@settings(max_examples=examples(500), deadline=None)
@given(st.lists(st.sampled_from(PIECES), min_size=1, max_size=12).map(" ".join))
@example("a ? b ? 1 : 2 : 3")
@example("- ! a")
@example("! ! a")
@example("a . in")
@example("{ 1 : 2 , }")
@example("1 < 2 < a")
def test_what_our_parser_accepts_the_library_accepts_too(expression):
    try:
        tree = parse(expression)
    except CelSyntaxError:
        return
    assert library_reads(expression) or macro(tree), expression


def macro(tree) -> bool:
    """Whether has() or map() is in it, whose arguments the library's parser checks and ours leaves to the checker."""
    return "'has'" in repr(tree) or "'map'" in repr(tree)


@settings(max_examples=examples(300), deadline=None)
@given(st.one_of(st.text(max_size=60), st.text(alphabet=string.printable, max_size=60)))
def test_any_text_is_either_read_or_explained(expression):
    for mistake in check(expression, vocabulary(ACTIONS)):
        assert 0 <= mistake.offset <= len(expression)
        assert mistake.message
