"""The verbs of people and agents: a command for each function of `taskdb.verbs.VERBS`.

Arguments and options follow from the function's signature. Each takes `--json`, and `--input` for
its fields as a JSON object; long texts can come from standard input.
"""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from pathlib import Path
from typing import Any, Final, get_args, get_origin, get_type_hints

import click
import orjson

from taskdb import verbs
from taskdb.cli.common import Target, json_option, moment, print_json, with_target
from taskdb.models.claims import Claim, ClaimEnd
from taskdb.models.dependencies import Dependency
from taskdb.models.jsontypes import is_dict
from taskdb.models.tasks import Task
from taskdb.models.types import TaskStatus
from taskdb.query._annotations import NONE, members, unwrapped
from taskdb.text import clean
from taskdb.verbs.parameters import Help

__all__ = ["COMMANDS", "NOTHING_TO_CLAIM", "command_of"]

NOTHING_TO_CLAIM: Final = 3

EXAMPLES: Final = {
    "add": "taskdb add 'Lex comments' --priority 2 --after T-1",
    "edit": "taskdb edit T-2 --description - --clear parent < notes.md",
    "depend": "taskdb depend T-2 T-1 --kind blocks",
    "claim": "taskdb claim --agent dev-1 --agent-type backend --json",
    "brief": "taskdb brief T-2 --words 300",
    "heartbeat": "taskdb heartbeat T-2 --token 1 --progress 40 --note 'lexer done'",
    "complete": "taskdb complete T-2 --token 1 --note 'merged as 3f2c1ab'",
    "submit": "taskdb submit T-2 --token 1",
    "fail": "taskdb fail T-2 --token 1 --error 'tests hang' --retry-in 10m",
    "release": "taskdb release T-2 --token 1 --note 'needs the frontend first'",
    "hold": "taskdb hold T-2 'waits for the contract'",
    "resume": "taskdb resume T-2",
    "cancel": "taskdb cancel T-2 --note 'out of scope'",
    "reopen": "taskdb reopen T-2 --note 'the fix broke on 15'",
    "ask": "taskdb ask T-2 --token 1 'Which encoding?'",
    "answer": "taskdb answer T-2 'UTF-8 only'",
}

AGENT: Final = "TASKDB_AGENT"
UNITS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400}


class _Option(click.Option):
    """An option whose environment variable counts less than a field of --input."""

    def resolve_envvar_value(self, ctx: click.Context) -> str | None:
        return None if self.name in (ctx.default_map or {}) else super().resolve_envvar_value(ctx)


class _Given(str):
    """A text of --input: a "-" there is a text, and not standard input."""

    __slots__ = ()


def duration(value: object) -> timedelta:
    """Read `30s`, `15m`, `2h` or `1d`."""
    if isinstance(value, timedelta):
        return value
    given = re.fullmatch(r"(\d+(?:\.\d+)?)([smhd])", str(value))
    if not given:
        raise click.BadParameter(f"{value!r} is no duration such as 30s, 15m, 2h or 1d")
    try:
        return timedelta(seconds=float(given[1]) * UNITS[given[2]])
    except OverflowError:
        raise click.BadParameter(f"{value!r} is more than can be counted") from None


def number(value: object) -> Decimal:
    """Read a decimal number."""
    try:
        return Decimal(str(value))
    except InvalidOperation:
        raise click.BadParameter(f"{value!r} is no number") from None


def json(value: object) -> dict[str, Any]:
    """Read a JSON object."""
    try:
        read = value if is_dict(value) else orjson.loads(str(value))
    except orjson.JSONDecodeError as error:
        raise click.BadParameter(f"is no JSON: {error}") from error
    if not is_dict(read):
        raise click.BadParameter("must be a JSON object")
    return read


def text(value: object) -> str:
    """Read a text."""
    if not isinstance(value, str):
        raise click.BadParameter(f"must be a text, and not {value!r}")
    return str(value)


def long_text(value: object) -> str:
    """Read a text; `-` is standard input."""
    if value == "-" and not isinstance(value, _Given):
        return _standard_input().removesuffix("\n")
    return text(value)


TYPES: Final[dict[Any, Callable[[object], Any]]] = {
    timedelta: duration,
    Decimal: number,
    datetime: moment,
    dict: json,
}


def _standard_input() -> str:
    try:
        return sys.stdin.buffer.read().decode()
    except UnicodeDecodeError as error:
        raise click.BadParameter(f"standard input is no UTF-8: {error}") from error


