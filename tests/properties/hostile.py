"""What a hostile or a broken client sends: texts, numbers, JSON, bytes, forms, headers."""

import json
from collections.abc import Iterator
from copy import deepcopy
from typing import Any
from urllib.parse import quote

from hypothesis import strategies as st

Path = tuple[str | int, ...]

_TEXTS = [
    "",
    " ",
    "\0",
    "a\0b",
    "\ud800",
    "half \udfff a pair",
    "'; DROP TABLE runs; --",
    "' OR 1=1 --",
    "../../etc/passwd",
    "..\\..\\x",
    "null",
    "NaN",
    "-1",
    "9" * 400,
    "1e999",
    "\u202e\u0000",
    "\r\nX-Injected: yes",
    "{}",
    "%s%n%00",
    "$ne",
    "\ufeff",
    "\U0001f600" * 70,
    "a" * 3_000,
]
_NUMBERS = [
    0,
    -1,
    2**31,
    2**53 + 1,
    2**63,
    -(2**63) - 1,
    10**400,
    0.1,
    -0.0,
    1e308,
    float("nan"),
    float("inf"),
    float("-inf"),
]

texts = st.sampled_from(_TEXTS) | st.text(max_size=30)
scalars = st.none() | st.booleans() | st.sampled_from(_NUMBERS) | texts
values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4)
    ),
    max_leaves=8,
)

_DEEP = 5_000
_MEGABYTES = 10 * 1024 * 1024  # ten of them
_BODIES = [
    b"",
    b" ",
    b"null",
    b"[]",
    b'"text"',
    b"\xff\xfe",
    b"\xef\xbb\xbf{}",
    b"{",
    b'{"a": ',
    b'{"a": NaN}',
    b'{"a": Infinity, "b": -Infinity}',
    b'{"a": 1e999}',
    b'{"a": ' + b"9" * 5_000 + b"}",
    b'{"a": 1, "a": 2}',
    b'{"a": "\\ud800"}',
    b'{"a": "\xed\xa0\x80"}',
    b'{"a": "\0"}',
    b'{"a": "\\u0000"}',
    b'{"metadata": {"a": "b", "a": "c"}}',
    b"{'a': 1}",
    b"{} {}",
    b"[" * 100_000,
    b"[" * _DEEP + b"]" * _DEEP,
    b'{"metadata": ' * _DEEP + b"1" + b"}" * _DEEP,
    '{"a": "é"}'.encode("latin-1"),
    '{"a": "é"}'.encode("utf-16"),
    b"\0" * 1_000,
]

