import sys
from xml.sax.saxutils import unescape

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vivavoce.errors import MarkupError
from vivavoce.text.ssml import escape_text, read_ssml

PLAIN = st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\ufffe\uffff"))


def test_it_gives_what_is_spoken():
    """Markup is not spoken, entities and CDATA are, metadata is not, an alias is."""
    document = read_ssml(
        '<speak xml:lang="de-DE"><metadata>x</metadata>A &amp; <b>b</b> <![CDATA[<&c>]]> '
        '<sub alias="eins">1</sub> &#228;</speak>'
    )
    assert document.text == "A & b <&c> eins ä"
    assert document.language == "de-DE"
    assert document.elements == {"speak", "metadata", "b", "sub"}


def test_the_namespace_does_not_matter():
    """Names are local, with or without the SSML namespace."""
    document = read_ssml(
        '<?xml version="1.0" encoding="latin-1"?><s:speak xmlns:s="http://www.w3.org/2001/10/synthesis">'
        "<s:p>Grüße</s:p></s:speak>"
    )
    assert document.elements == {"speak", "p"}
    assert document.text.strip() == "Grüße"
    assert document.language is None


def test_pauses_part_words():
    """Words on both sides of a break or a paragraph do not run together."""
    assert read_ssml("<speak>a<break/>b<p>c</p>d <break/>e</speak>").text == "a b c d e"


def test_bookmarks_know_their_place():
    """Each mark element gives its name and the index of what is spoken next."""
    document = read_ssml('<speak>Hé <mark name="one"/>you<mark name="two"/></speak>')
    assert document.bookmarks == (("one", 3), ("two", 6))


@given(
    st.lists(
        st.tuples(
            PLAIN, st.sampled_from(["<b>x</b>", "<mark name='n'/>", "\r\n", "<!-- é -->", "&#65;"])
        )
    )
)
def test_each_spoken_character_knows_its_place_in_the_markup(parts):
    """The markup index of a spoken character is where it, its entity or element stands."""
    ssml = "<speak>" + "".join(escape_text(text) + tag for text, tag in parts) + "</speak>"
    document = read_ssml(ssml)
    assert document.text == "".join(
        unescape(escape_text(text), {"&quot;": '"'})
        + {"<b>x</b>": "x", "\r\n": "\n", "&#65;": "A"}.get(tag, "")
        for text, tag in parts
    )
    for index, character in enumerate(document.text):
        there = ssml[document.markup_index(index)]
        assert there in (character, "&") or (character == "\n" and there == "\r")


def test_an_alias_points_at_its_element():
    """Every character of an alias points at the sub element."""
    ssml = '<speak>A <sub alias="eins zwei">12</sub></speak>'
    document = read_ssml(ssml)
    assert {document.markup_index(i) for i in range(2, 11)} == {ssml.index("<sub")}


def test_an_empty_document_has_index_0():
    """A document with nothing spoken maps index 0 without failing."""
    assert read_ssml("<speak/>").markup_index(0) == 0


@pytest.mark.parametrize(
    ("ssml", "line", "column", "message"),
    [
        ("", 1, 1, "no element found"),
        ("plain text", 1, 1, "syntax error"),
        ("<speak>\nää <b>x</speak>", 2, 10, "mismatched tag"),
        ("<speak>a & b</speak>", 1, 11, "invalid token"),
        ("<speak>\n\ud800</speak>", 2, 1, "lone surrogate"),
        ("<speak>\x00</speak>", 1, 8, "invalid token"),
        ("<!--é-->\n<html/>", 2, 1, "not <html>"),
        ("<speak>&nbsp;</speak>", 1, 8, "undefined entity"),
    ],
)
def test_malformed_markup_tells_line_and_column(ssml, line, column, message):
    """What does not parse is a MarkupError with line and column from 1, in characters."""
    with pytest.raises(MarkupError, match=message) as caught:
        read_ssml(ssml)
    assert (caught.value.line, caught.value.column) == (line, column)
    assert f"line {line}, column {column}" in str(caught.value)


@pytest.mark.parametrize("subset", ["", ' SYSTEM "file:///etc/hostname"', ' [<!ENTITY a "x">]'])
def test_document_types_are_refused(subset):
    """A DOCTYPE is refused, with or without entities, before anything is expanded or fetched."""
    with pytest.raises(MarkupError, match="document type") as caught:
        read_ssml(f"<?xml version='1.0'?>\n<!DOCTYPE speak{subset}><speak>&a;</speak>")
    assert caught.value.line == 2


def test_an_expansion_bomb_is_refused_at_once():
    """A billion laughs cost nothing."""
    entities = "".join(f'<!ENTITY l{i} "{f"&l{i - 1};" * 10}">' for i in range(1, 12))
    with pytest.raises(MarkupError, match="document type"):
        read_ssml(f'<!DOCTYPE l [<!ENTITY l0 "lol">{entities}]><speak>&l11;</speak>')


def test_work_is_linear():
    """Four times the markup takes four times as many calls, not sixteen."""

    def calls(count):
        seen = 0

        def note(_frame, event, _argument):
            nonlocal seen
            seen += event in ("call", "c_call")

        ssml = "<speak>" + "é <b>x</b>" * count + "</speak>"
        sys.setprofile(note)
        try:
            read_ssml(ssml)
        finally:
            sys.setprofile(None)
        return seen

    assert calls(2_000) > 2_000
    assert calls(8_000) < 4.5 * calls(2_000)


def test_escaped_text_is_kept():
    """Escaped text reads back as it was, control characters as spaces."""
    text = "a<b>&\"c\" \x01 'd'"
    assert read_ssml(
        f'<speak xml:lang="{escape_text("<")}">{escape_text(text)}</speak>'
    ).text == text.replace("\x01", " ")


def test_in_place():
    """What is spoken stands where the markup has it, and tags are blanks."""
    ssml = '<speak>One &amp; <sub alias="World Wide Web">WWW</sub> <b>two</b>.</speak>'
    shown = read_ssml(ssml).in_place(len(ssml))
    assert len(shown) == len(ssml)
    assert shown.split() == ["One", "&", "World", "Wide", "Web", "two", "."]
    assert shown.index("two") == ssml.index("two")
