"""Signatures of FastAPI that docs/integration.md uses, as FastAPI 0.115 declares them."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any, TypeVar

F = TypeVar("F", bound=Callable[..., Any])

class State:
    def __getattr__(self, key: str) -> Any: ...
    def __setattr__(self, key: str, value: Any) -> None: ...

class Request:
    @property
    def app(self) -> Any: ...

class FastAPI:
    state: State
    def __init__(
        self, *, lifespan: Callable[[FastAPI], AbstractAsyncContextManager[None]] | None = None
    ) -> None: ...
    def get(self, path: str) -> Callable[[F], F]: ...
    def post(self, path: str) -> Callable[[F], F]: ...
    def exception_handler(
        self, exc_class_or_status_code: int | type[Exception]
    ) -> Callable[[F], F]: ...

def Depends(dependency: Callable[..., Any] | None = None) -> Any: ...
