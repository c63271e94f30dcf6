"""The engine subset to a numba module that works on addresses: scalars only, so that numba infers and compiles little.

Records are the slots that the C entry takes; arrays are integers, the address of their first element.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from typing import ClassVar

from twin.engine.translate_c import FunctionWriter, Kind, Text, Translator

HEAD = "import numpy as np\nfrom twin.engine.memory import call_kernel, get_real, get_whole, jit, put_real, put_whole\n"
GET = {"double": "get_real", "int64_t": "get_whole"}
PUT = {"double": "put_real", "int64_t": "put_whole"}


class NumbaTranslator(Translator):
    """Module texts in, one numba module text out."""

    def translate(self, sources: Sequence[str], entries: Sequence[str]) -> str:
        """The module; each of `entries` also gets a wrapper `NAME_packed(slots)`."""
        self.gather(sources)
        bodies = [NumbaWriter(self, f).write() for f in self.functions.values()]
        return "\n".join([HEAD, *self.out, *bodies, *(self._packed(e) for e in entries)]) + "\n"

    def table(self, name: str, rows: tuple[tuple[float, ...], ...], flat: bool) -> None:
        """A table of numbers is a constant array of the module."""
        self.out.append(f"{name} = np.array({rows[0] if flat else rows})")
        self.constants[name] = Text(name, Kind("double", 1 if flat else 2), () if flat else ("",))

    def record(self, name: str, slots: Sequence[str]) -> None:
        """Records need no declaration."""

    def slot(self, record: str, field: str) -> int:
        """Position of a field among the slots of a record."""
        at = 0
        for name, kind in self.records[record].items():
            if name == field:
                return at
            at += max(1, kind.dims)
        raise KeyError(field)

    def _packed(self, name: str) -> str:
        arguments, at = [], 0
        for a in self.functions[name].args.args:
            kind = self.kind(a.annotation)
            if kind.base in self.records:
                arguments.append(f"s + {8 * at}")
                at += sum(max(1, k.dims) for k in self.records[kind.base].values())
            else:
                arguments += [f"get_whole(s, {at + i})" for i in range(max(1, kind.dims))]
                at += max(1, kind.dims)
        return f"def {name}_packed(s):\n    return {name}({', '.join(arguments)})"


class NumbaWriter(FunctionWriter):
    """One function in the spelling of numba."""

    OTHERWISE = "else:"
    WORDS: ClassVar[Mapping[str, str]] = {"not": "not ", "and": " and ", "or": " or ", "abs": "abs", "min": "min",
                                          "max": "max", "float": "float", "int": "int"}

    def assembled(self) -> str:
        """The whole function."""
        words = []
        for a in self.node.args.args:
            words += [a.arg, *(f"{a.arg}_{i}" for i in range(1, self.locals[a.arg].dims))]
        return "\n".join(["@jit", f"def {self.node.name}({', '.join(words)}):", *self.lines])

    def plain(self, text: str) -> str:
        """A simple statement."""
        return text

    def opened(self, text: str) -> str:
        """The line that opens a block."""
        return text + ":"

    def close(self, depth: int) -> None:
        """Blocks end by indentation."""

    def count(self, name: str, first: str, stop: str, depth: int, inner: bool) -> None:
        """Head of a loop."""
        self.put(depth, f"for {name} in range({first}, {stop}):")

    def stored(self, target: ast.Subscript, value: str, sign: str = "") -> str:
        """Assignment to an element."""
        array, index = self.value(target.value), self.value(target.slice).c
        if sign:
            value = f"{self.element(array, index)} {sign} {value}"
        return f"{PUT[array.kind.base]}({array.c}, {index}, {value})"

    def element(self, array: Text, index: str) -> str:
        """Element of a one-dimensional array."""
        if "[" in array.c:
            return f"{array.c}, {index}]"
        if array.c in self.unit.constants:
            return f"{array.c}[{index}]"
        return f"{GET[array.kind.base]}({array.c}, {index})"

    def row(self, array: Text, index: str) -> str:
        """Address of a row; a row of a table stays open for the second index."""
        if array.c in self.unit.constants:
            return f"{array.c}[{index}"
        return f"({array.c} + 8 * ({index}) * {' * '.join(array.lengths)})"

    def field(self, record: Text, name: str, part: int) -> str:
        """Slot of a record: an address, or one of its row lengths."""
        return f"get_whole({record.c}, {self.unit.slot(record.kind.base, name) + part})"  # type: ignore[attr-defined]

    def raised(self, base: str, exponent: str) -> str:
        """Power of two reals."""
        return f"({base} ** {exponent})"

    def quotient(self, left: str, right: str) -> str:
        """Quotient as a real."""
        return f"({left} / {right})"

    def chosen(self, test: str, yes: str, no: str) -> str:
        """Conditional expression."""
        return f"({yes} if {test} else {no})"

    def whole(self, value: int) -> str:
        """An integer constant."""
        return f"({value})" if value < 0 else str(value)

    def kernel_call(self, node: ast.Attribute, arguments: str) -> str:
        """Call of a kernel by its address."""
        return f"call_kernel({self.value(node).c}, {arguments})"


