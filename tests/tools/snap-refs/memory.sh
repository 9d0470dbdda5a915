snap-refs --memory=1 app.snap row:0 2>&1 | sed 's/[0-9]* bytes/N bytes/'; exit ${PIPESTATUS[0]}
