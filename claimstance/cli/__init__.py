"""The command line: thin commands over the package's functions.

Each module here holds the commands of one subject. What costs time to import
(torch, transformers, onnxruntime, pyarrow) is imported inside the command that
needs it, so that ``claimstance --help`` answers at once.

Exit codes: 0; 1, some inputs could not be used and each is named; 2, wrong use.
"""

from __future__ import annotations

import logging
import sys
from typing import Annotated

import typer

from claimstance import __version__
from claimstance.cli import auditing, classifying, corpus, labelling, scoring, training
from claimstance.errors import InputError
from claimstance.wording import install_extra

app = typer.Typer(
    name="claimstance",
    help="How a news article stands, sentence by sentence, to what it reports.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.command("classify")(classifying.classify)
app.command("report")(classifying.report)
app.command("train")(training.train)
app.command("export")(training.export)
app.command("evaluate")(scoring.evaluate)
app.command("compare")(scoring.compare)
app.command("align")(corpus.align)
app.command("sample")(labelling.sample)
app.command("audit")(auditing.audit)
app.add_typer(labelling.app, name="tasks")
app.add_typer(corpus.app, name="corpus")


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"claimstance {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Say which.")
    ] = False,
) -> None:
    """How a news article stands, sentence by sentence, to what it reports."""


def main() -> None:
    """Run the command line; a fault of the input is one line, without a traceback."""
    # What it has to say of a page is in the error that names the page.
    logging.getLogger("trafilatura").addHandler(logging.NullHandler())
    try:
        app()
    except InputError as error:
        typer.echo(f"claimstance: {error}", err=True)
        sys.exit(2)
    except ModuleNotFoundError as error:
        fault = InputError(
            "this command",
            expected=f"the package {error.name!r}",
            found="it is not installed",
            fix=install_extra("ray" if error.name == "ray" else "train"),
        )
        typer.echo(f"claimstance: {fault}", err=True)
        sys.exit(2)
    except OSError as error:
        if error.filename is None:
            raise
        fault = InputError(
            str(error.filename),
            expected="a file or folder that can be read or written",
            found=(error.strerror or "an error").lower(),
            fix="check the path, the rights and the space",
        )
        typer.echo(f"claimstance: {fault}", err=True)
        sys.exit(2)
