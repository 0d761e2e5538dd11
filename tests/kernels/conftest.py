"""Skip the tests of the native wheel unless it is installed (`make native`)."""

from chainrule.kernels import native

collect_ignore = [] if native.available() else ["test_native.py"]
