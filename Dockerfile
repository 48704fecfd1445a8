# vnode, to run in a cluster: docker build -t registry.example.com/hashinetes/vnode:0.1.0 .
# Give the base image by digest where builds must be repeatable: --build-arg PYTHON_IMAGE=docker.io/library/python@sha256:…
ARG PYTHON_IMAGE=docker.io/library/python:3.13-slim-trixie

FROM ${PYTHON_IMAGE} AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_ROOT_USER_ACTION=ignore
WORKDIR /source
COPY requirements/ requirements/
RUN python -m venv /opt/vnode \
 && /opt/vnode/bin/pip install --require-hashes --no-deps -r requirements/runtime.txt
# The build backend, of the version that the developers' tools are pinned to.
RUN sed -n '/^setuptools==/,/[^\\]$/p' requirements/development.txt > build.txt \
 && python -m venv /opt/build \
 && /opt/build/bin/pip install --require-hashes --no-deps -r build.txt
COPY pyproject.toml README.md LICENSE ./
COPY translators/ translators/
COPY vnode/ vnode/
RUN /opt/build/bin/pip wheel --no-deps --no-build-isolation --wheel-dir /wheels . \
 && /opt/vnode/bin/pip install --no-index --no-deps /wheels/hashinetes-*.whl \
 && /opt/vnode/bin/vnode version \
 && /opt/vnode/bin/pip uninstall --yes pip

FROM ${PYTHON_IMAGE}
COPY --from=build /opt/vnode /opt/vnode
ENV PATH=/opt/vnode/bin:$PATH PYTHONDONTWRITEBYTECODE=1
USER 65532:65532
EXPOSE 10250
ENTRYPOINT ["vnode"]
CMD ["run"]
