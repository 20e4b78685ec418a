"""Usage of cloud sandboxes by the customer's own tags.

>>> from opencomputer_usage import UsageClient, validate_tags
>>> validate_tags({"team": "payments"})
[]

    with UsageClient(api_key=..., base_url=...) as client:
        page = client.usage.by_tag("team", from_="2026-04-01", to="2026-05-01")
        for team in page:
            print(team.tag_value, team.memory_gb_seconds)

Amounts are GB-seconds. Importing starts no thread, opens no socket and reads no certificate.
"""

import sys

if "free-threading build" in sys.version:  # `sys.abiflags` is missing on Windows before Python 3.14
    msg = "opencomputer_usage does not support free-threaded Python yet: use one with the global interpreter lock"
    raise ImportError(msg, name=__name__)

if sys.version_info < (3, 12):  # from then on the interpreter refuses by itself
    _interpreters = __import__("_xxsubinterpreters")  # which type checkers do not know
    if _interpreters.get_current() != _interpreters.get_main():
        msg = "opencomputer_usage does not support sub-interpreters: use one process for each"
        raise ImportError(msg, name=__name__)

from . import _models
from ._async_client import AsyncUsageClient
from ._client import UsageClient
from ._codes import ErrorCode
from ._core import (
    LIMITS,
    Cursor,
    GroupBy,
    Request,
    Table,
    __version__,
    decode_cursor,
    encode_cursor,
    format_filter,
    format_group_by,
    parse_filter,
    parse_group_by,
    validate_tag_key,
    validate_tag_value,
    validate_tags,
)
from ._errors import (
    APIConnectionError,
    APIError,
    APITimeoutError,
    AuthenticationError,
    ConflictError,
    DecodeError,
    InvalidRequestError,
    NotFoundError,
    OpenComputerError,
    PermissionDeniedError,
    RateLimitError,
    ServerError,
    TagValidationError,
    UnsupportedByServerError,
)
from ._models import *  # noqa: F403
from ._pages import (
    AsyncGroupUsagePage,
    AsyncSandboxPage,
    AsyncSandboxUsagePage,
    AsyncTagUsagePage,
    AsyncTagValuePage,
    GroupUsagePage,
    SandboxPage,
    SandboxUsagePage,
    TagUsagePage,
    TagValuePage,
)
from ._shared import Interval
from ._tags import Group, Tags

__all__ = [
    "LIMITS",
    "APIConnectionError",
    "APIError",
    "APITimeoutError",
    "AsyncGroupUsagePage",
    "AsyncSandboxPage",
    "AsyncSandboxUsagePage",
    "AsyncTagUsagePage",
    "AsyncTagValuePage",
    "AsyncUsageClient",
    "AuthenticationError",
    "ConflictError",
    "Cursor",
    "DecodeError",
    "ErrorCode",
    "Group",
    "GroupBy",
    "GroupUsagePage",
    "Interval",
    "InvalidRequestError",
    "NotFoundError",
    "OpenComputerError",
    "PermissionDeniedError",
    "RateLimitError",
    "Request",
    "SandboxPage",
    "SandboxUsagePage",
    "ServerError",
    "Table",
    "TagUsagePage",
    "TagValidationError",
    "TagValuePage",
    "Tags",
    "UnsupportedByServerError",
    "UsageClient",
    "__version__",
    "decode_cursor",
    "encode_cursor",
    "format_filter",
    "format_group_by",
    "parse_filter",
    "parse_group_by",
    "validate_tag_key",
    "validate_tag_value",
    "validate_tags",
]
__all__ += _models.__all__
