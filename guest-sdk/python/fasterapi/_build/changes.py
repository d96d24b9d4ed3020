"""Reads functions of the app's for what they change that lives longer than a request: objects that a name at the top of a module
leads to. It goes by their words, into the functions and methods of the app's that they call; what a library, a closure or an
argument changes goes unseen."""

from __future__ import annotations

import ast
import inspect
import linecache
import threading
from collections.abc import Callable, Iterator, MutableMapping, MutableSequence, MutableSet
from dataclasses import dataclass
from types import FunctionType, MethodType, ModuleType
from typing import Any

from . import paths

_CHANGING = frozenset(
    "add append appendleft clear difference_update discard extend extendleft insert intersection_update pop popitem popleft remove reverse "
    "setdefault sort subtract symmetric_difference_update update".split()
)
_DEEPEST = 8
_Function = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda


@dataclass(frozen=True)
class Thing:
    """An object, under the name that the code has for it; where it is part of a container, the container's."""

    name: str
    value: Any
    root: int  # tells the object at the top of a module, whatever the module calls it
    inside: bool = False

    def holds(self) -> bool:
        """Whether it is changed by the methods of lists, sets and dicts."""
        return self.inside or isinstance(self.value, MutableMapping | MutableSequence | MutableSet)

    def attribute(self, name: str) -> Thing:
        """What is there, without running anything for it."""
        value = vars(self.value).get("_state", {}).get(name) if _is_state(self.value) else inspect.getattr_static(self.value, name, None)
        return Thing(f"{self.name}.{name}", value, self.root)


def _is_state(value: Any) -> bool:
    """Whether it is `app.state`."""
    return type(value).__module__ == "starlette.datastructures" and type(value).__name__ == "State"


@dataclass(frozen=True)
class Change:
    """Where a thing is changed first, and its root."""

    place: str
    root: int


class Reader:
    """Reads functions, each of them once, and notes what it found."""

    def __init__(self) -> None:
        self.changed: dict[str, Change] = {}  # by the thing's name
        self.used: set[int] = set()  # roots
        self._read: set[tuple[Any, ...]] = set()

    def read(self, function: Any, known: dict[str, Thing] | None = None, depth: int = 0) -> None:
        """Reads a function; `known` are the parameters that are known to be given such things."""
        code, node = _written(function)
        known = known or {}
        key = (code, *sorted((name, thing.name) for name, thing in known.items()))
        if node is None or key in self._read or depth > _DEEPEST:
            return
        self._read.add(key)
        _Body(self, function, node, known, depth).read()


def returned(function: Any) -> Thing | None:
    """What a function gives each time, if it is such a thing."""
    _, node = _written(function)
    given = [below.value for below in ast.walk(node) if isinstance(below, ast.Return | ast.Yield) and below.value] if node else []
    return _Body(Reader(), function, node, {}, 0).thing(given[0]) if node and len(given) == 1 else None


