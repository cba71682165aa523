"""Base64 inside JSON: cut out and decoded."""

from __future__ import annotations

import base64
import json
import re
import sys

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from vivavoce.errors import UnexpectedReply
from vivavoce.wire.base64 import Envelope, _decoder, cut_string, decode_base64

GRAMMAR = re.compile(rb"(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?")


@pytest.fixture(params=["pybase64", "standard library"], scope="module")
def _decoder_in_use(request):
    with pytest.MonkeyPatch.context() as patch:
        if request.param == "pybase64":
            pytest.importorskip("pybase64")
        else:
            patch.setitem(sys.modules, "pybase64", None)
        _decoder.cache_clear()
        assert (_decoder().func.__module__ == "binascii") is (request.param != "pybase64")
        yield
    _decoder.cache_clear()


@pytest.mark.usefixtures("_decoder_in_use")
class TestDecode:
    @given(st.binary(max_size=100))
    def test_round_trip(self, data):
        """What an encoder writes is read back, from bytes and from a view of them."""
        text = base64.b64encode(data)
        assert decode_base64(text) == data
        assert decode_base64(memoryview(b'"' + text + b'"')[1:-1]) == data
        assert decode_base64(bytearray(text)) == data

    def test_result_is_bytes(self):
        """The result is bytes of its own, whatever came in."""
        assert type(decode_base64(bytearray(b"QUJD"))) is bytes

    @pytest.mark.parametrize("text", [b"QR==", b"QUK="])
    def test_unused_bits(self, text):
        """The unused bits of a last digit mean nothing."""
        assert decode_base64(text) == base64.b64decode(text)

    @pytest.mark.parametrize(
        "text",
        [
            b"QUJD\n",
            b"QUJD\r\nQUJD",
            b" QUJD",
            b"QU JD",
            b"QQ",
            b"QQ=",
            b"QUI",
            b"Q",
            b"Q===",
            b"=",
            b"====",
            b"QUJD=",
            b"QUJD==",
            b"QUJD===",
            b"QUJD====",
            b"QUJDQQ======",
            b"QQ==QQ==",
            b"QQ=Q",
            b"Q-_Q",
            b"QUJ\\",
            b"QUJ\x00",
            b"QUJ\xff",
            b"QUJDQ",
            "QUJÄ".encode(),
        ],
    )
    def test_refused(self, text):
        """White space, other alphabets and wrong padding are refused, and not quoted."""
        with pytest.raises(UnexpectedReply) as caught:
            decode_base64(text)
        assert str(caught.value) == (
            f"{len(text)} characters of audio could not be read: no valid base64."
        )

    @given(st.lists(st.sampled_from(b"AQ/+9z=-_ \n\\\xff\0"), max_size=12).map(bytes))
    @example(b"QUJD====")
    def test_strict(self, text):
        """What is accepted is exactly what RFC 4648 allows, unused bits aside."""
        if GRAMMAR.fullmatch(text):
            assert decode_base64(text) == base64.b64decode(text)
        else:
            with pytest.raises(UnexpectedReply):
                decode_base64(text)


def cut(text, key=b"data"):
    return cut_string(text, key)


class TestCut:
    @pytest.mark.parametrize(
        ("text", "value", "rest"),
        [
            (b'{"data":"QUJD"}', b"QUJD", b'{"data":""}'),
            (b'{"data": "QUJD"}', b"QUJD", b'{"data": ""}'),
            (b'{"a":{"data":"QUJD","n":1},"b":"x"}', b"QUJD", b'{"a":{"data":"","n":1},"b":"x"}'),
            (b'{"data":""}', b"", b'{"data":""}'),
            (b'{"metadata":"x","data":"QUJD"}', b"QUJD", b'{"metadata":"x","data":""}'),
            (b'{"data":"Q","x":"my data: 7"}', b"Q", b'{"data":"","x":"my data: 7"}'),
        ],
    )
    def test_found(self, text, value, rest):
        """The value is what stands between its quotes; the rest is JSON without it."""
        assert cut(text) == (value, rest)

    @pytest.mark.parametrize(
        "text",
        [
            b"",
            b"data",
            b"{}",
            b'{"data":null}',
            b'{"data":{"data":"QUJD"}}',
            b'{"data":["QUJD"]}',
            b'{"data" :"QUJD"}',
            b'{"data":\n"QUJD"}',
            b'{"data":"QUJD',
            b'{"kind":"data"}',
            b'{"kind":"data","data":"QUJD"}',
            b'{"data":"QUJD","kind":"data"}',
            b'{"data":"QUJD","data":"REVG"}',
            b'{"data":"QUJD","more":{"data":"REVG"}}',
            b'{"data":"QUJD","more":{"data": "REVG"}}',
            b'{"data":"QUJD","more":{"data" : "REVG"}}',
            b'{"data":"QUJD\\/"}',
            b'{"data":"QUJD","d\\u0061ta":"REVG"}',
            b'{"x\\"data":"QUJD"}',
            b'{"message":"I said \\"data\\":\\"QUJD\\"."}',
            b'{"message":"\\"data\\":\\"QUJD\\"","data":"REVG"}',
        ],
    )
    def test_left_to_the_parser(self, text):
        """Absent, repeated, spelt unusually or near a backslash: parse it in full."""
        assert cut(text) is None

    @given(
        value=st.recursive(
            st.one_of(
                st.integers(),
                st.none(),
                st.text(alphabet='da:"\\,{}a/ \n', max_size=8),
                st.sampled_from(["data", '"data":"QUJD"', "QUJD"]),
            ),
            lambda inner: st.one_of(
                st.lists(inner, max_size=3),
                st.dictionaries(
                    st.sampled_from(["data", "a", 'x"data', '"data":"', "metadata", "audio"]),
                    inner,
                    max_size=4,
                ),
            ),
            max_leaves=12,
        ),
        compact=st.booleans(),
    )
    def test_agrees_with_the_parser(self, value, compact):
        """Of any JSON, a cut gives the one value the parser finds, and takes nothing else."""
        text = json.dumps(value, separators=(",", ":") if compact else None).encode()
        result = cut(text)
        found = strings_of(value)
        if result is None:
            plain = len(found) == 1 and b"\\" not in text and text.count(b'"data"') == 1
            assert not plain
            return
        taken, rest = result
        assert found == [taken.decode()]
        assert json.loads(rest) == without(value)


