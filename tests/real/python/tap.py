"""What the scripts of walk.t share: they print TAP without a plan."""
import sys

work, version = sys.argv[1], "CPython %d.%d.%d" % sys.version_info[:3]


def check(condition, what, *details):
    print("%s - %s: %s" % ("ok" if condition else "not ok", version, what))
    for detail in details if not condition else ():
        print("# %r" % (detail,))


def caught(function, *arguments, **options):
    try:
        function(*arguments, **options)
    except Exception as e:
        return e
