"""The headers that every response carries: what the page may load, who may frame it, who may read it."""

from __future__ import annotations

from backend.web.access_rules import FILE

PAGE_POLICY = {
    "default-src": "'self'",
    "script-src": "'self' 'unsafe-inline' 'unsafe-eval' blob:",  # Gradio compiles functions from strings
    "style-src": "'self' 'unsafe-inline'",
    "img-src": "'self' data: blob:",
    "media-src": "'self' data: blob:",
    "font-src": "'self' data:",
    "connect-src": "'self' data: blob:",
    "worker-src": "'self' blob:",
    "object-src": "'none'",
    "base-uri": "'self'",
    "form-action": "'self'",
}
FILE_POLICY = "default-src 'none'; sandbox"
SPACES = "https://huggingface.co https://*.huggingface.co https://*.hf.space"


def security_headers(path: str, on_spaces: bool) -> dict[str, str]:
    """The headers of every response; a route's own header of the same name takes precedence."""
    headers = {
        "x-content-type-options": "nosniff",
        "referrer-policy": "no-referrer",  # URLs contain keys: a private link, the admin link
        "cross-origin-resource-policy": "same-origin",
        "permissions-policy": "camera=(), microphone=(), geolocation=(), payment=(), usb=()",
    }
    if not on_spaces:
        headers["x-robots-tag"] = "noindex"  # a private machine stays out of search engines
    if path in ("/", "/config"):
        headers["cache-control"] = "private, no-cache"
    if path.startswith(FILE):
        headers["content-security-policy"] = FILE_POLICY
        return headers
    policy = dict(PAGE_POLICY)
    policy["frame-ancestors"] = f"'self' {SPACES}" if on_spaces else "'self'"
    if on_spaces:  # Gradio asks there for the status of the Space
        policy["connect-src"] += " https://huggingface.co"
    headers["content-security-policy"] = "; ".join(f"{name} {value}" for name, value in policy.items())
    return headers
