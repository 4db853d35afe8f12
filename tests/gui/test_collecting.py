"""Garbage collection in the app: nothing while it starts, its own objects left out, scripts' as ever."""

from __future__ import annotations

import gc
import weakref

from antflow_gui.collecting import calm_collecting


class _Knot:
    """Refers to itself, so that only a collection frees it."""

    def __init__(self) -> None:
        self.itself = self


def test_nothing_is_collected_before_the_window_stands() -> None:
    with calm_collecting() as begin:
        assert not gc.isenabled()
        begin()
        assert gc.isenabled()


def test_full_collections_look_at_nothing_of_the_app_and_come_a_third_as_often() -> None:
    every = gc.get_threshold()[2]
    with calm_collecting() as begin:
        begin()
        assert gc.get_freeze_count() > 10_000
        assert gc.get_threshold()[2] == 3 * every


def test_what_a_script_drops_is_collected() -> None:
    with calm_collecting() as begin:
        begin()
        knot = weakref.ref(_Knot())
        gc.collect()
        assert knot() is None


def test_the_process_gets_its_collector_back() -> None:
    before = gc.get_threshold()
    with calm_collecting() as begin:
        begin()
    assert (gc.get_threshold(), gc.isenabled(), gc.get_freeze_count()) == (before, True, 0)


def test_an_app_that_fails_to_start_gives_it_back_too() -> None:
    with calm_collecting():
        pass
    assert gc.isenabled()
