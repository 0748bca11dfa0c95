# Wan Studio in a container. Two targets:
#   studio  the page alone: for the demo, a ComfyUI elsewhere, or RunPod Serverless. Small, no PyTorch.
#   gpu     (the default) ComfyUI in /opt/ComfyUI, PyTorch for CUDA, custom nodes for Animate, page and worker.
# On a RunPod Serverless endpoint the gpu image is the worker by itself.
# No model weights are inside: they come from a volume (WAN_MODELS_DIR).
#
#   docker build -t wan-studio .
#   docker build -t wan-studio:page --target studio .
#   docker build -t wan-studio:cuda13 --build-arg CUDA=13.0 .        # driver 580 or newer

ARG CUDA=12.8
# Another base of the Debian family for both targets; left empty, each takes its own below.
ARG BASE_IMAGE=
ARG STUDIO_BASE=${BASE_IMAGE:-base}
ARG GPU_BASE=${BASE_IMAGE:-base-cuda-${CUDA}}

# ---- base images. `python -m scripts.pin_bases` writes the digest of each beside its tag.
FROM ubuntu:24.04 AS base
FROM nvidia/cuda:12.8.1-cudnn-runtime-ubuntu24.04 AS base-cuda-12.8
FROM nvidia/cuda:13.0.1-cudnn-runtime-ubuntu24.04 AS base-cuda-13.0

# ---- the page's Python packages, built where pip and its cache may lie about
FROM ${STUDIO_BASE} AS packages
ENV DEBIAN_FRONTEND=noninteractive
# Versions are the base image's: pinning them here would tie the file to one base.
# hadolint ignore=DL3008
RUN --mount=type=cache,target=/var/cache/apt,sharing=locked \
    apt-get update && apt-get install -y --no-install-recommends python3 python3-venv ca-certificates \
    && rm -rf /var/lib/apt/lists/*
COPY requirements.lock /tmp/requirements.lock
# Made without pip: nothing is installed into it later.
RUN --mount=type=cache,target=/root/.cache/pip,sharing=locked \
    python3 -m venv /opt/build && python3 -m venv --without-pip /opt/studio \
    && /opt/build/bin/pip --python /opt/studio/bin/python install --disable-pip-version-check -q \
       --require-hashes --no-deps -r /tmp/requirements.lock

# ---- and RunPod's SDK, for the worker of an endpoint
FROM packages AS worker-packages
COPY requirements-worker.lock /tmp/requirements-worker.lock
RUN --mount=type=cache,target=/root/.cache/pip,sharing=locked \
    /opt/build/bin/pip --python /opt/studio/bin/python install --disable-pip-version-check -q \
       --require-hashes --no-deps -r /tmp/requirements-worker.lock

# ---- the code, as both targets have it: compiled, for whoever runs it
FROM packages AS code
COPY . /app
RUN python3 -m compileall -q /app && chmod -R a+rX /app && mkdir -m 1777 /app/data

# ---- studio
FROM ${STUDIO_BASE} AS studio
ENV DEBIAN_FRONTEND=noninteractive
# hadolint ignore=DL3008
RUN --mount=type=cache,target=/var/cache/apt,sharing=locked \
    apt-get update && apt-get install -y --no-install-recommends python3 tini ca-certificates \
    && rm -rf /var/lib/apt/lists/*
COPY --from=packages /opt/studio /opt/studio
ENV PATH=/opt/studio/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    STUDIO_IMAGE=page \
    GRADIO_SERVER_NAME=0.0.0.0
# A named volume mounted at one of these takes its mode, so that any user may write to it.
RUN mkdir -p /data /models /uploads /cache && chmod 1777 /data /models /uploads /cache
WORKDIR /app
COPY --from=code /app /app
EXPOSE 7860
HEALTHCHECK --interval=15s --timeout=5s --start-period=60s --retries=3 \
    CMD ["python3", "scripts/healthcheck.py"]
ENTRYPOINT ["tini", "-g", "--", "/app/start.sh"]
CMD ["serve"]

# ---- gpu: slowest and least often changed first
FROM ${GPU_BASE} AS gpu
SHELL ["/bin/bash", "-o", "pipefail", "-c"]
ENV DEBIAN_FRONTEND=noninteractive
# libgl1 and libglib2.0-0 are for OpenCV, which the custom nodes use.
# hadolint ignore=DL3008
RUN --mount=type=cache,target=/var/cache/apt,sharing=locked \
    apt-get update && apt-get install -y --no-install-recommends \
       python3 python3-venv git tini ca-certificates libgl1 libglib2.0-0 \
    && rm -rf /var/lib/apt/lists/*

# PyTorch comes first and from the index of its CUDA: PyPI's own is CUDA 13 from 2.11 on. What is installed
# after it is held to these versions.
ARG CUDA=12.8
ARG TORCH_INDEX_URL=
ARG TORCH_VERSION=2.10.0
ARG TORCHVISION_VERSION=0.25.0
ARG TORCHAUDIO_VERSION=2.10.0
RUN --mount=type=cache,target=/root/.cache/pip,sharing=locked \
    python3 -m venv /opt/ComfyUI/.venv \
    && /opt/ComfyUI/.venv/bin/pip install --disable-pip-version-check -q \
       --index-url "${TORCH_INDEX_URL:-https://download.pytorch.org/whl/cu$(echo "$CUDA" | tr -d .)}" \
       "torch==${TORCH_VERSION}" "torchvision==${TORCHVISION_VERSION}" "torchaudio==${TORCHAUDIO_VERSION}" \
    && /opt/ComfyUI/.venv/bin/pip freeze | grep -i '^torch' >/opt/torch.txt

# ComfyUI, without its history. COMFYUI_VERSION is a tag of it (v...), a branch or a commit.
ARG COMFYUI_REPO=https://github.com/Comfy-Org/ComfyUI
ARG COMFYUI_VERSION=0.33.0
WORKDIR /opt/ComfyUI
RUN --mount=type=cache,target=/root/.cache/pip,sharing=locked \
    git init -q . && git remote add origin "$COMFYUI_REPO" \
    && { git fetch -q --depth 1 origin "refs/tags/v${COMFYUI_VERSION}" \
         || git fetch -q --depth 1 origin "$COMFYUI_VERSION"; } \
    && git checkout -q --detach FETCH_HEAD && rm -rf .git \
    && .venv/bin/pip install --disable-pip-version-check -q -r requirements.txt -c /opt/torch.txt

# The custom nodes, pinned in backend/custom_nodes/pins.py. Only these files are needed for it, so that a
# change of anything else leaves this layer as it is.
ARG NODES_REPOSITORIES=https://github.com
COPY backend/__init__.py /tmp/nodes/backend/
COPY backend/error_texts/__init__.py backend/error_texts/text.py backend/error_texts/custom_nodes.py /tmp/nodes/backend/error_texts/
COPY backend/custom_nodes /tmp/nodes/backend/custom_nodes
WORKDIR /tmp/nodes
RUN --mount=type=cache,target=/root/.cache/pip,sharing=locked \
    python3 -m backend.custom_nodes.install /opt/ComfyUI --python /opt/ComfyUI/.venv/bin/python \
       --repositories "$NODES_REPOSITORIES" \
    && rm -rf /opt/ComfyUI/custom_nodes/*/.git

