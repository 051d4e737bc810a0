#!/bin/sh
# Prints the interpreter that .venv is made from; or one line on stderr that says what to install, and exit 1.
# Supported and tested: CPython 3.11 on x86-64 Linux, because PyBullet's wheels end there. PYTHON=... chooses another one.
probe='
import platform, sys
import ensurepip, venv
if platform.python_implementation() != "CPython":
    sys.exit(1)
print("%d.%d" % sys.version_info[:2])
'
version_of() { "$1" -c "$probe" 2>/dev/null; }
from_source="PyBullet has no wheel for it and is compiled from source: that takes minutes, a C++ compiler and Python's headers (Debian, Ubuntu: apt install build-essential python3-dev)"

if [ -n "$PYTHON" ]; then
    version=$(version_of "$PYTHON")
    case "$version" in
        3.11) ;;
        3.1[2-9] | 3.[2-9][0-9]) echo "note: $PYTHON is Python $version; $from_source." >&2 ;;
        "") echo "make: PYTHON=$PYTHON is not a CPython with the venv module; install one (Debian, Ubuntu: apt install python3.11 python3.11-venv)." >&2; exit 1 ;;
        *) echo "make: PYTHON=$PYTHON is Python $version; this project needs CPython 3.11 (Debian, Ubuntu: apt install python3.11 python3.11-venv)." >&2; exit 1 ;;
    esac
    command -v "$PYTHON"
    exit 0
fi

newer=
for candidate in python3.11 python3 python; do
    version=$(version_of "$candidate")
    case "$version" in
        3.11) command -v "$candidate"; exit 0 ;;
        3.1[2-9] | 3.[2-9][0-9]) newer=${newer:-$candidate is Python $version} ;;
    esac
done
if [ -n "$newer" ]; then
    echo "make: no CPython 3.11 found; install it (Debian, Ubuntu: apt install python3.11 python3.11-venv; or: uv python install 3.11). $newer: $from_source; with those, run make PYTHON=${newer%% *}." >&2
else
    echo "make: no CPython 3.11 with its venv module found; install it (Debian, Ubuntu: apt install python3.11 python3.11-venv; or: uv python install 3.11), or name one with make PYTHON=/path/to/python3.11." >&2
fi
exit 1
