import os
import subprocess
import sys
import tomllib

import pytest

from vivavoce.book import BookedVoice, VoiceBook
from vivavoce.errors import InvalidValue, OutputError, SettingsError
from vivavoce.model.customizing import Consent

CLONED = BookedVoice(
    id="voice-1",
    origin="cloned",
    model="small",
    region="eu",
    name="narrator",
    language="en",
    made="2026-11-26T10:00:00+00:00",
    recording_sha256="ab" * 32,
    consent=Consent(by="Ann Li", how="signed release", on="2026-11-02"),
)
HAND_MADE = """\
# My voices.
[narrator]
language = "en"   # British, please
style = "calm"

[narrator.at.acme]
id = "ann"
"""


@pytest.fixture
def book(tmp_path):
    return VoiceBook(tmp_path / "deep" / "voices.toml")


def test_no_file_is_an_empty_book(book):
    """Where there is no file there are no aliases, and looking makes none."""
    assert book.aliases() == {}
    assert book.get("narrator") is None
    assert not book.path.parent.exists()


def test_what_is_written_is_read(book):
    """A record comes back as it was given, consent and all, by alias and by id."""
    book.add("narrator", "acme", CLONED)
    assert VoiceBook(book.path).get("narrator").voices == {"acme": CLONED}
    book.add("other", "acme", BookedVoice(id="voice-2"))
    assert book.find("acme", "voice-1") == ("narrator", CLONED)
    assert book.find("acme", "voice-2") == ("other", BookedVoice(id="voice-2"))
    assert book.find("acme", "voice-3") is None
    assert book.find("other", "voice-1") is None


def test_one_alias_many_providers(book):
    """An alias has one voice a provider, and attributes of its own."""
    book.add("narrator", "acme", CLONED)
    book.add("narrator", "bell", BookedVoice(id="bob"))
    book.describe("narrator", language="en", gender="male", style="calm")
    alias = book.get("narrator")
    assert list(alias.voices) == ["acme", "bell"]
    assert (alias.language, alias.gender, alias.style) == ("en", "male", "calm")
    book.describe("narrator", style="lively")
    assert (book.get("narrator").gender, book.get("narrator").style) == ("male", "lively")


def test_an_alias_describes_or_not(book):
    """Only an alias with language, gender or style can have a stand-in."""
    book.add("plain", "acme", BookedVoice(id="bob"))
    assert not book.get("plain").describes
    book.describe("plain", gender="female")
    assert book.get("plain").describes


def test_a_taken_alias_is_refused(book):
    """A voice is not written over; the message names the one that is there."""
    book.add("narrator", "acme", CLONED)
    for write in (book.check, lambda *at: book.add(*at, BookedVoice(id="other"))):
        with pytest.raises(InvalidValue, match=r"'narrator' means the voice 'voice-1' at 'acme'"):
            write("narrator", "acme")
    assert book.get("narrator").voices["acme"] == CLONED


def test_what_was_paid_for_is_written_anyhow(book):
    """Where the alias was taken meanwhile the record gets a number, and none is lost."""
    names = [book.add_anyhow("narrator", "acme", BookedVoice(id=f"v{n}")) for n in range(3)]
    assert names == ["narrator", "narrator-2", "narrator-3"]
    assert [book.get(name).voices["acme"].id for name in names] == ["v0", "v1", "v2"]


def test_removing(book):
    """One provider's entry goes alone; an alias goes with its last one; twice is no error."""
    book.add("narrator", "acme", CLONED)
    book.add("narrator", "bell", BookedVoice(id="bob"))
    assert book.remove("narrator", "acme") is True
    assert list(book.get("narrator").voices) == ["bell"]
    assert book.remove("narrator", "acme") is False
    assert book.remove_voice("bell", "bob") == "narrator"
    assert book.get("narrator") is None
    assert book.remove("narrator") is False
    assert book.remove_voice("bell", "bob") is None
    book.add("narrator", "acme", CLONED)
    assert book.remove("narrator") is True
    assert book.aliases() == {}


def test_removing_keeps_what_describes(book):
    """An alias that still says something of a stand-in stays when its last voice goes."""
    book.add("narrator", "acme", CLONED)
    book.describe("narrator", language="en")
    book.remove("narrator", "acme")
    assert book.get("narrator").language == "en"


def test_comments_stay(book):
    """What people wrote by hand is kept, comments and order too."""
    book.path.parent.mkdir()
    book.path.write_text(HAND_MADE, encoding="utf-8")
    book.add("narrator", "bell", BookedVoice(id="bob"))
    text = book.path.read_text("utf-8")
    assert text.startswith(HAND_MADE.rstrip())
    assert "British, please" in text
    assert list(book.get("narrator").voices) == ["acme", "bell"]


