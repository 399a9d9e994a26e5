"""The command line: one command per file, found by file name and imported only when it is called."""

from __future__ import annotations

import importlib
import pkgutil
import sys

import click

from simhw.errors import InputError


class Commands(click.Group):
    """A group whose commands are the files of a package, each of which binds ``command``."""

    package = __name__
    """Name of the package; a group of another folder overrides it."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        """Return the names of all commands."""
        path = importlib.import_module(self.package).__path__
        return sorted(module.name for module in pkgutil.iter_modules(path))

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import one command."""
        if cmd_name not in self.list_commands(ctx):
            return None
        command: click.Command = importlib.import_module(f"{self.package}.{cmd_name}").command
        return command


@click.command(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
@click.version_option(package_name="simhw")
def cli(debug: bool) -> None:
    """Bit-accurate emulation of int8, FP8, FP4 and MixPE datapaths: accuracy next to cycles and energy."""


def main(arguments: list[str] | None = None) -> int:
    """Run the command line and return the exit code; bad input is one sentence on stderr and code 2.

    ``--debug`` may stand anywhere.
    """
    given = sys.argv[1:] if arguments is None else arguments
    debug = "--debug" in given
    try:
        code = cli.main([word for word in given if word != "--debug"], prog_name="simhw", standalone_mode=False)
    except InputError as error:
        if debug:
            raise
        click.echo(f"simhw: {error}", err=True)
        return 2
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        click.echo("simhw: interrupted; no result file is half-written; run the command again", err=True)
        return 2
    return code if isinstance(code, int) else 0
