"""Skip the tests of the native wheel unless it is installed (`make native`)."""

from chainrule.kernels import onednn

collect_ignore = [] if onednn.available() else ["test_native.py"]
