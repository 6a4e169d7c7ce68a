# The image of a training job: Python, the locked packages of the lab, and a first process that
# fetches the job's own code, recipe and checkpoints. It need not be built again for other code, only
# for other packages.
#
#   docker build -f infra/images/training.Dockerfile -t maas-training \
#     --build-arg BASE_IMAGE=python:3.11-slim@sha256:<digest> .
#
# BASE_IMAGE is a Python of 3.11 or newer by its digest: what a tag points at today is another thing
# tomorrow. It has no default, because a digest that is written here is either checked by whoever
# builds or is a guess; `docker buildx imagetools inspect python:3.11-slim` says today's. CUDA's
# libraries come with torch, the driver with the machine.
ARG BASE_IMAGE
FROM ${BASE_IMAGE}

ARG BASE_IMAGE
RUN printf '%s' "${BASE_IMAGE}" | grep -Eq '^[^@[:space:]]+@sha256:[0-9a-f]{64}$' \
    || { echo "BASE_IMAGE must be name@sha256:<64 hexadecimal digits>" >&2; exit 1; }

# One folder may be written to, by one user who owns nothing else.
RUN useradd --uid 10001 --no-create-home --home-dir /work --shell /usr/sbin/nologin trainer \
    && install -d -o trainer -g trainer -m 0750 /work /work/home /work/cache

WORKDIR /opt/maas
COPY pyproject.toml requirements.lock README.md LICENSE ./
COPY layers/serving/maas layers/serving/maas
COPY scripts/maas_lab scripts/maas_lab
COPY scripts/train.py scripts/train.py
RUN python -m pip install --no-cache-dir --disable-pip-version-check -c requirements.lock ".[lab]"

ENV HOME=/work \
    MAAS_HOME=/work/home \
    MAAS_CACHE=/work/cache \
    NVIDIA_DRIVER_CAPABILITIES=compute,utility \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1

USER 10001:10001
WORKDIR /work

# It starts a trainer per GPU, several by torchrun, and ends with their exit code, which torchrun
# alone would turn into 1. On a machine of your own, without a bucket:
#   docker run --gpus all --entrypoint torchrun IMAGE --nproc-per-node=gpu /opt/maas/scripts/train.py RECIPE
ENTRYPOINT ["python", "-m", "maas_lab.batch.start"]
