"""Which addresses may be talked to: the API's own origin, and hosts that may hold files. Judges; opens nothing."""

from __future__ import annotations

import ipaddress
from functools import lru_cache
from urllib.parse import urlsplit

from prefect_together.errors import ConfigurationError

TOGETHER = "https://api.together.ai"

_SHARED = ipaddress.ip_network("100.64.0.0/10")  # carrier-grade NAT; `is_private` leaves it out
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_LOCAL_NAT64 = ipaddress.ip_network("64:ff9b:1::/48")
_COMPATIBLE = ipaddress.ip_network("::/96")


def api_origin(base_url: str) -> str:
    """Return the bare origin of the API: a trailing ``/v1`` or ``/v2`` is cut off, since paths carry the version.

    Raises:
        ConfigurationError: The address has a user in it, is no http(s) URL, or would send a key unencrypted.
    """
    try:
        parts = urlsplit(base_url.strip())
    except ValueError:
        raise ConfigurationError(f"The base URL is not one: give one such as {TOGETHER!r}.") from None
    if "@" in base_url and not parts.hostname:
        raise ConfigurationError(f"The base URL has a user name or password in it and no scheme: give {TOGETHER!r}.")
    if parts.username is not None or parts.password is not None:
        host = parts.hostname or "its host"
        raise ConfigurationError(f"The base URL for {host} has a user name or password in it: give the key as api_key.")
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ConfigurationError(f"{base_url!r} is not a base URL: give one such as {TOGETHER!r}.")
    if parts.scheme == "http" and not is_loopback(parts.hostname):
        raise ConfigurationError(
            f"The base URL {base_url!r} would send the API key unencrypted: http:// is taken for this machine only, use https://."
        )
    try:
        port = parts.port
    except ValueError:
        raise ConfigurationError(f"The base URL {base_url!r} has a port that is no number from 0 to 65535.") from None
    path = parts.path.rstrip("/")
    for version in ("/v1", "/v2"):
        path = path.removesuffix(version)
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return f"{parts.scheme}://{host}" + (f":{port}" if port else "") + path


def redact_query(url: str) -> str:
    """Return a URL without its query, which may hold a signature: what may stand in errors and logs."""
    return url.split("?", 1)[0]


def is_loopback(host: str) -> bool:
    """Tell whether a host name or address is this machine."""
    if host.rstrip(".").lower() == "localhost" or host.lower().endswith(".localhost"):
        return True
    address = _address(host)
    return address is not None and address.is_loopback


def environment(origin: str) -> str:
    """Return whose pictures these are: Together's, or the sandbox's on this machine. One never stands in for the other."""
    return "loopback" if is_loopback(urlsplit(origin).hostname or "") else "together"


def is_public(host: str) -> bool:
    """Tell whether a literal address may hold files for us; a name is judged when it has been resolved."""
    address = _address(host)
    if address is None:  # a name, unless it is an address in an old notation, which some take for one
        return not is_loopback(host) and not host.replace(".", "").isdigit()
    if isinstance(address, ipaddress.IPv6Address):
        if address in _NAT64 or address in _COMPATIBLE:
            return is_public(str(ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)))
        if address.is_site_local or address in _LOCAL_NAT64:
            return False
        if inner := address.ipv4_mapped or address.sixtofour:
            return is_public(str(inner))
    return address.is_global and not address.is_multicast and address not in _SHARED


@lru_cache(maxsize=256)  # a thousand files are on one host
def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host.strip("[]").split("%", 1)[0])
    except ValueError:
        return None
