#!/usr/bin/env bash
# Native programs are attached to for long: ATTACHES (25) times at each kind of work, 200 times to one that is never idle, and
# snap-record killed KILLS (25) times.
BUSY=${BUSY:-200} KILLS=${KILLS:-25} STRESS=${ATTACHES:-25} exec "$(dirname "$0")/../track/attach.t"
