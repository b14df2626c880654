"""Says of an exception of the transport whether the request was certainly not sent. The only place that knows these classes.

Requests go through httpx's interface and aiohttp's connections, and ``httpx-aiohttp`` makes httpx's exceptions of aiohttp's.
It makes the same ``httpx.ConnectTimeout`` of a host that cannot be reached and of a server that took the request and hung
up, so it is aiohttp's exception, which it keeps as the cause, that is judged.
"""

from __future__ import annotations

from typing import Literal

import aiohttp
import httpx

_NOT_SENT = (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError, aiohttp.ClientHttpProxyError)


def outcome_of(error: Exception) -> Literal["not_sent", "unknown"]:
    """Return what is known of a request whose sending ended with this exception.

    aiohttp opens a connection first (name, TCP, proxy, TLS) and writes the first byte of the request when it has one.
    *Not sent* is what only the first of these two steps raises, with all subclasses:

    ===========================================  ============================================================
    ``aiohttp.ClientConnectorError``             The connector's own error: nothing is connected.
    ``...ClientConnectorDNSError``               The name has no address.
    ``...ClientProxyConnectionError``            The proxy cannot be reached.
    ``...ClientConnectorSSLError``               TLS was not agreed on; the request is sent after that.
    ``...ClientConnectorCertificateError``       The certificate was refused; the same.
    ``aiohttp.ConnectionTimeoutError``           The time for connecting is over, the proxy's answer and TLS included.
    ``aiohttp.ClientHttpProxyError``             The proxy refused to open a tunnel to the host.
    ===========================================  ============================================================

    Everything else is *unknown*, what nobody has heard of yet included. These look as if they were not sent, and are not
    listed above:

    ===========================================  ============================================================
    ``httpx.ConnectTimeout``                     By itself: it also stands for ``ServerDisconnectedError``.
    ``aiohttp.ServerDisconnectedError``          The server hung up, before or after it read the request. A proxy that
                                                 hangs up when asked for a tunnel looks the same.
    ``aiohttp.ClientOSError``                    The connection broke while it was written to or read from.
    ``aiohttp.ClientConnectionResetError``       The connection was closed while it was written to.
    ``aiohttp.SocketTimeoutError``               No answer came in time.
    ``aiohttp.ClientPayloadError``               The answer ended too early.
    ===========================================  ============================================================

    Args:
        error: What the transport raised.
    """
    raised = error.__cause__ if isinstance(error, httpx.TransportError) else error
    return "not_sent" if isinstance(raised, _NOT_SENT) else "unknown"
