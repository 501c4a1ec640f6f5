"""One page from a report: the files of `web/` and the data, in a single document.

The page asks the network for nothing, and its content security policy forbids it to: only the
scripts and the style that stand in it are run, which the policy names by their digests. The
data is JSON that no parser of HTML takes for anything else; the scripts set it as text only.
"""

from __future__ import annotations

import base64
import hashlib
import html
import re
from pathlib import Path
from typing import Any, Final

import orjson

__all__ = ["WEB", "data_text", "render"]

WEB: Final = Path(__file__).resolve().parent / "web"
# In the order in which they need each other; all share one scope.
SCRIPTS: Final = (
    "base.js",
    "panel.js",
    "board.js",
    "gantt.js",
    "layout.js",
    "graph.js",
    "simulate.js",
    "forecast.js",
    "charts.js",
    "lists.js",
    "main.js",
)
LIBRARIES: Final = (
    ("cytoscape.min.js", "cytoscape.LICENSE"),
    ("uPlot.iife.min.js", "uPlot.LICENSE"),
)
SLOT: Final = re.compile(r"\{\{(\w+)\}\}")
# A script's data ends at `</script`, and `<!--` changes how it is read; a line of JavaScript
# ends at U+2028.
ESCAPES: Final = {
    ord("<"): "\\u003c",
    ord(">"): "\\u003e",
    ord("&"): "\\u0026",
    0x2028: "\\u2028",
    0x2029: "\\u2029",
}


def render(report: dict[str, Any]) -> str:
    """Return the page of *report*, as `taskdb.report.collect` makes it."""
    style = "\n".join(_text(name) for name in ("vendor/uPlot.min.css", "page.css"))
    libraries = "\n".join(_library(script, licence) for script, licence in LIBRARIES)
    scripts = "\n".join(_text(f"js/{name}") for name in SCRIPTS)
    program = f'(() => {{\n"use strict";\n{scripts}\n}})();'
    policy = (
        "default-src 'none'; "
        f"script-src {_digest(libraries)} {_digest(program)}; "
        f"style-src {_digest(style)}; "
        "img-src data:; base-uri 'none'; form-action 'none'"
    )
    parts = {
        "title": html.escape(f"{report['scope']} · {report['workspace']}"),
        "policy": policy,
        "style": style,
        "data": data_text(report),
        "libraries": libraries,
        "program": program,
    }
    return SLOT.sub(lambda slot: parts[slot[1]], _text("page.html"))


def data_text(value: object) -> str:
    """Return *value* as JSON that can stand in a script element of an HTML document."""
    return orjson.dumps(value).decode().translate(ESCAPES)


def _library(script: str, licence: str) -> str:
    return f"/*\n{_text(f'vendor/{licence}')}*/\n{_text(f'vendor/{script}')}"


def _text(name: str) -> str:
    return (WEB / name).read_text(encoding="utf-8")


def _digest(text: str) -> str:
    """Return the source expression that a policy knows an inline script or style by."""
    digest = hashlib.sha256(text.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"
