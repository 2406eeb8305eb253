# For who has Docker: docker build --build-arg COMMIT=$(git rev-parse HEAD) .
# `make image` needs none, and makes the same bytes of the binary: both run image/build.
FROM --platform=$BUILDPLATFORM docker.io/library/rust:1.95.0-bookworm AS build
# The C compiler comes from PyPI.
RUN apt-get update && apt-get install --yes --no-install-recommends python3-pip
WORKDIR /source
COPY . .
ARG COMMIT
ARG TARGETARCH
RUN make image-binary ARCHS="$TARGETARCH" COMMIT="$COMMIT"

FROM scratch
ARG TARGETARCH
COPY --from=build /source/target/image/$TARGETARCH/database-operator /database-operator
USER 65532:65532
ENTRYPOINT ["/database-operator"]
