"""Skip the tests of the native wheel unless it is installed (`make native`)."""

from chainrule.kernels import native

NATIVE = ["test_native.py", "test_native_attention.py", "test_native_recurrence.py"]
collect_ignore = [] if native.available() else NATIVE
