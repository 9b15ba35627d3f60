"""Reads a CEL expression into a tree, to check it; evaluating is the library's job.

The grammar is that of https://github.com/google/cel-spec/blob/master/doc/langdef.md#syntax without message literals.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

LONGEST = 4096  # characters of one expression
DEEPEST = 48  # brackets within brackets; the library itself gives up below 100
LONGEST_CHAIN = 100  # a || b || c …: the tree leans as deep as the chain is long

RESERVED = re.compile(
    r"as|break|const|continue|else|for|function|if|import|let|loop|package|namespace|return|var|void|while|in"
)

TOKENS = re.compile(
    r"""
    (?P<space>(?:[ \t\r\n\f]|//[^\n]*)+)
  | (?P<string>(?:[rR][bB]?|[bB][rR]?)?(?:\"{3}(?:\\.|[^\\])*?\"{3}|'{3}(?:\\.|[^\\])*?'{3}
        |\"(?:\\.|[^\\\"\r\n])*\"|'(?:\\.|[^\\'\r\n])*'))
  | (?P<double>\d+\.\d+(?:[eE][+-]?\d+)?|\.\d+(?:[eE][+-]?\d+)?|\d+[eE][+-]?\d+)
  | (?P<int>(?:0[xX][0-9a-fA-F]+|\d+)[uU]?)
  | (?P<name>[A-Za-z_][A-Za-z0-9_]*)
  | (?P<mark>&&|\|\||[=!<>]=|[-+*/%<>!?:.,()\[\]{}])
    """,
    re.VERBOSE | re.DOTALL,
)
_ESCAPE = re.compile(r"\\(?:x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|[0-3][0-7]{2}|[abfnrtv\\?\"'`])|\\")
_LETTERS = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}
_BINDING = {
    "||": 2,
    "&&": 3,
    **dict.fromkeys(("==", "!=", "<", "<=", ">", ">=", "in"), 4),
    **dict.fromkeys("+-", 5),
    **dict.fromkeys("*/%", 6),
}


class CelSyntaxError(Exception):
    """The text is no CEL; ``at`` is the offset in characters."""

    def __init__(self, at: int, message: str, suggestion: str = "") -> None:
        super().__init__(message)
        self.at = at
        self.message = message
        self.suggestion = suggestion


@dataclass(frozen=True, slots=True)
class Token:
    """One word or mark of an expression."""

    kind: str
    text: str
    at: int


@dataclass(frozen=True, slots=True)
class Node:
    """A part of an expression: where it starts and ends, and how deep it is."""

    at: int
    end: int
    depth: int


@dataclass(frozen=True, slots=True)
class Literal(Node):
    """A constant; ``kind`` is bool, int, uint, double, string, bytes or null."""

    kind: str
    value: Any


@dataclass(frozen=True, slots=True)
class Name(Node):
    """A variable."""

    name: str


@dataclass(frozen=True, slots=True)
class Select(Node):
    """``of.name``."""

    of: Node
    name: str


@dataclass(frozen=True, slots=True)
class Index(Node):
    """``of[key]``."""

    of: Node
    key: Node


@dataclass(frozen=True, slots=True)
class Call(Node):
    """A function, a method (with ``target``) or a macro."""

    name: str
    target: Node | None
    args: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Unary(Node):
    """``!of`` or ``-of``."""

    op: str
    of: Node


@dataclass(frozen=True, slots=True)
class Binary(Node):
    """Two operands."""

    op: str
    left: Node
    right: Node


@dataclass(frozen=True, slots=True)
class Ternary(Node):
    """``condition ? then : other``."""

    condition: Node
    then: Node
    other: Node


@dataclass(frozen=True, slots=True)
class Items(Node):
    """A list written out."""

    items: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Entries(Node):
    """A map written out."""

    entries: tuple[tuple[Node, Node], ...]


@lru_cache(maxsize=4096)  # each is asked for several times: its type, what it speaks of, whether it can hold
def parse(source: str) -> Node:
    """The tree of an expression. Raises ``CelSyntaxError``."""
    if len(source) > LONGEST:
        raise CelSyntaxError(0, f"the expression has {len(source)} characters: at most {LONGEST}")
    if not source.strip():
        raise CelSyntaxError(0, "the expression is empty", "true")
    return _Parser(source).whole()


def _tokens(source: str) -> Iterator[Token]:
    at = 0
    while at < len(source):
        found = TOKENS.match(source, at)
        if found is None:
            raise CelSyntaxError(at, *_strange(source, at))
        kind = found.lastgroup or ""
        if kind != "space":
            yield Token(kind, found.group(), at)
        at = found.end()
    yield Token("end", "", at)


def _strange(source: str, at: int) -> tuple[str, str]:
    sign = source[at]
    if sign in "\"'":
        return f"the text that starts with {sign} has no end", ""
    hints = {"=": ("one = compares nothing", "=="), "&": ("one & means nothing", "&&"), "|": ("one | is nothing", "||")}
    message, better = hints.get(sign, (f"{sign!r} means nothing in CEL", ""))
    if sign in "“”‘’":
        message, better = f"{sign} is a typographic quotation mark", '"'
    return message, better


class _Parser:
    def __init__(self, source: str) -> None:
        self._source = source
        self._all = list(_tokens(source))
        self._place = 0
        self._open = 0

    @property
    def _next(self) -> Token:
        return self._all[self._place]

    def whole(self) -> Node:
        node = self._expression()
        if self._next.kind != "end":
            raise self._unexpected("the expression was over before")
        return node

    def _take(self) -> Token:
        token = self._next
        self._place += token.kind != "end"
        return token

    def _is(self, *marks: str) -> bool:
        return self._next.text in marks and self._next.kind in ("mark", "name")

    def _want(self, mark: str) -> Token:
        if not self._is(mark):
            raise self._unexpected(f"expected {mark}")
        return self._take()

    def _unexpected(self, why: str) -> CelSyntaxError:
        token = self._next
        what = "the expression ends here" if token.kind == "end" else f"unexpected {token.text}"
        better = {"and": "&&", "or": "||", "not": "!", "AND": "&&", "OR": "||"}.get(token.text, "")
        return CelSyntaxError(token.at, f"{what}: {why}", better)

    def _depth(self, *parts: Node) -> int:
        depth = 1 + max((part.depth for part in parts), default=0)
        if depth > LONGEST_CHAIN:
            at = parts[-1].at
            raise CelSyntaxError(at, f"more than {LONGEST_CHAIN} operations in a chain: use a list and `in`")
        return depth

    def _expression(self) -> Node:
        self._open += 1
        if self._open > DEEPEST:
            raise CelSyntaxError(self._next.at, f"nested deeper than {DEEPEST}")
        condition = self._binary(2)
        if self._is("?"):
            self._take()
            then = self._binary(2)
            self._want(":")
            other = self._expression()
            depth = self._depth(condition, then, other)
            condition = Ternary(condition.at, other.end, depth, condition, then, other)
        self._open -= 1
        return condition

    def _binary(self, weakest: int) -> Node:
        left = self._unary() if weakest > max(_BINDING.values()) else self._binary(weakest + 1)
        while _BINDING.get(self._next.text) == weakest and self._next.kind in ("mark", "name"):
            op = self._take().text
            right = self._binary(weakest + 1)
            left = Binary(left.at, right.end, self._depth(left, right), op, left, right)
        return left

    def _unary(self) -> Node:
        if not self._is("!", "-"):
            return self._member(negative=False)
        signs = [self._take()]
        while self._is(signs[0].text):
            signs.append(self._take())
        node = self._member(negative=signs[0].text == "-")
        for sign in reversed(signs):
            node = Unary(sign.at, node.end, self._depth(node), sign.text, node)
        return node

    def _member(self, *, negative: bool) -> Node:
        node = self._primary(negative=negative)
        while self._is(".", "[", "{"):
            if self._is("{"):
                raise self._unexpected("CEL messages are not known here")
            node = self._select(node) if self._take().text == "." else self._index(node)
        return node

    def _select(self, of: Node) -> Node:
        token = self._take()
        if token.kind != "name" or token.text in ("in", "true", "false", "null"):
            self._place -= token.kind != "end"
            raise self._unexpected("a field's name belongs after the dot")
        if self._is("("):
            args = self._args()
            return Call(of.at, self._ended, self._depth(of, *args), token.text, of, args)
        return Select(of.at, self._ended, self._depth(of), of, token.text)

    def _index(self, of: Node) -> Node:
        key = self._expression()
        self._want("]")
        return Index(of.at, self._ended, self._depth(of, key), of, key)

    @property
    def _ended(self) -> int:
        last = self._all[self._place - 1]
        return last.at + len(last.text)

    def _args(self) -> tuple[Node, ...]:
        self._want("(")
        args: list[Node] = []
        while not self._is(")"):
            args.append(self._expression())
            if not self._is(")"):
                self._want(",")
                if self._is(")"):
                    raise self._unexpected("another argument belongs after the comma")
        self._take()
        return tuple(args)

    def _primary(self, *, negative: bool) -> Node:
        token = self._next
        if token.kind in ("int", "double", "string"):
            self._take()
            return _literal(token, negative=negative)
        if token.kind == "name":
            return self._name()
        if token.text == "(":
            self._take()
            node = self._expression()
            self._want(")")
            return node
        if token.text == "[":
            return self._list()
        if token.text == "{":
            return self._map()
        raise self._unexpected("a value belongs here")

    def _name(self) -> Node:
        token = self._take()
        end = token.at + len(token.text)
        constants = {"true": ("bool", True), "false": ("bool", False), "null": ("null", None)}
        if token.text in constants:
            return Literal(token.at, end, 1, *constants[token.text])
        if RESERVED.fullmatch(token.text):
            raise CelSyntaxError(token.at, f"{token.text} is a reserved word of CEL")
        if self._is("("):
            args = self._args()
            return Call(token.at, self._ended, self._depth(*args), token.text, None, args)
        return Name(token.at, end, 1, token.text)

    def _list(self) -> Node:
        start = self._take().at
        items: list[Node] = []
        while not self._is("]"):
            items.append(self._expression())
            if not self._is("]"):
                self._want(",")
        self._take()
        return Items(start, self._ended, self._depth(*items), tuple(items))

    def _map(self) -> Node:
        start = self._take().at
        entries: list[tuple[Node, Node]] = []
        while not self._is("}"):
            key = self._expression()
            self._want(":")
            entries.append((key, self._expression()))
            if not self._is("}"):
                self._want(",")
        self._take()
        depth = self._depth(*(part for entry in entries for part in entry))
        return Entries(start, self._ended, depth, tuple(entries))


def _literal(token: Token, *, negative: bool) -> Literal:
    end = token.at + len(token.text)
    if token.kind == "string":
        return _text(token, end)
    if token.kind == "double":
        return Literal(token.at, end, 1, "double", float(token.text))
    digits = token.text.rstrip("uU")
    kind = "int" if digits == token.text else "uint"
    value = int(digits, 16 if digits[:2].lower() == "0x" else 10)
    largest = 2**64 - 1 if kind == "uint" else 2**63 - (0 if negative else 1)
    if value > largest:
        raise CelSyntaxError(token.at, f"{token.text} is too large: whole numbers have 64 bits")
    return Literal(token.at, end, 1, kind, value)


def _text(token: Token, end: int) -> Literal:
    prefix = re.match(r"[rRbB]*", token.text).group().lower()  # type: ignore[union-attr]  # * always matches
    body = token.text[len(prefix) :]
    quotes = 3 if body[:3] in ('"""', "'''") and len(body) >= 6 else 1
    content = body[quotes:-quotes]

    def unescaped(found: re.Match[str]) -> str:
        code = found.group()[1:]
        if not code:
            wrong = found.string[found.start() : found.start() + 2]
            raise CelSyntaxError(token.at, f"CEL knows no escape {wrong}: write \\\\ for a backslash, or r{token.text}")
        if code[0] in "xuU":
            value = int(code[1:], 16)
            if value > 0x10FFFF or 0xD800 <= value < 0xE000:
                raise CelSyntaxError(token.at, f"\\{code} is no character")
            return chr(value)
        return chr(int(code, 8)) if code[0].isdigit() else _LETTERS.get(code, code)

    value = content if "r" in prefix else _ESCAPE.sub(unescaped, content)
    return Literal(token.at, end, 1, "bytes" if "b" in prefix else "string", value)
