"""How a command ends: every error as one line on stderr and its exit code, never a trace.

Imports `maas.errors`. The one door of the `maas` command, the quickstart and the batch job:

    with exit_codes():
        work()
"""

import errno
import json
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

from maas.errors import BadRequestError, MaasError, TryAgainError

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def exit_codes(*, as_json: bool = False, interrupted: int = 130) -> "Iterator[None]":
    """End the process with the exit code of what goes wrong in the block.

    Args:
        as_json: Print an error as a JSON object.
        interrupted: The exit code of Ctrl-C; 130 is what shells expect.

    Raises:
        SystemExit: Something went wrong; also where a reader such as `head` has had enough (0).
    """
    try:
        yield
        sys.stdout.flush()
    except MaasError as error:
        raise _ended(error, as_json=as_json) from None
    except BrokenPipeError:  # `maas list | head`
        sys.stderr.close()
        raise SystemExit(0) from None
    except OSError as error:
        raise _ended(_refused_by_system(error), as_json=as_json) from None
    except KeyboardInterrupt:
        sys.stderr.write("Stopped.\n")
        raise SystemExit(interrupted) from None


def _refused_by_system(error: OSError) -> MaasError:
    """Name what the system refused: a full disk is worth another try, a wrong folder is not."""
    what = f"{error.strerror or 'failed'}: {error.filename or 'a file'}"
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return TryAgainError(f"{what}. Make room and run it again.")
    return BadRequestError(
        f"{what}. MAAS_HOME and MAAS_CACHE must be folders that you may write to."
    )


def _ended(error: MaasError, *, as_json: bool) -> SystemExit:
    if as_json:
        body = {"error": str(error), "code": error.code, "field": error.field}
        sys.stderr.write(json.dumps(body, ensure_ascii=False) + "\n")
    else:
        sys.stderr.write(f"maas: {error.described()}\n")
    return SystemExit(error.exit_code)
