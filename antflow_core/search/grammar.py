"""The grammar of the query language for lark, and the tree it makes of a query."""

from __future__ import annotations

import functools
from typing import Final, cast

from lark import Lark, Token, Transformer, v_args
from lark.exceptions import UnexpectedToken

from antflow_core.exceptions import QueryError
from antflow_core.search import mistakes, tokens
from antflow_core.search.fields import is_closed, unquote
from antflow_core.search.tree import (
    AllOf,
    AnyOf,
    Node,
    Not,
    Style,
    Term,
    Text,
    depth_of,
    spanned,
    terms_of,
)
from antflow_core.search.values import checked_term

GRAMMAR: Final = rf"""
start: _any

_any: any_of
any_of: all_of (_OR all_of)*
all_of: _one (_AND? _one)*
_one: negation | group | term
negation: (NOT | MINUS) _one
group: OPEN _any CLOSE

term: words | condition
words: QUOTED | WORD
condition: FIELD _value (_COMMA _value)* LAST_COMMA?
         | FIELD_OF_GROUP
         | LONE_FIELD
_value: QUOTED | REGEX | OPEN_REGEX | VALUE

_OR.6: /{tokens.OR}/
_AND.6: /{tokens.AND}/
NOT.6: /{tokens.NOT}/
MINUS.6: /{tokens.MINUS}/
OPEN.6: "("
CLOSE.6: ")"
FIELD.5: /{tokens.FIELD}/
FIELD_OF_GROUP.5: /{tokens.FIELD_OF_GROUP}/
LONE_FIELD.4: /{tokens.ANY_FIELD}/
_COMMA.3: /{tokens.COMMA}/
LAST_COMMA.2: /{tokens.LAST_COMMA}/
QUOTED.3: /{tokens.QUOTED}/s
REGEX.3: /{tokens.REGEX}/s
OPEN_REGEX.2: /{tokens.OPEN_REGEX}/
WORD.1: /{tokens.WORD}/
VALUE.1: /{tokens.VALUE}/

%ignore /\s+/
"""
"""A number behind a terminal's name is its precedence: where several fit, the highest is taken."""


MAX_DEPTH: Final = 50
MAX_TERMS: Final = 100
"""Where a text is pasted into a search box it must not be searched for word by word."""


@v_args(inline=True)
class _TreeMaker(Transformer[Token, Node]):
    """Makes the nodes of a query while it is parsed."""

    def start(self, node: Node) -> Node:
        return node

    def any_of(self, *nodes: Node) -> Node:
        return nodes[0] if len(nodes) == 1 else AnyOf(nodes, nodes[0].start, nodes[-1].stop)

    def all_of(self, *nodes: Node) -> Node:
        return nodes[0] if len(nodes) == 1 else AllOf(nodes, nodes[0].start, nodes[-1].stop)

    def negation(self, sign: Token, node: Node) -> Node:
        return Not(node, _start(sign), node.stop)

    def group(self, opening: Token, node: Node, closing: Token) -> Node:
        return spanned(node, _start(opening), _stop(closing))

    def term(self, term: Term) -> Term:
        return term

    def words(self, token: Token) -> Term:
        fault = mistakes.nearly_a_field(str(token), _start(token)) if token.type == "WORD" else None
        if fault is not None:
            raise fault
        return Term(None, (_text(token),), _start(token), _stop(token))

    def condition(self, field: Token, *values: Token) -> Term:
        name, start = str(field)[:-1], _start(field)
        if field.type == "FIELD_OF_GROUP":
            raise mistakes.group_as_value(name, start, _stop(field))
        last = (field, *values)[-1]
        if last.type in ("LONE_FIELD", "LAST_COMMA"):
            raise mistakes.no_value(name, start, _stop(last))
        return checked_term(name, tuple(_text(token, name) for token in values), start, _stop(last))


def parse_tree(query: str) -> Node:
    """The tree of a query that is not blank.

    Raises:
        QueryError: The query is faulty.
    """
    try:
        # With a transformer, what comes out is what that makes.
        node = cast("Node", _parser().parse(query))
    except UnexpectedToken as error:
        raise _misplaced(query, error) from None
    if depth_of(node) > MAX_DEPTH:
        raise mistakes.too_deep(query, MAX_DEPTH)
    count = sum(1 for _ in terms_of(node))
    if count > MAX_TERMS:
        raise mistakes.too_many(query, count, MAX_TERMS)
    return node


@functools.cache
def _parser() -> Lark:
    return Lark(GRAMMAR, parser="lalr", transformer=_TreeMaker(), maybe_placeholders=False)


def _misplaced(query: str, error: UnexpectedToken) -> QueryError:
    """What is wrong where an operator or a parenthesis stands where none can, or the end comes too early."""
    got, stack = error.token, error.interactive_parser.parser_state.value_stack
    before = stack[-1] if stack and isinstance(stack[-1], Token) else None
    if before is not None and before.type in ("_OR", "_AND", "NOT"):
        return mistakes.no_term_after(str(before), _start(before), _stop(before))
    if got.type in ("_OR", "_AND"):
        return mistakes.no_term_before(str(got), _start(got), _stop(got))
    if got.type == "CLOSE":
        if before is not None and before.type == "OPEN":
            return mistakes.empty_group(_start(before), _stop(got))
        return mistakes.no_group(_start(got))
    openings = (part for part in stack if isinstance(part, Token) and part.type == "OPEN")
    return mistakes.open_group(query, max(map(_start, openings)))


def _text(token: Token, field: str = "") -> Text:
    """A word or value as it is meant."""
    raw, start, stop = str(token), _start(token), _stop(token)
    if token.type == "OPEN_REGEX":
        raise mistakes.open_regex(field, raw, start)
    if token.type == "REGEX":
        return Text(raw[1:-1], Style.REGEX, start, stop)
    if token.type != "QUOTED":
        return Text(raw, Style.PLAIN, start, stop)
    if not is_closed(raw):
        raise mistakes.open_quote(raw, start)
    return Text(unquote(raw), Style.QUOTED, start, stop)


def _start(token: Token) -> int:
    return cast("int", token.start_pos)


def _stop(token: Token) -> int:
    return cast("int", token.end_pos)
