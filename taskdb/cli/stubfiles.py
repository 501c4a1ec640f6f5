"""Files of the modules that `taskdb generate` writes: where they are, and what is known of them."""

from __future__ import annotations

import importlib
import io
import keyword
import re
import sys
import tokenize
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import click

from taskdb.query import Queries
from taskdb.query.check.generating import StubModule

__all__ = ["StubFile", "module_of", "target_of"]


@dataclass(frozen=True, slots=True)
class StubFile:
    """A module's file: its text with plain line ends, and how it is written."""

    path: Path
    text: str
    encoding: str
    line_end: str

    @classmethod
    def read(cls, path: Path) -> StubFile:
        """Return the file at *path*, empty if it is not there."""
        if not path.exists():
            return cls(path, "", "utf-8", "\n")
        content = path.read_bytes()
        encoding, _ = tokenize.detect_encoding(io.BytesIO(content).readline)
        text = content.decode(encoding)
        line_end = "\r\n" if "\r\n" in text else "\n"
        return cls(path, text.replace("\r\n", "\n"), encoding, line_end)

    def write(self, text: str) -> None:
        """Write *text* as the file was written."""
        self.path.write_bytes(text.replace("\n", self.line_end).encode(self.encoding))


def module_of(package: str, area: str) -> Path:
    """Return the path of an area's module: in the package, or the module itself."""
    module = importlib.import_module(package)
    if module.__file__ is None:
        raise click.BadParameter(f"{package} has no __init__.py", param_hint="--package")
    path = Path(module.__file__)
    if path.stem == area and not hasattr(module, "__path__"):
        return path
    name = re.sub(r"\W", "_", area)
    name = name if name.isidentifier() else f"_{name}"
    return path.with_name(f"{name}_.py" if keyword.iskeyword(name) else f"{name}.py")


def target_of(package: str, queries: Queries, area: str, file: StubFile) -> StubModule:
    """Return what the generator is told of a module: its text, its names, its `Queries`."""
    loaded = {
        name: module
        for name, module in list(sys.modules.items())
        if name.partition(".")[0] == package.partition(".")[0]
    }
    own = next(
        (name for name, module in loaded.items() if _file_of(module) == file.path),
        f"{package}.{file.path.stem}",
    )
    known = vars(loaded[own]) if own in loaded else {}
    return StubModule(area, file.text, own, known, _maker(package, queries, own, loaded))


def _file_of(module: ModuleType) -> Path | None:
    return Path(module.__file__) if module.__file__ is not None else None


def _maker(
    package: str, queries: Queries, own: str, loaded: Mapping[str, ModuleType]
) -> tuple[str, str]:
    """A module that binds *queries*, that which is written to if it does, and its name for it."""
    for name in sorted(loaded, key=lambda name: name != own):
        for attribute, value in vars(loaded[name]).items():
            if value is queries:
                return name, attribute
    return package, "query"
