"""Read SSML: what is spoken, in which language, with which elements."""

from __future__ import annotations

import bisect
from collections.abc import Mapping
from xml.parsers import expat

from attrs import field, frozen

from vivavoce.errors import MarkupError

__all__ = ["SsmlDocument", "escape_text", "read_ssml"]

# Each of these stands for a pause or a border: "a<break/>b" is two words.
_WORD_BORDERS = frozenset({"break", "p", "s", "audio"})
# Their text is about the document and is not spoken.
_UNSPOKEN = frozenset({"metadata", "desc", "lexicon", "meta"})
_XML_LANG = "http://www.w3.org/XML/1998/namespace lang"
_SEPARATOR = " "  # of namespace and name; it cannot be part of either

# Control characters that XML 1.0 has no way to write.
_NOT_XML = "".join(map(chr, {*range(0x20), 0xFFFE, 0xFFFF} - {0x09, 0x0A, 0x0D}))
_ESCAPES = str.maketrans(
    dict.fromkeys(_NOT_XML, " ") | {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;"}
)


@frozen(kw_only=True)
class SsmlDocument:
    """
    What an SSML text holds.

    Attributes:
        text: What is spoken, without markup; ``<sub alias>`` speaks its alias.
        language: ``xml:lang`` of the root (BCP-47), or None.
        elements: Local names of the elements used, the root included.
        bookmarks: Names of ``<mark>`` elements with their index in *text*, in order.
    """

    text: str
    language: str | None
    elements: frozenset[str]
    bookmarks: tuple[tuple[str, int], ...]
    _spoken_starts: tuple[int, ...] = field(repr=False)
    _markup_starts: tuple[int, ...] = field(repr=False)
    _is_verbatim: tuple[bool, ...] = field(repr=False)

    def markup_index(self, index: int) -> int:
        """
        Return where in the SSML the character ``text[index]`` comes from.

        Args:
            index: 0 to ``len(text)``, in code points.

        Returns:
            Index in the SSML, in code points; that of the entity for ``&amp;``
            and of the element for an alias.
        """
        run = max(bisect.bisect_right(self._spoken_starts, index) - 1, 0)
        if not self._spoken_starts:
            return 0
        offset = index - self._spoken_starts[run] if self._is_verbatim[run] else 0
        return self._markup_starts[run] + offset

    def in_place(self, length: int) -> str:
        """
        Return a text of *length* with what is spoken where the markup has it, else blanks.

        Marks that index the markup index this text too, and show no tags.

        Args:
            length: Of the SSML, in code points.
        """
        characters = [" "] * length
        ends = (*self._spoken_starts[1:], len(self.text))
        for spoken, end, markup in zip(self._spoken_starts, ends, self._markup_starts, strict=True):
            # An alias or an entity is no longer than the element that holds it.
            characters[markup : markup + end - spoken] = self.text[spoken:end]
        return "".join(characters)


def read_ssml(ssml: str) -> SsmlDocument:
    """
    Read *ssml* in time and memory linear to its length.

    Args:
        ssml: A whole document whose root is ``speak``, with or without the
            SSML namespace.

    Raises:
        MarkupError: If it is not well-formed, has another root, or declares a
            document type or entities; line and column of the fault count from 1.
    """
    return _Reader(ssml).read()


def escape_text(text: str) -> str:
    """
    Return *text* as it is written inside an SSML element or a quoted attribute.

    Control characters that XML cannot hold become spaces, so the length of the
    unescaped text stays.
    """
    return text.translate(_ESCAPES)


class _Reader:
    """One reading of one document: expat's callbacks and what they gather."""

    def __init__(self, ssml: str) -> None:
        self._ssml = ssml
        self._parts: list[str] = []
        self._length = 0
        self._runs: list[tuple[int, int, bool]] = []
        self._elements: set[str] = set()
        self._bookmarks: list[tuple[str, int]] = []
        self._language: str | None = None
        self._depth = 0
        self._silent_depth = 0  # depth of the unspoken element we are in, or 0
        self._byte_index = 0  # the last place translated, in bytes and in
        self._char_index = 0  # code points: places only move forward
        self._raw = b""
        self._parser = expat.ParserCreate("utf-8", _SEPARATOR)
        self._parser.buffer_text = False  # each call is then one run of the source
        self._parser.StartElementHandler = self._start_element
        self._parser.EndElementHandler = self._end_element
        self._parser.CharacterDataHandler = self._character_data
        self._parser.StartDoctypeDeclHandler = self._refuse_doctype
        self._parser.EntityDeclHandler = self._refuse_doctype

    def read(self) -> SsmlDocument:
        self._check_characters()
        # The declared encoding was that of the bytes; this text has none.
        self._raw = self._ssml.encode()
        try:
            self._parser.Parse(self._raw, True)  # noqa: FBT003 - takes no keywords
        except expat.ExpatError as error:
            reason = expat.errors.messages.get(error.code, "not well-formed")
            msg = f"The SSML cannot be read: {reason}"
            column = self._chars_in_line(self._parser.ErrorByteIndex)
            raise self._fault(msg, error.lineno, column) from error
        runs = self._runs
        return SsmlDocument(
            text="".join(self._parts),
            language=self._language,
            elements=frozenset(self._elements),
            bookmarks=tuple(self._bookmarks),
            spoken_starts=tuple(run[0] for run in runs),
            markup_starts=tuple(run[1] for run in runs),
            is_verbatim=tuple(run[2] for run in runs),
        )

    def _check_characters(self) -> None:
        """Refuse lone surrogates, which cannot be encoded for the parser at all."""
        try:
            self._ssml.encode()
        except UnicodeEncodeError as error:
            before = self._ssml[: error.start]
            column = error.start - (before.rfind("\n") + 1)
            msg = "The SSML cannot be read: it holds a lone surrogate"
            raise self._fault(msg, before.count("\n") + 1, column) from error

    def _start_element(self, name: str, attributes: Mapping[str, str]) -> None:
        local = name.rpartition(_SEPARATOR)[2]
        if self._depth == 0:
            self._check_root(local)
            self._language = attributes.get(_XML_LANG)
        self._depth += 1
        self._elements.add(local)
        if local == "mark" and "name" in attributes:
            self._bookmarks.append((attributes["name"], self._length))
        if local in _WORD_BORDERS:
            self._separate()
        if self._silent_depth:
            return
        if local == "sub" and "alias" in attributes:
            self._say(attributes["alias"], is_verbatim=False)
        if local in _UNSPOKEN or (local == "sub" and "alias" in attributes):
            self._silent_depth = self._depth

    def _end_element(self, name: str) -> None:
        if self._silent_depth == self._depth:
            self._silent_depth = 0
        self._depth -= 1
        if name.rpartition(_SEPARATOR)[2] in _WORD_BORDERS:
            self._separate()

    def _character_data(self, data: str) -> None:
        if self._silent_depth:
            return
        is_verbatim = self._raw.startswith(data.encode(), self._parser.CurrentByteIndex)
        self._say(data, is_verbatim=is_verbatim)

    def _separate(self) -> None:
        is_apart = not self._parts or self._parts[-1][-1:].isspace()
        if not is_apart and not self._silent_depth:
            self._say(" ", is_verbatim=False)

    def _say(self, text: str, *, is_verbatim: bool) -> None:
        if not text:
            return
        run = (self._length, self._source_index(), is_verbatim)
        if not (is_verbatim and self._continues(run)):
            self._runs.append(run)
        self._parts.append(text)
        self._length += len(text)

    def _continues(self, run: tuple[int, int, bool]) -> bool:
        """Return whether *run* follows the last one in the source without a gap."""
        if not self._runs or not self._runs[-1][2]:
            return False
        spoken_start, markup_start, _is_verbatim = self._runs[-1]
        return run[0] - spoken_start == run[1] - markup_start

    def _source_index(self) -> int:
        byte_index = self._parser.CurrentByteIndex
        self._char_index += len(self._raw[self._byte_index : byte_index].decode(errors="replace"))
        self._byte_index = byte_index
        return self._char_index

    def _check_root(self, local: str) -> None:
        if local != "speak":
            msg = (
                f"SSML begins with <speak>, not <{local[:40]}>: wrap the text in <speak>...</speak>"
            )
            raise self._fault_here(msg)

    def _refuse_doctype(self, *_declaration: object) -> None:
        msg = "The SSML declares a document type, which is refused: remove <!DOCTYPE ...>"
        raise self._fault_here(msg)

    def _fault_here(self, message: str) -> MarkupError:
        column = self._chars_in_line(self._parser.CurrentByteIndex)
        return self._fault(message, self._parser.CurrentLineNumber, column)

    def _chars_in_line(self, byte_index: int) -> int:
        """Return the characters before *byte_index* in its line; expat counts bytes."""
        before = self._raw[:byte_index]
        line_start = max(before.rfind(b"\n"), before.rfind(b"\r")) + 1
        return len(before[line_start:].decode(errors="replace"))

    def _fault(self, message: str, line: int, column_from_0: int) -> MarkupError:
        column = column_from_0 + 1
        return MarkupError(f"{message} (line {line}, column {column}).", line=line, column=column)
