"""A canary release from its first conversation to its rollback, on this machine. demo.sh starts it."""

import argparse
import asyncio
import dataclasses
import os
import signal
import sys
import tempfile
from pathlib import Path

from demo.faults import FAULTS
from demo.processes import CannotBeHad, DemoError
from demo.stage import SHIPPED
from demo.story import EXIT_SKIPPED, OUT_DEFAULT, PAGE_PORT, tell

FAULT_DEFAULT = "refusals"


def parse_arguments() -> argparse.Namespace:
    faults = "\n".join(f"  {name:10} {fault.words}" for name, fault in FAULTS.items())
    parser = argparse.ArgumentParser(
        prog="./demo.sh",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description=f"""\
Shows a release that goes well, and then does not. It takes about a minute after the build.

  1. It builds the filter and the tool, and starts Envoy and two versions of a small model server.
  2. Conversations begin, and go on: all of them on v1.
  3. `llm-canary run` gives v2 10, 25 and 50 % of the conversations that begin, each step when the evidence says that
     v2 is no worse. Conversations that have begun stay on their version. The demo checks that with each answer.
  4. v2 goes wrong. `llm-canary run` finds out by itself, from Envoy's counters, and stops v2.
  5. You get a page about it all, and the files to look further.

The demo changes nothing in the configuration: only `llm-canary run` does. Everything that the demo starts ends with it.

What can go wrong with v2:
{faults}
""",
        epilog="""\
Ports are the shipped ones where these are free (Envoy 10000, its admin page 9901, model servers 8001 and 8002, the
page of `run` 8099), else any free ones. With a port of your own, 0 is any free one. ENVOY_PATH names an Envoy of your
own; see scripts/dependencies.sh.

Exit codes: 0 it happened as told above; 1 it did not, and the last line says what was different; 77 this machine cannot
have Envoy; 130 Ctrl-C.""",
    )
    option = parser.add_argument
    option("--fault", choices=FAULTS, default=FAULT_DEFAULT, help="what goes wrong with v2 (default: %(default)s)")
    option("--out", type=Path, metavar="FOLDER", help=f"where the page and the files go (default: {OUT_DEFAULT})")
    option("--keep", action="store_true", help="at the end let all run on until Ctrl-C, to try commands on it")
    option("--no-page", action="store_true", help="without the live page of `run`")
    option("--page-port", type=int, metavar="PORT", help=f"of the live page (default: {PAGE_PORT})")
    for name, port in dataclasses.asdict(SHIPPED).items():
        option(f"--{name}-port", type=int, metavar="PORT", help=f"(default: {port})")
    options = parser.parse_args()
    if options.no_page and options.page_port is not None:
        parser.error("--no-page and --page-port: without the page it needs no port; leave one of them out")
    return options


async def main() -> None:
    options = parse_arguments()
    task = asyncio.current_task()
    assert task is not None
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, stop_once, task, number)
    with tempfile.TemporaryDirectory(prefix="llm-canary-demo-") as folder:
        await tell(options, Path(folder))


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
