"""The demo's arithmetic, on samples small enough to reckon by hand."""

from demo import table
from pylib.prometheus import Snapshot

TEXT = """\
# TYPE llm_requests_total counter
llm_requests_total{llm_rollout="chat",llm_version="v1",llm_compare="yes",llm_outcome="complete"} 6
llm_requests_total{llm_rollout="chat",llm_version="v1",llm_compare="no",llm_outcome="stream_error"} 1
llm_requests_total{llm_rollout="chat",llm_version="v1",llm_compare="yes",llm_outcome="client_abort"} 1
llm_refusals_total{llm_rollout="chat",llm_version="v1",llm_compare="yes",llm_refusal="structured"} 2
llm_tokens_total{llm_rollout="chat",llm_version="v1",llm_compare="yes",llm_token="output"} 700
llm_tokens_total{llm_rollout="chat",llm_version="v1",llm_compare="yes",llm_token="input"} 5
llm_response_chars_total{llm_rollout="chat",llm_version="v1",llm_compare="yes"} 1000
llm_response_chars_count{llm_rollout="chat",llm_version="v1",llm_compare="yes"} 8
llm_time_to_first_token_ms_bucket{llm_rollout="chat",llm_version="v1",llm_compare="yes",le="10"} 2
llm_time_to_first_token_ms_bucket{llm_rollout="chat",llm_version="v1",llm_compare="yes",le="30"} 6
llm_time_to_first_token_ms_bucket{llm_rollout="chat",llm_version="v1",llm_compare="yes",le="+Inf"} 8
llm_time_to_first_token_ms_bucket{llm_rollout="chat",llm_version="v2",llm_compare="yes",le="10"} 0
llm_time_to_first_token_ms_bucket{llm_rollout="chat",llm_version="v2",llm_compare="yes",le="+Inf"} 4
envoy_cluster_upstream_rq_total{envoy_cluster_name="llm-v1"} 99
"""


def test_one_row_per_version() -> None:
    v1, v2 = table.rows(Snapshot.parse(TEXT), {"v1": 9, "v2": 3})
    assert v1 == table.Row(
        "v1",
        conversations=9,
        share=0.75,
        requests=8,
        output_tokens=700,
        first_token_ms_median=20.0,  # the fourth of eight: halfway through the four between 10 and 30
        chars_mean=125.0,
        refusal_share=0.25,
        failure_share=0.125,  # that the client went away is none
    )
    assert v2 == table.Row("v2", 3, 0.25, 0, 0, 10.0, None, None, None), "past the last bound a median is that bound"


def test_what_has_not_been_counted_is_a_dash() -> None:
    assert table.render(table.rows(Snapshot(), {"v1": 0})) == [
        "version  new conversations  share  requests  tokens  first token  length  refusals  failures",
        "     v1                  0      -         0       0            -       -         -         -",
    ]
