"""``vivavoce contract``: pytest, told what to collect."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

import click
import pytest

from vivavoce.registry import installed
from vivavoce_contract.clauses import CLAUSES
from vivavoce_contract.plugin import Asked

__all__ = ["examine", "list_clauses"]

_MODULE = Path(__file__).with_name("anyone.py")
# This very command has imported the kit before pytest could rewrite its assertions.
_SETTINGS = """\
[pytest]
filterwarnings =
    ignore:Module already imported.*vivavoce_contract:pytest.PytestAssertRewriteWarning
"""


def examine(
    provider: str,
    *,
    models: Sequence[str] = (),
    cassettes: str | None = None,
    report: str | None = None,
    keyword: str | None = None,
) -> int:
    """
    Examine an installed provider and return the exit code: 0 when every promise is kept.

    Raises:
        UnknownProvider: If there is none of this name.
        UnknownModel: If it has no such model.
        PluginError: If its plugin is broken.
    """
    registry = installed()
    info = registry.get(provider)
    for model in models:
        registry.model(info, model)
    Asked.provider = provider
    Asked.models = tuple(models)
    Asked.cassettes = None if cassettes is None else Path(cassettes)
    with tempfile.TemporaryDirectory() as folder:
        # The settings of whatever project this is called in are none of the contract's business.
        settings = Path(folder) / "pytest.ini"
        settings.write_text(_SETTINGS, "utf-8")
        arguments = [
            str(_MODULE),
            "-c",
            str(settings),
            f"--rootdir={folder}",
            "--import-mode=importlib",
            "-p",
            "no:cacheprovider",
            "-q",
            "--no-header",
        ]
        if keyword:
            arguments += ["-k", keyword]
        if report:
            arguments += ["--contract-report", str(Path(report).resolve())]
        code = pytest.main(arguments)
    return 0 if code == pytest.ExitCode.OK else 1


def list_clauses() -> None:
    """Print every clause: id, level, capability, promise."""
    area = ""
    for clause in CLAUSES:
        if clause.area != area:
            area = clause.area
            click.echo(f"\n{area}" if clause is not CLAUSES[0] else area)
        about = f" [{clause.capability}]" if clause.capability else ""
        click.echo(f"  {clause.id}  {clause.level:<6}  {clause.sentence}{about}")
