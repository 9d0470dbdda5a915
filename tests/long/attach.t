#!/usr/bin/env bash
# Processes of CPython are attached to for long: ATTACHES (25) times at each kind of work, under every version.
STRESS=${ATTACHES:-25} exec "$(dirname "$0")/../real/python/attach.t"
