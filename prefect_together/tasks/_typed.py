"""What type checkers see of sync and async tasks: plain results, and futures of them. At run time they are Prefect's own.

Prefect's declarations give an async task a future of a coroutine, and are partly unknown to strict checkers.
"""

from __future__ import annotations

from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any, Literal, ParamSpec, TypeVar, overload

from prefect import Task

_P = ParamSpec("_P")
_R = TypeVar("_R")

if TYPE_CHECKING:
    from typing import Generic

    from prefect.client.schemas.objects import State
    from prefect.futures import PrefectDistributedFuture, PrefectFuture, PrefectFutureList
    from prefect.tasks import TaskOptions
    from typing_extensions import Self, Unpack

    class _Typed(Task[_P, Any], Generic[_P, _R]):
        """What sync and async tasks have in common."""

        def with_options(self, **changed: Unpack[TaskOptions]) -> Self: ...  # type: ignore[override]

        @overload  # type: ignore[override]
        def submit(self, *args: _P.args, **kwargs: _P.kwargs) -> PrefectFuture[_R]: ...
        @overload
        def submit(self, *args: Any, wait_for: Any, **kwargs: Any) -> PrefectFuture[_R]: ...
        @overload
        def submit(self, *args: Any, wait_for: Any = None, return_state: Literal[True], **kwargs: Any) -> State[_R]: ...
        def submit(self, *args: Any, **kwargs: Any) -> Any: ...  # pyright: ignore[reportIncompatibleMethodOverride]

        def delay(self, *args: _P.args, **kwargs: _P.kwargs) -> PrefectDistributedFuture[_R]: ...

        @overload  # type: ignore[override]
        def map(
            self,
            *args: Any,
            return_state: Literal[False] = False,
            wait_for: Any = None,
            deferred: bool = False,
            **kwargs: Any,
        ) -> PrefectFutureList[_R]: ...
        @overload
        def map(
            self, *args: Any, return_state: Literal[True], wait_for: Any = None, deferred: bool = False, **kwargs: Any
        ) -> list[State[_R]]: ...
        def map(self, *args: Any, **kwargs: Any) -> Any: ...  # pyright: ignore[reportIncompatibleMethodOverride]

    class SyncTask(_Typed[_P, _R]):
        """A task that is called in sync flows, in other tasks and by itself."""

        @overload  # type: ignore[override]
        def __call__(self, *args: _P.args, **kwargs: _P.kwargs) -> _R: ...
        @overload
        def __call__(self, *args: Any, return_state: Literal[True], wait_for: Any = None, **kwargs: Any) -> State[_R]: ...
        @overload
        def __call__(self, *args: Any, wait_for: Any, **kwargs: Any) -> _R: ...
        def __call__(self, *args: Any, **kwargs: Any) -> Any: ...  # pyright: ignore[reportIncompatibleMethodOverride]

    class AsyncTask(_Typed[_P, _R]):
        """A task that is awaited in async flows."""

        @overload  # type: ignore[override]
        def __call__(self, *args: _P.args, **kwargs: _P.kwargs) -> Coroutine[Any, Any, _R]: ...
        @overload
        def __call__(
            self, *args: Any, return_state: Literal[True], wait_for: Any = None, **kwargs: Any
        ) -> Coroutine[Any, Any, State[_R]]: ...
        @overload
        def __call__(self, *args: Any, wait_for: Any, **kwargs: Any) -> Coroutine[Any, Any, _R]: ...
        def __call__(self, *args: Any, **kwargs: Any) -> Any: ...  # pyright: ignore[reportIncompatibleMethodOverride]

else:
    SyncTask = AsyncTask = Task
