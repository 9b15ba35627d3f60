"""YAML 1.2 with line numbers: what a value means, and which of YAML's traps are refused."""

import math

import pytest
import yaml

from chatops.adapters.configuration import ConfigurationError
from chatops.adapters.configuration.document import Node, read_yaml

BOTH = pytest.mark.parametrize("c_parser", [True, False], ids=["libyaml", "ruamel"])


def plain(node: Node):
    if isinstance(node.value, dict):
        return {key: plain(value) for key, value in node.value.items()}
    return [plain(one) for one in node.value] if isinstance(node.value, list) else node.value


@BOTH
@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("16:00", "16:00"),
        ("mon 09:00", "mon 09:00"),
        ("2026-12-24", "2026-12-24"),
        ("yes", "yes"),
        ("off", "off"),
        ("Norway: no", {"Norway": "no"}),
        ("true", True),
        ("False", False),
        ("null", None),
        ("~", None),
        ("12", 12),
        ("-3", -3),
        ("017", 17),
        ("0o17", 15),
        ("0x1F", 31),
        ("0b1", "0b1"),
        ("1_000", "1_000"),
        ("1.5", 1.5),
        ("1e3", 1000.0),
        (".5", 0.5),
        ("-.inf", -math.inf),
        ("4h", "4h"),
        ('"12"', "12"),
        ("'true'", "true"),
        ("!!str 12", "12"),
        ("! 12", "12"),
        ("|\n  two\n  lines\n", "two\nlines\n"),
        (">-\n  one\n  line\n", "one line"),
        ("[a, 1, {b: c}]", ["a", 1, {"b": "c"}]),
        ("{a: 16:00, b: 'x'}", {"a": "16:00", "b": "x"}),
        ('{"a":1}', {"a": 1}),
        ("1: one\ntrue: yes\n", {"1": "one", "true": "yes"}),
        ("- a\n- b: c\n  d: e\n", ["a", {"b": "c", "d": "e"}]),
        ("# only a remark\n", None),
        ("", None),
        ("\ufeffa: 1", {"a": 1}),
        ("a: ü 😀", {"a": "ü 😀"}),
    ],
)
def test_what_a_value_means(text, value, c_parser):
    assert plain(read_yaml(text.encode(), "x.yml", c_parser=c_parser)) == value


@BOTH
def test_not_a_number_is_one(c_parser):
    assert math.isnan(read_yaml(b".nan", "x.yml", c_parser=c_parser).value)


@BOTH
@pytest.mark.parametrize(
    ("text", "line", "sentence"),
    [
        ("a: 1\nb: 2\na: 3\n", 3, "a stands here twice, first in line 1: keep one"),
        ("a: &x [1]\nb: 2\n", 1, "&x: anchors and aliases are not read here, write the value out"),
        ("a: 1\nb: *x\n", 2, "*x: anchors and aliases are not read here"),
        ("a: 1\n<<: {b: 2}\n", 2, "<< (merging) is not read here"),
        ("a: !!python/object:os.system x\n", 1, "the tag tag:yaml.org,2002:python/object:os.system is not read here"),
        ("a: 1\nb: !env TOKEN\n", 2, "the tag !env is not read here"),
        ("a: 1\n---\nb: 1\n", 2, "a second document begins here"),
        ("? [a]\n: 1\n", 1, "a key is a word here"),
        ("a: [1\nb: 2\n", 2, "this is no YAML"),
        ("a:\n\tb: 1\n", 2, "this is no YAML"),
        ('a: "x\n', 2, "this is no YAML"),
        ("a: 1\n b: 2\n", 2, "this is no YAML"),
        ("a: 1\nb: \x07\n", 2, "this is no YAML: it holds a control character"),
        ("[" * 30 + "]" * 30, 1, "nested deeper than 20"),
    ],
)
def test_what_is_refused_and_where(text, line, sentence, c_parser):
    with pytest.raises(ConfigurationError) as refused:
        read_yaml(text.encode(), "x.yml", c_parser=c_parser)
    (problem,) = refused.value.problems
    assert sentence in problem.message
    assert problem.line == line


def test_a_file_in_another_encoding_is_refused_at_its_line():
    with pytest.raises(ConfigurationError, match=r"x.yml:2: this is not UTF-8"):
        read_yaml("a: 1\nb: ü\n".encode("latin-1"), "x.yml")


def test_a_file_too_large_is_refused_before_it_is_read():
    with pytest.raises(ConfigurationError, match="at most 16 MiB"):
        read_yaml(b"#" * (16 * 1024 * 1024 + 1), "x.yml")


def test_a_billion_laughs_are_refused_at_the_first():
    lines = ["a0: &a0 [lol]"] + [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 10)]
    with pytest.raises(ConfigurationError, match=r"x.yml:1: &a0: anchors"):
        read_yaml("\n".join(lines).encode(), "x.yml")


@BOTH
def test_every_value_knows_its_line(c_parser):
    node = read_yaml(b"a: 1\nb:\n  c: 2\n  d:\n    - x\n    - |\n      text\n", "x.yml", c_parser=c_parser)
    inner = node.value["b"]
    assert (node.key_lines["b"], inner.line, inner.key_lines["d"]) == (2, 3, 4)
    assert [one.line for one in inner.value["d"].value] == [5, 6]
    assert inner.value["d"].value[1].text_line == 7


def test_the_fast_parser_is_there():
    assert yaml.__with_libyaml__, "PyYAML without libyaml works too, but takes 5 s for 5,000 services"
