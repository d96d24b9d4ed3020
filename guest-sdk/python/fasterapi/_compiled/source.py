"""Writes a plan's code.

The function has two parts. The first makes every argument out of what the host sent, and gives the request back at the first thing
that is not as it should be; nothing of the user's has run. The second calls dependencies and endpoint in FastAPI's order and
makes the answer.
"""

from __future__ import annotations

from contextvars import copy_context
from copy import deepcopy
from types import NoneType
from typing import Any

from fastapi._compat import field_annotation_is_sequence
from fastapi.datastructures import DefaultPlaceholder
from fastapi.dependencies.models import Dependant, _get_cache_key, _get_oauth_scopes, _is_async_gen_callable, _is_coroutine_callable, _is_gen_callable
from fastapi.dependencies.utils import _get_param_aliases, _get_param_model, _is_json_field, _should_embed_body_fields
from fastapi.utils import is_body_allowed_for_status_code
from pydantic_core import SchemaValidator, core_schema, from_json
from starlette.responses import JSONResponse, Response

from . import plain
from .drive import driver
from .plan import REPLAY, Needs, Plan
from .reasons import has_plain_path, takes_form, tree
from .support import Support
from .waits import may_wait

_ATOMIC = (str, int, float, bool, bytes, NoneType)


def write(route: Any, support: Support, *, sees_head: bool) -> Plan:
    """The plan of a route (a `RouteContext`) that `reasons` has nothing against. `sees_head`: what stands before the plan wants the head."""
    return _Writer(route, support, sees_head).plan()


