"""Text generation: a model goes on with a text, one token after the other.

May import `maas.bundle`, `maas.engine`, `maas.text`, `maas.tasks`, `maas.errors` and numpy.

    generator = Generator(manifest, tokenizer, session)
    answer = generator.predict(GenerateRequest(texts=("a fine",)), deadline=deadline)
    answer.rows[0].text                   # " film"
    for step in generator.stream(request, deadline=deadline):
        step.token.text                   # what it adds to the text, perhaps nothing

The loop is here and not in the graph, because options differ by request and a caller may read what
there is so far (infra/decisions/0018).
"""

import random
import time
from typing import TYPE_CHECKING

from msgspec import Struct

from maas.bundle.golden import GOLDEN_TOKENS
from maas.errors import BundleError, DeadlineError, FieldError
from maas.limits import LIMITS
from maas.tasks.causal import CausalGraph
from maas.tasks.chat import written
from maas.tasks.generate_tensors import GeneratorTensors
from maas.tasks.generation import Generated, GenerateRequest, GenerateResponse, Step, Token
from maas.tasks.sampling import next_token
from maas.tasks.stopping import Stopper
from maas.text.check import check_texts
from maas.text.generating import Detokeniser, Prompt

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from maas.bundle.golden import Golden
    from maas.bundle.manifest import Manifest
    from maas.engine.session import Session
    from maas.tasks.generation import Ending
    from maas.text.generating import GeneratingTokenizer

_SEEDS = 2**32


class _Task(Struct, frozen=True):
    """A text that is to be gone on with."""

    text: str
    prompt: Prompt
    most: int
    cut: bool


