"""Where there is no C compiler: the engine through numba's LLVM, once a machine, and the kernels of a model through numba.

The engine is kept as object code, the kernels as one archive of the files that numba makes of them: numba itself would load
damaged ones, and refuses a folder that it cannot write. The engine calls the kernels by address.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from twin.engine import batch, kernels, load_c, records, shapes, store
from twin.engine.translate_llvm import LlvmTranslator
from twin.lowering import cache

ENTRY = "run_members"
Sources = Callable[[], list[str]]
_lock = threading.RLock()
_compiled: dict[str, Any] = {}


def engine_text(entry: str = ENTRY, sources: Sources = load_c.sources) -> str:
    """An engine as LLVM assembly."""
    return LlvmTranslator().translate(sources(), (entry,))


def _engine_file(sources: Sources) -> str:
    import llvmlite

    writers = (Path(__file__).with_name(f"{name}.py").read_text() for name in ("translate_c", "translate_llvm"))
    return store.key_of(*sources(), *writers, llvmlite.__version__, store.machine()) + ".o"


def ready(entry: str = ENTRY, sources: Sources = load_c.sources) -> bool:
    """True where the compiled engine is in this process or in the cache."""
    return entry in _compiled or cache.find(_engine_file(sources)) is not None


def engine(entry: str = ENTRY, sources: Sources = load_c.sources) -> Any:
    """The compiled entry of an engine, as a ctypes function of the address of the slots."""
    with _lock:
        if entry not in _compiled:
            name = _engine_file(sources)
            code = cache.load(name)
            if code is None:
                code = _compile(engine_text(entry, sources))
                cache.store(name, code)
            _compiled[entry] = _load(code, entry)
        return _compiled[entry][1]


def _target() -> Any:
    import llvmlite.binding as llvm

    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    features = llvm.get_host_cpu_features().flatten()
    return llvm.Target.from_default_triple().create_target_machine(cpu=llvm.get_host_cpu_name(), features=features,
                                                                   opt=3, reloc="static", codemodel="large", jit=True)


def _compile(text: str) -> bytes:
    """Object code of LLVM assembly."""
    import llvmlite.binding as llvm

    machine = _target()
    module = llvm.parse_assembly(text)
    module.triple, module.data_layout = llvm.get_default_triple(), str(machine.target_data)
    options = llvm.create_pipeline_tuning_options(speed_level=3)
    options.loop_vectorization = options.slp_vectorization = True
    llvm.create_pass_builder(machine, options).getModulePassManager().run(module, llvm.create_pass_builder(machine, options))
    code: bytes = machine.emit_object(module)
    return code


def _load(code: bytes, entry: str = ENTRY) -> tuple[Any, Any]:
    """The engine that runs object code, kept alive, and its entry."""
    import ctypes

    import llvmlite.binding as llvm

    jit = llvm.create_mcjit_compiler(llvm.parse_assembly(""), _target())
    jit.add_object_file(llvm.ObjectFileRef.from_data(code))
    jit.finalize_object()
    address = jit.get_function_address(f"{entry}_packed")
    if not address:
        raise RuntimeError("The object code of the engine holds no entry.")
    return jit, ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_void_p)(address)


def _functions(text: str, entries: Sequence[str], signature: Any) -> dict[str, Any]:
    """Compiled functions of a text, by name."""
    import io
    import types
    import zipfile

    import llvmlite
    import numba

    # Module and file have names that stay the same from process to process, and a fixed time: numba compares them.
    name = f"twinworks_kernels_{store.key_of(text, sys.version, numba.__version__, llvmlite.__version__, store.machine())}"
    home = store.scratch() / name
    home.mkdir(exist_ok=True)
    held = cache.load(f"{name}.zip")
    if held is not None:
        zipfile.ZipFile(io.BytesIO(held)).extractall(home)
    source = home / f"{name}.py"
    source.write_text(text)
    os.utime(source, (0, 0))
    module = sys.modules[name] = types.ModuleType(name)
    exec(compile(text, str(source), "exec"), vars(module))
    made = {entry: numba.cfunc(signature, error_model="numpy", cache=True)(getattr(module, entry)) for entry in entries}
    if held is None:
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w") as archive:
            for path in (home / "__pycache__").iterdir():
                archive.write(path, path.relative_to(home))
        cache.store(f"{name}.zip", packed.getvalue())
    return made


def kernel_module(system: Any, names: Sequence[str]) -> str:
    """Kernels, and for each a callback on addresses."""
    lines = [kernels.numba_text(system, names), "import numba", "from numba import carray"]
    arrays = ("x", "z", "u", "d", "p", "out", "work")
    for name in names:
        program = system.program(name)
        views = ", ".join(f"carray({a}, {max(1, program.size(a))})" for a in arrays)
        lines += [f"{name} = numba.njit(error_model='numpy', nogil=True)({name})",
                  f"def {name}_at(t, {', '.join(arrays)}):", f"    {name}(t, {views})"]
    return "\n".join(lines) + "\n"


def kernel_addresses(system: Any, names: Sequence[str]) -> dict[str, int]:
    """Addresses of the compiled kernels."""
    text = kernel_module(system, names)
    with _lock:
        if text not in _compiled:
            from numba import types

            signature = types.void(types.float64, *[types.CPointer(types.float64)] * 7)
            _compiled[text] = _functions(text, [f"{n}_at" for n in names], signature)
        return {n: _compiled[text][f"{n}_at"].address for n in names}


class NumbaRun(batch.SlotRun):
    """One task on one model in numba."""

    name = "numba"

    def __init__(self, system: Any, names: Sequence[str], facts: shapes.Facts, task: records.Task) -> None:
        super().__init__(system, names, facts, task)
        self.entry = engine()
        self.kernels = list(kernels.by_field(kernel_addresses(system, names)).values())
