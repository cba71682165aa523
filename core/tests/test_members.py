"""The distributions of this repository are alike where they should be."""

import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MEMBERS = sorted(
    [
        ROOT / "core" / "pyproject.toml",
        *ROOT.glob("plugins/*/pyproject.toml"),
        *ROOT.glob("plugins/*/*/pyproject.toml"),
    ]
)


def described(path):
    return tomllib.loads(path.read_text("utf-8"))


@pytest.fixture(params=MEMBERS, ids=lambda path: str(path.parent.relative_to(ROOT)))
def member(request):
    """The folder of one distribution, and its description."""
    return request.param.parent, described(request.param)


CORE = described(ROOT / "core" / "pyproject.toml")


@pytest.mark.parametrize("field", ["version", "requires-python", "authors"])
def test_common_fields(member, field):
    """Version, Python and authors are the same in every distribution."""
    assert member[1]["project"][field] == CORE["project"][field]


def test_the_same_build(member):
    """Every distribution is built in the same way."""
    assert member[1]["build-system"] == CORE["build-system"]


def test_typed(member):
    """Every distribution says that it is typed."""
    folder, description = member
    package = description["project"]["name"].replace("-", "_")
    assert (folder / "src" / package / "py.typed").exists()
    assert "Typing :: Typed" in description["project"]["classifiers"]


def test_licence(member):
    """The GPL is in the espeak distribution alone, everything else is Apache-2.0."""
    folder, description = member
    is_gpl = folder.name == "espeak"
    licence = "GPL-3.0-or-later" if is_gpl else "Apache-2.0"
    assert description["project"]["license"] == licence
    texts = [(folder / name).read_text("utf-8") for name in description["project"]["license-files"]]
    assert any("GNU GENERAL PUBLIC LICENSE" in text for text in texts) is is_gpl
    assert is_gpl or any("Apache License" in text for text in texts)


def test_a_plugin_asks_for_this_core(member):
    """A plugin is installed with a core of its own interface, and found by its entry point."""
    folder, description = member
    if folder.name == "core":
        assert "vivavoce" not in [name.split(">")[0] for name in CORE["project"]["dependencies"]]
        return
    needs = [need.replace("[audio]", "") for need in description["project"]["dependencies"]]
    assert "vivavoce>=0.1,<0.2" in needs
    if folder.parent.name == "plugins":
        points = description["project"]["entry-points"]["vivavoce"]
        assert points == {folder.name: f"vivavoce_{folder.name}"}


def test_every_dependency_has_a_lower_bound(member):
    """Every dependency of every distribution states what it needs at least."""
    project = member[1]["project"]
    extras = project.get("optional-dependencies", {}).values()
    needs = [*project["dependencies"], *(need for extra in extras for need in extra)]
    # An extra of extras, vivavoce[audio,...], names no version.
    bare = [need for need in needs if ">=" not in need and "[" not in need]
    assert bare == []
