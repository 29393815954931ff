# One image for both processes: `sre-bot bot` and `sre-bot worker` (k8s/base says which where).
#
#     docker build --build-arg REVISION="$(git rev-parse HEAD)" -t REGISTRY/sre-bot:VERSION .
#
# The base is named by tag for people and by digest for the engine. To renew it: `docker buildx imagetools inspect
# python:3.11-slim-trixie` prints the digest of the list of all platforms; put it and the exact tag below.
# Everything installed is pinned by hash: requirements-build.lock builds, requirements-run.lock runs (`make lock`).
FROM python:3.11.16-slim-trixie@sha256:be1575ed968de893bd54f4c56315ff7c4736ce522c1bca08fd521731aafc0d76 AS base

FROM base AS build
ENV APP=/opt/sre-bot PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore UV_LINK_MODE=copy
WORKDIR /src
COPY requirements-build.lock requirements-run.lock ./
RUN pip install --require-hashes -r requirements-build.lock \
 && python -m venv --without-pip "$APP" \
 && uv pip install --quiet --python "$APP" --no-deps --no-build --require-hashes -r requirements-run.lock
COPY pyproject.toml README.md LICENSE ./
COPY bot bot
COPY commands commands
COPY workers workers
RUN pip wheel --no-deps --no-index --no-build-isolation --wheel-dir dist . \
 && uv pip install --quiet --python "$APP" --no-deps --no-index --find-links dist sre-bot
# What never runs: tests, samples, the asynchronous twin of the Kubernetes client and its generated methods and models
# (workers/link.py takes its configuration alone), the services of AWS that are not asked (commands/needs.py). What runs
# is compiled here: the processes cannot write to their root.
ENV SERVICES=cloudtrail|ec2|ecr|eks|health|iam|s3|secretsmanager|sso|sso-oidc|sts
RUN find "$APP" -depth -type d \( -name tests -o -name sample_data -o -path '*/kubernetes/aio' \
      -o -path '*/kubernetes/client/api' \) -exec rm -r {} + \
 && find "$APP" -path '*/kubernetes/client/models/v[12]*.py' -delete \
 && find "$APP" -regextype posix-extended -regex '.*/(botocore|boto3)/data/[^/]+' -type d \
      ! -regex ".*/($SERVICES)" -prune -exec rm -r {} + \
 && "$APP/bin/python" -m compileall -q -j 0 --invalidation-mode unchecked-hash "$APP/lib"

FROM base
ARG REVISION=unknown
LABEL org.opencontainers.image.title="sre-bot" \
      org.opencontainers.image.description="Self-hosted Slack chatops bot for SRE teams on Kubernetes (EKS)" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.revision="$REVISION"
COPY --from=build /opt/sre-bot /opt/sre-bot
# Only /tmp is written to: matplotlib keeps its list of fonts there, and slow uploads are buffered in it.
ENV PATH=/opt/sre-bot/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 MPLCONFIGDIR=/tmp/matplotlib
WORKDIR /tmp
# A number, so that Kubernetes can see that it is not root's (runAsNonRoot).
USER 10001:10001
STOPSIGNAL SIGTERM
# No HEALTHCHECK: Kubernetes ignores it, and its probes (k8s/base) ask the ports.
ENTRYPOINT ["sre-bot"]
CMD ["bot"]
