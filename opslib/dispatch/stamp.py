"""What makes a backend's kernels, as one hash: the routing table's second key.

A verdict holds for the generator that it was reached with. That is a backend's own
sources, the modules of the making layers that they import, straight or through others,
and the headers: a change of the ONNX printer says nothing about kernels in C.
"""

from __future__ import annotations

import functools
import hashlib
import re
from collections.abc import Iterator, Mapping
from importlib import import_module
from importlib.resources import files
from importlib.resources.abc import Traversable

# The layers whose sources decide what a kernel is.
_MAKERS = ("opslib.ir", "opslib.lowering", "opslib.codegen", "opslib.runtime")
_NATIVE = "opslib.native"
_SOURCES = (".py", ".h", ".c", ".json")
# As text, for parsing a hundred modules would take a second of somebody's first call.
# What looks like an import and is none makes the hash depend on more, never on less.
_IMPORT = re.compile(
    rb"^[ \t]*(?:from[ \t]+([\w.]+)[ \t]+import[ \t]+(\([^)]*\)|[^\n]*)"
    rb"|import[ \t]+([^\n]*))",
    re.MULTILINE,
)
_NAME = re.compile(r"[\w.]+")


@functools.cache
def generator_stamp(backend: str) -> str:
    """Hash of every source that takes part in making a backend's kernels.

    The name of one of its devices stands for the backend.
    """
    digest = hashlib.sha256()
    for name, content in sorted(sources(backend).items()):
        digest.update(name.encode() + b"\0" + content)
    return digest.hexdigest()[:24]


def sources(backend: str) -> dict[str, bytes]:
    """The sources behind `generator_stamp`, by module, or by path in ``native``."""
    from opslib.runtime import registry

    maker = type(registry.load(backend.partition(":")[0])).__module__
    package = maker.rpartition(".")[0] or maker
    found: dict[str, bytes] = {}
    if hasattr(import_module(package), "__path__"):
        for path, content in _walk(files(package), package):
            found[_module(path)] = content
    makers = _makers()
    waiting = [*found]
    while waiting:
        name = waiting.pop()
        for imported in _imports(name, found[name]):
            if imported in makers and imported not in found:
                found[imported] = makers[imported]
                waiting.append(imported)
    quoted = b"\n".join(found.values())
    for path, content in _walk(files(_NATIVE), _NATIVE):
        # A folder of native/ is one device's, such as a simulator; it counts for those
        # who name it.
        folder = path.removeprefix(_NATIVE + "/").partition("/")[0]
        if not _is_devices(folder) or f'"{folder}"'.encode() in quoted:
            found[path] = content
    return found


def _imports(importer: str, content: bytes) -> Iterator[str]:
    """Every module that a source may import, whether it exists or not."""
    for match in _IMPORT.finditer(content):
        base, names, plain = (part.decode() if part else "" for part in match.groups())
        found = _NAME.findall(names or plain)
        if not base:
            yield from found
            continue
        for start in _absolute(importer, base):
            yield start
            yield from (f"{start}.{name}" for name in found)


def _absolute(importer: str, base: str) -> tuple[str, ...]:
    """What a ``from`` may name: in a package itself, dots count from one level up."""
    up = len(base) - len(base.lstrip("."))
    if not up:
        return (base,)
    parts = importer.split(".")
    homes = (parts[:-up], parts[: len(parts) - up + 1])
    return tuple(".".join([*home, base[up:]]).rstrip(".") for home in homes)


@functools.cache
def _makers() -> Mapping[str, bytes]:
    found = {}
    for layer in _MAKERS:
        for path, content in _walk(files(layer), layer):
            found[_module(path)] = content
    return found


@functools.cache
def _is_devices(folder: str) -> bool:
    place = files(_NATIVE) / folder
    # targets/ is the SIMD headers' own.
    return place.is_dir() and folder != "targets"


def _module(path: str) -> str:
    """The name of a Python file's module; other files keep their path."""
    if not path.endswith(".py"):
        return path
    return path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def _walk(folder: Traversable, path: str) -> Iterator[tuple[str, bytes]]:
    for item in sorted(folder.iterdir(), key=lambda i: i.name):
        name = f"{path}/{item.name}"
        if item.is_dir() and item.name != "__pycache__":
            yield from _walk(item, name)
        elif item.name.endswith(_SOURCES):
            yield name, item.read_bytes()
