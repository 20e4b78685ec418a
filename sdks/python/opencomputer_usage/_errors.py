"""The exceptions of calls and functions. The core decides which one is raised."""

from __future__ import annotations

from ._codes import ErrorCode
from ._core import TagViolation

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any


class OpenComputerError(Exception):
    """Base class of every error of this package.

    Attributes:
        message: One sentence: what was wrong and what is allowed.
        code: An error code of the API, such as `invalid_limit`, or None.
        status: The HTTP status, or None without a response.
        request_id: The id of the request in the server's log.
        violations: Every broken tag rule.
        body: The response body: decoded JSON, or else text; at most its first 64 KiB.
        headers: The response headers by lower-case name, without those that carry secrets.
        retry_after: Seconds that the server asks to wait before the next request, or None.
    """

    message: str
    code: ErrorCode | str | None
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
        code: ErrorCode | str | None = None,
        status: int | None = None,
        request_id: str | None = None,
        violations: tuple[TagViolation, ...] = (),
        body: Any = None,
        headers: Mapping[str, str] | None = None,
        retry_after: float | None = None,
    ) -> None:
        """Takes the values of the attributes."""
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
        """Returns the message and, for a response, its status, code and request id."""
        told = (("HTTP", self.status), ("code", self.code), ("request", self.request_id))
        context = ", ".join(f"{name} {value}" for name, value in told if value is not None)
        return f"{self.message} ({context})" if self.status is not None else self.message

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[object, ...]]:
        """Pickles the error with its attributes, so that it can cross processes."""
        return _restore, (type(self), self.args, dict(self.__dict__))


class TagValidationError(OpenComputerError):
    """Tags break the rules; `violations` names every one. Raised before sending, or for a 400."""


class InvalidRequestError(OpenComputerError):
    """The request breaks another rule, which `code` names. Raised before sending, or for a 400."""


class APIError(OpenComputerError):
    """The server returned an error status."""


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
    """No response was received."""


class APITimeoutError(APIConnectionError):
    """No response was received in time."""


class DecodeError(OpenComputerError):
    """A response does not match the API."""


class UnsupportedByServerError(OpenComputerError):
    """The server does not support the request. The message says whether anything was written."""


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
    body: tuple[str, bool] | None,
    headers: list[tuple[str, str]],
    retry_after: float | None,
) -> OpenComputerError:
    """Returns the exception for an error of the core. The core calls this."""
    joined: dict[str, str] = {}
    for name, value in headers:
        joined[name] = f"{joined[name]}, {value}" if name in joined else value
    return _CLASSES[kind](
        message,
        code=code,
        status=status,
        request_id=request_id,
        violations=tuple(TagViolation(*violation) for violation in violations),
        body=None if body is None else _decoded(*body),
        headers=joined,
        retry_after=retry_after,
    )


def _decoded(body: str, is_json: bool) -> Any:
    if not is_json:
        return body
    import json

    try:
        return json.loads(body)
    except RecursionError:
        return body


def _restore(error: type[OpenComputerError], args: tuple[Any, ...], attributes: dict[str, Any]) -> OpenComputerError:
    restored = error.__new__(error, *args)
    restored.__dict__.update(attributes)
    return restored
