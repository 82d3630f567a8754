# syntax=docker/dockerfile:1
# What a flow run needs without a GPU. From the repository's root:
#
#     docker build --file infra/images/cpu.Dockerfile --tag manyminds:cpu .
FROM python:3.12-slim-bookworm AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1
RUN python -m venv /opt/venv
ENV PATH=/opt/venv/bin:$PATH
# PyTorch first: it is the largest layer and changes least. The CPU build is a tenth of the size of the one for GPUs.
RUN --mount=type=cache,target=/root/.cache/pip pip install torch==2.13.0 --index-url https://download.pytorch.org/whl/cpu
WORKDIR /opt/manyminds
COPY . .
RUN --mount=type=cache,target=/root/.cache/pip pip install --editable .

FROM python:3.12-slim-bookworm
# tini passes signals on to the flow run's processes and reaps those that they leave behind.
RUN apt-get update && apt-get install --yes --no-install-recommends tini && rm -rf /var/lib/apt/lists/*
RUN useradd --uid 1000 --create-home manyminds \
    && install --directory --owner=manyminds --group=manyminds /home/manyminds/.cache/huggingface
COPY --from=build /opt/venv /opt/venv
COPY --from=build /opt/manyminds /opt/manyminds
ENV PATH=/opt/venv/bin:$PATH PYTHONUNBUFFERED=1
# Run files, prompts and the embedded models are named relative to here.
WORKDIR /opt/manyminds
USER 1000:1000
# Prefect's Docker and Kubernetes workers give the command that runs a flow run.
ENTRYPOINT ["tini", "-g", "--"]
CMD ["manyminds", "--help"]
