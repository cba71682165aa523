import errno
import os
import stat
import sys
from pathlib import Path

import pytest

from vivavoce.audio import output as output_module
from vivavoce.audio.output import atomic_output
from vivavoce.errors import OutputError

posix = pytest.mark.skipif(os.name != "posix", reason="devices, links and mode bits of POSIX")


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def write(path, data, encoding=None, *, error=None, before=lambda: None):
    with atomic_output(path, encoding=encoding) as file:
        before()
        file.write(data)
        if error is not None:
            raise error


def test_it_appears_whole_at_the_end(tmp_path):
    """Until the end the name is absent; then it holds all that was written."""
    path = tmp_path / "a.wav"
    with atomic_output(path, is_durable=True) as file:
        file.write(b"abc")
        assert not path.exists()
        assert [name[0] for name in names(tmp_path)] == ["."]
    assert path.read_bytes() == b"abc"
    assert names(tmp_path) == ["a.wav"]


def test_text_is_encoded_with_its_line_ends(tmp_path):
    """With an encoding, text is written as it is."""
    with atomic_output(str(tmp_path / "a.vtt"), encoding="utf-8") as file:
        file.write("é\n\r\n")
    assert (tmp_path / "a.vtt").read_bytes() == "é\n\r\n".encode()


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError, GeneratorExit])
def test_a_failure_leaves_everything_as_it_was(tmp_path, error):
    """Any exception, Ctrl-C included, removes what was begun and keeps the old file."""
    path = tmp_path / "a.wav"
    path.write_bytes(b"old")
    with pytest.raises(error):
        write(path, b"new", error=error)
    assert path.read_bytes() == b"old"
    assert names(tmp_path) == ["a.wav"]


def test_it_can_seek(tmp_path):
    """A header can be written again at the end."""
    with atomic_output(tmp_path / "a") as file:
        file.write(b"....data")
        file.seek(0)
        file.write(b"head")
    assert (tmp_path / "a").read_bytes() == b"headdata"


@posix
def test_a_new_file_has_the_umask_s_mode(tmp_path):
    """A new file can be read by those the umask allows."""
    old = os.umask(0o027)
    try:
        with atomic_output(tmp_path / "a"):
            pass
    finally:
        os.umask(old)
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o640


@posix
def test_a_replaced_file_keeps_its_mode(tmp_path):
    """The new content has the mode bits of the file it replaces."""
    (tmp_path / "a").write_bytes(b"old")
    (tmp_path / "a").chmod(0o604)
    with atomic_output(tmp_path / "a") as file:
        file.write(b"new")
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o604
    assert (tmp_path / "a").read_bytes() == b"new"


@posix
@pytest.mark.parametrize("exists", [True, False])
def test_a_symbolic_link_is_followed(tmp_path, exists):
    """The link stays a link, and what it points to is written."""
    (tmp_path / "there").mkdir()
    target, link = tmp_path / "there" / "a", tmp_path / "link"
    if exists:
        target.write_bytes(b"old")
    link.symlink_to(target)
    with atomic_output(link) as file:
        file.write(b"new")
    assert link.is_symlink()
    assert target.read_bytes() == b"new"
    assert names(tmp_path / "there") == ["a"]


@pytest.fixture
def _no_renaming(monkeypatch):
    """Run as root, a mistake would rename a file over the machine's own device."""

    def refuse(*_names):
        pytest.fail("a device was about to be replaced")

    for name in ("pathlib.Path.replace", "pathlib.Path.rename", "os.replace", "os.rename"):
        monkeypatch.setattr(name, refuse)


@posix
@pytest.mark.usefixtures("_no_renaming")
def test_a_device_is_written_directly():
    """The null device stays a device."""
    with atomic_output(os.devnull) as file:
        file.write(b"abc")
    assert stat.S_ISCHR(Path(os.devnull).stat().st_mode)


@posix
def test_a_named_pipe_is_written_directly(tmp_path):
    """A FIFO passes the bytes on and stays a FIFO."""
    path = tmp_path / "pipe"
    os.mkfifo(path)
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    try:
        with atomic_output(path) as file:
            file.write(b"abc")
            assert not file.seekable()
        assert os.read(reader, 10) == b"abc"
    finally:
        os.close(reader)
    assert path.is_fifo()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
