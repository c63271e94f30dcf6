"""The engine subset to LLVM assembly, for the LLVM that numba brings along.

numba itself takes half a minute for the engine: it optimizes every function again in each of its callers. This text goes
through LLVM once. Arrays are addresses (i64); records are the slots that the C entry takes; kernels are called by address.
"""

from __future__ import annotations

import ast
import struct
from collections.abc import Sequence

from twin.engine.translate_c import REAL, TRUTH, WHOLE, FunctionWriter, Kind, Text, Translator

NAMES = {REAL: "double", WHOLE: "i64", TRUTH: "i1"}
TAIL = """declare double @llvm.fabs.f64(double)
declare double @pow(double, double)
declare double @log(double)
!0 = !{!"twinworks"}
!1 = !{!"real", !0, i64 0}
!2 = !{!"whole", !0, i64 0}
!3 = !{!1, !1, i64 0}
!4 = !{!2, !2, i64 0}
"""
SIGNS = {ast.Lt: ("slt", "olt"), ast.LtE: ("sle", "ole"), ast.Gt: ("sgt", "ogt"), ast.GtE: ("sge", "oge"),
         ast.Eq: ("eq", "oeq"), ast.NotEq: ("ne", "une")}
OPERATIONS = {ast.Add: "add", ast.Sub: "sub", ast.Mult: "mul", ast.FloorDiv: "sdiv", ast.Mod: "srem"}


def number(value: float) -> str:
    """A real as LLVM takes it exactly: its bits."""
    return "0x" + struct.pack(">d", value).hex().upper()


class LlvmTranslator(Translator):
    """Module texts in, one LLVM module out."""

    def translate(self, sources: Sequence[str], entries: Sequence[str]) -> str:
        """The module; only the wrappers `NAME_packed(slots)` of `entries` can be seen from outside."""
        self.gather(sources)
        bodies = [LlvmWriter(self, f).write() for f in self.functions.values()]
        return "\n".join([*self.out, *bodies, *(self._packed(e) for e in entries), TAIL])

    def real_text(self, value: float) -> str:
        """A real constant."""
        return number(value)

    def table(self, name: str, rows: tuple[tuple[float, ...], ...], flat: bool) -> None:
        """A table of numbers is a constant array."""
        values = [v for row in rows for v in row]
        kind = f"[{len(values)} x double]"
        self.out.append(f"@{name} = internal constant {kind} [{', '.join('double ' + number(v) for v in values)}]")
        lengths = () if flat else (str(len(rows[0])),)
        self.constants[name] = Text(f"ptrtoint (ptr @{name} to i64)", Kind("double", 1 if flat else 2), lengths)

    def record(self, name: str, slots: Sequence[str]) -> None:
        """Records need no declaration."""

    def slot(self, record: str, field: str) -> int:
        """Position of a field among the slots of a record."""
        before = list(self.records[record]).index(field)
        return sum(max(1, kind.dims) for kind in list(self.records[record].values())[:before])

    def _packed(self, name: str) -> str:
        lines, words, at = [], [], 0
        for a in self.functions[name].args.args:
            kind = self.kind(a.annotation)
            if kind.base in self.records:
                lines.append(f"  %r{at} = add i64 %s, {8 * at}")
                words.append(f"i64 %r{at}")
                at += sum(max(1, k.dims) for k in self.records[kind.base].values())
                continue
            for i in range(at, at + max(1, kind.dims)):
                lines += [f"  %a{i} = add i64 %s, {8 * i}", f"  %p{i} = inttoptr i64 %a{i} to ptr",
                          f"  %v{i} = load i64, ptr %p{i}"]
                words.append(f"i64 %v{i}")
            at += max(1, kind.dims)
        return "\n".join([f"define i64 @{name}_packed(i64 %s) {{", *lines,
                          f"  %done = call i64 @{name}({', '.join(words)})", "  ret i64 %done", "}"])


