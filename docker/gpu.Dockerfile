# evalkit on a GPU, on vLLM's published image. Build: docker build -t evalkit:gpu -f docker/gpu.Dockerfile .
# Run: docker run --rm --gpus all --ipc=host -v "$PWD/results:/work/results" evalkit:gpu doctor
FROM vllm/vllm-openai:v0.33.0 AS wheel
WORKDIR /source
COPY pyproject.toml README.md LICENSE CHANGELOG.md ./
COPY evalkit evalkit
COPY tasks tasks
COPY judges judges
COPY recipes recipes
COPY docs docs
RUN python3 -m pip install --no-cache-dir build==1.6.1 && python3 -m build --wheel --outdir /wheel

FROM vllm/vllm-openai:v0.33.0
COPY --from=wheel /wheel /wheel
# No constraints: torch, transformers and vLLM stay the image's own.
RUN python3 -m pip install --no-cache-dir \
      "lm-evalkit[vllm,openai] @ file:///wheel/$(basename /wheel/lm_evalkit-*.whl)" \
    && rm -r /wheel \
    && useradd --create-home --uid 1001 evalkit \
    && install -d -o evalkit /work
USER 1001
WORKDIR /work
ENTRYPOINT ["evalkit"]
CMD ["--help"]