class _Writer:
    def __init__(self, route: Any, support: Support, sees_head: bool) -> None:
        self.route = route
        self.support = support
        self.names: dict[str, Any] = {"from_json": from_json, "REPLAY": REPLAY, "Response": Response, "support": support}
        self.checks: list[str] = []
        self.calls: list[str] = []
        self.schemas: dict[str, Any] = {}
        self.query: dict[str, bool] = {}
        self.headers: dict[str, bool] = {}
        self.path = list(route.param_convertors)
        self.matches = bool(self.path) and not has_plain_path(route)
        self.sees_head = sees_head
        self.head = self.matches
        self.body: str | None = None
        self.solved: dict[Any, str] = {}
        self.generators = self.functions = self.responds = self.background = self.drives = False
        callables = list(tree(route.dependant))
        coroutines = [dependant.call for dependant in callables if _is_coroutine_callable(dependant.call)]
        async_generators = any(_is_async_gen_callable(dependant.call) for dependant in callables)
        self.waits = async_generators or any(may_wait(call) for call in coroutines if call is not None)
        self.threaded = not coroutines and not async_generators
        self.alone = len(callables) == 1

    def plan(self) -> Plan:
        call = self._call(self.route.dependant)
        fast = self._answer()
        source = self._function(call, fast)
        exec(compile(source, f"<plan of {self.route.path}>", "exec"), self.names)
        plan = Plan(
            route=self.route,
            needs=Needs(() if self.matches else tuple(self.path), self.query, self.headers, self.body, self.head or self.sees_head),
            status=self.route.status_code or 200,
            waits=self.waits,
            threaded=self.threaded,
            source=source,
            run=self.names["plan"],
        )
        self.names["this"] = plan
        if self.drives:  # a driver ends with what its coroutine raises
            self.names.update(driver=driver, drive=driver())
        return plan

    # --- the second part: calls ---

    def _call(self, dependant: Dependant) -> str:
        """The call of a dependant, with the calls that it depends on written before it."""
        arguments = {}
        for below in dependant.dependencies:
            result = self._dependency(below)
            if below.name is not None:
                arguments[below.name] = result
        arguments.update(self._arguments(dependant))
        given = ", ".join(f"{name}={value}" for name, value in arguments.items())
        return f"{self._name('call', dependant.call)}({given})"

    def _dependency(self, dependant: Dependant) -> str:
        call = self._call(dependant)  # FastAPI solves what is below even when the result is known
        key = _get_cache_key(dependant=dependant)
        if dependant.use_cache and key in self.solved:
            return self.solved[key]
        result = f"r{len(self.calls)}"
        if _is_gen_callable(dependant.call):
            self.calls.append(f"{result} = support.enter({self._stack(dependant)}, {self._runner()}, {call})")
        elif _is_async_gen_callable(dependant.call):
            self.calls.append(f"{result} = await support.enter_async({self._stack(dependant)}, {call})")
        else:
            self._result(dependant, call, result)
        self.solved.setdefault(key, result)
        return result

    def _stack(self, dependant: Dependant) -> str:
        """The list of generators that one is to be ended with."""
        if dependant.scope == "function":
            self.functions = True
            return "functions"
        self.generators = True
        return "generators"

    def _result(self, dependant: Dependant, call: str, result: str) -> None:
        """Writes `result = call`, as FastAPI runs that kind of function."""
        if not _is_coroutine_callable(dependant.call):
            name, _, given = call.partition("(")
            direct = self.threaded and self.alone  # the whole plan then runs as in a thread of its own
            self.calls.append(f"{result} = {call}" if direct else f"{result} = {self._runner()}({name}{', ' if given != ')' else ''}{given}")
        elif self.waits:
            self.calls.append(f"{result} = await {call}")
        else:
            self.drives = True
            self.calls.append(f"{result} = drive({call})")

    def _runner(self) -> str:
        """What calls a function as in a worker thread: with a copy of the context, and without an event loop."""
        self.names["copy_context"] = copy_context
        return "copy_context().run" if self.threaded else "support.thread"

    # --- the first part: arguments ---

    def _arguments(self, dependant: Dependant) -> dict[str, str]:
        arguments: dict[str, str] = {}
        for field in dependant.path_params:
            arguments[field.name] = self._fused(field, _get_param_aliases(field)[0][1])
        self._named(dependant.query_params, "?", self.query, "query_params", arguments)
        self._named(dependant.header_params, "@", self.headers, "headers", arguments)
        self._slow(dependant.cookie_params, "cookies", arguments)
        self._bodies(dependant, arguments)
        for name in (dependant.http_connection_param_name, dependant.request_param_name):
            if name:
                arguments[name] = self._request()
        if dependant.background_tasks_param_name:
            self.background = True
            arguments[dependant.background_tasks_param_name] = "background"
        if dependant.response_param_name:
            self.responds = True
            arguments[dependant.response_param_name] = "response"
        if dependant.security_scopes_param_name:
            scopes = self._name("scopes", _get_oauth_scopes(dependant=dependant))
            arguments[dependant.security_scopes_param_name] = f"support.security_scopes({scopes})"
        return arguments

    def _named(self, fields: list[Any], prefix: str, wanted: dict[str, bool], source: str, arguments: dict[str, str]) -> None:
        """Parameters that the host picks out of the query or the headers."""
        slow = []
        for field in fields:
            aliases = _get_param_aliases(field)
            name = aliases[0][1].lower() if prefix == "@" else aliases[0][1]
            many = field_annotation_is_sequence(field.field_info.annotation)
            unusual = len(aliases) > 1 or _is_json_field(field) or _get_param_model(field) is not None or field.field_info.validate_default
            # HTTP/2 has the host beside the headers
            if unusual or (prefix == "@" and name == "host") or wanted.setdefault(name, many) is not many:
                slow.append(field)
            else:
                arguments[field.name] = self._fused(field, prefix + name)
        self._slow(slow, source, arguments)

    def _fused(self, field: Any, key: str) -> str:
        """A value that the host sends as text, validated together with the others."""
        schema = _without_default(field._type_adapter.core_schema)
        variable = f"a{len(self.checks)}"
        if field.config is None and schema["type"] != "definitions" and self.schemas.setdefault(key, schema) is schema:
            found, value = "values", f"values[{key!r}]"
        else:  # it cannot stand in a schema with others, or another parameter has its name
            found, value = "raw", f"{self._name('validate', field._type_adapter.validator.validate_python)}(raw[{key!r}], from_attributes=True)"
        self.checks.append(f"{variable} = {value}" if field.field_info.is_required() else f"{variable} = {value} if {key!r} in {found} else {self._default(field)}")
        return variable

    def _default(self, field: Any) -> str:
        if field.field_info.default_factory is None and type(default := field.default) in _ATOMIC:
            return self._name("default", default)
        self.names["deepcopy"] = deepcopy
        return f"deepcopy({self._name('field', field)}.default)"

    def _slow(self, fields: list[Any], source: str, arguments: dict[str, str]) -> None:
        """Values that FastAPI's own code takes out of the request."""
        if not fields:
            return
        found = f"a{len(self.checks)}"
        request = self._request()
        self.checks.append(f"{found} = support.extract({self._name('fields', fields)}, {request}.{source})")
        for field in fields:
            arguments[field.name] = f"{found}[{field.name!r}]"

    def _bodies(self, dependant: Dependant, arguments: dict[str, str]) -> None:
        fields = dependant.body_params
        if not fields:
            return
        embedded = self.route._embed_body_fields
        if takes_form(self.route):
            self.body = "form"
            self.head = True
            found = f"a{len(self.checks)}"
            self.checks.append(f"{found} = support.body_values({self._name('fields', fields)}, form, {embedded})")
            arguments.update({field.name: f"{found}[{field.name!r}]" for field in fields})
            return
        self.body = "json"
        for field in fields:
            variable = arguments[field.name] = f"a{len(self.checks)}"
            validate = self._name("validate", field._type_adapter.validator.validate_python)
            if len(fields) == 1 and not embedded and not _should_embed_body_fields(fields):
                self.checks.append(f"{variable} = {validate}(parsed, from_attributes=True)")
                continue
            aliases = _get_param_aliases(field)
            if len(aliases) > 1 or field.field_info.validate_default:
                found = f"support.body_values({self._name('fields', fields)}, parsed, True)"
                self.checks.append(f"{variable} = {found}[{field.name!r}]")
                continue
            name = repr(aliases[0][0])
            value = f"{validate}(parsed[{name}], from_attributes=True)"
            self.checks.append(f"{variable} = {value}" if field.field_info.is_required() else f"{variable} = {value} if {name} in parsed.keys() else {self._default(field)}")

    def _request(self) -> str:
        self.head = True
        return "request"

    # --- the answer ---

    def _answer(self) -> list[str]:
        """The lines that make `text` of `result`, where the answer is a plain 200 or its like. None: `support` makes it."""
        route = self.route
        default = isinstance(route.response_class, DefaultPlaceholder) and route.response_class.value is JSONResponse
        if self.responds or self.background or not default or not is_body_allowed_for_status_code(route.status_code):
            return []
        if route.response_field is None:
            self.names["dump"] = plain.dump
            return ["text = dump(result)"]
        adapter = route.response_field._type_adapter
        options = {name: getattr(route, f"response_model_{name}") for name in ("include", "exclude", "exclude_unset", "exclude_defaults", "exclude_none")}
        given = "".join(f", {name}={self._name(name, value)}" for name, value in options.items() if value)
        dump, validate = self._name("dump", adapter.serializer.to_json), self._name("validate", adapter.validator.validate_python)
        by_alias = self._name("by_alias", route.response_model_by_alias)
        return [f"text = {dump}({validate}(result, from_attributes=True), by_alias={by_alias}{given})"]

    def _function(self, call: str, fast: list[str]) -> str:
        """Puts the parts together."""
        self._result(self.route.dependant, call, "result")
        first = self._first_part()
        return "\n".join(
            [
                f"{'async ' if self.waits else ''}def plan(packed, head, body):",
                *_indented(1, ["global drive"] if self.drives else []),
                *_indented(1, ["try:", *_indented(1, first), "except Exception:", "    return REPLAY"] if first else []),
                *_indented(1, ["generators = []"] if self.generators else []),
                *_indented(1, ["functions = []"] if self.functions else []),
                *_indented(1, ["try:"]),
                *_indented(2, self.calls + self._reply(fast)),
                *_indented(1, ["except BaseException as error:", *_indented(1, ["drive = driver()"] if self.drives else []), f"    return support.raised(this, {self._state()}, error)"]),
                *_indented(1, ["support.behind = generators"] if self.generators else []),
                *_indented(1, ["return text"]),
            ]
        )

    def _first_part(self) -> list[str]:
        lines = []
        if self.path or self.query or self.headers:
            lines.append("raw = from_json(packed)")
        elif self.matches or self.head:
            lines.append("raw = {}")
        if self.matches:
            lines.append("raw.update(support.path_params(this, head))")
        if self.schemas:
            fields = {key: core_schema.typed_dict_field(schema, required=False) for key, schema in self.schemas.items()}
            validate = self._name("validate", SchemaValidator(core_schema.typed_dict_schema(fields, extra_behavior="ignore")).validate_python)
            lines.append(f"values = {validate}(raw, from_attributes=True)")
        if self.body == "json":
            lines.append("parsed = from_json(body)")
        if self.head:
            lines.append(f"request = support.request(this, raw, head, body, {self.body == 'json'})")
        if self.body == "form":
            lines.append("form = support.read_form(request)")
        if self.responds:
            lines.append("response = support.new_response()")
        if self.background:
            lines.append("background = support.background_tasks()")
        return lines + self.checks

    def _reply(self, fast: list[str]) -> list[str]:
        given = f"{'response' if self.responds else 'None'}, {'background' if self.background else 'None'}"
        leave = [("await support.leave_functions_async" if self.waits else "support.leave_functions") + "(functions)"] if self.functions else []
        slow = [
            f"made = support.response(this, result, {given})",
            *leave,
            f"text = support.sent(this, {self._state()}, made)",
            "if text is None:",
            "    return REPLAY",
        ]
        if not fast:
            return slow
        return [
            "text = None",
            "if not isinstance(result, Response):",
            *_indented(1, ["try:", *_indented(1, fast), "except Exception:", "    text = None"]),
            "if text is None or len(text) > support.largest:",
            *_indented(1, slow),
            "else:",
            *_indented(1, [*leave, "text = text.decode()"]),
        ]

    def _state(self) -> str:
        raw = "raw" if self.path or self.query or self.headers or self.head else "{}"
        return f"{raw}, {'generators' if self.generators else '[]'}, {'functions' if self.functions else '[]'}"

    def _name(self, kind: str, value: Any) -> str:
        name = f"{kind}{len(self.names)}"
        self.names[name] = value
        return name


def _without_default(schema: Any) -> Any:
    # the code below knows the default itself, as FastAPI does
    while schema["type"] == "default":
        schema = schema["schema"]
    return schema


def _indented(depth: int, lines: list[str]) -> list[str]:
    return ["    " * depth + line for line in lines]
