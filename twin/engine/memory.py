"""Loads, stores and kernel calls by address, for the numba module of the engine. Imports numba."""

from __future__ import annotations

from typing import Any

import numba
from llvmlite import ir
from numba import types
from numba.core.extending import intrinsic

DOUBLE, WHOLE = ir.DoubleType(), ir.IntType(64)
# No wrappers for calls from Python: only the entry is called from outside.
jit = numba.njit(nogil=True, error_model="numpy", no_cpython_wrapper=True, no_cfunc_wrapper=True)


def _pointer(builder: Any, arguments: Any, kind: Any) -> Any:
    base = builder.inttoptr(arguments[0], kind.as_pointer())
    return builder.gep(base, [arguments[1]], inbounds=True)


def _tag(builder: Any, instruction: Any, name: str) -> Any:
    """Tell the optimizer that reals and integers never share memory."""
    module = builder.module
    root = module.add_metadata(["twinworks"])
    kind = module.add_metadata([name, root, ir.Constant(WHOLE, 0)])
    instruction.set_metadata("tbaa", module.add_metadata([kind, kind, ir.Constant(WHOLE, 0)]))
    return instruction


@intrinsic  # type: ignore[misc]
def get_real(context: Any, base: Any, index: Any) -> Any:
    """Real at an index behind an address."""
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return _tag(builder, builder.load(_pointer(builder, arguments, DOUBLE)), "real")

    return types.float64(types.int64, types.int64), generate


@intrinsic  # type: ignore[misc]
def get_whole(context: Any, base: Any, index: Any) -> Any:
    """Integer at an index behind an address."""
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return _tag(builder, builder.load(_pointer(builder, arguments, WHOLE)), "whole")

    return types.int64(types.int64, types.int64), generate


@intrinsic  # type: ignore[misc]
def put_real(context: Any, base: Any, index: Any, value: Any) -> Any:
    """Store a real at an index behind an address."""
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        _tag(builder, builder.store(arguments[2], _pointer(builder, arguments, DOUBLE)), "real")
        return context.get_dummy_value()

    return types.void(types.int64, types.int64, types.float64), generate


@intrinsic  # type: ignore[misc]
def put_whole(context: Any, base: Any, index: Any, value: Any) -> Any:
    """Store an integer at an index behind an address."""
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        _tag(builder, builder.store(arguments[2], _pointer(builder, arguments, WHOLE)), "whole")
        return context.get_dummy_value()

    return types.void(types.int64, types.int64, types.int64), generate


@intrinsic  # type: ignore[misc]
def call_kernel(context: Any, kernel: Any, t: Any, x: Any, z: Any, u: Any, d: Any, p: Any, out: Any, work: Any) -> Any:
    """Call the kernel at an address with addresses of its arrays."""
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        pointer = DOUBLE.as_pointer()
        shape = ir.FunctionType(ir.VoidType(), [DOUBLE, *[pointer] * 7])
        function = builder.inttoptr(arguments[0], shape.as_pointer())
        builder.call(function, [arguments[1], *(builder.inttoptr(a, pointer) for a in arguments[2:])])
        return context.get_dummy_value()

    return types.void(types.int64, types.float64, *[types.int64] * 7), generate
