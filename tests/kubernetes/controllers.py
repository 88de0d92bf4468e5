"""What Argo Rollouts and Flagger do with answers, by their sources; the settings are those of kubernetes/.

Argo Rollouts at 9f8d111: metricproviders/webmetric, utils/evaluate, analysis/analysis.go. Flagger at 15bd6ad:
pkg/controller/webhook.go and scheduler.go.
"""

import http.client
import json
import time
from dataclasses import dataclass
from urllib.parse import urlsplit

from tests.harness import Json


@dataclass
class Answer:
    status: int
    body: bytes


def ask(base: str, url: str, timeout: float, body: bytes | None = None) -> Answer | None:
    """Asks as Go's client does, at another host and port; `None` if there is no answer in time."""
    parts, at = urlsplit(url), urlsplit(base)
    headers = {"Host": at.netloc, "User-Agent": "Go-http-client/1.1", "Accept-Encoding": "identity"}
    if body is not None:
        headers |= {"Content-Type": "application/json", "Content-Length": str(len(body))}
    connection = http.client.HTTPConnection(at.hostname or "", at.port, timeout=timeout)
    try:
        connection.putrequest("GET" if body is None else "POST", f"{parts.path}?{parts.query}", skip_host=True)
        for name, value in headers.items():
            connection.putheader(name, value)
        connection.endheaders(body)
        response = connection.getresponse()
        return Answer(response.status, response.read())
    except OSError:
        return None
    finally:
        connection.close()


def holds(condition: str, result: object) -> bool:
    """A condition of the form `result == "word"`."""
    left, word = condition.split(" == ")
    assert left == "result"
    return bool(result == json.loads(word))


def measure(base: str, metric: Json, arguments: dict[str, str], takes_text_for_success: bool = False) -> str:
    """One measurement of the web provider. Older versions take a body that is no JSON for success."""
    web = metric["provider"]["web"]
    url = web["url"]
    for name, value in arguments.items():
        url = url.replace("{{args." + name + "}}", value)
    assert "{{" not in url
    answer = ask(base, url, web.get("timeoutSeconds") or 10)
    if answer is None or not 200 <= answer.status < 300:
        return "Error"
    try:
        data = json.loads(answer.body)
    except ValueError:
        if takes_text_for_success:
            return "Successful"
        result: object = answer.body.decode()
    else:
        assert web["jsonPath"] == "{$.verdict}"
        if not isinstance(data, dict) or "verdict" not in data:
            return "Error"
        result = data["verdict"]
    is_success, is_failure = holds(metric["successCondition"], result), holds(metric["failureCondition"], result)
    if is_failure:
        return "Failed"
    return "Successful" if is_success else "Inconclusive"


def assess(metric: Json, measurements: list[str], knows_success_limit: bool = True) -> str:
    """The phase of a metric after these measurements. Versions before 1.8 do not know `consecutiveSuccessLimit`."""
    failed = inconclusive = errors = successes = count = 0
    for measurement in measurements:
        errors = errors + 1 if measurement == "Error" else 0
        successes = successes + 1 if measurement == "Successful" else 0
        count += measurement != "Error"
        failed += measurement == "Failed"
        inconclusive += measurement == "Inconclusive"
        if errors > metric.get("consecutiveErrorLimit", 4):
            return "Error"
        if inconclusive > metric.get("inconclusiveLimit", 0):
            return "Inconclusive"
        if failed > metric.get("failureLimit", 0):
            return "Failed"
        limit = metric.get("consecutiveSuccessLimit", 0) if knows_success_limit else 0
        if limit and successes >= limit:
            return "Successful"
        if count >= metric["count"]:
            return "Inconclusive" if limit else "Successful"
    return "Running"


def webhook(base: str, hook: Json) -> bool:
    """Whether a webhook succeeds. What is 5xx or 429 is asked again."""
    payload = {"name": "chat", "namespace": "llm", "phase": "Progressing", "checksum": "6d8f", "metadata": {}}
    for _ in range(hook.get("retries", 0) + 1):
        answer = ask(
            base, hook["url"], float(hook.get("timeout", "10s").removesuffix("s")), json.dumps(payload).encode()
        )
        if answer is not None and answer.status != 429 and answer.status < 500:
            return answer.status <= 202
        time.sleep(0.1)
    return False


def flagger(base: str, canary: Json) -> str:
    """What a round of Flagger's comes to: the rollback hooks first, then those that confirm."""
    hooks = canary["spec"]["analysis"]["webhooks"]
    if any(webhook(base, hook) for hook in hooks if hook["type"] == "rollback"):
        return "rolls back"
    confirms = [webhook(base, hook) for hook in hooks if hook["type"].startswith("confirm-")]
    return "goes on" if all(confirms) else "waits"
