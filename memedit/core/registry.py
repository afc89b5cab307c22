"""What is found by name: editors, scopes, encoders, formats of data; and names as they are typed.

Ours are found by file or said in a table, those of other packages by their entry points. Both are
checked when they are loaded, so that a mistake is an error that says what is missing.
"""

from __future__ import annotations

import ast
import difflib
import importlib
import inspect
import pkgutil
import re
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from functools import lru_cache, partial
from importlib.metadata import EntryPoint, entry_points
from typing import Any, TypeVar

from memedit.core.errors import InvalidInputError, RegistrationError, UnknownNameError
from memedit.core.options import unknown_option
from memedit.core.protocols import NamesPlaces

T = TypeVar("T")

_PATH = re.compile(
    r"""(?P<quoted>"[^"]*"|'[^']*')|(?<==)\s*"""
    r"""(?P<bare>[\w.~:\\-]*[/\\][\w./~:\\-]*|[^\W\d]\w*[.-][\w.-]*)(?=\s*[,)])"""
)
"""A path without quotes as the value of a setting, or the name of a folder here ("my-scope"); what
is quoted is passed over."""


def split(text: str, separator: str) -> list[str]:
    """The parts between separators that are not inside of brackets, stripped."""
    parts, depth = [""], 0
    for character in text:
        depth += (character in "([") - (character in ")]")
        if character == separator and depth == 0:
            parts.append("")
        else:
            parts[-1] += character
    return [part.strip() for part in parts]


def parse_call(text: str) -> tuple[str, dict[str, Any]]:
    """(name, settings) of ``name`` or ``name(setting=value, ...)``.

    Values are numbers, ``true``, ``false``, ``none``, words, paths, quoted texts, and lists of
    these in brackets.

    Raises:
        InvalidInputError: brackets that cannot be read.
    """
    if len(text) > _LONGEST:
        raise InvalidInputError(f"A name of {len(text):,} characters.", hint=_AS_IN)
    name, bracket, rest = text.strip().partition("(")
    if not bracket:
        return name, {}
    try:
        # Read as Python reads a call, and never run: values are literals and words.
        call = ast.parse(f"_({_PATH.sub(_quote_path, rest)}", mode="eval").body
        if not isinstance(call, ast.Call) or call.args or not isinstance(call.func, ast.Name):
            raise ValueError
        return name.strip(), {_key(word): _value(word.value) for word in call.keywords}
    except (SyntaxError, ValueError, RecursionError, MemoryError):  # the last two: too deep
        raise InvalidInputError(
            f"{text!r} cannot be read.",
            hint=_AS_IN,
        ) from None


_LONGEST = 4_096
_AS_IN = 'As in: rome(layer=5, variant=original), mend(hypernetwork="my folder").'
_SAVED = re.compile(r"[\w.-]+(\+[\w.-]+)*")


def read_saved_part(kind: str, saved: Any, find: Callable[[str], type[Any]]) -> tuple[str, Any]:
    """(name, settings) of an editor or scope as a memory's directory names it.

    The directory may be a stranger's, so what it says loads nothing else: settings that name files
    or models (a class lists them in ``places``, with the words that name none) are refused.

    Args:
        kind: "editor" or "scope", for messages.
        saved: ``{"name": ..., "settings": {...}}``.
        find: The class registered under a name.

    Raises:
        InvalidInputError: it is none of that, or names a file.
        UnknownNameError: nothing is registered under the name.
    """
    name = saved.get("name") if isinstance(saved, Mapping) else None
    settings = saved.get("settings") if isinstance(saved, Mapping) else None
    if not (isinstance(name, str) and _SAVED.fullmatch(name) and isinstance(settings, Mapping)):
        raise InvalidInputError(
            f"The saved {kind} has no name and settings.", hint=f"Name it yourself: {kind}=..."
        )
    for part in name.split("+"):
        found = find(part)
        if not isinstance(found, NamesPlaces):
            continue
        for setting, words in found.places.items():
            if setting in settings and settings[setting] not in words:
                raise InvalidInputError(
                    f"The saved {kind} {part!r} reads {settings[setting]!r} ({setting}), and a "
                    "memory's directory may not say what else is read.",
                    hint=f"If you trust it, say it yourself: {kind}="
                    f'"{part}({setting}={settings[setting]})".',
                )
    return name, dict(settings)


def _quote_path(path: re.Match[str]) -> str:
    return path["quoted"] or repr(path["bare"])


def _key(word: ast.keyword) -> str:
    if word.arg is None:
        raise ValueError
    return word.arg


def _value(node: ast.expr) -> object:
    if isinstance(node, ast.Name):
        return {"true": True, "false": False, "none": None}.get(node.id, node.id)
    if isinstance(node, ast.Tuple | ast.List):
        return tuple(_value(each) for each in node.elts)
    return ast.literal_eval(node)


def unknown_name(kind: str, name: str, available: Iterable[str]) -> UnknownNameError:
    """The error for a name that is not registered, with the nearest names and the whole list."""
    names = sorted(available)
    near = difflib.get_close_matches(name, names, n=3, cutoff=0.5)
    guess = f"Did you mean: {', '.join(near)}? " if near else ""
    return UnknownNameError(
        f"Unknown {kind} {name!r}.", hint=f"{guess}Available: {', '.join(names) or 'none'}."
    )


def check_settings(kind: str, name: str, cls: Any, settings: Mapping[str, Any]) -> None:
    """Refuse settings that ``cls`` does not take.

    Raises:
        UnknownOptionError: naming the first, the nearest there is, and all there are.
    """
    known = _settings_of(cls)
    for given in settings:
        if given not in known:
            raise unknown_option(f"{kind.capitalize()} {name!r}", given, known, kind="setting")


