"""F21, F22, F24: anything may be raised anywhere, and the next request is answered.

Each hop of a request fails in turn: finding the service, choosing and opening the version, the
task, its session, the answer's encoding, the catalog's registry, and the log that is written of it.
"""

import asyncio
import io
import json
from typing import TYPE_CHECKING, Any, cast

import onnxruntime
import pytest
from msgspec import structs
from support import effort
from support.doors import REQUEST_ID, LambdaContext, rest_event
from support.kinds import KINDS, check_kind, home_of_kind
from support.tiny import Home, make_home, open_client

from maas.http.app import App
from maas.http.catalog import catalog_routes
from maas.http.entry import build_handler
from maas.http.gateway import guarded, new_id
from maas.observe import Observer
from maas.service import Service, Turn
from maas.tasks.labels import LabelScore
from maas.tasks.task import Task

if TYPE_CHECKING:
    from support.task_bundles import TaskHome

    from maas.assembly import Services
    from maas.registry.addresses import VersionAddress
    from maas.registry.reader import Reader

GOOD = {"inputs": "a good film"}


class Panic(BaseException):
    """What a native library raises: no Exception."""


class FaultyServices:
    """Real services, of which one hop fails while it is told to.

    Attributes:
        fault: What is raised, or None for none.
        hop: Where: services, turn, predict, session or answer.
    """

    def __init__(self, services: "Services") -> None:
        self._services = services
        self.fault: BaseException | None = None
        self.hop = ""

    def __call__(self, model: str) -> Service:
        self.reach("services")
        return cast("Service", FaultyService(self, self._services(model)))

    def models(self) -> list[str]:
        return self._services.models()

    def reach(self, hop: str) -> None:
        if self.fault is not None and self.hop == hop:
            raise self.fault


class FaultyService:
    """A real service behind a fault."""

    def __init__(self, faults: FaultyServices, service: Service) -> None:
        self._faults = faults
        self._service = service
        self.model = service.model

    def turn(
        self,
        address: "VersionAddress | None",
        *,
        caller: str | None = None,
        deadline: float,
    ) -> Turn:
        self._faults.reach("turn")
        turn = self._service.turn(address, caller=caller, deadline=deadline)
        task = cast("Task", FaultyTask(self._faults, turn.task))
        return structs.replace(turn, loaded=structs.replace(turn.loaded, task=task))


class FaultyTask:
    """A real task behind a fault."""

    def __init__(self, faults: FaultyServices, task: Task) -> None:
        self._faults = faults
        self._task = task

    def predict(self, request: Any, *, deadline: float) -> Any:  # noqa: ANN401 - each task's own
        self._faults.reach("predict")
        answer = self._task.predict(request, deadline=deadline)
        if self._faults.fault is None:
            return answer
        # A label, a text or a number that is none: the encoder is the last hop.
        first = answer.__struct_fields__[0]
        bad: dict[str, object] = {
            "rows": ((LabelScore(cast("str", Panic), 0.5),),),
            "texts": (Panic,),
            "vectors": ((Panic,),),
        }
        return structs.replace(answer, **{first: bad[first]})


FAULTS = (
    RuntimeError("canary /srv/secret"),
    MemoryError("canary"),
    RecursionError("canary"),
    KeyError("canary"),
    OSError(28, "canary", "/srv/secret"),
    Panic("canary"),
)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Home:
    return make_home(tmp_path_factory.mktemp("home"), versions=1)


@pytest.mark.parametrize("threads", [False, True])
@pytest.mark.parametrize("hop", ["services", "turn", "predict", "answer"])
@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: type(fault).__name__)
def test_f21_what_nobody_foresaw_is_a_500_that_tells_nothing(
    shared: Home,
    log: io.StringIO,
    hop: str,
    fault: BaseException,
    *,
    threads: bool,
) -> None:
    services = FaultyServices(shared.services())
    with open_client(cast("Services", services), threads=threads) as client:
        assert client.post("/models/sentiment", json=GOOD).status_code == 200
        # Given a fault at one hop
        services.fault, services.hop = fault, hop
        # When a request comes there
        response = client.post("/models/sentiment", json=GOOD)
        # Then it is answered, with an id and without the reason
        body = response.json()
        assert (response.status_code, body["code"]) == (500, "internal")
        assert body["request_id"] == response.headers["x-request-id"]
        assert response.headers["content-type"] == "application/json"
        # And the next request is answered as ever
        services.fault = None
        assert client.post("/models/sentiment", json=GOOD).status_code == 200
    effort.count("faults")
    failed = [json.loads(line) for line in log.getvalue().splitlines() if '"failed"' in line]
    assert [line["request_id"] for line in failed] == [body["request_id"]]
    for secret in ("canary", "/srv", "Traceback"):
        assert secret not in response.text + log.getvalue()


