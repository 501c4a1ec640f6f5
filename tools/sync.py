"""Write the synchronous form of what is written once, asynchronously: `make sync`.

A file `x_async.py` becomes `x.py`: without `async` and `await`, and with the synchronous names.
The result is committed; ``--check`` (`make check`) refuses one that is not what would be written.
docs/decisions/0020-sync-from-async.md says why it is done so.
"""

from __future__ import annotations

import io
import re
import subprocess
import sys
import tokenize
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
HEAD = "# From {source} by tools/sync.py (`make sync`): edit that.\n"

# Replacements of more than a name.
PHRASES = {
    "import asyncio\n": "import threading\n",
    "asyncio.Lock": "threading.Lock",
    "asyncio.sleep": "time.sleep",
    "from asyncio import current_task": "from threading import get_ident",
    "current_task(": "get_ident(",
    "one database, for asyncio.": "one database, for threads to share.",
    "It belongs to the event loop that\n    opened it.": "After a fork a\n    child connects anew.",
}
NAMES = {
    "aclosing": "closing",
    "asynccontextmanager": "contextmanager",
    "enter_async_context": "enter_context",
    "__aenter__": "__enter__",
    "__aexit__": "__exit__",
}


def sources() -> list[Path]:
    """Return the modules that have a synchronous form."""
    return sorted(path for path in (ROOT / "taskdb").rglob("*_async.py"))


def target_of(source: Path) -> Path:
    """Return where the synchronous form of *source* is."""
    return source.with_name(source.name.replace("_async", ""))


def synchronous(text: str) -> str:
    """Return the synchronous form of a module's text."""
    for phrase, other in PHRASES.items():
        text = text.replace(phrase, other)
    text = re.sub(r"Awaitable\[(\w+)\]", r"\1", text)
    lines = text.splitlines(keepends=True)
    for token in reversed(list(tokenize.generate_tokens(io.StringIO(text).readline))):
        quoted = re.fullmatch(r'"(\w+)"', token.string)  # a name in __all__
        if token.type == tokenize.NAME or quoted:
            (row, start), (_, end) = token.start, token.end
            line = lines[row - 1]
            gap = len(line[end:]) - len(line[end:].lstrip(" "))
            new = f'"{_name(quoted[1])}"' if quoted else _name(token.string)
            lines[row - 1] = line[:start] + new + line[end if new else end + gap :]
    return "".join(lines)


def _name(name: str) -> str:
    if name in ("async", "await"):
        return ""
    name = NAMES.get(name, name).removesuffix("_async")
    return re.sub(r"^(_?)Async(?=[A-Z])", r"\1", name)


def formatted(text: str, path: Path) -> str:
    """Return *text* with its imports and lines in the repository's order."""
    ruff = [str(Path(sys.executable).with_name("ruff"))]
    for command in (
        ["check", "--select", "I,F401", "--fix", "--quiet"],
        ["format", "--quiet"],
    ):
        done = subprocess.run(
            [*ruff, *command, "--stdin-filename", str(path), "-"],
            input=text,
            capture_output=True,
            text=True,
            check=True,
        )
        text = done.stdout
    return text


def main(arguments: list[str]) -> int:
    """Write what is not up to date, or with ``--check`` name it."""
    stale = []
    for source in sources():
        target = target_of(source)
        head = HEAD.format(source=source.relative_to(ROOT))
        text = head + formatted(synchronous(source.read_text(encoding="utf-8")), target)
        if not target.exists() or target.read_text(encoding="utf-8") != text:
            stale.append(str(target.relative_to(ROOT)))
            if "--check" not in arguments:
                target.write_text(text, encoding="utf-8")
    if stale and "--check" in arguments:
        print(f"not what tools/sync.py writes: {', '.join(stale)}. Run: make sync")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
