"""The one error tree: what went wrong, as an HTTP status, an exit code and a text safe to show.

Imports nothing. Every class carries `code` (stable, for machines), `status` (HTTP) and `exit_code`
(the command line: 2 usage, 3 refused by a rule, 4 conflict, 5 try again). The message never holds
request content, a path of the machine or a stack trace, because callers see it as it is:

    raise FieldError("must be between 1 and 32 texts, got 33", field="inputs")
"""


class MaasError(Exception):
    """The root. Raised as it is only for a fault of ours that has no better name.

    Attributes:
        field: The request or settings field at fault, in dotted form, or None.
        retry_after: Seconds after which the caller may try again, or None.
    """

    code = "internal"
    status = 500
    exit_code = 1
    retry_after: int | None = None

    def __init__(self, message: str, *, field: str | None = None) -> None:
        super().__init__(message)
        self.field = field

    def described(self) -> str:
        """The message with the field at fault before it, unless it begins with that itself."""
        text = str(self)
        field = self.field
        if not field or (text.startswith(field) and not text[len(field) :][:1].isalnum()):
            return text
        return f"{field}: {text}"


# ---- The caller's fault -------------------------------------------------------------------------


class BadRequestError(MaasError):
    """The request cannot be read at all."""

    code = "bad_request"
    status = 400
    exit_code = 2


class FieldError(MaasError):
    """The request was read, and one of its fields is not acceptable."""

    code = "invalid_field"
    status = 422
    exit_code = 2


class TooLargeError(MaasError):
    """The body is above the limit."""

    code = "too_large"
    status = 413
    exit_code = 2


class MediaTypeError(MaasError):
    """The body's type or encoding is not one that the route reads."""

    code = "unsupported_media_type"
    status = 415
    exit_code = 2


class MethodNotAllowedError(MaasError):
    """The route exists and does not answer this method.

    Attributes:
        allowed: The methods that it answers, as the header `allow` says them.
    """

    code = "method_not_allowed"
    status = 405
    exit_code = 2

    def __init__(self, allowed: str, message: str | None = None) -> None:
        super().__init__(message or f"This route answers {allowed} only.")
        self.allowed = allowed


class NotFoundError(MaasError):
    """Nothing lives at this route or under this name."""

    code = "not_found"
    status = 404
    exit_code = 3


class ModelNotFoundError(NotFoundError):
    """No model of this name is known."""

    code = "model_not_found"


class VersionNotServedError(NotFoundError):
    """The model is known; this version, alias or digest of it is not answered here."""

    code = "version_not_served"


class VersionBlockedError(MaasError):
    """The version was blocked: nobody is answered by it, however it is asked for."""

    code = "version_blocked"
    status = 403
    exit_code = 3


# ---- Rules and races ----------------------------------------------------------------------------


class RefusedError(MaasError):
    """A rule of ours says no; trying again changes nothing until its remedy is applied."""

    code = "refused"
    status = 409
    exit_code = 3


class BundleError(RefusedError):
    """A bundle is not what its manifest says, or its manifest is not acceptable."""

    code = "bundle_refused"


class ConflictError(MaasError):
    """Somebody else changed the same thing first; nothing was written."""

    code = "conflict"
    status = 409
    exit_code = 4


class AmbiguousDigestError(ConflictError):
    """A digest prefix fits more than one version."""

    code = "ambiguous_digest"


# ---- Not now ------------------------------------------------------------------------------------


class TryAgainError(MaasError):
    """Nothing is wrong with the request; something that it needs is away."""

    code = "try_again"
    status = 503
    exit_code = 5
    retry_after = 1


class NotReadyError(TryAgainError):
    """The model cannot answer: absent, refused or still loading."""

    code = "model_not_ready"


class RegistryUnavailableError(TryAgainError):
    """The registry does not answer within its bounds."""

    code = "registry_unavailable"


class OverloadedError(TryAgainError):
    """More requests came at a time than are answered at a time."""

    code = "overloaded"
    status = 429


class DeadlineError(TryAgainError):
    """The work was stopped because its deadline had come."""

    code = "deadline_exceeded"
    status = 504


# ---- Our fault ----------------------------------------------------------------------------------


class SettingsError(MaasError):
    """The environment is missing something, or holds something that we do not know."""

    code = "settings_invalid"
    exit_code = 2


class RegistryMisconfiguredError(SettingsError):
    """The registry answers that it is not there, or not for us: no table, no right, no credentials.

    Trying again helps a caller once somebody has mended it; the command line must be told how to.
    """

    code = "registry_misconfigured"
    status = 503
    retry_after = 30


class ModelError(MaasError):
    """The model or its tokenizer failed on input that passed every check."""

    code = "model_failed"


class TokenizerError(ModelError):
    """The tokenizer library gave up, be it on its file or on a text."""

    code = "tokenizer_failed"


class ModelOutputError(ModelError):
    """The model answered with something that cannot be sent, such as NaN."""

    code = "model_output_invalid"
