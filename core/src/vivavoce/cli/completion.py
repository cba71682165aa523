"""``vivavoce completion``."""

from __future__ import annotations

import click

from vivavoce.cli.options import debug_option

__all__ = ["completion"]

_HELP = """\
Print the completion script of a shell.

\b
  bash  eval "$(vivavoce completion bash)"        in ~/.bashrc
  zsh   eval "$(vivavoce completion zsh)"         in ~/.zshrc
  fish  vivavoce completion fish | source         in ~/.config/fish/config.fish

It completes commands, options and the names of providers and models, and is made for the name this
was called by: `viva completion bash` completes viva.
"""


@click.command("completion", help=_HELP, short_help="Print the completion script of a shell.")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@debug_option
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """Print the script; see the help above."""
    from click.shell_completion import ShellComplete, get_completion_class

    name = ctx.find_root().info_name or "vivavoce"
    make = get_completion_class(shell)
    assert make is not None
    complete = make(ctx.find_root().command, {}, name, f"_{name.upper()}_COMPLETE")
    # The class's own: that of bash would first run a bash, to warn of an old one.
    click.echo(ShellComplete.source(complete))
