"""What is known about one request while it is answered: all that headers and the log may say.

May import msgspec. The type is the promise that no content is logged: it has no field
for any.
"""

import time
from typing import TYPE_CHECKING

from msgspec import Struct, field

if TYPE_CHECKING:
    from maas.service import Turn


class Exchange(Struct):
    """One request and its answer, in figures.

    Attributes:
        request_id: Ours or Lambda's, never the caller's.
        deadline: Seconds on `time.monotonic`'s clock.
        started: Seconds on `time.perf_counter`'s clock.
        model: The model's name once the route has been understood.
        turn: Which version answers, once it is chosen.
        texts: Texts of the request.
        images: Images of the request.
        clips: Clips of sound of the request.
        tokens: Tokens that the model read and wrote.
        truncated: Texts that were cut.
        seconds: Time by stage.
        failure: What went wrong after an answer had begun, whose status says nothing of it.
    """

    request_id: str
    deadline: float
    started: float = field(default_factory=time.perf_counter)
    model: str | None = None
    turn: "Turn | None" = None
    texts: int = 0
    images: int = 0
    clips: int = 0
    tokens: int = 0
    truncated: int = 0
    seconds: dict[str, float] = field(default_factory=dict)
    failure: BaseException | None = None

    def headers(self) -> dict[str, str]:
        """The headers that every answer carries, as far as they are known."""
        self.seconds["total"] = time.perf_counter() - self.started
        stages = [f"{name};dur={spent * 1000:.2f}" for name, spent in self.seconds.items()]
        headers = {"x-request-id": self.request_id}
        if self.model:
            headers["x-maas-model"] = self.model
        if self.turn:
            headers["x-maas-version"] = str(self.turn.version)
            headers["x-maas-digest"] = self.turn.digest
            headers["x-maas-policy"] = self.turn.policy
            check = "full" if self.turn.loaded.bundle.full else "sizes"
            stages.append(f'verify;desc="{check}"')
        headers["server-timing"] = ", ".join(stages)
        return headers
