"""Requests that the page's server refuses: see backend/web/exchange.py."""

from __future__ import annotations

from collections.abc import Mapping

from backend.error_texts.text import ErrorText

_LOGIN = "send the header Authorization: Basic with user and password."

TEXTS: Mapping[str, ErrorText] = {
    # the address
    "nothing_here": ErrorText("There is nothing at this address."),
    "file_not_here": ErrorText("This file is not here."),
    "no_such_page": ErrorText("There is no such page."),
    "no_such_endpoint": ErrorText("There is no such endpoint."),
    "no_such_event": ErrorText("There is no such event. Reload the page."),
    "no_such_function": ErrorText("There is no such function. Reload the page."),
    "unknown_host": ErrorText(
        "Wan Studio is not served at {host_name}. If that is its address, add it to the setting"
        " WAN_ALLOWED_HOSTS and start again."
    ),
    "from_other_page": ErrorText(
        "This request came from another web page. Open Wan Studio at its own address; a proxy of your own has"
        " to pass on the Host header."
    ),
    # what it says
    "id_too_long": ErrorText("An id in this request is too long."),
    "not_utf8": ErrorText("This request is not UTF-8."),
    "nested_too_deeply": ErrorText("This request is nested too deeply."),
    "request_not_read": ErrorText("This request cannot be read."),
    "unknown_parameter": ErrorText("There is no parameter {parameter!r}."),
    "parameter_missing": ErrorText("The parameter {parameter!r} has to be given."),
    "no_function_call": ErrorText("This is no call of a function of the page."),
    # logins
    "login_first": ErrorText(f"Log in first, or {_LOGIN}"),
    "login_of_tool": ErrorText(f"Log in first: {_LOGIN}"),
    "failed_logins": ErrorText("Too many failed logins."),
    # its size and speed
    "upload_over_limit": ErrorText(
        "This file is larger than {megabytes} MB. Save it smaller and add it again."
    ),
    "request_over_limit": ErrorText("This request is too large. Upload files first and send their paths."),
    "file_too_slow": ErrorText("Others are waiting to add files, and this one came in too slowly."),
    "request_too_slow": ErrorText("This request came in too slowly. Try again on a better connection."),
    # limits
    "disk_almost_full": ErrorText("The disk of this machine is almost full, so files cannot be added."),
    "too_many_streams": ErrorText("Too many open connections at once. Close some tabs of Wan Studio."),
    "too_many_bodies": ErrorText("Too many requests with files inside are under way."),
    "files_pending": ErrorText("Other files are still being added."),
    "many_new_visitors": ErrorText("Very many new visitors are coming in right now."),
    "many_requests": ErrorText("Too many requests at once."),
    "many_people": ErrorText("Very many people are using this page right now."),
    "not_answered": ErrorText("Wan Studio could not answer this request."),
}