@pytest.mark.usefixtures("_no_renaming")
def test_a_full_device_is_an_output_error():
    """A device without space is an OutputError that says so."""
    with (
        pytest.raises(OutputError, match="'/dev/full': the disk is full"),
        atomic_output("/dev/full") as file,
    ):
        file.write(b"abc")


def failing(code):
    def fail(*_args, **_kwargs):
        raise OSError(code, os.strerror(code))

    return fail


@pytest.mark.parametrize("size", [1, 1_000_000], ids=["while closing", "while writing"])
@pytest.mark.parametrize("encoding", [None, "utf-8"])
def test_a_full_disk_while_writing(monkeypatch, tmp_path, size, encoding):
    """A disk that fills up is an OutputError, and nothing is left behind."""

    class Full(output_module._OutputFile):
        def write(self, data):
            with output_module._translated(self._path):
                failing(errno.ENOSPC)()

    monkeypatch.setattr(output_module, "_OutputFile", Full)
    data = "x" * size if encoding else b"x" * size
    with pytest.raises(OutputError, match="the disk is full") as caught:
        write(tmp_path / "a", data, encoding)
    assert isinstance(caught.value.__cause__, OSError)
    assert names(tmp_path) == []


@pytest.mark.parametrize(
    ("place", "code", "message"),
    [
        ("pathlib.Path.replace", errno.ENOSPC, "disk is full"),
        ("pathlib.Path.replace", errno.EACCES, "no permission"),
        ("os.open", errno.EROFS, "no permission"),
        ("os.open", errno.EDQUOT, "disk is full"),
        ("os.open", errno.ENAMETOOLONG, os.strerror(errno.ENAMETOOLONG)),
        ("os.fsync", errno.EIO, os.strerror(errno.EIO)),
    ],
)
def test_the_system_s_errors_are_translated(monkeypatch, tmp_path, place, code, message):
    """Each way the system can say no is an OutputError with its reason, and nothing is left."""
    monkeypatch.setattr(place, failing(code))
    with pytest.raises(OutputError, match=message), atomic_output(tmp_path / "a", is_durable=True):
        pass
    monkeypatch.undo()
    assert names(tmp_path) == []


def test_a_folder_is_refused(tmp_path):
    """A path that is a folder is refused before anything is written."""
    with pytest.raises(OutputError, match=r"it is a folder\. Give the name of a file"):
        atomic_output(tmp_path).__enter__()


@pytest.mark.parametrize("middle", ["missing", "file"])
def test_a_missing_folder_is_refused(tmp_path, middle):
    """A path in a folder that is not there is refused, and no folder is made."""
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(OutputError, match=rf"{middle}' does not exist\. Create"):
        atomic_output(tmp_path / middle / "a").__enter__()


def test_a_path_with_nul_is_refused():
    """A path no system can have is an OutputError too."""
    with pytest.raises(OutputError, match="null"):
        atomic_output("a\x00b").__enter__()


def test_a_read_only_file_is_not_replaced(monkeypatch, tmp_path):
    """A file that may not be written is refused, though renaming would succeed."""
    (tmp_path / "a").write_bytes(b"old")
    monkeypatch.setattr("os.access", lambda _path, mode: mode != os.W_OK)
    with pytest.raises(OutputError, match="no permission"):
        atomic_output(tmp_path / "a").__enter__()


def test_the_body_s_own_errors_pass(tmp_path):
    """An OSError of something else inside the block is not taken for the file's."""
    with pytest.raises(ConnectionResetError), atomic_output(tmp_path / "a"):
        raise ConnectionResetError


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX pipes")
def test_a_reader_that_has_gone(tmp_path):
    """A pipe whose reader closes is an OutputError."""
    path = tmp_path / "pipe"
    os.mkfifo(path)
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    with pytest.raises(OutputError, match="its reader has gone"):
        write(path, b"abc", before=lambda: os.close(reader))
