"""The command line: one command per file, found by file name and imported only when it is called."""

from __future__ import annotations

import importlib
import pkgutil
import sys
from typing import Any

import click

from simhw.errors import InputError

_SUPPORT = frozenset({"options"})


class _Commands(click.Group):
    """A group whose commands are the files of this folder."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        """Return the names of all commands."""
        return sorted(m.name for m in pkgutil.iter_modules(__path__) if m.name not in _SUPPORT)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import one command."""
        if cmd_name not in self.list_commands(ctx):
            return None
        command: click.Command = importlib.import_module(f"{__name__}.{cmd_name}").command
        return command


@click.command(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
@click.version_option(package_name="simhw")
def cli(debug: bool) -> None:
    """Bit-accurate emulation of int8, FP8, FP4 and MixPE datapaths: accuracy next to cycles and energy."""


def main(arguments: list[str] | None = None) -> Any:
    """Run the command line; bad input is one sentence on stderr and exit code 2."""
    given = sys.argv[1:] if arguments is None else arguments
    try:
        return cli.main(given, prog_name="simhw", standalone_mode="--debug" not in given)
    except InputError as error:
        if "--debug" in given:
            raise
        click.echo(f"simhw: {error}", err=True)
        sys.exit(2)
    except KeyboardInterrupt:
        click.echo("simhw: interrupted; no result file was changed", err=True)
        sys.exit(130)
