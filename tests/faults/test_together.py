"""S15, and more requests at a time than are answered: no answer holds anything of another's."""

import io
import json
import re
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from typing import TYPE_CHECKING, cast

import pytest
from support import effort
from support.tiny import NAN_WORD, PANIC_TEXT, WORDS, Client, Home, make_home

from maas.http.app import App
from maas.http.inference import inference_routes
from maas.limits import LIMITS
from maas.observe import Observer

if TYPE_CHECKING:
    from maas.assembly import Services
    from maas.service import Service


@pytest.fixture(scope="module")
def hazardous(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """A model that can be made to panic and to answer NaN."""
    return make_home(tmp_path_factory.mktemp("home"), versions=1, hazards=True)


@pytest.mark.usefixtures("log")
def test_above_its_bound_it_refuses_at_once_and_answers_again_when_others_have_ended(
    hazardous: Home,
) -> None:
    # Given a service that answers only when five requests have come
    ids, all_here = count(1), threading.Event()
    services = hazardous.services()

    def new_id() -> str:
        number = next(ids)
        if number == 5:
            all_here.set()
        return f"request-{number}"

    def slow(model: str) -> "Service":
        assert all_here.wait(5)
        return services(model)

    app = App(
        inference_routes(cast("Services", slow), threads=True),
        observer=Observer("INFO", metrics=False),
        new_id=new_id,
        concurrency=2,
    )
    with Client(app) as client:
        # When they come together
        responses = client.together(*["good"] * 5)
        # Then as many as may be are answered, and the others are told so in our own words
        assert sorted(response.status_code for response in responses) == [200, 200, 429, 429, 429]
        for response in responses:
            if response.status_code == 429:
                body = response.json()
                assert (body["code"], body["field"]) == ("overloaded", None)
                assert response.headers["retry-after"] == "1"
                assert response.headers["x-request-id"] == body["request_id"]
                assert response.headers["content-type"] == "application/json"
        # And nothing of it stays
        assert [each.status_code for each in client.together("good", "good")] == [200, 200]


@pytest.mark.usefixtures("log")
def test_while_others_wait_for_their_versions_one_more_is_answered(hazardous: Home) -> None:
    # Given versions that are not there until as many requests wait for them as there may be
    all_wait = threading.Barrier(LIMITS.concurrency)
    services = hazardous.services()

    def opening(model: str) -> "Service":
        all_wait.wait(10)
        return services(model)

    app = App(
        inference_routes(cast("Services", opening), threads=True),
        observer=Observer("INFO", metrics=False),
        new_id=lambda: "request",
        concurrency=LIMITS.concurrency,
    )
    # Then none of them keeps another from waiting, too
    with Client(app) as client:
        responses = client.together(*["good"] * LIMITS.concurrency)
    assert {response.status_code for response in responses} == {200}


BAD = (
    (b'{"inputs": "MARK"', 400),
    (b'{"inputs": ["MARK", ""]}', 422),
    (b'{"inputs": "MARK", "parameters": {"top_k": "MARK"}}', 422),
    (b'{"inputs": "MARK", "parameters": {"MARK": 1}}', 422),
    (b'{"inputs": "%s MARK"}' % NAN_WORD.encode(), 500),
)
PANICS = (b'{"inputs": "%s MARK"}' % PANIC_TEXT.encode(), 500)


def test_s15_eight_threads_of_good_and_bad_requests_do_not_meet(
    hazardous: Home, log: io.StringIO
) -> None:
    """Each good text has scores of its own, by numpy alone; each bad one a marker of its own."""
    services, numbers = hazardous.services(), iter(range(10**9))
    services("sentiment").warm_up()
    app = App(
        inference_routes(services),
        observer=Observer("INFO", metrics=False),
        new_id=lambda: f"request-{next(numbers)}",
    )
    words, asked = WORDS[2:16], effort.examples(125, 1_250)

    def ask(thread: int) -> Counter[int]:
        statuses: Counter[int] = Counter()
        with Client(app) as client:  # each with a loop of its own
            for turn in range(asked):
                number = thread * asked + turn
                if turn % 3:
                    text = " ".join(words[number // 14**place % 14] for place in range(4))
                    response = client.predict(text)
                    assert response.headers["x-maas-digest"] == hazardous.bundles[1].digest
                    scores = {pair["label"]: pair["score"] for pair in response.json()[0]}
                    wanted = hazardous.bundles[1].probabilities(text)
                    assert scores == pytest.approx(wanted, abs=2e-6)
                else:
                    body, status = PANICS if turn % 60 == 0 else BAD[turn // 3 % len(BAD)]
                    marked = body.replace(b"MARK", b"canary%d" % number)
                    response = client.post("/models/sentiment", content=marked)
                    assert response.status_code == status
                    assert response.json()["request_id"] == response.headers["x-request-id"]
                # The name of a field that is not known is repeated, to its own caller
                held = re.findall(r"canary[0-9]+", response.text + str(response.headers))
                assert set(held) <= {f"canary{number}"}
                statuses[response.status_code] += 1
        return statuses

    with ThreadPoolExecutor(8) as pool:
        total = sum(pool.map(ask, range(8)), Counter[int]())
    assert total.total() == 8 * asked
    # And each request has one line of the log, with an id of its own and nothing of its text
    lines = [json.loads(line) for line in log.getvalue().splitlines()]
    answered = [line["request_id"] for line in lines if line["message"] == "answered"]
    assert len(set(answered)) == len(answered) == 8 * asked
    assert "canary" not in log.getvalue()
    effort.count("faults", total[500])
