"""What the inference function answers: its models, in every protocol.

May import everything of `maas` but the catalog and the layers above in `maas.http`.

    app = App(inference_routes(services), observer=observer, new_id=new_id)

`services` is asked by model name: a function knows one model, a laptop all that its registry has.
"""

import time
from typing import TYPE_CHECKING

from maas.http.answering import Answering
from maas.http.faces.hugging_face import hugging_face_routes
from maas.http.faces.open_inference import open_inference_routes
from maas.http.faces.openai import openai_routes
from maas.http.faces.openai_completions import openai_completions_routes
from maas.http.faces.sagemaker import sagemaker_routes
from maas.http.faces.tensorflow_serving import tensorflow_serving_routes
from maas.registry.records import DEFAULT_ALIAS

if TYPE_CHECKING:
    from maas.assembly import Services
    from maas.exchange import Exchange
    from maas.http.answering import Watch
    from maas.http.methods import Routes


def inference_routes(
    services: "Services", *, threads: bool = False, watch: "Watch | None" = None
) -> "Routes":
    """The routes of a model's function.

    Args:
        services: The service of a model; raises ModelNotFoundError for a name it does not know.
        threads: Run the model in a thread, for a server with many requests at a time. Lambda gives
            a process one request at a time, where a thread would only cost.
        watch: Told of each answer to a request that a shadow shall see too.
    """
    answering = Answering(services, threads=threads, watch=watch)
    return {
        **hugging_face_routes(answering),
        **open_inference_routes(answering),
        **openai_routes(answering),
        **openai_completions_routes(answering, now=time.time),
        **tensorflow_serving_routes(answering),
        **sagemaker_routes(answering),
    }


def check_promoted(services: "Services", exchange: "Exchange") -> None:
    """Ask every promoted model whether it can answer; `/health` of a laptop does.

    Args:
        services: The service of each model.
        exchange: Told the model that cannot.

    Raises:
        MaasError: The first that cannot.
    """
    for model in services.models():
        exchange.model = model
        service = services(model)
        if DEFAULT_ALIAS in service.policy().aliases:
            service.turn(None, deadline=exchange.deadline)
    exchange.model = None
