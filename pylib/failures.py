"""The outcomes that are failures: they speak against a version. A client that goes away does not.

`is_failure` in src/metrics.rs defines them, and docs/metrics.md lists them. This list, the rules and alerts for
Prometheus, and the dashboard repeat them. tests/envoy/test_failures.py fails where one of these differs.
"""

FAILURES = frozenset({"http_error", "stream_error", "truncated", "upstream_reset", "local_reply"})
