# For tests of the extension: which CPythons are here, and the extension for each.
MAKE=${MAKE:-make} CC=${CC:-cc}

# The newest one is from Debian's unstable; kept in the cache.  Without the network, the others will have to do.
newest=$BUILD/cache/python3.14/python3.14
fetch_newest() {
	[ "${SKIP_REAL:-0}" = 1 ] || flock "$BUILD/python.lock" "$top/tests/real/python/fetch_314" "${newest%/*}" 2>&1 | sed 's/^/# /'
}

# Lines "VERSION PATH", one for each minor version for which extensions can be built.
find_pythons() {
	local candidate version
	for candidate in /usr/bin/python3 python3 python3.{8..20} ~/.pyenv/versions/*/bin/python3 "$newest"; do
		version=$("$candidate" -c '
import os, sys, sysconfig
here = os.path.exists(os.path.join(sysconfig.get_path("include"), "Python.h"))
if sys.implementation.name == "cpython" and sys.version_info >= (3, 8) and here:
    print("%d.%d" % sys.version_info[:2])' 2>/dev/null) && [ -n "$version" ] && echo "$version $candidate"
	done | sort -s -V -u -k1,1
}

# build_for PYTHON: the extension, in $BUILD/python; one at a time.
build_for() {
	flock "$BUILD/python.lock" "$MAKE" -s -C "$top" BUILD="$BUILD" CC="$CC" WERROR=-Werror PYTHON="$1" python
}

need_real python3
fetch_newest
mapfile -t pythons < <(find_pythons)
ok "${#pythons[@]} versions of CPython with headers are here: ${pythons[*]%% *}" [ "${#pythons[@]}" -ge 1 ]
