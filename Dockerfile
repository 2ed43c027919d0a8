# evalkit on a CPU. Build: docker build -t evalkit .   Run: docker run --rm -v "$PWD/results:/work/results" evalkit doctor
# docs/docker.md says what the sandbox can do inside, and how it can do more.
FROM python:3.12-slim AS wheel
WORKDIR /source
COPY pyproject.toml README.md LICENSE CHANGELOG.md ./
COPY evalkit evalkit
COPY tasks tasks
COPY judges judges
COPY recipes recipes
COPY docs docs
RUN python -m pip install --no-cache-dir build==1.6.1 && python -m build --wheel --outdir /wheel

FROM python:3.12-slim
COPY --from=wheel /wheel /wheel
COPY constraints.txt /wheel/constraints.txt
# PyTorch's own CPU builds: a tenth of the size of the CUDA ones.
RUN python -m pip install --no-cache-dir --extra-index-url https://download.pytorch.org/whl/cpu \
      -c /wheel/constraints.txt "lm-evalkit[hf,openai] @ file:///wheel/$(basename /wheel/lm_evalkit-*.whl)" \
    && rm -r /wheel \
    && useradd --create-home --uid 1000 evalkit \
    && install -d -o evalkit /work
USER 1000
WORKDIR /work
ENTRYPOINT ["evalkit"]
CMD ["--help"]
