"""Hooks for schemathesis: what a description has no words for.

Formats of texts that are numbers, times and masks, so that what is sent as right is right; and a check
of our own. A right request may be refused by the application, whose rules (an id that is taken, a page
token that was not given out) are nobody's schema, but never by the gateway itself: its refusals say
`x-sidegate-reason`.
"""

import os
import re

import schemathesis
from hypothesis import strategies as st
from schemathesis.generation.modes import GenerationMode

schemathesis.openapi.format("int64", st.integers(-(2**63), 2**63 - 1).map(str))
schemathesis.openapi.format("uint64", st.integers(0, 2**64 - 1).map(str))
schemathesis.openapi.format("google-duration", st.integers(0, 999).map(lambda value: f"{value / 1000}s"))
schemathesis.openapi.format("google-fieldmask", st.sampled_from(["", "title", "price.minorUnits,isbn", "labels"]))
schemathesis.openapi.format("google-fields", st.sampled_from(["", "*"]))
schemathesis.openapi.format(
    "date-time",
    st.datetimes().filter(lambda value: value.year >= 1000).map(lambda value: value.isoformat() + "Z"),
)


@schemathesis.hook
def before_call(context, case, kwargs):
    """Streams that go on for hours, or are asked to fail, are right, and no test. And the bookseller
    breaks off over empty words, visibly (S4), which a client takes for a fault."""
    if case.operation.path.endswith((":stream", ":download")) and isinstance(case.query, dict):
        case.query.pop("failAfter", None)
        if isinstance(case.query.get("rounds"), int):
            case.query["rounds"] %= 3
    if case.operation.path == "/v1/chat" and isinstance(case.body, list):
        case.body = [said(one) for one in case.body]


def said(one):
    return {**one, "text": one.get("text") or "hello"} if isinstance(one, dict) else one


@schemathesis.hook
def after_call(context, case, response):
    """`…/books/b:archive` is the path of a book as well, of one called `b:archive` (R5), so that its
    `Allow` rightly names more methods than one path of the description has."""
    if case.method.upper() == "OPTIONS" or response.status_code == 204:
        if re.search(":[a-z]+$", case.operation.path):
            response.headers.pop("allow", None)


@schemathesis.check
def the_gateway_refuses_nothing_right(ctx, response, case):
    # What the wider description of lenient.py calls right is not what a client is told.
    if os.environ["FUZZ_MODE"] != "positive":
        return None
    if case.meta is None or case.meta.generation.mode != GenerationMode.POSITIVE:
        return None
    reason = response.headers.get("x-sidegate-reason")
    assert not reason, f"a right request is refused: {reason} {response.text}"
    return None
