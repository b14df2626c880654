# The flows and what they need, for workers and work pools of containers: docker build -t films .
FROM python:3.12-slim AS build

WORKDIR /src
COPY pyproject.toml README.md LICENSE ./
COPY prefect_together prefect_together
COPY flows flows
RUN python -m venv /opt/venv \
    && /opt/venv/bin/pip install --no-cache-dir '.[media,tables]'

FROM python:3.12-slim

RUN useradd --create-home --uid 1000 films \
    && install --directory --owner films /opt/films /media
COPY --from=build /opt/venv /opt/venv
COPY --chown=films flows /opt/films/flows
COPY --chown=films prefect.yaml /opt/films/

ENV PATH=/opt/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PREFECT_FLOWS_HEARTBEAT_FREQUENCY=30 \
    PREFECT_INTEGRATIONS_TOGETHER_LIBRARY=/media
USER films
WORKDIR /opt/films
CMD ["python", "flows/serve.py"]
