# syntax=docker/dockerfile:1
# What a flow run needs on an NVIDIA GPU: vLLM, which brings PyTorch and the CUDA libraries. From the repository's root:
#
#     docker build --file infra/images/cuda.Dockerfile --tag manyminds:cuda .
FROM python:3.12-slim-bookworm AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1
RUN python -m venv /opt/venv
ENV PATH=/opt/venv/bin:$PATH
WORKDIR /opt/manyminds
# vLLM first, from the requirements alone, so that a change of the code does not install it again.
COPY pyproject.toml README.md LICENSE ./
RUN --mount=type=cache,target=/root/.cache/pip \
    mkdir flows tasks infra && pip install '.[vllm]' && pip uninstall --yes manyminds
COPY . .
RUN --mount=type=cache,target=/root/.cache/pip pip install --no-deps --editable .

FROM python:3.12-slim-bookworm
# vLLM compiles kernels when it loads a model: it needs a compiler and the C library's headers.
RUN apt-get update && apt-get install --yes --no-install-recommends gcc g++ libc6-dev tini && rm -rf /var/lib/apt/lists/*
RUN useradd --uid 1000 --create-home manyminds \
    && install --directory --owner=manyminds --group=manyminds /home/manyminds/.cache/huggingface
COPY --from=build /opt/venv /opt/venv
COPY --from=build /opt/manyminds /opt/manyminds
# The NVIDIA container runtime puts the driver in; CUDA itself comes with PyTorch.
ENV PATH=/opt/venv/bin:$PATH PYTHONUNBUFFERED=1 NVIDIA_VISIBLE_DEVICES=all NVIDIA_DRIVER_CAPABILITIES=compute,utility
WORKDIR /opt/manyminds
USER 1000:1000
ENTRYPOINT ["tini", "-g", "--"]
CMD ["manyminds", "--help"]