class LlvmWriter(FunctionWriter):
    """One function: every local is a stack slot that LLVM turns into registers."""

    unit: LlvmTranslator

    def assembled(self) -> str:
        """The whole function."""
        words, stores = [], []
        for a in self.node.args.args:
            kind = self.locals[a.arg]
            for name in (a.arg, *(f"{a.arg}_{i}" for i in range(1, kind.dims))):
                words.append(f"{self.type_of(kind)} %{name}.in")
                stores.append(f"  store {self.type_of(kind)} %{name}.in, ptr %{name}")
        slots = [f"  %{name} = alloca {self.type_of(kind)}" for n, kind in self.locals.items()
                 for name in (n, *(f"{n}_{i}" for i in range(1, kind.dims)))]
        result = NAMES[self.unit.results[self.node.name]]
        end = f"  ret {result} {'0.0' if result == 'double' else '0'}"
        return "\n".join([f"define internal {result} @{self.node.name}({', '.join(words)}) {{", *slots, *self.slots, *stores,
                          *self.lines, end, "}"])

    @staticmethod
    def type_of(kind: Kind) -> str:
        """LLVM type of a local; arrays and records are addresses."""
        return "i64" if kind.dims else NAMES.get(kind, "i64")

    def new(self, text: str) -> str:
        """A fresh value."""
        self.loops += 1
        self.lines.append(f"  %t{self.loops} = {text}")
        return f"%t{self.loops}"

    def label(self, name: str) -> None:
        """Begin a block."""
        self.lines.append(f"{name}:")

    def go(self, name: str) -> None:
        """Jump."""
        self.lines.append(f"  br label %{name}")

    def fresh(self, count: int) -> list[str]:
        """Names of new blocks."""
        self.loops += 1
        return [f"b{self.loops}.{i}" for i in range(count)]

    def real(self, value: Text) -> str:
        """A value as a real."""
        return value.c if value.kind == REAL else self.new(f"sitofp i64 {self.integer(value)} to double")

    def integer(self, value: Text) -> str:
        """A truth value or integer as an integer."""
        return self.new(f"zext i1 {value.c} to i64") if value.kind == TRUTH else value.c

    def truth(self, node: ast.expr) -> str:
        """A condition as i1."""
        value = self.value(node)
        return value.c if value.kind == TRUTH else self.new(f"icmp ne i64 {value.c}, 0")

    def cast(self, value: Text, kind: Kind) -> str:
        """A value as another scalar kind."""
        return self.real(value) if kind == REAL else self.integer(value)

    def do_pass(self, node: ast.Pass, depth: int) -> None:
        """Nothing."""

    def do_break(self, node: ast.Break, depth: int) -> None:
        """Leave the loop."""
        self.leave(self.around[-1][1])

    def do_continue(self, node: ast.Continue, depth: int) -> None:
        """Next turn of the loop."""
        self.leave(self.around[-1][0])

    def leave(self, target: str) -> None:
        """Jump; what follows can only be reached by a label."""
        self.go(target)
        self.label(self.fresh(1)[0])

    def do_return(self, node: ast.Return, depth: int) -> None:
        """Return a value."""
        kind = self.unit.results[self.node.name]
        value = self.cast(self.value(node.value), kind)  # type: ignore[arg-type]
        self.lines.append(f"  ret {NAMES[kind]} {value}")
        self.label(self.fresh(1)[0])

    def do_expr(self, node: ast.Expr, depth: int) -> None:
        """Evaluate for its effects."""
        self.value(node.value)

    def do_assign(self, node: ast.Assign, depth: int) -> None:
        """Assign to a name or an element."""
        target, value = node.targets[0], self.value(node.value)
        if isinstance(target, ast.Subscript):
            self.store(target, value)
            return
        if not isinstance(target, ast.Name):
            raise self.fail(node, "only names and elements are assigned to")
        self.take(target.id, value, node)
        kind = self.locals[target.id]
        word = value.c if kind.dims else self.cast(value, kind)
        self.lines.append(f"  store {self.type_of(kind)} {word}, ptr %{target.id}")
        for i, length in enumerate(value.lengths, 1):
            self.lines.append(f"  store i64 {length}, ptr %{target.id}_{i}")

    def do_augassign(self, node: ast.AugAssign, depth: int) -> None:
        """Assign the result of an operation."""
        value = self.of_binop(ast.BinOp(node.target, node.op, node.value))
        if isinstance(node.target, ast.Subscript):
            self.store(node.target, value)
        else:
            kind = self.locals[node.target.id]  # type: ignore[union-attr]
            self.lines.append(f"  store {NAMES[kind]} {self.cast(value, kind)}, ptr %{node.target.id}")  # type: ignore

    def store(self, target: ast.Subscript, value: Text) -> None:
        """Store into an element."""
        array, index = self.value(target.value), self.value(target.slice)
        kind = Kind(array.kind.base)
        word, place = self.cast(value, kind), self.place(array, index.c)
        self.lines.append(f"  store {NAMES[kind]} {word}, ptr {place}, !tbaa !{3 if kind == REAL else 4}")

    def place(self, array: Text, index: str) -> str:
        """Pointer to an element of a one-dimensional array."""
        base = self.new(f"inttoptr i64 {array.c} to ptr")
        return self.new(f"getelementptr inbounds {NAMES[Kind(array.kind.base)]}, ptr {base}, i64 {index}")

    def load(self, array: Text, index: str) -> Text:
        """Element of a one-dimensional array."""
        kind = Kind(array.kind.base)
        pointer = self.place(array, index)
        return Text(self.new(f"load {NAMES[kind]}, ptr {pointer}, !tbaa !{3 if kind == REAL else 4}"), kind)

    def do_if(self, node: ast.If, depth: int) -> None:
        """Branch."""
        yes, no, end = self.fresh(3)
        self.lines.append(f"  br i1 {self.truth(node.test)}, label %{yes}, label %{no}")
        for name, body in ((yes, node.body), (no, node.orelse)):
            self.label(name)
            self.block(body, depth)
            self.go(end)
        self.label(end)

    def do_while(self, node: ast.While, depth: int) -> None:
        """Loop while a condition holds."""
        test, body, end = self.fresh(3)
        self.go(test)
        self.label(test)
        self.lines.append(f"  br i1 {self.truth(node.test)}, label %{body}, label %{end}")
        self.label(body)
        self.around.append((test, end))
        self.block(node.body, depth)
        self.around.pop()
        self.go(test)
        self.label(end)

    def do_for(self, node: ast.For, depth: int) -> None:
        """Loop over a range, whose end is looked at once."""
        name, arguments = self.counted(node)
        start = "0" if len(arguments) == 1 else self.value(arguments[0]).c
        stop = self.value(arguments[-1]).c
        test, body, step, end = self.fresh(4)
        self.lines.append(f"  store i64 {start}, ptr %{name}")
        self.go(test)
        self.label(test)
        here = self.new(f"load i64, ptr %{name}")
        self.lines.append(f"  br i1 {self.new(f'icmp slt i64 {here}, {stop}')}, label %{body}, label %{end}")
        self.label(body)
        self.around.append((step, end))
        self.block(node.body, depth)
        self.around.pop()
        self.go(step)
        self.label(step)
        self.lines.append(f"  store i64 {self.new(f'add nsw i64 {here}, 1')}, ptr %{name}")
        self.go(test)
        self.label(end)

    def of_constant(self, node: ast.Constant) -> Text:
        """A number."""
        if isinstance(node.value, float):
            return Text(number(node.value), REAL)
        return Text(str(int(node.value)), TRUTH if isinstance(node.value, bool) else WHOLE)  # type: ignore[arg-type]

    def of_name(self, node: ast.Name) -> Text:
        """A local, or a constant of the module."""
        if node.id in self.locals:
            kind = self.locals[node.id]
            names = (node.id, *(f"{node.id}_{i}" for i in range(1, kind.dims)))
            words = [self.new(f"load {self.type_of(kind)}, ptr %{n}") for n in names]
            return Text(words[0], kind, tuple(words[1:]))
        if node.id in self.unit.values:
            return Text(str(self.unit.values[node.id]), WHOLE)
        if node.id in self.unit.constants:
            return self.unit.constants[node.id]
        raise self.fail(node, f"'{node.id}' has no value yet")

    def of_attribute(self, node: ast.Attribute) -> Text:
        """Field of a record: address and row lengths."""
        record = self.value(node.value)
        kind = self.unit.records[record.kind.base][node.attr]
        at = self.unit.slot(record.kind.base, node.attr)
        slots = Text(record.c, Kind("int64_t", 1))
        words = [self.load(slots, str(at + i)).c for i in range(max(1, kind.dims))]
        return Text(words[0], kind, tuple(words[1:]))

    def of_subscript(self, node: ast.Subscript) -> Text:
        """Element, or row of an array."""
        array, index = self.value(node.value), self.value(node.slice)
        if array.kind.dims == 1:
            return self.load(array, index.c)
        at = index.c
        for length in array.lengths:
            at = self.new(f"mul nsw i64 {at}, {length}")
        at = self.new(f"shl nsw i64 {at}, 3")
        base = self.new(f"add i64 {array.c}, {at}")
        return Text(base, Kind(array.kind.base, array.kind.dims - 1), array.lengths[1:])

    def of_binop(self, node: ast.BinOp) -> Text:
        """Arithmetic."""
        left, right = self.value(node.left), self.value(node.right)
        if isinstance(node.op, ast.Pow):
            return Text(self.new(f"call double @pow(double {self.real(left)}, double {self.real(right)})"), REAL)
        if isinstance(node.op, ast.Div):
            return Text(self.new(f"fdiv double {self.real(left)}, {self.real(right)}"), REAL)
        word = OPERATIONS[type(node.op)]
        if REAL in (left.kind, right.kind):
            a, b = self.real(left), self.real(right)
            return Text(self.new(f"f{word} double {a}, {b}"), REAL)
        return Text(self.new(f"{word} i64 {left.c}, {right.c}"), WHOLE)

    def of_unaryop(self, node: ast.UnaryOp) -> Text:
        """Sign or negation."""
        if isinstance(node.op, ast.Not):
            return Text(self.new(f"xor i1 {self.truth(node.operand)}, true"), TRUTH)
        inner = self.value(node.operand)
        return Text(self.new(f"fneg double {inner.c}" if inner.kind == REAL else f"sub i64 0, {inner.c}"), inner.kind)

    def of_boolop(self, node: ast.BoolOp) -> Text:
        """`and`, `or`: what follows is looked at only where it matters."""
        found = f"%{self.fresh(1)[0]}.flag"
        self.slots.append(f"  {found} = alloca i1")
        end = self.fresh(1)[0]
        for part in node.values:
            value, after = self.truth(part), self.fresh(1)[0]
            self.lines.append(f"  store i1 {value}, ptr {found}")
            targets = (after, end) if isinstance(node.op, ast.And) else (end, after)
            self.lines.append(f"  br i1 {value}, label %{targets[0]}, label %{targets[1]}")
            self.label(after)
        self.go(end)
        self.label(end)
        return Text(self.new(f"load i1, ptr {found}"), TRUTH)

    def of_compare(self, node: ast.Compare) -> Text:
        """Comparison of two values."""
        left, right = self.value(node.left), self.value(node.comparators[0])
        whole, real = SIGNS[type(node.ops[0])]
        if REAL in (left.kind, right.kind):
            a, b = self.real(left), self.real(right)
            return Text(self.new(f"fcmp {real} double {a}, {b}"), TRUTH)
        return Text(self.new(f"icmp {whole} i64 {self.integer(left)}, {self.integer(right)}"), TRUTH)

    def of_ifexp(self, node: ast.IfExp) -> Text:
        """Conditional expression; only the branch that is taken is looked at."""
        yes, no, end = self.fresh(3)
        self.lines.append(f"  br i1 {self.truth(node.test)}, label %{yes}, label %{no}")
        self.label(yes)
        first = self.value(node.body)
        kind = first.kind
        found = f"%{yes}.value"
        self.lines += [f"  store {self.type_of(kind)} {first.c}, ptr {found}", f"  br label %{end}"]
        self.label(no)
        second = self.value(node.orelse)
        self.lines += [f"  store {self.type_of(kind)} {self.cast(second, kind)}, ptr {found}", f"  br label %{end}"]
        self.label(end)
        self.slots.append(f"  {found} = alloca {self.type_of(kind)}")
        return Text(self.new(f"load {self.type_of(kind)}, ptr {found}"), kind)

    def of_call(self, node: ast.Call) -> Text:
        """Call of an own function, a kernel, or one of abs, min, max, float, int."""
        arguments = [self.value(a) for a in node.args]
        if isinstance(node.func, ast.Attribute):
            function = self.new(f"inttoptr i64 {self.value(node.func).c} to ptr")
            words = [f"double {arguments[0].c}", *(f"i64 {a.c}" for a in arguments[1:])]
            self.lines.append(f"  call void {function}({', '.join(words)})")
            return Text("0", WHOLE)
        name = node.func.id if isinstance(node.func, ast.Name) else ""
        if name in self.unit.functions:
            wanted = [self.unit.kind(a.annotation) for a in self.unit.functions[name].args.args]
            words = [f"{self.type_of(k)} {w}" for a, k in zip(arguments, wanted, strict=True)
                     for w in ((a.c, *a.lengths) if a.kind.dims or k not in NAMES else (self.cast(a, k),))]
            kind = self.unit.results[name]
            return Text(self.new(f"call {NAMES[kind]} @{name}({', '.join(words)})"), kind)
        if name == "log":
            return Text(self.new(f"call double @log(double {self.real(arguments[0])})"), REAL)
        if name == "abs":
            return Text(self.new(f"call double @llvm.fabs.f64(double {self.real(arguments[0])})"), REAL)
        if name in ("min", "max"):
            a, b = (self.real(v) for v in arguments)
            test = self.new(f"fcmp {'olt' if name == 'min' else 'ogt'} double {b}, {a}")
            return Text(self.new(f"select i1 {test}, double {b}, double {a}"), REAL)
        if name == "float":
            return Text(self.real(arguments[0]), REAL)
        raise self.fail(node, f"call of '{ast.unparse(node.func)}'")
