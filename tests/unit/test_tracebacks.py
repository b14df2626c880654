"""What is shown of an error of ours: the user's own lines and the sentence, and the whole of it on request."""

from __future__ import annotations

import logging
import sys
import time

import pytest

from prefect_together._internal import interruption
from prefect_together._internal.event_loop import arun, interrupt, run
from prefect_together._internal.tracebacks import SaidOnce, ShortTracebacks, shorten_last_words
from prefect_together.errors import TRACEBACKS, ConfigurationError, TogetherError, traceback_of


@pytest.fixture(autouse=True)
def _short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(TRACEBACKS, raising=False)


async def _deep(error: Exception) -> None:
    try:
        raise OSError("inside")
    except OSError as inside:
        raise error from inside


def _caught(error: Exception) -> BaseException:
    with pytest.raises(type(error)) as caught:
        run(_deep(error))
    return caught.value


def _functions(error: BaseException | None) -> list[str]:
    found: list[str] = []
    lines = error.__traceback__ if error else None
    while lines:
        found.append(lines.tb_frame.f_code.co_name)
        lines = lines.tb_next
    return found


def test_an_error_leaves_without_its_inside() -> None:
    """Whoever called us sees where, and none of the frames in which it came about, nor those of its cause."""
    error = _caught(ConfigurationError("There is no key."))
    assert "run" == _functions(error)[-1]
    assert "_deep" not in _functions(error)
    assert "inside" == str(error.__cause__)
    assert [] == _functions(error.__cause__)


async def test_an_async_caller_sees_the_same() -> None:
    """The async twin leaves no inner frames either."""
    with pytest.raises(ConfigurationError) as caught:
        await arun(_deep(ConfigurationError("There is no key.")))
    assert "_deep" not in _functions(caught.value)


def test_whole_tracebacks_are_there_on_request(monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment variable brings all frames back."""
    monkeypatch.setenv(TRACEBACKS, "1")
    error = _caught(ConfigurationError("There is no key."))
    assert "_deep" == _functions(error)[-1]
    assert "OSError: inside" in traceback_of(error)


def test_what_is_nobodys_words_keeps_its_origin() -> None:
    """A bug is told with all that leads to it."""
    assert "_deep" == _functions(_caught(KeyError("a bug")))[-1]


def test_a_notebook_shows_the_users_lines() -> None:
    """IPython asks the error itself: two lines for each of the user's frames, and the sentence."""
    error = _caught(ConfigurationError("There is no key."))
    assert isinstance(error, TogetherError)
    shown = error._render_traceback_()  # pyright: ignore[reportPrivateUsage] - the name that IPython asks for
    assert "Traceback (most recent call last):" == shown[0]
    assert "prefect_together.errors.ConfigurationError: There is no key." == shown[-1]
    assert "in _caught" in shown[1]
    assert "event_loop" not in "".join(shown)


def _record(error: BaseException | None, **more: object) -> logging.LogRecord:
    lines = (type(error), error, error.__traceback__) if error else None
    record = logging.LogRecord("prefect.flow_runs", logging.ERROR, __file__, 1, "It failed", None, lines)  # type: ignore[arg-type]
    vars(record).update(more)
    return record


def test_logs_show_the_users_lines() -> None:
    """A record of an error of ours is formatted with them alone; one of anybody else's as it is."""
    ours, theirs = _record(_caught(ConfigurationError("No key."))), _record(_caught(KeyError("a bug")))
    short = ShortTracebacks()
    assert short.filter(ours)
    assert short.filter(theirs)
    shown = logging.Formatter().format(ours)
    assert "in _caught" in shown
    assert "event_loop" not in shown
    assert "event_loop" in logging.Formatter().format(theirs)


def test_logs_of_a_command_show_no_lines() -> None:
    """A command says the error itself, at its end."""
    record = _record(_caught(ConfigurationError("No key.")))
    ShortTracebacks(lines=False).filter(record)
    assert "It failed" == logging.Formatter().format(record)


def test_a_task_outside_of_runs_is_quiet() -> None:
    """What Prefect says of a task of ours where no run keeps it is sent nowhere; of other tasks, as ever."""
    short, ours, theirs = ShortTracebacks(), _record(None, task_name="generate_image"), _record(None, task_name="mine")
    short.tasks.add("generate_image")
    short.filter(ours)
    short.filter(theirs)
    assert getattr(ours, "send_to_api", True) is False
    assert getattr(theirs, "send_to_api", True) is True


def test_a_script_ends_with_few_words(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """An error of ours that nobody catches is the user's lines and the sentence; a bug is what Python shows."""
    monkeypatch.setattr(sys, "excepthook", sys.__excepthook__)
    shorten_last_words(interrupt)
    error = _caught(ConfigurationError("There is no key."))
    sys.excepthook(type(error), error, error.__traceback__)
    said = capsys.readouterr().err
    assert said.endswith("ConfigurationError: There is no key.\n")
    assert "event_loop" not in said
    bug = _caught(KeyError("a bug"))
    sys.excepthook(type(bug), bug, bug.__traceback__)
    assert "event_loop" in capsys.readouterr().err


def test_another_hook_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who shows errors in a way of their own goes on doing so."""

    def own(*_: object) -> None:
        """Show nothing."""

    monkeypatch.setattr(sys, "excepthook", own)
    shorten_last_words(interrupt)
    assert sys.excepthook is own


def test_an_interruption_without_jobs_says_where_it_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """A call that was cut off before anything was waited for is spoken of in general; one of long ago is not."""
    monkeypatch.setattr(interruption, "_cut_off_at", None)
    assert "" == interruption.last_words()
    interruption.note_cut_off()
    assert interruption.IN_GENERAL == interruption.last_words()
    monkeypatch.setattr(interruption, "_cut_off_at", time.monotonic() - 3600)
    assert "" == interruption.last_words()


def test_an_interruption_names_what_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """Jobs that were waited for when the wait was cut off are named; those that ended are not."""
    monkeypatch.setattr(interruption, "_cut_off_at", None)
    assert "" == interruption.last_words()
    with interruption.waiting_for("job-1"):
        assert (
            "Interrupted: job job-1 is paid for and goes on at Together; the next run fetches what it makes, for free."
            == interruption.last_words()
        )
        with interruption.waiting_for("job-2"):
            assert interruption.last_words().startswith("Interrupted: jobs job-1, job-2 are paid for and go on at Together;")
        with pytest.raises(OSError, match="failed"), interruption.waiting_for("job-3"):
            raise OSError("failed")
        with interruption.waiting_for(None):
            assert "job-3" not in interruption.last_words()
    assert "" == interruption.last_words()


def test_what_prefect_says_five_times_is_printed_once() -> None:
    """Of the records about one error the first passes; another error, and what is about none, pass too."""
    short = ShortTracebacks()
    once = SaidOnce(short)

    def passes(text: str, error: BaseException | None = None) -> bool:
        record = _record(error)
        record.msg = text
        return short.filter(record) and once.filter(record)

    error, other = ConfigurationError("There is no key."), ConfigurationError("There is no room.")
    assert passes("Task run failed with exception: ConfigurationError('There is no key.')", error)
    assert not passes("Finished in state Failed('ConfigurationError: There is no key.')")
    assert not passes("Encountered exception during execution: ConfigurationError('There is no key.')", error)
    assert passes("Task run failed with exception: ConfigurationError('There is no room.')", other)
    assert passes("Waiting for job 7.")
    assert passes("Waiting for job 7.")
