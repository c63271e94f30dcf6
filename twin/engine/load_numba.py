"""Where there is no C compiler: the engine through numba's LLVM, once a machine, and the kernels of a model through numba.

Kernels are written as real modules into the cache folder, since numba can only cache functions of importable files; the
engine is kept as object code. The engine calls the kernels by address.
"""

from __future__ import annotations

import importlib.util
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from twin.engine import batch, kernels, load_c, records, shapes, store
from twin.engine.translate_llvm import LlvmTranslator
from twin.lowering import cache

ENTRY = "run_members"
_lock = threading.RLock()
_compiled: dict[str, Any] = {}


def engine_text() -> str:
    """The engine as LLVM assembly."""
    return LlvmTranslator().translate(load_c.sources(), (ENTRY,))


def _engine_file() -> str:
    import llvmlite

    writers = (Path(__file__).with_name(f"{name}.py").read_text() for name in ("translate_c", "translate_llvm"))
    return store.key_of(*load_c.sources(), *writers, llvmlite.__version__, store.machine()) + ".o"


def ready() -> bool:
    """True where the compiled engine is in this process or in the cache."""
    return ENTRY in _compiled or cache.find(_engine_file()) is not None


def engine() -> Any:
    """The compiled entry, as a ctypes function of the address of the slots."""
    with _lock:
        if ENTRY not in _compiled:
            name = _engine_file()
            code = cache.load(name)
            if code is None:
                code = _compile(engine_text())
                cache.store(name, code)
            _compiled[ENTRY] = _load(code)
        return _compiled[ENTRY][1]


def _target() -> Any:
    import llvmlite.binding as llvm

    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    features = llvm.get_host_cpu_features().flatten()
    return llvm.Target.from_default_triple().create_target_machine(cpu=llvm.get_host_cpu_name(), features=features,
                                                                   opt=3, reloc="pic", codemodel="default", jit=True)


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


def _load(code: bytes) -> tuple[Any, Any]:
    """The engine that runs object code, kept alive, and its entry."""
    import ctypes

    import llvmlite.binding as llvm

    jit = llvm.create_mcjit_compiler(llvm.parse_assembly(""), _target())
    jit.add_object_file(llvm.ObjectFileRef.from_data(code))
    jit.finalize_object()
    address = jit.get_function_address(f"{ENTRY}_packed")
    if not address:
        raise RuntimeError("The object code of the engine holds no entry.")
    return jit, ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_void_p)(address)


def _module(kind: str, text: str) -> tuple[Any, bool]:
    """The module of a text, imported under a name that stays the same from process to process; False where it cannot be kept."""
    key = store.key_of(text, sys.version)
    name = f"twinworks_{kind}_{key}"
    if name in sys.modules:
        return sys.modules[name], True
    path = cache.find(f"{name}.py") or store.keep(f"{name}.py", text.encode())
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path} cannot be imported.")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module, path.parent == cache.folder()


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
            import numba
            from numba import types

            module, keep = _module("kernels", text)
            kind = types.void(types.float64, *[types.CPointer(types.float64)] * 7)
            compiled = numba.cfunc(kind, error_model="numpy", cache=keep)
            _compiled[text] = {n: compiled(getattr(module, f"{n}_at")) for n in names}
        return {n: callback.address for n, callback in _compiled[text].items()}


class NumbaRun(batch.SlotRun):
    """One task on one model in numba."""

    name = "numba"

    def __init__(self, system: Any, names: Sequence[str], facts: shapes.Facts, task: records.Task) -> None:
        super().__init__(system, names, facts, task)
        self.entry = engine()
        self.kernels = list(kernels.by_field(kernel_addresses(system, names)).values())
