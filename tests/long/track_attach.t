#!/usr/bin/env bash
# Native programs are attached to for long: ATTACHES (25) times at each kind of work, and snap-record killed as often.
KILLS=${KILLS:-25} STRESS=${ATTACHES:-25} exec "$(dirname "$0")/../track/attach.t"
