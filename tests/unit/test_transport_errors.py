"""Which exception says that a paid request was certainly not sent. A class that a dependency adds or moves fails here first."""

from __future__ import annotations

import asyncio
import inspect
import ssl
from types import ModuleType, SimpleNamespace
from typing import Any

import aiohttp
import httpx
import pytest
from aiohttp import client_exceptions, http_exceptions
from httpx_aiohttp import transport as adapter

from prefect_together.http.transport_errors import outcome_of

NOT_SENT = {
    "ClientConnectorCertificateError",
    "ClientConnectorDNSError",
    "ClientConnectorError",
    "ClientConnectorSSLError",
    "ClientHttpProxyError",
    "ClientProxyConnectionError",
    "ClientSSLError",
    "ConnectionTimeoutError",
    "UnixClientConnectorError",
}
UNKNOWN = {
    "BadHttpMessage",
    "BadHttpMethod",
    "BadStatusLine",
    "ClientConnectionError",
    "ClientConnectionResetError",
    "ClientError",
    "ClientOSError",
    "ClientPayloadError",
    "ClientResponseError",
    "ContentEncodingError",
    "ContentLengthError",
    "ContentTypeError",
    "DecompressSizeError",
    "HttpBadRequest",
    "HttpProcessingError",
    "InvalidHeader",
    "InvalidURL",
    "InvalidURLError",
    "InvalidUrlClientError",
    "InvalidUrlRedirectClientError",
    "LineTooLong",
    "NonHttpUrlClientError",
    "NonHttpUrlRedirectClientError",
    "PayloadEncodingError",
    "RedirectClientError",
    "ServerConnectionError",
    "ServerDisconnectedError",
    "ServerFingerprintMismatch",
    "ServerTimeoutError",
    "SocketTimeoutError",
    "TooManyRedirects",
    "TransferEncodingError",
    "UploadAbortedError",
    "WSMessageTypeError",
    "WSServerHandshakeError",
}
HTTPX = {
    "CloseError",
    "ConnectError",
    "ConnectTimeout",
    "DecodingError",
    "LocalProtocolError",
    "NetworkError",
    "PoolTimeout",
    "ProtocolError",
    "ProxyError",
    "ReadError",
    "ReadTimeout",
    "RemoteProtocolError",
    "RequestError",
    "TimeoutException",
    "TooManyRedirects",
    "TransportError",
    "UnsupportedProtocol",
    "WriteError",
    "WriteTimeout",
}
ADAPTER = {
    "ClientConnectionError": "ConnectTimeout",
    "ClientConnectorError": "ConnectError",
    "ClientHttpProxyError": "ProxyError",
    "ClientPayloadError": "ReadError",
    "ClientProxyConnectionError": "ProxyError",
    "InvalidUrlClientError": "UnsupportedProtocol",
    "NonHttpUrlClientError": "UnsupportedProtocol",
    "ServerTimeoutError": "TimeoutException",
    "SocketTimeoutError": "ReadTimeout",
}


def _classes(module: ModuleType, base: type[Exception]) -> dict[str, type[Exception]]:
    found = (value for value in vars(module).values() if inspect.isclass(value) and issubclass(value, base))
    return {
        value.__name__: value for value in found if value.__module__.partition(".")[0] == module.__name__.partition(".")[0]
    }


AIOHTTP_CLASSES = _classes(client_exceptions, Exception) | _classes(http_exceptions, Exception)
HTTPX_CLASSES = _classes(httpx, httpx.RequestError)


def _raised(kind: Any) -> Exception:
    """Return an aiohttp exception with as little in it as its class takes."""
    place: Any = SimpleNamespace(host="api.together.ai", port=443, ssl=True, is_ssl=True)
    if issubclass(kind, client_exceptions.UnixClientConnectorError):
        return kind("/socket", place, OSError(1, "no"))
    if issubclass(kind, aiohttp.ClientConnectorError):
        return kind(place, OSError(1, "no"))
    if issubclass(kind, aiohttp.ClientResponseError):
        asked: Any = SimpleNamespace(real_url="https://api.together.ai")
        return kind(asked, (), status=403)
    if issubclass(kind, aiohttp.ServerFingerprintMismatch):
        return kind(b"a", b"b", "api.together.ai", 443)
    made: Exception = kind.__new__(kind, "what") if kind.__module__ == http_exceptions.__name__ else kind("what")
    return made


def _as_the_adapter_raises_it(error: Exception) -> Exception:
    with pytest.raises(Exception) as caught, adapter.map_aiohttp_exceptions():  # noqa: PT011 - whatever it makes of it
        raise error
    return caught.value


@pytest.mark.parametrize("name", sorted(AIOHTTP_CLASSES))
def test_every_exception_of_aiohttp_is_judged(name: str) -> None:
    """Only what is raised before there is a connection says *not sent*, by itself and behind what the adapter makes of it."""
    assert name in NOT_SENT | UNKNOWN, "aiohttp has a new exception: read where it is raised, and judge it"
    error = _raised(AIOHTTP_CLASSES[name])
    expected = "not_sent" if name in NOT_SENT else "unknown"
    assert expected == outcome_of(error)
    assert expected == outcome_of(_as_the_adapter_raises_it(error))


@pytest.mark.parametrize("name", sorted(HTTPX_CLASSES))
def test_no_exception_of_httpx_says_it_alone(name: str) -> None:
    """A ``ConnectTimeout`` may stand for a server that took the request: without aiohttp's word nothing is certain."""
    assert name in HTTPX, "httpx has a new exception: see what the adapter makes it of"
    error: Any = HTTPX_CLASSES[name]
    assert "unknown" == outcome_of(error("what"))


def test_the_adapter_makes_of_them_what_it_always_did() -> None:
    """What the table of exceptions was written for is what is installed."""
    made = {of.__name__: to.__name__ for of, to in adapter.AIOHTTP_EXC_MAP.items()}
    assert ADAPTER == made


@pytest.mark.parametrize(
    "error",
    [
        pytest.param(TimeoutError(), id="timeout"),
        pytest.param(asyncio.TimeoutError(), id="timeout-of-asyncio"),
        pytest.param(ConnectionRefusedError(), id="refused-by-whom"),
        pytest.param(ConnectionResetError(), id="reset"),
        pytest.param(ssl.SSLError(), id="ssl"),
        pytest.param(ValueError(), id="value"),
        pytest.param(RuntimeError(), id="runtime"),
    ],
)
def test_what_is_not_listed_is_unknown(error: Exception) -> None:
    """Also where its name speaks of connecting, and where a connection's error is behind somebody else's."""
    assert "unknown" == outcome_of(error)
    error.__cause__ = _raised(aiohttp.ClientConnectorError)
    assert "unknown" == outcome_of(error)
