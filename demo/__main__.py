"""A canary release from start to stop, on this machine. demo.sh starts it."""

import argparse
import asyncio
import dataclasses
import os
import signal
import sys
import tempfile
from pathlib import Path

from demo.processes import CannotBeHad, DemoError
from demo.release import EXIT_SKIPPED, PERCENT_LLM, run
from demo.stage import ECDS, SHIPPED

SECONDS_DEFAULT, SECONDS_MIN = 24, 10
RAMP_DEFAULT = 50.0


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="./demo.sh",
        description="Builds the filter and the operator's tool, starts two versions of a model server, Envoy and "
        "Prometheus, sends conversations and shows a table per version. Halfway it ramps the canary up and checks that "
        "no conversation changes version. At the end it stops the canary and measures how long that takes. Everything "
        "it starts ends with it.",
        epilog="Ports are the shipped ones where these are free (Envoy 10000, its admin page 9901, model servers 8001 "
        "and 8002, Prometheus 9090), else any free ones. ENVOY_PATH and PROMETHEUS_PATH name programs of your own; see "
        "scripts/dependencies.sh.",
    )
    option = parser.add_argument
    option(
        "--seconds",
        type=int,
        default=SECONDS_DEFAULT,
        help="how long to send until the canary is stopped (default: %(default)s)",
    )
    option(
        "--percent",
        type=float,
        help=f"the canary's share at first (default: as in {ECDS}; with --llm {PERCENT_LLM:.0f})",
    )
    option(
        "--ramp",
        type=float,
        default=RAMP_DEFAULT,
        metavar="PERCENT",
        help="its share from halfway on (default: %(default)g)",
    )
    option("--llm", action="store_true", help="real llama.cpp servers with a real small model, SmolLM2-135M")
    option("--keep", action="store_true", help="at the end leave everything running until Ctrl-C")
    for name in dataclasses.asdict(SHIPPED):
        option(f"--{name}-port", type=int, metavar="PORT")
    options = parser.parse_args()
    if options.seconds < SECONDS_MIN:
        parser.error(f"--seconds {options.seconds}: at least {SECONDS_MIN}, or the table stays empty")
    for name in ("percent", "ramp"):
        percent = getattr(options, name)
        if percent is not None and not 0 < percent <= 100:
            parser.error(f"--{name} {percent:g}: more than 0 and at most 100")
    return options


async def main() -> None:
    options = parse_arguments()
    task = asyncio.current_task()
    assert task is not None
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, stop_once, task, number)
    with tempfile.TemporaryDirectory(prefix="llm-canary-demo-") as folder:
        await run(options, Path(folder))


_stopped_by: list[signal.Signals] = []


def stop_once(task: "asyncio.Task[None]", number: signal.Signals) -> None:
    """The first signal ends the demo. More of them must not interrupt the clean-up."""
    if not _stopped_by:
        _stopped_by.append(number)
        task.cancel()


if __name__ == "__main__":
    try:
        asyncio.run(main())
    except CannotBeHad as error:
        print(f"SKIPPED: {error}", file=sys.stderr)
        sys.exit(EXIT_SKIPPED)
    except DemoError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(1)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except asyncio.CancelledError:
        print("\nstopped", file=sys.stderr)
        sys.exit(128 + _stopped_by[0])
