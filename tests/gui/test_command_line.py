"""The app's command line: our options wherever they stand, the rest for the script."""

from __future__ import annotations

from pathlib import Path

import pytest

from antflow_gui.command_line import Options, UsageError, parse_command_line


def test_nothing_means_the_welcome_page() -> None:
    assert parse_command_line([]) == Options()


def test_our_options_are_known_before_and_after_the_script() -> None:
    before = parse_command_line(["--run", "orders.py", "--exit-when-done"])
    after = parse_command_line(["orders.py", "--exit-when-done", "--run"])
    assert before == after == Options(script=Path("orders.py"), run=True, exit_when_done=True)


def test_what_follows_the_script_and_is_not_ours_belongs_to_it() -> None:
    options = parse_command_line(["orders.py", "--limit", "5", "-v", "--run", "north"])
    assert options.args == ("--limit", "5", "-v", "north")
    assert options.run


def test_a_lone_double_dash_gives_the_script_even_our_names() -> None:
    options = parse_command_line(["--run", "orders.py", "--", "--help", "--run"])
    assert options.args == ("--help", "--run")
    assert not options.help


def test_the_example_takes_arguments_too() -> None:
    options = parse_command_line(["--example", "--run", "--limit", "7"])
    assert (options.example, options.script, options.args) == (True, None, ("--limit", "7"))


def test_exit_when_done_runs_the_script() -> None:
    assert parse_command_line(["orders.py", "--exit-when-done"]).run


def test_a_recorded_run_is_no_script() -> None:
    assert parse_command_line(["night.antflow"]) == Options(recorded=Path("night.antflow"))
    options = parse_command_line(["night.jsonl", "--exit-when-done"])
    assert (options.recorded, options.script, options.run) == (Path("night.jsonl"), None, False)


@pytest.mark.parametrize("form", [["--screenshot", "shot.png"], ["--screenshot=shot.png"]])
def test_a_screenshot_takes_a_file_name(
    form: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert parse_command_line(form).screenshot == Path("shot.png")


@pytest.mark.parametrize(
    ("argv", "part"),
    [
        (["--runn", "orders.py"], "unknown option --runn"),
        (["--run"], "nothing to run"),
        (["--exit-when-done"], "nothing to run"),
        (["night.antflow", "--run"], "cannot be run"),
        (["night.antflow", "--limit"], "takes no arguments"),
        (["--screenshot"], "needs a file name"),
        (["--screenshot", "shot.txt"], "must end in .png"),
        (["--screenshot", "no/such/folder/shot.png"], "there is no folder"),
    ],
)
def test_bad_usage_says_what_would_be_right(argv: list[str], part: str) -> None:
    with pytest.raises(UsageError, match=part):
        parse_command_line(argv)