def test_a_change_by_another_is_seen(book):
    """The file is read again when it has changed, and only then."""
    book.add("narrator", "acme", CLONED)
    assert book.get("narrator")
    VoiceBook(book.path).remove("narrator")
    assert book.get("narrator") is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[narrator", "is no TOML"),
        ("narrator = 1", "narrator: is no table"),
        ("[narrator]\ngander = 'male'", "'gander' is unknown; known are at, gender"),
        ("[narrator]\ngender = 'mael'", "narrator: "),
        ("[narrator]\nlanguage = 3", "'language' is no string"),
        ("[narrator.at.acme]\norigin = 'cloned'", "narrator.at.acme: it has no id"),
        ("[narrator.at.acme]\nid = 'x'\norigin = 'stolen'", "narrator: "),
        ("[narrator.at.acme]\nid = 'x'\nmodle = 'm'", "'modle' is unknown"),
        ("[narrator.at.acme]\nid = 'x'\nconsent = 'yes'", "'consent' is no table"),
        ("[narrator.at.acme]\nid = 'x'\nconsent = {by = 'A'}", "narrator.at.acme.consent: "),
        ("[narrator]\nat = 'acme'", "'at' is no table"),
    ],
)
def test_an_unusable_book_is_named_and_left_alone(book, text, message):
    """What has no meaning is refused with its place, and never written over."""
    book.path.parent.mkdir()
    book.path.write_text(text, encoding="utf-8")
    for use in (book.aliases, lambda: book.add("other", "acme", CLONED)):
        with pytest.raises(SettingsError) as caught:
            use()
        assert message in caught.value.message
        assert str(book.path) in caught.value.message
    assert book.path.read_text("utf-8") == text


def test_a_book_that_is_not_utf8(book):
    """Bytes that are no text are refused."""
    book.path.parent.mkdir()
    book.path.write_bytes(b"\xff\xfe")
    with pytest.raises(SettingsError, match="is not UTF-8"):
        book.aliases()


def test_a_folder_is_no_book(tmp_path):
    """A folder in its place is refused, to read and to write."""
    with pytest.raises(SettingsError, match="cannot be read"):
        VoiceBook(tmp_path).aliases()


def test_a_place_that_cannot_be_written(tmp_path):
    """Whether it can be written is found out before anything is paid for."""
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot be written"):
        VoiceBook(tmp_path / "file" / "voices.toml").check("narrator", "acme")


@pytest.mark.parametrize("alias", ["", "a b", "-a", "a/b", "a:b", "x" * 65, "é"])
def test_an_odd_alias_is_refused(book, alias):
    """An alias can stand in a selector and in TOML without quotes."""
    with pytest.raises(InvalidValue, match="is no alias"):
        book.add(alias, "acme", CLONED)
    with pytest.raises(InvalidValue, match="is no alias"):
        book.describe(alias, language="en")


def test_an_odd_gender_is_refused(book):
    """A gender is one of the four words."""
    with pytest.raises(InvalidValue, match="'baritone' is no gender"):
        book.describe("narrator", gender="baritone")


def test_a_preview_is_never_written_over(book):
    """A preview comes only once, so that a second one gets a number."""
    first = book.save_preview("narrator", "acme", b"one", "wav")
    second = book.save_preview("narrator", "acme", b"two", "wav")
    assert (first.name, second.name) == ("narrator.acme.wav", "narrator.acme.2.wav")
    assert (first.read_bytes(), second.read_bytes()) == (b"one", b"two")


def test_a_crash_while_writing_leaves_the_old_book(book, monkeypatch):
    """The book is written beside its place and renamed: it is the old or the new one."""
    book.add("narrator", "acme", CLONED)
    before = book.path.read_bytes()

    def fail(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OutputError):
        book.add("other", "acme", CLONED)
    assert book.path.read_bytes() == before
    assert [path.name for path in book.path.parent.iterdir() if path.suffix == ".part"] == []


ADD_MANY = """
import sys
from vivavoce.book import BookedVoice, VoiceBook
path, begin = sys.argv[1], int(sys.argv[2])
for number in range(begin, begin + 8):
    VoiceBook(path).add(f"voice{number}", "acme", BookedVoice(id=str(number)))
"""


def test_two_processes_lose_nothing(book):
    """Two processes that write at the same time each find the other's entries."""
    workers = [
        subprocess.Popen([sys.executable, "-c", ADD_MANY, str(book.path), begin])
        for begin in ("0", "100")
    ]
    assert [worker.wait(60) for worker in workers] == [0, 0]
    assert len(tomllib.loads(book.path.read_text("utf-8"))) == 16


def test_a_lock_that_is_held_is_named(book, monkeypatch):
    """A book that another process keeps locked is not waited for without end."""
    from filelock import FileLock

    monkeypatch.setattr("vivavoce.book._LOCK_LIMIT_S", 0.05)
    book.path.parent.mkdir()
    with (
        FileLock(f"{book.path}.lock"),
        pytest.raises(OutputError, match="is locked by another process"),
    ):
        book.add("narrator", "acme", CLONED)
