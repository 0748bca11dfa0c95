"""Errors of a worker's job input and of the files that it names."""

from __future__ import annotations

from collections.abc import Mapping

from backend.error_texts.text import ErrorText

_EXAMPLE = 'Example: {{"input": {{"mode": "text_to_video", "params": {{"prompt": "..."}}}}}}'
_CHECK_ADDRESS = "Check the address."

TEXTS: Mapping[str, ErrorText] = {
    # the input
    "input_not_object": ErrorText("The input is not a JSON object.", _EXAMPLE),
    "input_without_mode": ErrorText("The input needs a mode: {names}; or a workflow.", _EXAMPLE),
    "input_params_not_objects": ErrorText("params and media must be JSON objects.", _EXAMPLE),
    "input_media_unknown": ErrorText("{endpoint} does not take {parameter!r}.", "Its media: {names}."),
    "input_no_media": ErrorText("{endpoint} does not take {parameter!r}.", "It takes no media."),
    "input_images_not_list": ErrorText(
        'images must be a list of {{"name", "image"}}, and media must be an object.'
    ),
    "input_image_without_name": ErrorText('Each entry of images must be {{"name", "image"}}.'),
    # its workflow
    "workflow_not_object": ErrorText("The workflow is not a JSON object with nodes."),
    "workflow_saved_by_page": ErrorText(
        "This workflow is in the format that ComfyUI's page saves.",
        "Export it in API format: Workflow, Export (API).",
    ),
    "workflow_not_api_format": ErrorText(
        "The workflow is not in ComfyUI's API format.",
        'Each node is {{"class_type", "inputs"}}, under its id.',
    ),
    # its files
    "input_not_file": ErrorText("{parameter} is not a file.", "Send base64, an https address or a path."),
    "input_not_base64": ErrorText("{parameter} is not base64.", "Encode the file's bytes."),
    "input_empty": ErrorText("{parameter} is empty."),
    "input_too_large": ErrorText(
        "{parameter} is larger than {megabytes:.0f} MB.",
        "Use a smaller file, or raise WAN_MAX_UPLOAD_MB on the worker.",
    ),
    "input_not_on_volume": ErrorText("There is no file {path} on the volume.", "Check the path."),
    # files at an address
    "address_not_https": ErrorText(
        "The address of {parameter} is not an https address.", "Example: https://host/file.png"
    ),
    "address_host_unknown": ErrorText("The host of {parameter} was not found: {host}.", _CHECK_ADDRESS),
    "address_not_public": ErrorText(
        "The address of {parameter} is not on the public internet.",
        "Send the file in the request, or put it on the volume.",
    ),
    "address_redirects": ErrorText(
        "The address of {parameter} has too many redirects.", "Use the file's final address."
    ),
    "address_status": ErrorText(
        "The address of {parameter} responds with HTTP {status}.",
        "Check that it can be opened without a login.",
    ),
    "address_not_fetched": ErrorText(
        "The address of {parameter} could not be fetched.",
        "Check the address, or send the file in the request.",
    ),
    "address_slow": ErrorText("The address of {parameter} is too slow.", "Use another host."),
    "address_empty": ErrorText("The file at the address of {parameter} is empty.", _CHECK_ADDRESS),
    "address_too_large": ErrorText(
        "The file at the address of {parameter} is larger than {megabytes:.0f} MB.",
        "Use a smaller one, or raise WAN_MAX_UPLOAD_MB on the worker.",
    ),
}
