"""Runs the engine's tests on every event loop: asyncio's, the same in debug mode, uvloop's and the app's.

Async tests of tests/core are run on each of them in turn, and so are plain ones that ask for
`run_on_new_loop` or `run_alone`. ``--loops asyncio,qt`` chooses, for quick work.
"""

from __future__ import annotations

import asyncio
import gc
import importlib.util
from collections.abc import Callable, Coroutine, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any, TypeVar

import hypothesis
import pytest

from tests.support.leftovers import current_task, left_behind

T = TypeVar("T")
RunOnLoop = Callable[[Coroutine[Any, Any, T]], T]
LoopFactory = Callable[[], asyncio.AbstractEventLoop]

_ENGINE = Path(__file__).parents[1] / "core"
_NEEDS = {"uvloop": "uvloop", "qt": "PySide6"}
_NOT_ON_UVLOOP = {"test_scripts.py"}
"""Scripts are hosted on asyncio's loop or the app's: uvloop's cannot be put back as it was before one."""
_FEWER_EXAMPLES = 15
"""What Hypothesis tries on each loop but asyncio's: invariants are the same there, only the turns differ."""
_SLOW_S = 1.0
"""asyncio's 0.1 s are soon over on a busy machine; whatever blocks a loop in a test blocks it for longer."""
_ALONE_S = 20.0

_chosen = pytest.StashKey[Mapping[str, LoopFactory]]()


def _make_asyncio() -> asyncio.AbstractEventLoop:
    return asyncio.new_event_loop()


def _make_debug() -> asyncio.AbstractEventLoop:
    """asyncio's loop, to stay in debug mode: pytest-asyncio sets the mode that an option of its own says."""
    loop = asyncio.new_event_loop()
    loop.set_debug(True)
    loop.set_debug = lambda enabled: None  # type: ignore[method-assign]
    loop.slow_callback_duration = _SLOW_S
    return loop


def _make_uvloop() -> asyncio.AbstractEventLoop:
    import uvloop  # late: it may not be installed

    return uvloop.new_event_loop()


def _make_qt() -> asyncio.AbstractEventLoop:
    from PySide6.QtWidgets import QApplication  # late: it may not be installed

    from antflow_gui.event_loop import BatchedEventLoop

    if QApplication.instance() is None:
        _kept.append(QApplication(["tests"]))
    return BatchedEventLoop()


LOOPS: Mapping[str, LoopFactory] = {
    "asyncio": _make_asyncio,
    "debug": _make_debug,
    "uvloop": _make_uvloop,
    "qt": _make_qt,
}

_kept: list[object] = []
"""The application of the Qt loop: it lasts as long as the process, and pytest-qt takes it over."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Say which loops, for quick work."""
    parser.addoption(
        "--loops",
        default="",
        metavar="NAMES",
        help=f"event loops for the engine's tests, of {', '.join(LOOPS)}, with commas between (default: all)",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Choose the loops."""
    names = [name for name in config.getoption("--loops").split(",") if name]
    unknown = [name for name in names if name not in LOOPS]
    if unknown:
        raise pytest.UsageError(f"--loops: there is no {', '.join(unknown)}; there are {', '.join(LOOPS)}")
    missing = [_NEEDS[name] for name in names if not _is_installed(name)]
    if missing:
        raise pytest.UsageError(f"--loops: {', '.join(missing)} is not installed")
    names = names or [name for name in LOOPS if _is_installed(name)]
    config.stash[_chosen] = {name: LOOPS[name] for name in names}


def pytest_report_collectionfinish() -> list[str]:
    """Say which loops are left out, so that a green run is not mistaken for a full one."""
    return [
        f"{module} is not installed: the engine is not tested on the event loop {name!r}"
        for name, module in _NEEDS.items()
        if not _is_installed(name)
    ]


def pytest_asyncio_loop_factories(config: pytest.Config, item: pytest.Item) -> Mapping[str, LoopFactory]:
    """The loops that an async test runs on, by the names that stand in its id."""
    if _ENGINE not in item.path.parents:
        return {"asyncio": _make_asyncio}
    chosen = config.stash[_chosen]
    if item.path.name in _NOT_ON_UVLOOP:
        chosen = {name: make for name, make in chosen.items() if name != "uvloop"}
    return chosen or {"asyncio": _make_asyncio}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run plain tests that make loops of their own once on each kind."""
    if "new_loop" in metafunc.fixturenames:
        factories = metafunc.config.stash[_chosen]
        metafunc.parametrize(
            "new_loop", factories.values(), ids=factories.keys(), indirect=True, scope="function"
        )


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let a hanging test end the session where the loop sleeps without a look at Python's signals."""
    for item in items:
        if loop_of(item) in _NEEDS:
            item.add_marker(pytest.mark.timeout(method="thread"))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    """Try fewer examples on the further loops, and let the debugging one show what was forgotten."""
    loop = loop_of(item)
    with pytest.MonkeyPatch.context() as patch, _garbage_collected() if loop == "debug" else nullcontext():
        if loop not in {None, "asyncio"} and isinstance(item, pytest.Function):
            _try_fewer_examples(item.obj, patch)
        yield


@pytest.fixture(scope="session")
def new_loop(request: pytest.FixtureRequest) -> LoopFactory:
    """Makes a loop of the kind whose turn it is."""
    factory: LoopFactory = request.param
    return factory


@pytest.fixture(scope="session")
def run_on_new_loop(new_loop: LoopFactory) -> RunOnLoop[Any]:
    """``asyncio.run`` on each kind of loop in turn."""

    def run(main: Coroutine[Any, Any, Any]) -> Any:
        with asyncio.Runner(loop_factory=new_loop) as runner:
            return runner.run(main)

    return run


@pytest.fixture(scope="session")
def run_alone(run_on_new_loop: RunOnLoop[Any]) -> RunOnLoop[Any]:
    """As `run_on_new_loop`; it must not take long, and nothing may be left in the loop."""

    def run(main: Coroutine[Any, Any, Any]) -> Any:
        async def guarded() -> Any:
            result = await asyncio.wait_for(main, _ALONE_S)
            left = left_behind(asyncio.get_running_loop(), but=current_task())
            assert not left, left
            return result

        return run_on_new_loop(guarded())

    return run


@contextmanager
def _garbage_collected() -> Iterator[None]:
    """What nobody awaited or looked at is told of when it is collected: at the end, not in another test."""
    gc.freeze()  # all that was there before; to look through it takes ten times as long as a test
    try:
        yield
        gc.collect()
    finally:
        gc.unfreeze()


def _is_installed(name: str) -> bool:
    return name not in _NEEDS or importlib.util.find_spec(_NEEDS[name]) is not None


def loop_of(item: pytest.Item) -> str | None:
    """The loop that an item was made for; None where it has no choice."""
    call = getattr(item, "callspec", None)
    given = [] if call is None else list(call.params.values())
    return next((name for name, make in LOOPS.items() if any(make is value for value in given)), None)


def _try_fewer_examples(test: Any, patch: pytest.MonkeyPatch) -> None:
    # The settings belong to the function, which all loops share; Hypothesis has no other door to them.
    current = getattr(test, "_hypothesis_internal_use_settings", None)
    if current is not None and current.max_examples > _FEWER_EXAMPLES:
        fewer = hypothesis.settings(current, max_examples=_FEWER_EXAMPLES)
        patch.setattr(test, "_hypothesis_internal_use_settings", fewer)
