"""The errors that calls and functions raise; the core says which."""

from __future__ import annotations

from ._core import TagViolation

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any


class OpenComputerError(Exception):
    """Whatever this package refuses or a server answers with.

    Attributes:
        message: One sentence: what was wrong and what is allowed.
        code: A code of the API's table, such as `invalid_limit`; None where it has none for this.
        status: The HTTP status; None where no answer came.
        request_id: What finds the request in the server's log.
        violations: Every broken tag rule.
        body: The body of the answer: decoded JSON, or the text where it was none; at most its first 64 KiB.
        headers: The headers of the answer by their names in lower case, without those that carry secrets.
        retry_after: Seconds that the server asks to wait before the next request; None where it does not.
    """

    message: str
    code: str | None
    status: int | None
    request_id: str | None
    violations: tuple[TagViolation, ...]
    body: Any
    headers: dict[str, str]
    retry_after: float | None

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        status: int | None = None,
        request_id: str | None = None,
        violations: tuple[TagViolation, ...] = (),
        body: Any = None,
        headers: Mapping[str, str] | None = None,
        retry_after: float | None = None,
    ) -> None:
        """Takes what the attributes shall be."""
        super().__init__(message)
        self.message = message
        self.code = code
        self.status = status
        self.request_id = request_id
        self.violations = violations
        self.body = body
        self.headers = dict(headers or {})
        self.retry_after = retry_after

    def __str__(self) -> str:
        """The message and, where an answer came, what to ask the server's operator about."""
        told = (("HTTP", self.status), ("code", self.code), ("request", self.request_id))
        context = ", ".join(f"{name} {value}" for name, value in told if value is not None)
        return f"{self.message} ({context})" if self.status is not None else self.message

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[object, ...]]:
        """Pickles with its attributes, so that it can come from another process."""
        return _restore, (type(self), self.args, dict(self.__dict__))


class TagValidationError(OpenComputerError):
    """Tags break the rules; `violations` names every one. Raised before sending, or for a 400."""


class InvalidRequestError(OpenComputerError):
    """The request breaks another rule, which `code` names. Raised before sending, or for a 400."""


class APIError(OpenComputerError):
    """The server answered with a status that is no success."""


class AuthenticationError(APIError):
    """401: the API key is missing, unknown or expired."""


class PermissionDeniedError(APIError):
    """403: the API key may not do this."""


class NotFoundError(APIError):
    """404: there is no such sandbox or route."""


class ConflictError(APIError):
    """409 or 412: the tags are not the ones that `if_match` names."""


class RateLimitError(APIError):
    """429: too many requests; `retry_after` says how long the server asks to wait."""


class ServerError(APIError):
    """5xx: the server failed."""


class APIConnectionError(OpenComputerError):
    """No answer came."""


class APITimeoutError(APIConnectionError):
    """No answer came in time."""


class DecodeError(OpenComputerError):
    """An answer came that is not what the API promises."""


class UnsupportedByServerError(OpenComputerError):
    """The server does not know what was asked for, as its answer shows; the message says whether it wrote anything."""


_CLASSES: dict[str, type[OpenComputerError]] = {
    "tag_validation": TagValidationError,
    "invalid_request": InvalidRequestError,
    "authentication": AuthenticationError,
    "permission_denied": PermissionDeniedError,
    "not_found": NotFoundError,
    "conflict": ConflictError,
    "rate_limit": RateLimitError,
    "server": ServerError,
    "api": APIError,
    "connection": APIConnectionError,
    "timeout": APITimeoutError,
    "decode": DecodeError,
    "unsupported_by_server": UnsupportedByServerError,
}


def of_core(
    kind: str,
    message: str,
    code: str | None,
    status: int | None,
    request_id: str | None,
    violations: tuple[tuple[str, str | None, str], ...],
    body: str | None,
    headers: list[tuple[str, str]],
    retry_after: float | None,
) -> OpenComputerError:
    """The exception for an error of the core, which calls this."""
    joined: dict[str, str] = {}
    for name, value in headers:
        joined[name] = f"{joined[name]}, {value}" if name in joined else value
    return _CLASSES[kind](
        message,
        code=code,
        status=status,
        request_id=request_id,
        violations=tuple(TagViolation(*violation) for violation in violations),
        body=None if body is None else _decoded(body),
        headers=joined,
        retry_after=retry_after,
    )


def _decoded(body: str) -> Any:
    import json

    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return body


def _restore(error: type[OpenComputerError], args: tuple[Any, ...], attributes: dict[str, Any]) -> OpenComputerError:
    restored = error.__new__(error, *args)
    restored.__dict__.update(attributes)
    return restored
