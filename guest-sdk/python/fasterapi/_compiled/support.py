"""What a plan's code calls besides the user's functions: everything that is not the straight way."""

from __future__ import annotations

from inspect import isasyncgen
from typing import Any

import fastapi.exception_handlers
from fastapi import BackgroundTasks
from fastapi.datastructures import DefaultPlaceholder
from fastapi.dependencies.utils import request_body_to_args, request_params_to_args
from fastapi.encoders import jsonable_encoder
from fastapi.routing import _extract_endpoint_context, serialize_response
from fastapi.security import SecurityScopes
from fastapi.utils import is_body_allowed_for_status_code
from starlette._exception_handler import _lookup_exception_handler
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import Scope

from .._asgi import scope as scopes
from .drive import drive
from .exchange import Inbox
from .generators import enter, enter_async, leave_functions, leave_functions_async, thread, unwind
from .plan import REPLAY, Outcome, Plan, Replay, pack


class Support:
    """The help for the plans of one application."""

    largest = 256 * 1024
    """Bytes of an answer that is given as one text. A longer one is streamed: as text it would be in memory several times."""

    def __init__(self, app: Any) -> None:
        self.app = app
        self.state: dict[str, Any] = {}
        """What start-up left for the requests."""
        self.handlers = {key: handler for key, handler in app.exception_handlers.items() if key not in (500, Exception)}
        self.pending: Outcome | None = None
        """What the next call of the ASGI lane takes up."""
        self.inbox: Inbox | None = None
        """The `receive` of the request under way, if its code sees the request, and no middleware does."""
        self.form: Any = None
        """The form of the request under way."""
        self.behind: list[Any] | None = None
        """Dependencies of the request under way that end behind its answer."""
        self.scope: Scope | None = None
        """The request's, if the app's middleware has it."""
        self.receive: Any = None
        """The request's, if the app's middleware or the ASGI lane has it."""

    def end(self) -> None:
        """A request is answered."""
        if self.form is not None:
            drive(self.form.close())

    # --- arguments ---

    def request(self, plan: Plan, raw: dict[str, Any], head: str, body: bytes, taken: bool) -> Request:
        """The request as FastAPI's own code sees it. `taken`: FastAPI has read the body."""
        receive = self.receive
        if self.scope is not None:
            scope = self.scope
        else:
            scope = scopes.from_head(head, self.state)
            scope.update(self.routed(plan, raw), app=self.app, router=self.app.router)
        if self.scope is None or plan.needs.body == "form":
            self.inbox = inbox = Inbox(body)
            if receive is not None:
                inbox.link(receive)
            receive = inbox
        request = Request(scope, receive)
        if taken:
            request._body = body
        return request

    def routed(self, plan: Plan, raw: dict[str, Any]) -> dict[str, Any]:
        """What routing adds to a scope."""
        route = plan.route
        found: dict[str, Any] = {"route": route.original_route, "endpoint": route.endpoint, "path_params": {name: raw[name] for name in route.param_convertors}}
        return found

    @staticmethod
    def path_params(plan: Plan, head: str) -> dict[str, Any]:
        """The path's parameters, where it takes its pattern to find them (`starlette.routing.Route.matches`)."""
        route = plan.route
        found = route.path_regex.match(scopes.path_of(head)).groupdict()
        return {name: route.param_convertors[name].convert(value) for name, value in found.items()}

    def extract(self, fields: list[Any], received: Any) -> dict[str, Any]:
        """Values of parameters that take more than one look."""
        values, errors = request_params_to_args(fields, received)
        if errors:
            raise Replay
        return values

    def read_form(self, request: Request) -> Any:
        """The request's form. It is closed with the request."""
        self.form = drive(_form(request))
        return self.form

    @staticmethod
    def body_values(fields: list[Any], body: Any, embedded: bool) -> dict[str, Any]:
        """Values out of a form, or of a body whose parameters take more than one look."""
        values: dict[str, Any]
        values, errors = drive(request_body_to_args(fields, body, embedded))
        if errors:
            raise Replay
        return values

    security_scopes = staticmethod(SecurityScopes)
    background_tasks = staticmethod(BackgroundTasks)

    @staticmethod
    def new_response() -> Response:
        """The response that code may set headers and a status on."""
        response = Response()
        del response.headers["content-length"]
        response.status_code = None  # type: ignore[assignment]
        return response

    # --- calls ---

    thread = staticmethod(thread)

    enter = staticmethod(enter)
    enter_async = staticmethod(enter_async)
    leave_functions = staticmethod(leave_functions)
    leave_functions_async = staticmethod(leave_functions_async)

    # --- answers ---

    def sent(self, plan: Plan, raw: dict[str, Any], generators: list[Any], functions: list[Any], response: Response) -> str | None:
        """The reply for a response. None: the ASGI lane sends it."""
        text = pack(response, self.largest)
        if text is None:
            self.pending = Outcome(plan, raw, response=response, generators=list(generators), functions=list(functions), form=self.form)
        return text

    def response(self, plan: Plan, result: Any, given: Response | None, background: Any) -> Response:
        """The response that FastAPI makes of what an endpoint returned (`fastapi.routing.get_request_handler`)."""
        if isinstance(result, Response):
            if result.background is None:
                result.background = background
            return result
        route = plan.route
        default = isinstance(route.response_class, DefaultPlaceholder)
        arguments: dict[str, Any] = {"background": background}
        status = route.status_code or (given.status_code if given else None)
        if status is not None:
            arguments["status_code"] = status
        if given is not None and given.status_code:
            arguments["status_code"] = given.status_code
        response = self._serialized(route, result, default, arguments)
        if not is_body_allowed_for_status_code(response.status_code):
            response.body = b""
        if given is not None:
            response.headers.raw.extend(given.headers.raw)
        return response

    def _serialized(self, route: Any, result: Any, default: bool, arguments: dict[str, Any]) -> Response:
        as_json = route.response_field is not None and default
        content = drive(
            serialize_response(
                field=route.response_field,
                response_content=result,
                include=route.response_model_include,
                exclude=route.response_model_exclude,
                by_alias=route.response_model_by_alias,
                exclude_unset=route.response_model_exclude_unset,
                exclude_defaults=route.response_model_exclude_defaults,
                exclude_none=route.response_model_exclude_none,
                is_coroutine=True,
                endpoint_ctx=_context(route),
                dump_json=as_json,
            )
        )
        if as_json:
            return Response(content, media_type="application/json", **arguments)
        response_class = route.response_class.value if default else route.response_class
        response: Response = response_class(content, **arguments)
        return response

    def raised(self, plan: Plan, raw: dict[str, Any], generators: list[Any], functions: list[Any], error: BaseException) -> str:
        """The reply for what was raised: an `HTTPException` under FastAPI's own handler at once, everything else in the ASGI lane."""
        if isinstance(error, HTTPException) and self._is_plain(error) and not any(isasyncgen(generator) for generator in [*generators, *functions]):
            try:
                unwind(list(generators), list(functions), error)
            except HTTPException as outcome:
                text = self._http_reply(outcome)
                if text is not None:
                    return text
                error = outcome
            except BaseException as outcome:
                error = outcome
            generators = functions = []
        self.pending = Outcome(plan, raw, error=error, generators=list(generators), functions=list(functions), form=self.form)
        return REPLAY

    def _is_plain(self, error: HTTPException) -> bool:
        if error.status_code in self.handlers:
            return False
        handler = _lookup_exception_handler(self.handlers, error)
        return handler is fastapi.exception_handlers.http_exception_handler

    def _http_reply(self, error: HTTPException) -> str | None:
        """What FastAPI's `http_exception_handler` makes of it, which does not look at the request. None: the ASGI lane asks it."""
        if not self._is_plain(error):
            return None
        try:
            text = pack(drive(fastapi.exception_handlers.http_exception_handler(None, error)), self.largest)  # type: ignore[arg-type]
        except Exception:  # it raises once more in the ASGI lane, where somebody sees it
            return None
        error.__traceback__ = None  # one that the app keeps and raises again would grow with every request
        return text


async def _form(request: Request) -> Any:
    return await request.form()


def _context(route: Any) -> Any:
    context = _extract_endpoint_context(route.dependant.call)
    if route.dependant.path:
        method = next(iter(sorted(route.methods)), "")
        context = {**context, "path": f"{method} {route.dependant.path}"}
    return context
