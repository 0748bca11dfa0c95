"""Errors of the settings: the environment, the file `.env`, and their values. None repeats a password."""

from __future__ import annotations

from collections.abc import Mapping

from backend.error_texts.text import ErrorText

_URL = "http://127.0.0.1:8188"
_URL_HINT = (
    f"Example: COMFYUI_URL={_URL}. In a user or password, write special characters as %XX (@ is %40, / is"
    " %2F, : is %3A, # is %23, a comma is %2C), or use WAN_COMFYUI_LOGIN."
)
_LOGIN_EXAMPLE = "Example: WAN_AUTH=ann:a-long-password,bob:another. A password has no comma."
_QUOTES = "Put straight quotes around the whole value, and only in .env or a shell; elsewhere none."
_CERTIFICATE = "It takes a text file that contains -----BEGIN CERTIFICATE-----."
LISTEN_HINT = (
    "GRADIO_SERVER_NAME takes an address of this machine: 127.0.0.1 or ::1 for this machine alone, 0.0.0.0 or"
    " :: for every address."
)

TEXTS: Mapping[str, ErrorText] = {
    "settings_refused": ErrorText("{reasons}", "{hints}"),
    "setting_unusable": ErrorText("{name} is {given!r}; it takes {takes}."),
    "secret_setting_unusable": ErrorText("{name} is not usable; it takes {takes}."),
    "setting_without_home": ErrorText(
        "{name} is {given!r}, and there is no such home folder.", "Write the whole path."
    ),
    "setting_with_variable": ErrorText(
        "{name} is {given!r}, but variables in it are not replaced.",
        "Write the whole path. It may begin with ~ for the home folder.",
    ),
    "setting_misspelled": ErrorText(
        "The environment variable {given} looks like a misspelling of {name}.",
        "Rename it to {name}, or remove it.",
    ),
    # the file .env
    "env_unreadable": ErrorText("{path} cannot be read: {reason}."),
    "env_not_utf8": ErrorText("{path}, line {number}: this is not UTF-8 text.", "Save the file as UTF-8."),
    "env_not_name_value": ErrorText(
        "{path}, line {number}: this is not NAME=value.",
        "Quotes stand at both ends of a value or at none; a line that begins with # is left out.",
    ),
    "env_without_equals": ErrorText(
        "{path}, line {number}: there is no = after the name.", "Write NAME=value."
    ),
    "env_control_character": ErrorText(
        "{path}, line {number}: there is a line break or a control character in it.",
        "Close the quote in the line in which it begins, and type the line again.",
    ),
    "env_misspelled": ErrorText(
        "{path}, line {number}: the name looks like a misspelling of {name}.",
        "Write {name}=value, in capitals, with nothing before or between.",
    ),
    "env_login_twice": ErrorText(
        "{path}, line {number}: WAN_AUTH is set a second time.", "Keep one of the two lines."
    ),
    "env_login_empty": ErrorText(
        "{path}, line {number}: WAN_AUTH has quotes and nothing in them.",
        "Write WAN_AUTH=user:password, or remove the line for a page without a login.",
    ),
    "env_login_spaces": ErrorText(
        "{path}, line {number}: WAN_AUTH begins or ends with a space.", "Remove the space."
    ),
    "env_login_comment": ErrorText(
        "{path}, line {number}: WAN_AUTH has a # after a space, and what follows would be lost.",
        "Put the value into single quotes if it belongs to the password; else move the comment to a line of"
        " its own.",
    ),
    # WAN_AUTH
    "login_without_user": ErrorText(
        "WAN_AUTH names no user.", "Write WAN_AUTH=user:password, or leave it out for a page without a login."
    ),
    "login_not_a_pair": ErrorText("Entry {number} of WAN_AUTH is not user:password.", _LOGIN_EXAMPLE),
    "login_begins_with_quote": ErrorText("Entry {number} of WAN_AUTH begins with a quote.", _QUOTES),
    "login_begins_with_equals": ErrorText("Entry {number} of WAN_AUTH begins with =.", _QUOTES),
    "login_unprintable": ErrorText(
        "Entry {number} of WAN_AUTH has a character that cannot be seen, such as a tab or a non-breaking"
        " space.",
        "Type it again.",
    ),
    "login_user_twice": ErrorText("WAN_AUTH names a user twice.", "Give every user one entry."),
    # where the page listens
    "port_unusable": ErrorText("{name} is {given!r}; it takes a number from 1 to 65535."),
    "listen_on_interface": ErrorText(
        "GRADIO_SERVER_NAME is {given!r}; browsers cannot open an address of one network interface.",
        LISTEN_HINT,
    ),
    "listen_not_address": ErrorText(
        "GRADIO_SERVER_NAME is {given!r}; it takes an address or a host name, without http:// and port.",
        LISTEN_HINT,
    ),
    "allowed_host_unusable": ErrorText(
        "WAN_ALLOWED_HOSTS has {given!r}, which is no name of a host.",
        "Example: WAN_ALLOWED_HOSTS=films.example,*.studio.example",
    ),
    "proxy_unusable": ErrorText(
        "WAN_TRUSTED_PROXIES has {given!r}, which is neither an address nor a network.",
        "Example: WAN_TRUSTED_PROXIES=127.0.0.1,172.16.0.0/12",
    ),
    # ComfyUI
    "comfyui_url_unusable": ErrorText("COMFYUI_URL has {given!r}, which is not an http address.", _URL_HINT),
    "comfyui_url_hidden_unusable": ErrorText(
        "COMFYUI_URL has an address that is not an http address.", _URL_HINT
    ),
    "comfyui_url_login": ErrorText(
        "COMFYUI_URL has an address with a user or password that cannot be read.", _URL_HINT
    ),
    "comfyui_url_query": ErrorText(
        "COMFYUI_URL has {given!r} with ? or #; an address ends with its path, before ? and #.",
        f"Example: COMFYUI_URL={_URL}",
    ),
    "comfyui_url_hidden_query": ErrorText(
        "COMFYUI_URL has an address with ? or #; an address ends with its path, before ? and #.",
        f"Example: COMFYUI_URL={_URL}",
    ),
    "comfyui_login_not_a_pair": ErrorText(
        "WAN_COMFYUI_LOGIN is not user:password.", "Example: WAN_COMFYUI_LOGIN=ann:a-long-password"
    ),
    "comfyui_login_unprintable": ErrorText(
        "WAN_COMFYUI_LOGIN has a character that cannot be seen, such as a tab or a line break.",
        "Type it again.",
    ),
    "certificates_missing": ErrorText("WAN_COMFYUI_CA is {path}, and there is no such file.", _CERTIFICATE),
    "certificates_unusable": ErrorText(
        "WAN_COMFYUI_CA is {path}, and there is no certificate in it.", _CERTIFICATE
    ),
    "comfyui_args_unreadable": ErrorText("COMFYUI_ARGS cannot be read: {reason}.", "Check its quotes."),
    "comfyui_args_taken": ErrorText(
        "COMFYUI_ARGS has {option}, which Wan Studio sets itself.",
        "Use COMFYUI_LISTEN for the address and COMFYUI_PORT for the first port.",
    ),
    "comfyui_dir_unusable": ErrorText(
        "COMFYUI_DIR is {path}, and there is no ComfyUI (main.py) in it.",
        "Set it to the folder that holds ComfyUI's main.py.",
    ),
    # other servers
    "url_unusable": ErrorText(
        "{name} has {given!r}, which is not an http address.", "Example: {name}={example}"
    ),
    "endpoint_id_unusable": ErrorText(
        "RUNPOD_ENDPOINT_ID is {given!r}, which is not an endpoint's id.",
        "It is the short word in the endpoint's address: .../v2/THIS/run.",
    ),
    "api_key_unusable": ErrorText(
        "RUNPOD_API_KEY has characters that no key has.", "Copy it once more from RunPod."
    ),
}