@pytest.fixture(scope="module", params=KINDS)
def each(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> "TaskHome":
    """A home of each kind of model."""
    return home_of_kind(tmp_path_factory.mktemp("home"), request.param)


@pytest.mark.parametrize("hop", ["predict", "session", "answer"])
@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: type(fault).__name__)
def test_f21_f22_every_kind_of_model_survives_it_too(
    each: "TaskHome",
    log: io.StringIO,
    monkeypatch: pytest.MonkeyPatch,
    hop: str,
    fault: BaseException,
) -> None:
    kind, services = each.bundle.manifest.task, FaultyServices(each.services())

    def faulty(run: Any) -> Any:  # noqa: ANN401 - the library's own
        def faulty_run(*arguments: Any) -> Any:  # noqa: ANN401
            services.reach("session")
            return run(*arguments)

        return faulty_run

    for name in ("run", "run_with_ort_values"):  # by which a model runs that goes on with texts
        run = getattr(onnxruntime.InferenceSession, name)
        monkeypatch.setattr(onnxruntime.InferenceSession, name, faulty(run))
    with open_client(cast("Services", services)) as client:
        check_kind(kind, each.bundle, client.post(each.path, json=KINDS[kind].body).json())
        services.fault, services.hop = fault, hop
        response = client.post(each.path, json=KINDS[kind].body)
        # What the library raises as an error is the model's failure, all else is ours
        models = hop == "session" and isinstance(fault, Exception)
        body = response.json()
        assert response.status_code == 500
        assert body["code"] == ("model_failed" if models else "internal")
        assert body["request_id"] == response.headers["x-request-id"]
        services.fault = None
        check_kind(kind, each.bundle, client.post(each.path, json=KINDS[kind].body).json())
    effort.count("faults")
    for secret in ("canary", "/srv", "Traceback"):
        assert secret not in response.text + log.getvalue()


class FaultyReader:
    """A real reader of the registry that fails while it is told to."""

    def __init__(self, reader: "Reader") -> None:
        self._reader = reader
        self.fault: BaseException | None = None

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever the routes ask of it
        if self.fault is not None:
            raise self.fault
        return getattr(self._reader, name)


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: type(fault).__name__)
def test_f21_f22_the_catalogs_function_survives_it_too(
    shared: Home, log: io.StringIO, fault: BaseException
) -> None:
    with shared.registry() as registry:
        reader = FaultyReader(registry)
        observer = Observer("INFO", metrics=False)
        app = App(catalog_routes(cast("Reader", reader)), observer=observer, new_id=new_id)
        handler = guarded(app, observer, run=asyncio.run)
        event = rest_event("GET", "/catalog/models")
        assert handler(event, LambdaContext())["statusCode"] == 200
        reader.fault = fault
        answer = handler(event, LambdaContext())
        body = json.loads(answer["body"])
        assert (answer["statusCode"], body["code"]) == (500, "internal")
        assert body["request_id"] == REQUEST_ID
        reader.fault = None
        assert handler(event, LambdaContext())["statusCode"] == 200
    effort.count("faults")
    for secret in ("canary", "/srv", "Traceback"):
        assert secret not in answer["body"] + log.getvalue()


class Heavy(str):
    """A body for which there is no memory."""

    __slots__ = ()

    def encode(self, *_: object) -> bytes:
        raise MemoryError


@pytest.mark.usefixtures("log")
def test_f16_an_event_for_which_there_is_no_memory_is_our_fault(shared: Home) -> None:
    handler = build_handler(shared.settings)
    answer = handler(rest_event(body=Heavy("{}")), LambdaContext())
    assert (answer["statusCode"], json.loads(answer["body"])["code"]) == (500, "internal")
    assert handler(rest_event(body=GOOD), LambdaContext())["statusCode"] == 200
    effort.count("faults")


class FaultyStream(io.StringIO):
    """Where a log goes that cannot be written."""

    def __init__(self, fault: Exception) -> None:
        super().__init__()
        self._fault = fault

    def write(self, _: str, /) -> int:
        raise self._fault


@pytest.mark.parametrize(
    "fault",
    [fault for fault in FAULTS if isinstance(fault, Exception)],
    ids=lambda f: type(f).__name__,
)
def test_f24_a_log_and_metrics_that_cannot_be_written_fail_no_request(
    shared: Home,
    log: io.StringIO,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    fault: Exception,
) -> None:
    with open_client(shared.services(), metrics=True) as client:
        with monkeypatch.context() as patch:
            patch.setattr("sys.stdout", FaultyStream(fault))
            patch.setattr(log, "write", FaultyStream(fault).write)
            statuses = [
                client.post("/models/sentiment", json=body).status_code for body in (GOOD, {}, GOOD)
            ]
        assert statuses == [200, 422, 200]
        # And what can be written again is of one request
        assert client.post("/models/sentiment", json=GOOD).status_code == 200
    effort.count("faults")
    (line,) = log.getvalue().splitlines()
    assert json.loads(line)["Requests"] == 1
    assert capfd.readouterr().out == ""