def members_of(protocol: type[Any]) -> tuple[str, ...]:
    """What a thing must have to be one of a protocol, in the order in which it is written."""
    return tuple(name for name in vars(protocol) if not name.startswith("_"))


def name_missing(thing: Any, members: Iterable[str]) -> str:
    """The members that a thing has not, as words: ``"fit and no run"``; "" for none."""
    return " and no ".join(member for member in members if not hasattr(thing, member))


def _settings_of(cls: Any) -> set[str]:
    if is_dataclass(cls):
        return {field.name for field in fields(cls) if field.init}
    return set(inspect.signature(cls).parameters)


@dataclass(frozen=True, slots=True)
class Registry:
    """Things of one kind, by name.

    Attributes:
        kind: What they are, as in ``"editor"``.
        group: The entry-point group in which other packages declare theirs.
        own: Name -> what loads one of ours (:func:`classes_in`, :func:`modules_in`, or a table);
            nothing is imported before it is called.
        members: What each must have.
        named: Its ``name`` must be the name it is registered under.
        instances: What has the members is made of what is registered.
    """

    kind: str
    group: str
    own: Callable[[], Mapping[str, Callable[[], Any]]]
    members: tuple[str, ...]
    named: bool = True
    instances: bool = False

    def names(self) -> list[str]:
        """All there are, sorted; nothing is imported."""
        return sorted({*self.own(), *(point.name for point in _points(self.group))})

    def find(self, name: str) -> Any:
        """What is registered under a name: a class, or a module.

        Raises:
            UnknownNameError: nothing; the message lists what there is.
            RegistrationError: it lacks a member, calls itself otherwise, or cannot be imported.
        """
        where, found = self._load(name)
        return found if self.instances else self._check(name, found, where)

    def _load(self, name: str) -> tuple[str, Any]:
        """(how messages call it, what is registered)."""
        for point in _points(self.group):
            if point.name == name:
                where = f"entry point {name!r} of {self.group}"
                return where, _load(point, where)
        own = self.own()
        if name not in own:
            raise unknown_name(self.kind, name, self.names())
        return f"{self.kind} {name!r}", own[name]()

    def make(self, text: str, settings: Mapping[str, Any]) -> Any:
        """An instance of the class that is registered under a name.

        Args:
            text: ``name`` or ``name(setting=value, ...)``.
            settings: Further settings; they win.

        Raises:
            UnknownNameError: there is none of that name.
            InvalidInputError: it has no such setting.
            RegistrationError: as :meth:`find`.
        """
        name, said = parse_call(text)
        cls, settings = self.find(name), {**said, **settings}
        check_settings(self.kind, name, cls, settings)
        return self.check_part(name, cls(**settings))

    def check_part(self, name: str, made: T) -> T:
        """What was made of what is registered under a name.

        Raises:
            RegistrationError: it lacks a member.
        """
        return self._check(name, made, f"{self.kind} {name!r}") if self.instances else made

    def _check(self, name: str, found: T, where: str) -> T:
        if lacks := name_missing(found, self.members):
            raise RegistrationError(
                f"The {where} has no {lacks}.",
                hint=f"A {self.kind} has: {', '.join(self.members)} (see memedit.protocols).",
            )
        called = getattr(found, "name", None)
        if self.named and isinstance(called, str) and called != name:
            raise RegistrationError(
                f"The {where} calls itself {called!r}.",
                hint=f"Set its name to {name!r}: what is saved is found again by it.",
            )
        return found


def _points(group: str) -> tuple[EntryPoint, ...]:
    # By the path: what is put on it later is found, too.
    return _points_on(group, tuple(sys.path))


@lru_cache(maxsize=64)
def _points_on(group: str, path: tuple[str, ...]) -> tuple[EntryPoint, ...]:
    """The entry points of a group. To find them, the files of every installed package are read:
    once for a path, then, and not for each name that is looked up."""
    return tuple(entry_points(group=group))


def _load(point: EntryPoint, where: str) -> Any:
    try:
        return point.load()
    except (ImportError, AttributeError) as error:
        raise RegistrationError(
            f"The {where} cannot be loaded from {point.value!r}: {error}.",
            hint="Its package must be importable; MODULE:NAME must name what it holds.",
        ) from error


def classes_in(package: str, path: Sequence[str]) -> dict[str, Callable[[], Any]]:
    """File -> loads the one class with a ``name`` that it defines. Files that begin with ``_`` and
    packages hold what several share."""
    return {stem: partial(_class_in, f"{package}.{stem}") for stem in _files(path)}


def modules_in(package: str, path: Sequence[str]) -> dict[str, Callable[[], Any]]:
    """File -> loads the module itself."""
    return {stem: partial(importlib.import_module, f"{package}.{stem}") for stem in _files(path)}


def _files(path: Sequence[str]) -> list[str]:
    found = pkgutil.iter_modules(path)
    return [m.name for m in found if not m.ispkg and not m.name.startswith("_")]


def _class_in(module: str) -> type[Any]:
    defined = [
        thing
        for thing in vars(importlib.import_module(module)).values()
        if isinstance(thing, type)
        and thing.__module__ == module  # not what it imports
        and isinstance(getattr(thing, "name", None), str)
    ]
    if len(defined) != 1:
        names = ", ".join(cls.__name__ for cls in defined) or "none"
        raise RegistrationError(
            f"{module} must define one class with a name; it defines {names}.",
            hint="One method a file; what several share begins with _ or stands in a package.",
        )
    return defined[0]
