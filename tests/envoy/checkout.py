"""A folder laid out like the repository, and what a user starts in it."""

import os
import shutil
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]

READY_S_MAX = 30
STOP_S_MAX = 10


class NotReady(Exception):
    pass


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def fetch(url):
    with urllib.request.urlopen(url, timeout=10) as answer:
        return answer.read().decode()


class Checkout:
    """A folder laid out like the repository, with the files as shipped but for the ports, which may be taken here."""

    def __init__(self, folder, module, servers):
        self.folder = folder
        shutil.copytree(REPOSITORY / "envoy", folder / "envoy")
        (folder / "target").mkdir()
        (folder / "target" / module.name).symlink_to(module)
        self.port, self.admin_port, self.prometheus_port = free_port(), free_port(), free_port()
        self.replace("envoy/envoy.yaml", "port_value: 10000", f"port_value: {self.port}")
        self.replace("envoy/envoy.yaml", "port_value: 9901", f"port_value: {self.admin_port}")
        self.replace("envoy/envoy.yaml", "port_value: 8001", f"port_value: {servers['v1'].port}")
        self.replace("envoy/envoy.yaml", "port_value: 8002", f"port_value: {servers['v2'].port}")
        self.replace("envoy/prometheus/prometheus.yml", "127.0.0.1:9901", f"127.0.0.1:{self.admin_port}")
        self.processes = []

    def replace(self, path, old, new, at_once=True):
        """Edits a copy and renames it into place, as the files say to; or writes in place."""
        text = (self.folder / path).read_text()
        assert text.count(old) == 1, f"{old!r} is {text.count(old)} times in {path}"
        self.write(path, text.replace(old, new), at_once)

    def write(self, path, text, at_once=True):
        written = self.folder / "next" if at_once else self.folder / path
        written.write_text(text)
        if at_once:
            os.rename(written, self.folder / path)

    def switch_on(self, option):
        """Uncomments the block between `#-- option: NAME` and `#-- end` of the bootstrap."""
        lines, inside, changed = [], False, 0
        for line in (self.folder / "envoy/envoy.yaml").read_text().splitlines():
            if line.strip() == f"#-- option: {option}":
                inside = True
            elif line.strip() == "#-- end":
                inside = False
            elif inside:
                line, changed = line.replace("#", "", 1), changed + 1
            lines.append(line)
        assert changed, f"the bootstrap has no option {option}"
        self.write("envoy/envoy.yaml", "\n".join(lines) + "\n")

    def start(self, envoy, *arguments, **options):
        """Starts Envoy exactly as documented, from the folder that stands for the repository's root."""
        # Two arguments that nobody needs who runs one Envoy and can wait 10 s for the access log.
        command = [envoy, "-c", "envoy/envoy.yaml", "--use-dynamic-base-id", "--file-flush-interval-msec", "100", *arguments]
        with open(self.folder / "access.log", "wb") as access_log, open(self.folder / "envoy.log", "wb") as log:
            options = {"stdin": subprocess.DEVNULL, "stdout": access_log, "stderr": log} | options
            process = subprocess.Popen(command, cwd=self.folder, **options)
        self.processes.append(process)
        self.wait_until(lambda: fetch(f"http://127.0.0.1:{self.admin_port}/ready").strip() == "LIVE", "Envoy to be live", process)
        return process

    def start_prometheus(self, folder):
        command = [
            folder / "prometheus",
            "--config.file=envoy/prometheus/prometheus.yml",
            "--storage.tsdb.path=target/prometheus",
            f"--web.listen-address=127.0.0.1:{self.prometheus_port}",
        ]
        with open(self.folder / "prometheus.log", "wb") as log:
            process = subprocess.Popen(command, cwd=self.folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self.processes.append(process)
        self.wait_until(lambda: fetch(f"http://127.0.0.1:{self.prometheus_port}/-/ready"), "Prometheus to be ready", process)

    def stop(self):
        for process in self.processes:
            process.send_signal(signal.SIGTERM)
        for process in self.processes:
            try:
                process.wait(STOP_S_MAX)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self.processes.clear()

    def wait_until(self, condition, what, process=None):
        deadline = time.monotonic() + READY_S_MAX
        while True:
            if process is not None and process.poll() is not None:
                raise NotReady(f"ended with status {process.returncode} while waiting for {what}:\n{self.log()[-4000:]}")
            try:
                value = condition()
            except (urllib.error.URLError, ConnectionError):
                value = None
            if value:
                return value
            if time.monotonic() > deadline:
                raise NotReady(f"waited {READY_S_MAX} s for {what}:\n{self.log()[-4000:]}")
            time.sleep(0.05)

    def log(self):
        return "".join(path.read_text(errors="replace") for path in sorted(self.folder.glob("*.log")))

    def discovery(self, name):
        """A counter of the filter's configuration: config_reload, config_fail, update_success, …"""
        name = f"extension_config_discovery.http_filter.llm-canary.{name}: "
        stats = fetch(f"http://127.0.0.1:{self.admin_port}/stats?filter=config_discovery").splitlines()
        [line] = [line for line in stats if line.startswith(name)]
        return int(line.removeprefix(name))

    def scrape(self):
        return fetch(f"http://127.0.0.1:{self.admin_port}/stats/prometheus")
