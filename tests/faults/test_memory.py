"""F16: memory runs out while a request is answered or a version opened, and the process lives.

In child processes with a ceiling on their memory, on a model of the size that people serve.
"""

import json
from typing import TYPE_CHECKING, Any

import pytest
from PIL import Image
from support.doors import rest_event
from support.effort import count, examples
from support.function import Ended, run_function
from support.reference import TOKENS, reference_home, reference_text
from support.task_bundles import home_with
from support.tiny_image import encoded, in_base64, make_image

if TYPE_CHECKING:
    from pathlib import Path

    from support.tiny import Home

ROWS = examples(12, 32)
SMALL = rest_event(body={"inputs": "a good film"})
LARGE = rest_event(body={"inputs": [reference_text(TOKENS)] * ROWS})
TOOLS = """
import resource, sys
from pathlib import Path

def kilobytes(name):
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(name))

def ceiling(megabytes):
    top = (kilobytes("VmSize") + megabytes * 1024) * 1024
    resource.setrlimit(resource.RLIMIT_AS, (top, -1))

def tell():
    print("peak", kilobytes("VmHWM") // 1024, file=sys.stderr)
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> "Home":
    return reference_home(tmp_path_factory.mktemp("home"))


def problem(answer: Any, *codes: str) -> None:  # noqa: ANN401 - an answer of Lambda's
    """The one error body, which says nothing of memory or of the machine."""
    body = json.loads(answer["body"])
    assert body.keys() == {"error", "code", "field", "request_id"}
    assert (answer["statusCode"], body["code"]) in {
        (500, "model_failed"),
        (500, "internal"),
        (503, "model_not_ready"),
    }
    assert body["code"] in codes
    assert not {"alloc", "memory", "/"} & set(body["error"].lower().split())


def peaks(ended: Ended) -> list[int]:
    lines = ended.stderr.splitlines()
    assert [line for line in lines if not line.startswith("peak ")] == []
    return [int(line.split()[1]) for line in lines]


def test_f16_the_largest_request_takes_a_bounded_amount_of_memory(
    home: "Home", tmp_path: "Path"
) -> None:
    ended = run_function(
        "inference", home.environ, TOOLS, SMALL, "tell()", LARGE, "tell()", SMALL, cwd=tmp_path
    )
    assert ended.statuses() == [200, 200, 200], ended.stderr
    assert len(json.loads(ended.answers[1]["body"])) == ROWS
    idle, peak = peaks(ended)
    # Twelve texts at once would take more than 400 MB, thirty-two more than 1,100
    assert peak - idle < 280
    count("requests", 3)


# With nothing left at all it is a lottery whether a tokenizer's own allocator ends the process,
# which no Python code hears of: Rust aborts. 4 MB are enough for it, and not for any model.
@pytest.mark.parametrize(("megabytes", "threads"), [(200, 1), (60, 2), (4, 1), (4, 2)])
def test_f16_above_a_ceiling_it_says_so_and_answers_the_next_small_request(
    home: "Home", tmp_path: "Path", megabytes: int, threads: int
) -> None:
    ended = run_function(
        "inference",
        {**home.environ, "MAAS_THREADS": str(threads)},
        TOOLS,
        SMALL,
        f"ceiling({megabytes})",
        LARGE,
        SMALL,
        cwd=tmp_path,
    )
    before, large, after = ended.answers
    assert (ended.returncode, ended.stderr) == (0, "")
    assert before["statusCode"] == after["statusCode"] == 200
    assert before["body"] == after["body"]
    if megabytes < 100:
        problem(large, "model_failed", "internal")
        count("faults")
    elif large["statusCode"] != 200:
        problem(large, "model_failed", "internal")
    count("requests", 3)


def test_f16_a_picture_for_which_there_is_no_memory_is_not_called_damaged(
    tmp_path: "Path",
) -> None:
    home = home_with(tmp_path / "home", make_image)
    small, large = (
        rest_event(path=home.path, body={"inputs": in_base64(encoded(Image.new("RGB", size)))})
        for size in ((6, 4), (4_096, 4_096))
    )
    ended = run_function(
        "inference", home.environ, TOOLS, small, "ceiling(20)", large, small, cwd=tmp_path
    )
    before, refused, after = ended.answers
    assert (ended.returncode, ended.stderr) == (0, "")
    assert before["statusCode"] == after["statusCode"] == 200
    assert before["body"] == after["body"]
    problem(refused, "internal")
    count("faults")


@pytest.mark.parametrize("megabytes", [0, 9])
def test_f16_without_memory_to_open_a_version_the_other_answers_and_it_is_opened_later(
    home: "Home", tmp_path: "Path", megabytes: int
) -> None:
    # Given a function that began with a small version
    home.promote(2 if 2 in home.bundles else home.add(seed=2))
    large = rest_event(path="/models/sentiment/versions/1", body={"inputs": "a good film"})
    # When one of 45 MB is asked for, and there is no room for it
    ended = run_function(
        "inference",
        {**home.environ, "MALLOC_ARENA_MAX": "1"},  # no room that was set aside for threads
        TOOLS,
        SMALL,
        "import maas.loaded; maas.loaded.REFUSED_SECONDS = 0.0",
        f"ceiling({megabytes})",
        large,
        SMALL,
        "resource.setrlimit(resource.RLIMIT_AS, (-1, -1))",
        large,
        cwd=tmp_path,
    )
    # Then it is not ready, the small one answers, and with memory it is opened
    assert ended.returncode == 0, ended.stderr
    assert ended.statuses() == [200, 503, 200, 200]
    problem(ended.answers[1], "model_not_ready")
    assert ended.answers[0]["body"] == ended.answers[2]["body"]
    assert ended.answers[3]["headers"]["x-maas-version"] == "1"
    count("faults")
    count("requests", 4)
