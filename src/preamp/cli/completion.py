"""`preamp completion`: the script that makes a shell complete commands and options."""

from __future__ import annotations

import click


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """Print the completion script of a shell.

    \b
    bash: eval "$(preamp completion bash)" in ~/.bashrc
    zsh:  eval "$(preamp completion zsh)" in ~/.zshrc
    fish: preamp completion fish > ~/.config/fish/completions/preamp.fish
    """
    from click.shell_completion import get_completion_class

    kind = get_completion_class(shell)
    assert kind is not None  # the argument is one of the three that Click knows
    program = kind(ctx.find_root().command, {}, "preamp", "_PREAMP_COMPLETE")
    # Not source(): it runs the shell to warn about its version, which a script to be eval'ed must not.
    click.echo(program.source_template % program.source_vars())
