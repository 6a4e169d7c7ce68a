"""The `maas` command as a group of verbs whose wrong usage is told as every other error is.

Imports typer and `maas.errors`. People get typer's box; with `--json`, machines get one object:

    app = typer.Typer(cls=Verbs)
"""

import sys
from typing import TYPE_CHECKING, Any

import typer
from typer.core import TyperGroup

from maas.errors import BadRequestError, FieldError, MaasError
from maas_lab.endings import exit_codes

if TYPE_CHECKING:
    from collections.abc import Sequence


class Verbs(TyperGroup):
    """A group that prints what its parser finds as JSON where JSON was asked for."""

    def main(
        self,
        args: "Sequence[str] | None" = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        windows_expand_args: bool = True,
        **extra: Any,  # noqa: ANN401
    ) -> Any:  # noqa: ANN401
        """Run a verb and end the process, as typer does."""
        given = sys.argv[1:] if args is None else list(args)
        as_json = standalone_mode and _asks_for_json(given)
        with exit_codes(as_json=as_json):
            try:
                code = super().main(
                    args,
                    prog_name,
                    complete_var,
                    standalone_mode and not as_json,
                    windows_expand_args,
                    **extra,
                )
            except typer.TyperException as error:
                if not as_json:
                    raise
                raise _told(error) from None
        if as_json:
            raise SystemExit(code)
        return code


def _asks_for_json(words: "Sequence[str]") -> bool:
    """Whether the option is among them; what follows two dashes is no option."""
    options = words[: words.index("--")] if "--" in words else words
    return "--json" in options


def _told(error: typer.TyperException) -> MaasError:
    """What typer says, with the option or argument at fault where it knows one."""
    param = error.param if isinstance(error, typer.BadParameter) else None
    field = param.name if param else getattr(error, "option_name", "").lstrip("-")
    message = error.format_message()
    return FieldError(message, field=field) if field else BadRequestError(message)