# Any user may run it: root on RunPod, 1000 on a Space. ComfyUI writes to these folders of its own.
WORKDIR /opt/ComfyUI
RUN mkdir -p input output temp user models custom_nodes/comfyui_controlnet_aux/ckpts \
    && chmod 1777 input output temp user && chmod -R a+rwX models custom_nodes/comfyui_controlnet_aux/ckpts

# The page, as in the studio target. COMFYUI_DIR is said, because a volume may hold an old ComfyUI.
COPY --from=worker-packages /opt/studio /opt/studio
ENV PATH=/opt/studio/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    STUDIO_IMAGE=gpu \
    COMFYUI_DIR=/opt/ComfyUI \
    NVIDIA_VISIBLE_DEVICES=all \
    NVIDIA_DRIVER_CAPABILITIES=compute,utility \
    GRADIO_SERVER_NAME=0.0.0.0
# A named volume mounted at one of these takes its mode, so that any user may write to it.
RUN mkdir -p /data /models /uploads /cache && chmod 1777 /data /models /uploads /cache
WORKDIR /app
COPY --from=code /app /app
EXPOSE 7860
HEALTHCHECK --interval=15s --timeout=5s --start-period=60s --retries=3 \
    CMD ["python3", "scripts/healthcheck.py"]
ENTRYPOINT ["tini", "-g", "--", "/app/start.sh"]
CMD ["serve"]
