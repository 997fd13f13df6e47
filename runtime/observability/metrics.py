"""Every Prometheus metric of the system, with its unit.

What rows can tell is read from them when `/metrics` is asked: it is true for all
processes and hosts, and survives them. The rest is counted by the API process itself.
"""

from prometheus_client import Counter, Gauge, Histogram

HTTP_REQUESTS = Counter(
    "assistants_http_requests",
    "Requests answered by this API process.",
    ["method", "route", "status"],
)
HTTP_SECONDS = Histogram(
    "assistants_http_first_byte_seconds",
    "From a request's arrival to the first byte of its answer.",
    ["route"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)
RUNS_LIVE = Gauge(
    "assistants_runs_live", "Runs that have not ended, by where they are.", ["status"]
)
FILES_WAITING = Gauge(
    "assistants_files_waiting", "Files that are being read into vector stores."
)