def strings_of(value):
    """Return the strings named ``data``, at any depth."""
    if isinstance(value, list):
        return [found for item in value for found in strings_of(item)]
    if not isinstance(value, dict):
        return []
    return [
        found
        for key, item in value.items()
        for found in ([item] if key == "data" and isinstance(item, str) else strings_of(item))
    ]


def without(value):
    """Return *value* with each string named ``data`` made empty."""
    if isinstance(value, list):
        return [without(item) for item in value]
    if not isinstance(value, dict):
        return value
    return {
        key: "" if key == "data" and isinstance(item, str) else without(item)
        for key, item in value.items()
    }


def delta(**fields):
    """Return a message as JSON, its fields in the order given."""
    return json.dumps({"id": "7", "kind": "audio", "n": 0, "data": "QUJD", **fields}).encode()


class TestEnvelope:
    @pytest.mark.parametrize("data", ["", "QUJD", "AAD/fw=="])
    @pytest.mark.parametrize("running", ["", "7", "8", "data", "audio", "twelve", "\u00e9"])
    def test_alike(self, running, data):
        """What differs in the value and the running string alone is known again."""
        text = json.dumps(
            {"id": running, "kind": "audio", "n": 0, "data": data}, ensure_ascii=False
        ).encode()
        assert Envelope(delta(), b"data", b"id").value_in(text) == data.encode()

    @pytest.mark.parametrize(
        "text",
        [
            b"",
            b"{}",
            b"null",
            delta(n=1),
            delta(kind="audi"),
            delta(more=1),
            delta(id='"'),
            delta(id="\\"),
            delta(id='\\", \\'),
            delta(id=7),
            delta().replace(b": ", b":"),
            delta()[:-1],
            delta()[1:],
            delta()[:40],
            delta() + b" ",
            b'{"kind": "audio", "id": "7", "n": 0, "data": "QUJD"}',
        ],
    )
    def test_unlike(self, text):
        """What differs elsewhere, or could be read in two ways, is to be parsed."""
        assert Envelope(delta(), b"data", b"id").value_in(text) is None

    def test_nothing_that_runs(self):
        """Without a string that runs, or with it behind the value, all else stays the same."""
        for key in (b"none", b"last"):
            envelope = Envelope(delta(last="x"), b"data", key)
            assert envelope.value_in(delta(last="x", data="AAAA")) == b"AAAA"
            assert envelope.value_in(delta(last="y")) is None
            assert envelope.value_in(delta(last="x", id="8")) is None

    @given(
        st.fixed_dictionaries(
            {},
            optional={
                "id": st.text(max_size=4),
                "kind": st.sampled_from(["audio", "data", "id"]),
                "n": st.integers(0, 2),
                "data": st.sampled_from(["", "QUJD", 'a", "b": "c', "\\"]),
                "more": st.none(),
            },
        ),
        st.booleans(),
    )
    def test_agrees_with_the_parser(self, fields, is_ascii):
        """What is known again and can be decoded is what the parser would find."""
        text = json.dumps(json.loads(delta(**fields)), ensure_ascii=is_ascii).encode()
        value = Envelope(delta(), b"data", b"id").value_in(text)
        if value is None:
            return
        try:
            decode_base64(value)
        except UnexpectedReply:
            return
        read = json.loads(text)
        assert read == {**json.loads(delta()), "id": read["id"], "data": bytes(value).decode()}
