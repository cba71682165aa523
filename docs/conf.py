"""
Settings of the documentation. It is built by ``make docs``, with warnings as errors and no network.

Pages are Markdown (MyST). A page joins by lying in its folder: the lists of contents are patterns.
"""

from __future__ import annotations

import importlib
import logging
from importlib.metadata import version as version_of
from pathlib import Path

DOORS = ("vivavoce", "vivavoce.authoring")

project = "vivavoce"
author = "The vivavoce authors"
project_copyright = "The vivavoce authors"
release = version_of("vivavoce")
version = release

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
]
exclude_patterns = ["_build"]
# A pattern in a list of contents may match nothing yet. suppress_warnings cannot say so: Sphinx
# gives this warning a subtype (empty_glob) but no type.
logging.getLogger("sphinx.sphinx.directives.other").addFilter(
    lambda record: getattr(record, "subtype", "") != "empty_glob"
)

html_theme = "furo"
html_title = f"vivavoce {release}"
html_show_sphinx = False
html_copy_source = False

myst_enable_extensions = ["colon_fence", "deflist", "fieldlist"]
myst_heading_anchors = 3

# Signatures carry the types; values are documented by their classes' own words.
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
autodoc_member_order = "groupwise"
autodoc_inherit_docstrings = True
napoleon_google_docstring = True
napoleon_numpy_docstring = False
# "Attributes:" of a class as fields, so that it cannot be listed twice with autodoc's own find.
napoleon_use_ivar = True
python_use_unqualified_type_names = True
python_maximum_signature_line_length = 88


def _open_doors() -> dict[str, list[str]]:
    """
    Resolve every name of each door, and return the names each is the first to show.

    A door resolves its names when they are asked for; autodoc asks ``dir()`` and would find none.
    """
    first: dict[str, list[str]] = {}
    seen: set[str] = set()
    for door_name in DOORS:
        door = importlib.import_module(door_name)
        for name in door.__all__:
            vars(door).setdefault(name, getattr(door, name))
        first[door_name] = [name for name in door.__all__ if name not in seen]
        seen.update(door.__all__)
    return first


def _write_reference() -> None:
    """
    Write one page of API reference for each door.

    A name that both doors show is described once, at the user's door, and named at the other: two
    descriptions of one class would make every reference to it ambiguous.
    """
    first = _open_doors()
    folder = Path(__file__).parent / "_generated"
    folder.mkdir(exist_ok=True)
    for door_name in DOORS:
        door = importlib.import_module(door_name)
        shared = [name for name in door.__all__ if name not in first[door_name]]
        lines = [
            f"# `{door_name}`",
            "",
            "```{eval-rst}",
            f".. automodule:: {door_name}",
            "   :members:",
            "   :imported-members:",
        ]
        if shared:
            lines.append(f"   :exclude-members: {', '.join(shared)}")
        lines += ["```", ""]
        if shared:
            links = ", ".join(f"{{py:obj}}`~{DOORS[0]}.{name}`" for name in shared)
            lines += [f"Also here, described in [`{DOORS[0]}`]({DOORS[0]}.md): {links}.", ""]
        page = folder / f"{door_name}.md"
        text = "\n".join(lines)
        # An unchanged page keeps its time stamp, so that it is not built again.
        if not page.exists() or page.read_text(encoding="utf-8") != text:
            page.write_text(text, encoding="utf-8")


_write_reference()
