"""Recognizing hosts that are this machine."""

from ipaddress import ip_address


def is_loopback(host: str) -> bool:
    """Return whether a host name or IP address is this machine; any other name than `localhost` is not."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