def _text_of(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8")
    except OSError as error:
        raise click.BadParameter(f"{path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise click.BadParameter(f"{path} is no UTF-8: {error}") from error


def _read_input(ctx: click.Context, param: click.Parameter, path: str | None) -> None:
    """Take the fields of a JSON object for what the call does not say."""
    if path is None:
        return
    fields = json(_standard_input() if path == "-" else _text_of(path))
    known = {each.name for each in ctx.command.params if each.expose_value}
    known -= {"url", "workspace", "as_json"}
    if unknown := sorted(fields.keys() - known):
        raise click.BadParameter(
            f"has no field {', '.join(unknown)}, but: {', '.join(sorted(map(str, known)))}",
            ctx,
            param,
        )
    ctx.default_map = {name: _given(value) for name, value in fields.items() if value is not None}


def _given(value: object) -> object:
    return _Given(value) if isinstance(value, str) else value


def command_of(verb: Callable[..., Any]) -> click.Command:
    """Return the command for a function of a connection, keys and named fields."""
    name = verb.__name__

    @with_target
    def run(target: Target, *, as_json: bool, **fields: Any) -> None:
        with target.connect() as conn:
            result = verb(conn, **fields)
        if as_json:
            print_json(result)
        else:
            _show(result, fields.get("key"))
        if result is None:
            click.get_current_context().exit(NOTHING_TO_CLAIM)

    help_text = f"{inspect.getdoc(verb)}\n\nExample: {EXAMPLES[name]}"
    params = [_parameter(each, hint) for each, hint in _signature(verb)]
    run.__doc__ = help_text
    command = click.command(name)(json_option(run))
    command.params[:0] = [
        *params,
        click.Option(
            ["--input"],
            metavar="FILE",
            is_eager=True,
            expose_value=False,
            callback=_read_input,
            help="Take fields from a JSON object; - is standard input.",
        ),
    ]
    return command


def _signature(verb: Callable[..., Any]) -> list[tuple[inspect.Parameter, Any]]:
    hints = get_type_hints(verb, include_extras=True)
    parameters = list(inspect.signature(verb).parameters.values())[1:]
    return [(each, hints[each.name]) for each in parameters]


def _parameter(each: inspect.Parameter, hint: Any) -> click.Parameter:
    kind, described = _plain(hint)
    required = each.default is inspect.Parameter.empty
    multiple = get_origin(kind) is Sequence
    shape = _type_of(unwrapped(get_args(kind)[0])[0] if multiple else kind, long=described.long)
    if each.kind is not inspect.Parameter.KEYWORD_ONLY:
        return click.Argument([each.name], type=shape, required=required)
    flag = f"--{each.name.replace('_', '-')}"
    if kind is bool:
        return click.Option([flag], is_flag=True, help=described.text)
    # To click None is a value, too: an option that is needed has no default.
    default: Any = None if required else each.default
    default = default.value if isinstance(default, StrEnum) else default
    defaults: dict[str, Any] = {} if required else {"default": default}
    return _Option(
        [flag],
        type=shape,
        envvar=AGENT if each.name == "agent" else None,
        show_envvar=True,
        required=required,
        multiple=multiple,
        help=described.text
        + (" - is standard input." if described.long else "")
        + (" May be repeated." if multiple else "")
        + (f" Default: {_written(default)}." if default not in (None, ()) else ""),
        **defaults,
    )


def _written(value: object) -> str:
    return f"{value.total_seconds() / 60:g}m" if isinstance(value, timedelta) else str(value)


def _plain(hint: Any) -> tuple[Any, Help]:
    """Return the type of a parameter without None, and its help."""
    described = next((each for each in get_args(hint) if isinstance(each, Help)), Help(""))
    [kind] = [unwrapped(each)[0] for each in members(hint) if each is not NONE]
    return kind, described


def _type_of(kind: Any, *, long: bool) -> Any:
    if kind in (int, bool):
        return kind
    if isinstance(kind, type) and issubclass(kind, StrEnum):
        return click.Choice([each.value for each in kind])
    return TYPES.get(get_origin(kind) or kind) or (long_text if long else text)


def _show(result: object, key: str | None) -> None:
    """Print a result for people, one line where that is enough."""
    match result:
        case None:
            asked = f"{clean(key)} can't be claimed now" if key else "Nothing can be claimed now"
            click.echo(f"{asked}; `taskdb why {clean(key) if key else 'KEY'}` says why.", err=True)
        case verbs.Briefing():
            click.echo("\n".join(map(clean, result.text.split("\n"))))
        case Claim():
            # A key has no tab: a shell reads the fields with IFS set to one.
            click.echo(f"{clean(result.key)}\t{result.token}\t{clean(result.title)}")
            until = _moment(result.lease_expires_at)
            click.echo(
                f"Yours until {until}; a heartbeat with token {result.token} renews it.", err=True
            )
        case datetime():
            click.echo(f"{clean(key)} is yours until {_moment(result)}.")
        case Dependency():
            click.echo(f"{result.dependency_type}")
        case Task() | ClaimEnd():
            click.echo(f"{clean(result.key)} is {_stands(result)}.")
        case _:
            raise TypeError(f"no words for {type(result).__name__}")


def _stands(result: Task | ClaimEnd) -> str:
    if isinstance(result, Task) and result.status is TaskStatus.BLOCKED:
        if result.blocked_reason:
            return f"on hold: {clean(result.blocked_reason)}"
        count = result.open_dependencies
        return f"blocked: {count} open {'dependency' if count == 1 else 'dependencies'}"
    return str(result.status).replace("_", " ")


def _moment(moment: datetime) -> str:
    return f"{moment.astimezone():%Y-%m-%d %H:%M:%S}"


COMMANDS: Final = {name: command_of(verb) for name, verb in verbs.VERBS.items()}


def __getattr__(name: str) -> click.Command:
    if name in COMMANDS:
        return COMMANDS[name]
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
