"""What the demo and the tests share: an HTTP/1.1 client, a reader of Prometheus text, and the filter's buckets.

Needs only the standard library.
"""
