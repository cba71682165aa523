"""
Check the import arrows that depend on which folders exist.

The shelves of core are a contract of import-linter in the root pyproject.toml. The rules here speak
of "every plugin" and of "nothing but", which a fixed list cannot say; they read the same graph.

- A plugin sees of ours only ``vivavoce.authoring``, and no other plugin.
- Core imports no plugin.
- What lies in a folder of its own below a plugin (an emulator) sees the user's door and that
  plugin's tables.
- ``vivavoce.errors`` and ``vivavoce.model`` see the standard library and attrs only.

Run by ``make arrows``; exits with 1 and one line for each arrow that is wrong.
"""

from __future__ import annotations

import sys
from pathlib import Path

import grimp

ROOT = Path(__file__).resolve().parent.parent
PLUGIN_DOOR = "vivavoce.authoring"
USER_DOOR = "vivavoce"
TABLES = "tables"
BOTTOM = ("vivavoce.errors", "vivavoce.model")
BOTTOM_MAY_IMPORT = sys.stdlib_module_names | {"attr", "attrs"}


def is_within(module: str, *packages: str) -> bool:
    """Return whether *module* is one of *packages* or lies inside one."""
    return any(module == package or module.startswith(f"{package}.") for package in packages)


def objection(
    importer: str, imported: str, plugins: list[str], companions: dict[str, str]
) -> str | None:
    """Return why *importer* may not import *imported*, or None if it may."""
    source = importer.partition(".")[0]
    target = imported.partition(".")[0]
    if source in companions:
        allowed = {USER_DOOR, f"{companions[source]}.{TABLES}"}
        others = {"vivavoce", *plugins, *companions} - {source}
        why = f"a companion imports nothing of ours but {' and '.join(sorted(allowed))}"
        return why if target in others and imported not in allowed else None
    if target in companions:
        return "nothing of ours imports a companion"
    return _objection_of_ours(importer, imported, plugins)


def _objection_of_ours(importer: str, imported: str, plugins: list[str]) -> str | None:
    source = importer.partition(".")[0]
    target = imported.partition(".")[0]
    if source in plugins:
        if target == "vivavoce" and imported != PLUGIN_DOOR:
            return f"a plugin imports nothing of ours but {PLUGIN_DOOR}"
        if target in plugins and target != source:
            return "a plugin does not import another plugin"
    elif target in plugins:
        return "core knows no plugin"
    elif is_within(importer, *BOTTOM) and not (
        is_within(imported, *BOTTOM) or target in BOTTOM_MAY_IMPORT
    ):
        return "errors and model import the standard library and attrs only"
    return None


def _plugin_of(companion: Path, packages: list[Path]) -> str:
    """Return the plugin below whose folder *companion* lies."""
    return next(path.parent.name for path in packages if path.parents[2] == companion.parents[3])


def main() -> int:
    """Print each wrong arrow; return the exit status."""
    packages = sorted(ROOT.glob("plugins/*/src/*/__init__.py"))
    plugins = [path.parent.name for path in packages]
    beside = sorted(ROOT.glob("plugins/*/*/src/*/__init__.py"))
    companions = {path.parent.name: _plugin_of(path, packages) for path in beside}
    sys.path[:0] = [
        str(ROOT / "core/src"),
        *(str(path.parent.parent) for path in [*packages, *beside]),
    ]
    graph = grimp.build_graph(
        "vivavoce", *plugins, *companions, include_external_packages=True, cache_dir=None
    )
    wrong = 0
    for importer in sorted(graph.modules):
        for imported in sorted(graph.find_modules_directly_imported_by(importer)):
            why = objection(importer, imported, plugins, companions)
            if why:
                wrong += 1
                details = graph.get_import_details(importer=importer, imported=imported)
                line = details[0]["line_number"] if details else "?"
                print(f"{importer}, line {line}: imports {imported}; {why}.")
    print(
        f"Arrows of {len(plugins)} plugins, {len(companions)} companions, errors and model: "
        f"{wrong} wrong."
    )
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
