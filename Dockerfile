# The gate as a container: one static binary and an empty directory, nothing else. No shell, no
# libraries, no root.
#
# `scripts/image` builds the binary, lays out the context that the lines below copy from, and runs
# `docker build` on it. Nothing is downloaded.

FROM scratch

COPY quaygate /usr/local/bin/quaygate
COPY LICENSE-APACHE LICENSE-MIT /usr/share/doc/quaygate/

# Where the sockets are made, and a directory in it for each ready policy. A named volume that is
# mounted on one of them for the first time takes over its owner, so that the gate can write to it
# without being root.
COPY --chown=62375:62375 run/quaygate /run/quaygate

# Where policies with `own` remember what was created through their sockets.
COPY --chown=62375:62375 var/lib/quaygate /var/lib/quaygate

# A number, so that no /etc/passwd is needed, and one that nobody else uses: it tells the gate's
# sockets apart. Docker's own socket belongs to a group of the host: `group_add` its number.
USER 62375:62375

# In exec form, for there is no shell. The gate's own sockets and Docker are asked.
HEALTHCHECK --interval=10s --timeout=5s --start-period=10s CMD ["quaygate", "health"]

ENTRYPOINT ["quaygate"]
CMD ["--help"]
