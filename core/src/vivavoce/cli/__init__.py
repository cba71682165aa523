"""
The ``vivavoce`` command.

Nothing is imported here: a program that is asked for its help must not first
load what speaks. See :mod:`vivavoce.cli.group` for how commands are found.
"""

from __future__ import annotations

__all__ = ["main"]


def main() -> None:
    """Run the command line of this process and exit with its code."""
    try:
        from vivavoce.cli.group import make_cli, program_name

        make_cli().main(prog_name=program_name())
    except KeyboardInterrupt:
        # Ctrl-C while modules were still being loaded.
        raise SystemExit(130) from None
