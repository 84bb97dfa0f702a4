"""Pictures from the web: one download, bounded in size and in time, that stays on http and https.

What a server says is not to be trusted: none of its words reach the reader of an error.
"""

import io
import re
import socket
import time
import urllib.request as web
from collections.abc import Callable
from functools import partial
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import quote

from nst.errors import ImageError

LIMIT = 100_000_000  # bytes
TIMEOUT = 60.0  # seconds for all of it, redirects included


def fetch(url: str) -> bytes:
    """What lies at an http or https address: at most LIMIT bytes, within TIMEOUT seconds.

    Raises:
        ImageError: it cannot be had, is too large, or takes too long.
    """
    try:
        # Addresses copied from a browser may hold spaces and accents, which HTTP does not allow.
        address = quote(url, safe="%/:=&?~#+!$,;'@()*[]")
        request = web.Request(address, headers={"User-Agent": "nst"})
        with _opener(time.monotonic() + TIMEOUT).open(request, timeout=TIMEOUT) as response:
            announced = response.length or 0  # by most servers, not by all
            data = b"" if announced > LIMIT else response.read(LIMIT + 1)
    except HTTPError as error:
        error.close()
        raise ImageError(f"'{url}' {_refusal(error.code)}; check the address") from error
    except (OSError, HTTPException, ValueError) as error:
        raise ImageError(
            f"'{url}' cannot be fetched ({_cause(error)}); check the address and the connection"
        ) from error
    if max(announced, len(data)) > LIMIT:
        raise ImageError(f"'{url}' is larger than {LIMIT / 1e6:g} MB; find a smaller version of it")
    if len(data) < announced:
        raise ImageError(f"'{url}' cannot be fetched (the answer breaks off); try again")
    return data


def _refusal(code: int) -> str:
    """A status in the standard's words, not in the server's."""
    if 300 <= code < 400:  # those that lead somewhere were followed
        return "only leads on to other addresses, in circles or away from http and https"
    known = [status.phrase for status in HTTPStatus if status == code]
    return f"was answered with {' '.join([str(code), *known])}"


def _cause(error: BaseException) -> str:
    if isinstance(error, URLError) and isinstance(error.reason, BaseException):
        error = error.reason
    if isinstance(error, TimeoutError):
        return f"it timed out: {TIMEOUT:g} seconds are the most that it may take"
    if isinstance(error, OSError) and error.strerror:
        return re.sub(r"\s+", " ", error.strerror)
    return "the address or the answer makes no sense"


def _opener(deadline: float) -> web.OpenerDirector:
    """Opens http and https, and nothing else that a redirect may name, until the deadline."""
    opener = web.OpenerDirector()
    for handler in (
        web.ProxyHandler(),
        _Plain(deadline),
        _Secure(deadline),
        web.HTTPDefaultErrorHandler(),
        _Redirects(),
        web.HTTPErrorProcessor(),
        web.UnknownHandler(),
    ):
        opener.add_handler(handler)
    return opener


class _Redirects(web.HTTPRedirectHandler):
    """Follows to http and https only; urllib would go on to ftp."""

    def redirect_request(
        self, req: Any, fp: Any, code: int, msg: str, headers: Any, newurl: str
    ) -> web.Request | None:
        """None ends in an HTTPError with the redirect's code."""
        if not newurl.lower().startswith(("http://", "https://")):
            return None
        return super().redirect_request(req, fp, code, msg, headers, newurl)


class _Plain(web.HTTPHandler):
    def __init__(self, deadline: float):
        super().__init__()
        self.deadline = deadline

    def http_open(self, req: web.Request) -> HTTPResponse:
        return self.do_open(_until(self.deadline, HTTPConnection), req)


class _Secure(web.HTTPSHandler):
    def __init__(self, deadline: float):
        super().__init__()
        self.deadline = deadline

    def https_open(self, req: web.Request) -> HTTPResponse:
        return self.do_open(_until(self.deadline, HTTPSConnection), req)


def _until(deadline: float, kind: type[HTTPConnection]) -> Any:
    """A function that makes such a connection, whose answers end at the deadline."""

    def connect(host: str, timeout: float, **options: Any) -> HTTPConnection:
        left = min(timeout, _left(deadline))
        connection = kind(host, timeout=left, **options)
        connection.response_class = partial(_answer, deadline)  # type: ignore[assignment]
        return connection

    return connect


def _answer(deadline: float, sock: socket.socket, **options: Any) -> HTTPResponse:
    return HTTPResponse(_Clocked(sock, deadline), **options)  # type: ignore[arg-type]


class _Clocked:
    """A socket as `HTTPResponse` uses it. Its own timeout would begin anew with every byte."""

    def __init__(self, sock: socket.socket, deadline: float):
        self.sock, self.deadline = sock, deadline

    def makefile(self, mode: str) -> io.BufferedReader:
        raw = self.sock.makefile(mode, buffering=0)  # type: ignore[call-overload]
        return io.BufferedReader(_Raw(raw, lambda: self.sock.settimeout(_left(self.deadline))))


class _Raw(io.RawIOBase):
    """A file of a socket that asks for the time before it waits."""

    def __init__(self, raw: Any, ask: Callable[[], None]):
        self.raw, self.ask = raw, ask

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        self.ask()
        return self.raw.readinto(buffer)

    def close(self) -> None:
        self.raw.close()
        super().close()


def _left(deadline: float) -> float:
    """Seconds until the deadline."""
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left
