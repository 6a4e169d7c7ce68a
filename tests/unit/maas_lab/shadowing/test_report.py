"""A server's report of its shadows: read, or refused with what to do."""

import pytest
from support.dynamo_standin import StandIn

from maas.errors import FieldError, MaasError, NotFoundError, TryAgainError
from maas_lab.shadowing.report import read_report
from maas_lab.shadowing.tallies import ModelShadows, ShadowReport


def test_what_a_server_tells_is_read() -> None:
    told = {
        "model": "sentiment",
        "shadows": [{"version": 1, "shadow": 2, "drifts": {"0.02": 3}, "shadow_ns": {"65536": 3}}],
    }
    with StandIn() as server:
        server.answer = (200, told)
        found = read_report(server.url + "/", "sentiment")
    report = ShadowReport(1, 2, drifts={0.02: 3}, shadow_ns={65_536: 3})
    assert found == ModelShadows("sentiment", [report])
    assert server.requests[0].line.startswith("GET /local/shadows/sentiment ")


@pytest.mark.parametrize(
    ("answer", "error", "says"),
    [
        ((404, {}), NotFoundError, "Only a server that `maas serve` started"),
        ((500, {}), TryAgainError, "answers with status 500"),
        ((200, {"model": 7}), MaasError, "cannot be read"),
    ],
)
def test_what_is_no_report_is_refused(
    answer: tuple[int, object], error: type[MaasError], says: str
) -> None:
    with StandIn() as server:
        server.answer = answer
        with pytest.raises(error, match=says):
            read_report(server.url, "sentiment")


@pytest.mark.parametrize("url", ["nothing", "ftp://127.0.0.1", "http://a:b"])
def test_what_is_no_url_is_refused_by_name(url: str) -> None:
    with pytest.raises(FieldError) as refused:
        read_report(url, "sentiment")
    assert refused.value.field == "url"