class _Body(ast.NodeVisitor):
    """One function."""

    def __init__(self, reader: Reader, function: Any, node: _Function, known: dict[str, Thing], depth: int) -> None:
        self._reader = reader
        self._node = node
        self._top = _plain(function).__globals__
        self._file = _plain(function).__code__.co_filename
        self._known = known
        self._globals = {name for below in ast.walk(node) if isinstance(below, ast.Global) for name in below.names}
        self._locals = set(_bound(node)) - self._globals - set(known)
        self._depth = depth

    def read(self) -> None:
        body = self._node.body
        for statement in body if isinstance(body, list) else [body]:
            self.visit(statement)

    def thing(self, node: ast.expr) -> Thing | None:
        """What an expression names, if that is known and lives on."""
        match node:
            case ast.Name(id=name) if name in self._known:
                self._reader.used.add(self._known[name].root)
                return self._known[name]
            case ast.Name(id=name) if name not in self._locals and name in self._top:
                top = self._at_top(name)
                self._reader.used.add(top.root)
                return top
            case ast.Attribute(value=value, attr=name):
                found = self.thing(value)
                return found and found.attribute(name)
            case ast.Subscript(value=value):
                found = self.thing(value)
                return found and Thing(found.name, None, found.root, inside=True)
        return None

    def _at_top(self, name: str) -> Thing:
        value = self._top.get(name)
        plain = value is None or isinstance(value, int | float | str | bytes | tuple)
        return Thing(name, value, hash((id(self._top), name)) if plain else id(value))

    def visit_Name(self, node: ast.Name) -> None:
        if not isinstance(node.ctx, ast.Load) and node.id in self._globals:
            self._change(self._at_top(node.id), node)
        self.thing(node)

    def visit_Attribute(self, node: ast.Attribute) -> None:
        found = None if isinstance(node.ctx, ast.Load) else self.thing(node.value)
        if found and not isinstance(found.value, threading.local):
            self._change(found.attribute(node.attr), node)
        self.generic_visit(node)

    def visit_Subscript(self, node: ast.Subscript) -> None:
        found = None if isinstance(node.ctx, ast.Load) else self.thing(node.value)
        if found and found.holds():
            self._change(found, node)
        self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> None:
        match node:
            case ast.Call(func=ast.Attribute(value=value, attr=name)):
                self._method(self.thing(value), name, node)
            case ast.Call(func=ast.Name(id="next"), args=[ast.Name() as argument]):
                found = self.thing(argument)
                if found and isinstance(found.value, Iterator):
                    self._change(found, node)
            case ast.Call(func=ast.Name() as name):
                self._call(self.thing(name))
        self.generic_visit(node)

    def _method(self, found: Thing | None, name: str, node: ast.expr) -> None:
        if found is None:
            return
        if found.holds():
            if name in _CHANGING:
                self._change(found, node)
        elif isinstance(found.value, ModuleType):
            self._call(found.attribute(name))
        else:
            method = inspect.getattr_static(type(found.value), name, None)
            if isinstance(method, FunctionType):
                self._reader.read(method, {name: found for name in _plain(method).__code__.co_varnames[:1]}, self._depth + 1)

    def _call(self, found: Thing | None) -> None:
        if found and isinstance(found.value, FunctionType):
            self._reader.read(found.value, None, self._depth + 1)

    def _change(self, thing: Thing, node: ast.expr) -> None:
        self._reader.changed.setdefault(thing.name, Change(f"{self._file}:{node.lineno}", thing.root))


def _plain(function: Any) -> Any:
    """The function behind a method and behind decorators that say what they wrap."""
    function = inspect.unwrap(function)
    return function.__func__ if isinstance(function, MethodType) else function


def _bound(node: _Function) -> Iterator[str]:
    """The names that are a function's own, or of one within it."""
    for below in ast.walk(node):
        match below:
            case ast.Name(id=name, ctx=ast.Store() | ast.Del()) | ast.arg(arg=name):
                yield name
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name) if below is not node:
                yield name
            case ast.ExceptHandler(name=str(name)):
                yield name
            case ast.Import(names=names) | ast.ImportFrom(names=names):
                yield from (alias.asname or alias.name.partition(".")[0] for alias in names)


_files: dict[str, dict[int, _Function]] = {}


def _written(function: Any) -> tuple[Any, _Function | None]:
    """A function of the app's as it is written."""
    plain: Callable[..., Any] = _plain(function)
    code = getattr(plain, "__code__", None)
    if code is None or not paths.is_users(code.co_filename):
        return None, None
    if code.co_filename not in _files:
        _files[code.co_filename] = _functions("".join(linecache.getlines(code.co_filename, plain.__globals__)))
    return code, _files[code.co_filename].get(code.co_firstlineno)


def _functions(text: str) -> dict[int, _Function]:
    """The functions in a file by their first line. Of those that share one, the outermost."""
    found: dict[int, _Function] = {}
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, _Function):
            decorators = [] if isinstance(node, ast.Lambda) else node.decorator_list
            found.setdefault(min(part.lineno for part in (node, *decorators)), node)
    return found


def forget() -> None:
    """Lets go of the files that were read."""
    _files.clear()
    linecache.clearcache()
