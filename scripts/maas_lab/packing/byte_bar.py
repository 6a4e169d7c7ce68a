"""A bar for long copies: on a terminal it moves; elsewhere a large one is a line.

Imports rich.

    with byte_bar(console, "copying sentiment@1", total) as advance:
        advance(1_048_576)
"""

from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rich.console import Console

LARGE_BYTES = 32_000_000
"""From here on a file or pipe is told, too."""


@contextmanager
def byte_bar(console: "Console", what: str, total: int) -> "Iterator[Callable[[int], None]]":
    """Show how far something has come while the body runs.

    Args:
        console: Where progress goes.
        what: What is being done.
        total: Bytes of all of it.
    """
    if not console.is_terminal:
        if total >= LARGE_BYTES:
            console.print(f"{what}: {total / 1e6:.0f} MB", markup=False, soft_wrap=True)
        yield lambda _: None
        return
    columns = (TextColumn(what, markup=False), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as bars:
        task = bars.add_task("", total=total)
        yield lambda count: bars.update(task, advance=count)