class Generator:
    """A loaded model that goes on with texts. Safe to share between threads.

    Args:
        manifest: What the model is.
        tokenizer: Its tokenizer.
        session: Its graph.
        clock: Seconds, never going back; the clock of deadlines.
        randoms: Makes random numbers, 0 ≤ draw < 1, from a seed.
        new_seed: Makes a seed where a request has none.
    """

    def __init__(
        self,
        manifest: "Manifest",
        tokenizer: "GeneratingTokenizer",
        session: "Session",
        *,
        clock: "Callable[[], float]" = time.monotonic,
        randoms: "Callable[[int], Callable[[], float]]" = lambda seed: random.Random(seed).random,  # noqa: S311 - repeatable, and no secret
        new_seed: "Callable[[], int]" = lambda: random.SystemRandom().randrange(_SEEDS),
    ) -> None:
        """Bring the three together.

        Raises:
            BundleError: The graph is not the one that the manifest describes.
        """
        if manifest.generation is None:
            raise BundleError(
                "must be given for a model that goes on with texts", field="generation"
            )
        self._graph = CausalGraph(manifest, session)
        self._ends = frozenset(manifest.generation.end_ids)
        self._chat = manifest.generation.chat
        self._limits = manifest.limits
        self._tokenizer = tokenizer
        self._largest = tokenizer.vocabulary_size - 1
        self._words = min(tokenizer.vocabulary_size, self._graph.width)
        self._clock = clock
        self._randoms = randoms
        self._new_seed = new_seed
        self.tensors = GeneratorTensors(manifest, session, self.predict, largest=self._largest)

    def predict(self, request: GenerateRequest, *, deadline: float) -> GenerateResponse:
        """Go on with texts to their ends.

        Args:
            request: What was asked.
            deadline: Seconds on `time.monotonic`'s clock.

        Raises:
            FieldError: A text or an option is not acceptable.
            ModelError: The tokenizer or the model failed.
            DeadlineError: The deadline came first.
        """
        started = self._clock()
        steps = self.stream(request, deadline=deadline)
        tokenized = self._clock()
        rows = tuple(step.done for step in steps if step.done is not None)
        ran = self._clock()
        return GenerateResponse(
            rows=rows,
            details=request.details,
            tokens=tuple(row.read + len(row.tokens) for row in rows),
            truncated=tuple(row.cut for row in rows),
            seconds={"tokenize": tokenized - started, "run": ran - tokenized},
        )

    def stream(self, request: GenerateRequest, *, deadline: float) -> "Iterator[Step]":
        """Go on with texts, one after the other; who takes no more steps ends it.

        Args:
            request: What was asked.
            deadline: Seconds on `time.monotonic`'s clock.

        Raises:
            FieldError: At once: a text or an option is not acceptable.
            ModelError: At a step: the tokenizer or the model failed.
            DeadlineError: At a step: the deadline came first.
        """
        _check_options(request)
        return self._steps(request, self._tasks(request), deadline)

    def replay(self, golden: "Golden", *, deadline: float) -> float:
        """Ask what was asked at export; what was written must be the very same.

        Raises:
            BundleError: It is not.
        """
        request = GenerateRequest(texts=golden.texts, max_new_tokens=GOLDEN_TOKENS)
        try:
            tasks = [self._task(request, text, index) for index, text in enumerate(golden.texts)]
        except FieldError as error:
            raise BundleError(f"A golden request is none of this model: {error}.") from None
        steps = self._steps(request, tasks, deadline)
        if tuple(step.done.text for step in steps if step.done) != golden.outputs:
            raise BundleError(
                "What was written for a golden request is another text:"
                " this is not the model that was exported."
            )
        return 0.0

    def check_widest(self, *, deadline: float) -> None:
        """Read the largest id there is, at the first and at the last place that there is.

        Raises:
            BundleError: The graph cannot take what the manifest and the tokenizer allow.
        """
        self._graph.check_widest(
            tokens=self._limits.max_tokens,
            largest=self._largest,
            deadline=deadline,
        )

    def _tasks(self, request: GenerateRequest) -> list[_Task]:
        if not request.messages:
            check_texts(request.texts, field=request.field)
            return [self._task(request, text, index) for index, text in enumerate(request.texts)]
        if self._chat is None:
            raise FieldError(
                "is not known to this model, which has no form of a conversation;"
                " send a text to go on with instead",
                field="messages",
            )
        text = written(self._chat, request.messages, specials=self._tokenizer.special_texts)
        return [self._task(request, text, 0, template=False)]

    def _task(
        self, request: GenerateRequest, text: str, index: int, *, template: bool = True
    ) -> _Task:
        prompt = self._tokenizer.encode(text, template=template)
        kept = prompt if request.keep is None else prompt.last(request.keep)
        room = self._limits.max_tokens - len(kept.ids)
        field = request.field if len(request.texts) <= 1 else f"{request.field}[{index}]"
        if not kept.ids:
            raise FieldError("must not be empty", field=field)
        if room < 1:
            raise FieldError(
                f"must be at most {self._limits.max_tokens - 1} tokens, got {len(kept.ids)}:"
                " this model reads and writes no more together",
                field=field,
            )
        most = min(room, self._limits.max_new_tokens)
        if request.max_new_tokens is not None:
            most = min(most, request.max_new_tokens)
        return _Task(text, kept, most, len(kept.ids) < len(prompt.ids))

    def _steps(
        self, request: GenerateRequest, tasks: list[_Task], deadline: float
    ) -> "Iterator[Step]":
        for row, task in enumerate(tasks):
            seed = self._seed(request)
            tokens: list[Token] = []
            for token, ending in self._written(request, task, seed, deadline):
                tokens.append(token)
                done = None
                if ending is not None:
                    text = "".join(each.text for each in tokens)
                    whole = task.text + text if request.whole else text
                    done = Generated(
                        whole, tuple(tokens), ending, len(task.prompt.ids), task.cut, seed
                    )
                yield Step(row, token, done)

    def _seed(self, request: GenerateRequest) -> int | None:
        if not request.how.sample:
            return None
        return self._new_seed() if request.seed is None else request.seed

    def _written(
        self, request: GenerateRequest, task: _Task, seed: int | None, deadline: float
    ) -> "Iterator[tuple[Token, Ending | None]]":
        """The tokens of one text, the last one with why it is."""
        draw = self._randoms(seed or 0)
        pieces, stopper = Detokeniser(self._tokenizer, task.prompt.ids), Stopper(request.stop)
        seen = list(task.prompt.ids)
        new, read = task.prompt.ids, self._graph.begin()
        for left in range(task.most - 1, -1, -1):
            if self._clock() >= deadline:
                raise DeadlineError("The model did not finish before the deadline.")
            logits, read = self._graph.read(new, read, deadline=deadline)
            number, logprob = next_token(logits[: self._words], seen, request.how, draw)
            seen.append(number)
            ended = number in self._ends
            text = "" if ended else stopper.add(pieces.add(number))
            ending: Ending | None = "stop" if stopper.ended else "end" if ended else None
            if ending is None and not left:
                ending = "length"
            if ending is not None and not stopper.ended:
                text += stopper.add(pieces.rest()) + stopper.rest()
            yield Token(number, text, logprob, number in self._tokenizer.special_ids), ending
            if ending is not None:
                return
            new = (number,)


def _check_options(request: GenerateRequest) -> None:
    """Hold the options to the limits, whoever reads them from a request."""
    how = request.how
    rules = (
        (
            request.messages or 1 <= len(request.texts) <= LIMITS.prompts,
            request.field,
            f"must be 1 to {LIMITS.prompts} texts",
        ),
        (
            request.max_new_tokens is None or 1 <= request.max_new_tokens <= LIMITS.new_tokens,
            "max_new_tokens",
            f"must be 1 to {LIMITS.new_tokens}",
        ),
        (
            request.keep is None or 1 <= request.keep <= LIMITS.context_tokens,
            "truncate",
            f"must be 1 to {LIMITS.context_tokens}",
        ),
        (len(request.stop) <= LIMITS.stops, "stop", f"must be at most {LIMITS.stops} texts"),
        (
            all(1 <= len(stop) <= LIMITS.stop_characters for stop in request.stop),
            "stop",
            f"must be texts of 1 to {LIMITS.stop_characters} characters",
        ),
        (how.temperature > 0, "temperature", "must be above 0"),
        (how.top_k is None or how.top_k >= 1, "top_k", "must be 1 at least"),
        (0 < how.top_p <= 1, "top_p", "must be above 0 and at most 1"),
        (0.01 <= how.repetition_penalty <= 100, "repetition_penalty", "must be 0.01 to 100"),
    )
    for good, field, said in rules:
        if not good:
            raise FieldError(said, field=field)
