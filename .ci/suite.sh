#!/usr/bin/env bash
# The test suite, once: .ci/suite.sh [PYTEST ARGUMENT …], with the command that runs pytest in PYTEST.
#
# On PostgreSQL where TEST_POSTGRES_URL names a server, then the tests marked `sqlite` again on SQLite. Without PostgreSQL
# all of it on SQLite. DATABASE_URL overrides both. Arguments select tests, which then run once.
set -euo pipefail
cd "$(dirname "$0")/.."
source .ci/parts.sh

read -r -a pytest <<<"$PYTEST"
if [ -n "${DATABASE_URL:-}" ]; then
    part "tests on DATABASE_URL" "${pytest[@]}" "$@"
elif [ -n "${TEST_POSTGRES_URL:-}" ]; then
    part "tests on PostgreSQL" env DATABASE_URL="$TEST_POSTGRES_URL" "${pytest[@]}" "$@"
    if [ $# = 0 ]; then part "tests on SQLite" "${pytest[@]}" -m sqlite; fi
else
    part "tests on SQLite" "${pytest[@]}" "$@"
fi
