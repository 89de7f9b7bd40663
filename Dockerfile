# The toolkit with all plugins on the CPU; by default it runs the shortest recipe:
#     docker build -t nas-toolkit .
#     mkdir -p runs
#     docker run --rm --user "$(id -u):$(id -g)" -v "$PWD/runs:/work/runs" nas-toolkit
# and `docker run --rm --user "$(id -u):$(id -g)" -v "$PWD:/work" nas-toolkit search mine.yaml` your
# own. Without --user, what is written belongs to the user 1000.
FROM python:3.11-slim

RUN apt-get update \
    && apt-get install --no-install-recommends --yes gcc libc6-dev \
    && rm -rf /var/lib/apt/lists/*
COPY . /source
RUN pip install --no-cache-dir --extra-index-url https://download.pytorch.org/whl/cpu /source \
    && rm -rf /source
RUN useradd --create-home worker && mkdir /work && chown worker /work
USER worker
WORKDIR /work
ENV OMP_NUM_THREADS=1 HOME=/tmp
ENTRYPOINT ["toolkit"]
CMD ["search", "spd_drone_quick"]
