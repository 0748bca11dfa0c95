"""Validates prompts with ComfyUI's checks and error bodies.

Like ComfyUI, it converts values to the input's type in place. Like 0.3.64, it does not check the options of
newer choices (type "COMBO"), so that a missing model of such an input is reported when the node runs. For the
nodes that work on finished frames, which are recorded from 0.33, it checks them as 0.33 does.
"""

from __future__ import annotations

import traceback
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from backend.engines.demo.nodeinfo import FILE_INPUTS, InputSpec, NodeInfo

Error = dict[str, Any]
CASTS = {"INT": int, "FLOAT": float, "STRING": str, "BOOLEAN": bool}
LONGEST_LIST = 20  # longer option lists are left out of error bodies
CHECKED = frozenset({"FrameInterpolationModelLoader", "UpscaleModelLoader", "ColorTransfer"})
"""Node classes whose newer choices are checked."""


@dataclass(frozen=True)
class ValidationResult:
    """`targets`: the output nodes that can run; if there is none, `error` is the reason."""

    targets: list[str]
    error: Error | None
    node_errors: dict[str, Any] = field(default_factory=dict)


def _error(kind: str, message: str, details: str, **extra: Any) -> Error:
    return {"type": kind, "message": message, "details": details, "extra_info": extra}


def validate(graph: dict[str, Any], info: NodeInfo, only: Iterable[str] | None = None) -> ValidationResult:
    """Validates a graph. `only`: the output nodes to run; None for all."""
    outputs: list[str] = []
    for node in graph:
        if "class_type" not in graph[node]:
            text = "Cannot execute because a node is missing the class_type property."
            return ValidationResult([], _error("invalid_prompt", text, f"Node ID '#{node}'"))
        class_type = graph[node]["class_type"]
        if class_type not in info:
            text = f"Cannot execute because node {class_type} does not exist."
            return ValidationResult([], _error("invalid_prompt", text, f"Node ID '#{node}'"))
        if info.is_output(class_type) and (only is None or node in only):
            outputs.append(node)
    if not outputs:
        return ValidationResult([], _error("prompt_no_outputs", "Prompt has no outputs", ""))
    return _validate_outputs(graph, info, outputs)


def _validate_outputs(graph: dict[str, Any], info: NodeInfo, outputs: list[str]) -> ValidationResult:
    check = _Validator(graph, info)
    good: list[str] = []
    node_errors: dict[str, Any] = {}
    lines: list[str] = []
    for output in outputs:
        try:
            fine = check.node(output)
        except Exception as error:
            fine = False
            check.found[output] = [
                _error(
                    "exception_during_validation",
                    "Exception when validating node",
                    str(error),
                    exception_type=type(error).__qualname__,
                    traceback=traceback.format_tb(error.__traceback__),
                )
            ]
        if fine:
            good.append(output)
            continue
        lines += [f"{e['message']}: {e['details']}" for e in check.found.get(output, [])]
        for node, errors in check.found.items():
            if errors:
                about = {"errors": errors, "dependent_outputs": [], "class_type": graph[node]["class_type"]}
                node_errors.setdefault(node, about)["dependent_outputs"].append(output)
    if good:
        return ValidationResult(good, None, node_errors)
    kind, text = "prompt_outputs_failed_validation", "Prompt outputs failed validation"
    return ValidationResult([], _error(kind, text, "\n".join(lines)), node_errors)