bodies = st.sampled_from(_BODIES) | st.binary(max_size=60)
HUGE_BODIES = [
    b'{"content": "' + b"a" * _MEGABYTES + b'"}',
    b'{"' + b"a" * _MEGABYTES + b'": 1}',
    b"[" + b"1," * (_MEGABYTES // 2) + b"1]",
    b" " * _MEGABYTES,
]

media_types = st.sampled_from(
    [
        "application/json",
        "application/json; charset=utf-16",
        "application/vnd.api+json",
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data",
        "multipart/form-data; boundary=",
        'multipart/form-data; boundary="x',
        "multipart/mixed; boundary=x",
        "",
        "a/b/c;;;",
        "json" * 500,
    ]
)

# As they stand in an address: percent-encoded, whatever bytes that makes.
segments = texts.map(
    lambda text: quote(text.encode(errors="surrogatepass"), safe="")
) | st.sampled_from(
    ["%ff", "%2e%2e", "%2F", "a%2Fb", "%00", ".", "..", "%", "%zz", "~"]
)

headers = st.dictionaries(
    st.sampled_from(
        [
            "accept",
            "accept-encoding",
            "content-encoding",
            "cookie",
            "expect",
            "if-none-match",
            "last-event-id",
            "openai-beta",
            "openai-organization",
            "range",
            "traceparent",
            "x-forwarded-for",
            "x-http-method-override",
            "x-request-id",
        ]
    ),
    st.sampled_from(
        ["", "0", "-1", "9" * 30, "gzip", "*/*;q=nan", "\xff", "a" * 4_000, "'", "١"]
    ),
    max_size=3,
)


def encoded(value: Any) -> st.SearchStrategy[bytes]:
    """A value as JSON: escaped or raw, sometimes cut off or with something around it."""
    escaped = json.dumps(value).encode()
    raw = json.dumps(value, ensure_ascii=False).encode(errors="surrogatepass")
    whole = st.sampled_from([escaped, escaped, raw])
    cut = st.integers(0, len(escaped)).map(lambda end: escaped[:end])
    marked = st.sampled_from(
        [b"\xef\xbb\xbf" + escaped, escaped + b"\0", b"[" + escaped]
    )
    return st.one_of(whole, whole, whole, cut, marked)


@st.composite
def mutated(draw: st.DrawFn, valid: Any) -> Any:
    """A valid body, of which up to three parts are replaced, dropped, added to or many."""
    body = deepcopy(valid)
    for _ in range(draw(st.integers(1, 3))):
        places = list(_places(body))
        if not places:
            return draw(values)
        *way, last = draw(st.sampled_from(places))
        holder = body
        for step in way:
            holder = holder[step]
        _change(draw, holder, last)
    return body


def _change(draw: st.DrawFn, holder: Any, last: str | int) -> None:
    match draw(st.sampled_from(["replace", "replace", "drop", "add", "many"])):
        case "replace":
            holder[last] = draw(values)
        case "drop":
            del holder[last]
        case "add" if isinstance(holder, dict):
            holder[draw(texts)] = draw(values)
        case _:
            holder[last] = [holder[last]] * draw(st.sampled_from([2, 17, 130, 2_001]))


def _places(node: Any, way: Path = ()) -> Iterator[Path]:
    parts = node.items() if isinstance(node, dict) else enumerate(node)
    for key, part in parts:
        yield (*way, key)
        if isinstance(part, dict | list):
            yield from _places(part, (*way, key))


_DISPOSITIONS = [
    'form-data; name="file"; filename="a.txt"',
    'form-data; name="data"; filename="a.txt"',
    'form-data; name="purpose"',
    'form-data; name="expires_after[seconds]"',
    'form-data; name="expires_after[anchor]"',
    'form-data; name="expires_after["',
    'form-data; name=""',
    "form-data",
    "form-data; filename=x",
    'form-data; name="file"; filename=""',
    'form-data; name="file"; filename="../../etc/passwd"',
    'form-data; name="file"; filename="a\0b"',
    'form-data; name="file"; filename="a\\"b.txt"',
    'form-data; name="file"; filename="' + "a" * 5_000 + '"',
    "form-data; name=\"file\"; filename*=UTF-8''%ff%00",
    'form-data; name="\0"',
    "attachment",
    "",
]
_PARTS = st.tuples(
    st.sampled_from(_DISPOSITIONS),
    st.sampled_from(
        [
            "",
            "Content-Type: text/plain",
            "Content-Type: \xff",
            "broken",
            "A: " + "b" * 9_000,
        ]
    ),
    st.sampled_from(
        [b"", b"x", b"assistants", b"created_at", b"3600", b"9" * 50, b"\0", b"\xff"]
    ),
)


@st.composite
def forms(draw: st.DrawFn) -> bytes:
    """A multipart body with the boundary `x`, right or wrong."""
    begin = draw(
        st.sampled_from([b"--x\r\n", b"--x\r\n", b"--x\n", b"--y\r\n", b"", b"-"])
    )
    body = b""
    for disposition, header, content in draw(st.lists(_PARTS, max_size=25)):
        body += begin
        if disposition:
            body += f"Content-Disposition: {disposition}\r\n".encode("latin-1")
        if header:
            body += header.encode("latin-1") + b"\r\n"
        body += b"\r\n" + content + b"\r\n"
    end = draw(st.sampled_from([b"--x--\r\n", b"--x--\r\n", b"--x--", b"--x", b""]))
    return body + end
