"""The verbs of signing: keygen, sign. Logic lies in what they call.

Joined to the `maas` command without a group name:

    maas keygen signing.pem && maas sign sentiment --key signing.pem
"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from maas.errors import FieldError
from maas.settings import read_settings
from maas_lab.output import Output
from maas_lab.verbs import Bundled, Json, verbs_of

if TYPE_CHECKING:
    from maas_lab.signing.keys import SigningKey

app = typer.Typer()
verb = verbs_of(app)


@verb
def keygen(
    file: Annotated[Path, typer.Argument(help="Where the private key goes; FILE.pub is public.")],
    curve: Annotated[
        str,
        typer.Option(help="P-256 or P-384. Functions verify no P-521, though OpenSSF's tool does."),
    ] = "P-256",
    as_json: Json = False,
) -> None:
    """Make a key to sign bundles with, which only you may read, and its public key beside it."""
    from maas_lab.signing.keys import make_key_file, public_path
    from maas_lab.views.signing import key_view

    key = make_key_file(file, curve=curve)
    Output(as_json=as_json).show(key_view(key.public, file, public_path(file)))


@verb
def sign(
    reference: Bundled = None,
    key: Annotated[Path | None, typer.Option(help="Your private key's file, in PEM.")] = None,
    kms: Annotated[str | None, typer.Option(help="Your key's ARN in AWS KMS, instead.")] = None,
    as_json: Json = False,
) -> None:
    """Sign a bundle: every file of it, in the format of OpenSSF Model Signing."""
    from maas_lab.references import find_bundle
    from maas_lab.signing.bundles import sign_bundle
    from maas_lab.views.signing import signed_view

    if (key is None) == (kms is None):
        raise FieldError("say which key: --key FILE or --kms ARN", field="key")
    folder = find_bundle(read_settings(), reference)
    Output(as_json=as_json).show(signed_view(sign_bundle(folder, _opened(key, kms))))


def _opened(file: Path | None, arn: str | None) -> "SigningKey":
    """The one key that is named."""
    if arn is not None:
        from maas_lab.signing.kms import open_kms_key

        return open_kms_key(arn)
    from maas_lab.signing.keys import open_key_file

    return open_key_file(file or Path())