class _Validator:
    """Validates nodes from the outputs upwards, each once. `found`: the errors of each visited node."""

    def __init__(self, graph: dict[str, Any], info: NodeInfo) -> None:
        self._graph = graph
        self._info = info
        self.found: dict[str, list[Error]] = {}
        self._fine: dict[str, bool] = {}

    def node(self, node: str) -> bool:
        """Whether a node and all nodes upstream are valid. A malformed node raises KeyError or similar."""
        if node in self._fine:
            return self._fine[node]
        inputs = self._graph[node]["inputs"]
        class_type = self._graph[node]["class_type"]
        errors: list[Error] = []
        above = True
        for name, spec in self._info.inputs(class_type, inputs):
            if name not in inputs:
                if spec.required:
                    text = "Required input is missing"
                    errors.append(
                        _error("required_input_missing", text, name.split(".")[-1], input_name=name)
                    )
            elif isinstance(inputs[name], list):
                error, good = self._link(name, spec, inputs[name])
                above = above and good
                if error is not None:
                    errors.append(error)
            else:
                error = self._value(name, spec, inputs, class_type)
                if error is not None:
                    errors.append(error)
        errors += self._files(class_type, inputs)
        self._fine[node] = above and not errors
        self.found[node] = errors
        return self._fine[node]

    def _link(self, name: str, spec: InputSpec, value: list[Any]) -> tuple[Error | None, bool]:
        """The error of a link, and whether the node at its other end is valid."""
        about = {"input_name": name, "input_config": [spec.type, spec.extra]}
        if len(value) != 2:
            text = "Bad linked input, must be a length-2 list of [node_id, slot_index]"
            return _error("bad_linked_input", text, name, **about, received_value=value), True
        source = value[0]
        gives = self._info.outputs(self._graph[source]["class_type"])
        received = tuple(gives)[value[1]]  # a tuple, for the message of its IndexError
        if not _fits(received, spec.type):
            text = f"{name}, received_type({received}) mismatch input_type({spec.type})"
            message = "Return type mismatch between linked nodes"
            about |= {"received_type": received, "linked_node": value}
            return _error("return_type_mismatch", message, text, **about), True
        try:
            return None, self.node(source)
        except Exception as error:
            self._fine[source] = False
            about |= {
                "exception_message": str(error),
                "exception_type": type(error).__qualname__,
                "traceback": traceback.format_tb(error.__traceback__),
                "linked_node": value,
            }
            text = "Exception when validating inner node"
            self.found[source] = [_error("exception_during_inner_validation", text, str(error), **about)]
            return None, False

    def _value(self, name: str, spec: InputSpec, inputs: dict[str, Any], class_type: str) -> Error | None:
        value = inputs[name]
        about: dict[str, Any] = {"input_name": name, "input_config": [spec.type, spec.extra]}
        try:
            if isinstance(value, dict) and "__value__" in value:
                value = inputs[name] = value["__value__"]
            if isinstance(spec.type, str) and spec.type in CASTS:
                value = inputs[name] = CASTS[spec.type](value)
        except Exception as error:
            text = f"Failed to convert an input value to a {spec.type} value"
            about |= {"received_value": value, "exception_message": str(error)}
            return _error("invalid_input_type", text, f"{name}, {value}, {error}", **about)
        if (class_type, name) in FILE_INPUTS:
            return None
        about["received_value"] = value
        if "min" in spec.extra and value < spec.extra["min"]:
            text = f"Value {value} smaller than min of {spec.extra['min']}"
            return _error("value_smaller_than_min", text, name, **about)
        if "max" in spec.extra and value > spec.extra["max"]:
            text = f"Value {value} bigger than max of {spec.extra['max']}"
            return _error("value_bigger_than_max", text, name, **about)
        listed = spec.type
        if spec.type == "COMBO" and class_type in CHECKED:
            listed = spec.extra.get("options", [])
        if isinstance(listed, list) and value not in listed:
            options = str(listed)
            if len(listed) > LONGEST_LIST:
                options, about["input_config"] = f"(list of length {len(listed)})", None
            return _error(
                "value_not_in_list", "Value not in list", f"{name}: '{value}' not in {options}", **about
            )
        return None

    def _files(self, class_type: str, inputs: dict[str, Any]) -> list[Error]:
        errors = []
        for (owner, name), (kind, _) in FILE_INPUTS.items():
            if owner == class_type and isinstance(inputs.get(name), str):
                if self._info.file_folders.has(inputs[name]):
                    continue
                text = f"{name} - Invalid {kind} file: {inputs[name]}"
                message = "Custom validation failed for node"
                errors.append(_error("custom_validation_failed", message, text, input_name=name))
        return errors


def _fits(received: Any, wanted: Any) -> bool:
    """Whether an output type is accepted by an input type; both may list alternatives."""
    if isinstance(received, list) or isinstance(wanted, list):
        return received == wanted
    if "*" in (received, wanted) or received == wanted:
        return True
    return set(str(received).split(",")) <= set(str(wanted).split(","))
