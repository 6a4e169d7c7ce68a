"""What the routes of every protocol share: who answers a request, and the answer, off the loop.

May import everything of `maas` but the catalog and the layers above in `maas.http`.

    turn = await answering.turn(request, exchange)
    answer = await answering.predict(turn, asked, exchange)        # a task's own request
    answer = await answering.infer(turn, feeds, exchange)          # tensors
"""

import functools
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

from maas.http.body import read_body
from maas.http.callers import requested_caller
from maas.http.versions import requested_model, requested_version
from maas.limits import LIMITS
from maas.statistics import Statistics

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from maas.assembly import Services
    from maas.exchange import Exchange
    from maas.http.asgi import Request
    from maas.registry.addresses import VersionAddress
    from maas.service import Service, Turn
    from maas.tasks.task import Request as Asked
    from maas.tasks.task import Response, Task
    from maas.tasks.tensors import Array, TensorResponse

    AnswerT = TypeVar("AnswerT", bound=Response)
    Watch = Callable[[Turn, Callable[[Task, float], Response], Response, int], None]

ResultT = TypeVar("ResultT")


class Answering:
    """The models of this process.

    Args:
        services: The service of a model; raises ModelNotFoundError for a name it does not know.
        threads: Run the model in a thread, for a server with many requests at a time. Lambda gives
            a process one request at a time, where a thread would only cost.
        watch: Told of each answer to a request that a shadow shall see too; must not fail, nor take
            any time.
    """

    def __init__(
        self, services: "Services", *, threads: bool, watch: "Watch | None" = None
    ) -> None:
        self._services = services
        self._threads = threads
        # As many as there may be requests: while each of them waits for a version to be opened, all
        # others are answered.
        self._waiting = ThreadPoolExecutor(LIMITS.concurrency, "waiting") if threads else None
        self._watch = watch
        self.statistics = Statistics()

    async def service(self, request: "Request", exchange: "Exchange") -> "Service":
        """The service of the model that the path names."""
        model = requested_model(request)
        service = await self.wait(lambda: self._services(model))
        exchange.model = model
        return service

    async def turn(
        self, request: "Request", exchange: "Exchange", *, also: "str | None" = None
    ) -> "Turn":
        """Which version answers: the one that the request names, else whichever the alias says.

        Args:
            request: The request.
            exchange: Told of the model and the turn.
            also: What a body names, in the same words as the header; None where it names nothing.

        Raises:
            MaasError: There is no such model or version, or it cannot answer now.
        """
        model = requested_model(request)

        def work() -> "Turn":  # at once: each hop to a thread and back costs
            service = self._services(model)
            exchange.model = model
            address = requested_version(request, also=also)
            caller = requested_caller(request)
            return service.turn(address, caller=caller, deadline=exchange.deadline)

        exchange.turn = turn = await self.wait(work)
        for _, digest in turn.instead_of:
            self.statistics.count(digest, rows=0, nanoseconds=0, done=False, error=True)
        return turn

    async def turn_of(
        self, service: "Service", address: "VersionAddress | None", exchange: "Exchange"
    ) -> "Turn":
        """Which version of a service answers."""
        turn = await self.wait(lambda: service.turn(address, deadline=exchange.deadline))
        exchange.turn = turn
        return turn

    async def predict(self, turn: "Turn", asked: "Asked", exchange: "Exchange") -> "Response":
        """Ask the task what was asked, and note what the log and headers may say of it."""
        exchange.texts, exchange.images, exchange.clips = counts = asked.counts
        rows = sum(counts) or 1  # a table, which is neither

        def ask(task: "Task", deadline: float) -> "Response":
            answer: Response = task.predict(asked, deadline=deadline)
            return answer

        answer = await self._counted(turn, ask, exchange, rows=rows)
        _note(answer, exchange)
        return answer

    async def infer(
        self, turn: "Turn", feeds: "Mapping[str, Array]", exchange: "Exchange"
    ) -> "TensorResponse":
        """Ask the model by tensors, and note what the log and headers may say of it."""
        rows = max((len(array) for array in feeds.values() if array.ndim), default=1)

        def ask(task: "Task", deadline: float) -> "TensorResponse":
            return task.tensors.infer(feeds, deadline=deadline)

        answer = await self._counted(turn, ask, exchange, rows=rows)
        exchange.texts, exchange.images, exchange.clips = answer.counts
        _note(answer, exchange)
        return answer

    async def read(
        self,
        request: "Request",
        exchange: "Exchange",
        *,
        limit: int = LIMITS.body_bytes,
        encoding: str = "",
    ) -> bytes:
        """The body, within its limit and the request's time.

        Args:
            request: The request.
            exchange: Its deadline counts.
            limit: Bytes, also after it was unpacked.
            encoding: What `check_type` found.
        """
        # An event's body is whole.
        seconds = None if request.event is not None else exchange.deadline - time.monotonic()
        return await read_body(
            request.receive, request.headers, limit=limit, seconds=seconds, encoding=encoding
        )

    async def wait(self, work: "Callable[[], ResultT]") -> ResultT:
        """Whatever may wait, for a disk, a lock or the registry, waits off the event loop."""
        return await _in_thread(self._waiting, work) if self._threads else work()

    async def run(self, work: "Callable[[], ResultT]") -> ResultT:
        """A model runs off the event loop, too, and no more of them at a time than pays."""
        return await _in_thread(None, work) if self._threads else work()

    async def _counted(
        self,
        turn: "Turn",
        ask: "Callable[[Task, float], AnswerT]",
        exchange: "Exchange",
        *,
        rows: int,
    ) -> "AnswerT":
        started = time.perf_counter_ns()
        done = error = False
        try:
            answer = await self.run(functools.partial(ask, turn.loaded.task, exchange.deadline))
            done = True
        except Exception as failure:
            error = is_ours(failure)
            raise
        finally:
            spent = time.perf_counter_ns() - started
            self.statistics.count(turn.digest, rows=rows, nanoseconds=spent, done=done, error=error)
        if turn.shadow is not None and self._watch is not None:
            self._watch(turn, ask, answer, spent)
        return answer


async def _in_thread(pool: "ThreadPoolExecutor | None", work: "Callable[[], ResultT]") -> ResultT:
    import asyncio  # noqa: PLC0415 - on a server alone, which has it

    return await asyncio.get_running_loop().run_in_executor(pool, work)


def is_ours(failure: BaseException) -> bool:
    """Whether a failure is a fault of ours, and not of who asked."""
    return getattr(failure, "status", 500) >= 500


def _note(answer: "Response", exchange: "Exchange") -> None:
    exchange.tokens = sum(answer.tokens)
    exchange.truncated = sum(answer.truncated)
    exchange.seconds.update(answer.seconds)
