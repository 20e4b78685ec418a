# The server alone: a static binary, without a shell or a package manager, as a user without rights.
#
#   make binaries
#   docker build --tag usage-server .

FROM gcr.io/distroless/static-debian13:nonroot AS base

FROM base AS server-amd64
COPY --chmod=755 dist/opencomputer-usage-server-x86_64-linux /opencomputer-usage-server

FROM base AS server-arm64
COPY --chmod=755 dist/opencomputer-usage-server-aarch64-linux /opencomputer-usage-server

# hadolint ignore=DL3006
FROM server-${TARGETARCH}
LABEL org.opencontainers.image.description="Attributes the spend of cloud sandboxes to tags" \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.source="https://github.com/opencomputer/usage"
# An empty directory that the user may write.
COPY --from=base --chown=65532:65532 /home/nonroot /data
USER 65532:65532
WORKDIR /data
VOLUME /data
# SQLite has no other directory for temporary files if the root file system is read-only.
ENV DATABASE_URL=sqlite:///data/usage.db \
    SQLITE_TMPDIR=/data
EXPOSE 8787
HEALTHCHECK --interval=10s --start-period=60s CMD ["/opencomputer-usage-server", "healthcheck"]
ENTRYPOINT ["/opencomputer-usage-server"]
CMD ["serve", "--listen", "0.0.0.0:8787"]
