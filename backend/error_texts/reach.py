"""Why the server at an address cannot be used as a ComfyUI: see backend/engines/comfy/reach.py."""

from __future__ import annotations

from collections.abc import Mapping

from backend.error_texts.text import ErrorText

_CERTIFICATE = (
    "Set WAN_COMFYUI_CA to a file with the certificate of its authority, or with its own if it is"
    " self-signed."
)
_TLS = "Check the TLS settings there; a server that asks for a client certificate cannot be used."

TEXTS: Mapping[str, ErrorText] = {
    "reach_silent": ErrorText("The ComfyUI at {address} does not answer."),
    "reach_refused": ErrorText(
        "Nothing listens at {address}: the connection is refused.",
        "Start ComfyUI there and check the port. On another machine it needs --listen 0.0.0.0.",
    ),
    "reach_no_route": ErrorText(
        "The machine of {address} cannot be reached from here.",
        "Check the network and the VPN, and that the machine is switched on.",
    ),
    "reach_no_connection": ErrorText(
        "No connection to {address}: its machine does not respond.",
        "Check the address, and whether a firewall blocks the port.",
    ),
    "reach_no_host": ErrorText(
        "There is no host {host}, or its name cannot be looked up from here.",
        "Check the spelling of the address, and the network or VPN that knows this name.",
    ),
    "reach_proxy": ErrorText(
        "The proxy at {address} answers, but not the ComfyUI behind it (HTTP {status}).",
        "Check that ComfyUI is running and that the proxy leads to its port.",
    ),
    "reach_certificate": ErrorText(
        "The certificate of {address} is not trusted: {problem}.",
        _CERTIFICATE,
    ),
    "reach_certificate_unnamed": ErrorText(
        "The certificate of {address} is not trusted: it cannot be verified.", _CERTIFICATE
    ),
    "reach_certificate_expired": ErrorText(
        "The certificate of {address} is out of date: {problem}.",
        "Renew it there, or correct the clock of this machine.",
    ),
    "reach_certificate_name": ErrorText(
        "The certificate of {address} is for another name: {problem}.",
        "Use the name in the certificate as the address, or get one for this name.",
    ),
    "reach_tls_failed": ErrorText(
        "No secure connection to {address} is possible: {problem}.",
        _TLS,
    ),
    "reach_tls_failed_unnamed": ErrorText(
        "No secure connection to {address} is possible: the handshake fails.", _TLS
    ),
    "reach_speaks_http": ErrorText(
        "The server at {address} does not use https.", "Write http:// instead of https:// in the address."
    ),
    "reach_speaks_https": ErrorText(
        "The server at {address} takes https only.", "Write https:// instead of http:// in the address."
    ),
    "reach_login": ErrorText(
        "The ComfyUI at {address} asks for a password.",
        "Set WAN_COMFYUI_LOGIN=user:password, or put it into the address: http://user:password@host:port.",
    ),
    "reach_login_refused": ErrorText(
        "The ComfyUI at {address} does not accept the user and password.",
        "Check WAN_COMFYUI_LOGIN, or the user and password in the address (special characters as %XX).",
    ),
    "reach_forbidden": ErrorText(
        "The server at {address} refuses access (HTTP {status}).",
        "Give Wan Studio access to it there, or set WAN_COMFYUI_LOGIN if it takes a user and password.",
    ),
    "reach_login_page": ErrorText(
        "A login page stands in front of the ComfyUI at {address}.",
        "Use an address without it (a tunnel or ComfyUI's own port). WAN_COMFYUI_LOGIN helps only where the"
        " login is HTTP basic authentication.",
    ),
    "reach_moved": ErrorText(
        "The server at {address} redirects to {target}.", "Use that address, if it is the one of ComfyUI."
    ),
    "reach_no_path": ErrorText(
        "The server at {address} answers, but there is no ComfyUI at this address (HTTP {status}).",
        "Check the port. Behind a proxy, write the whole path, as in http://host/comfy.",
    ),
    "reach_web_page": ErrorText(
        "Something answers at {address}, but not as ComfyUI does: it sends a web page.",
        "Check that the address is that of a ComfyUI.",
    ),
    "reach_not_http": ErrorText(
        "Something answers at {address} that is not a web server.",
        "Check that host and port are those of a ComfyUI.",
    ),
    "reach_not_comfyui": ErrorText(
        "Something answers at {address}, but not as ComfyUI does.",
        "Check that the address is that of a ComfyUI.",
    ),
}
