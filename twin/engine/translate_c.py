"""The engine subset of Python to C99.

Subset: module-level numbers and nested tuples of numbers (static const), NamedTuple records (structs of 8-byte slots), and
functions whose parameters are annotated with the aliases of `records`. In a function: scalars, `for ... in range`, `while`,
`if`, calls of own functions, of kernels (fields of a record of type Kernel) and of abs, min, max, float, log;
arrays are only indexed (`a[i][j]`) or bound to a local name (`row = a[i]`); no slices, nothing is allocated. The turns of
an innermost loop do not depend on each other through arrays (the C compiler is told so).
"""

from __future__ import annotations

import ast
import dataclasses
from collections.abc import Mapping, Sequence

DIMENSIONS = {"Vector": ("double", 1), "Matrix": ("double", 2), "Cube": ("double", 3), "Integers": ("int64_t", 1),
              "IntegerRows": ("int64_t", 2)}
WORDS = {"abs": "fabs", "min": "lesser", "max": "greater", "float": "(double)", "log": "log"}
HEADER = """#include <math.h>
#include <stdint.h>
typedef void (*Kernel)(double t, const double *x, const double *z, const double *u, const double *d, const double *p,
                       double *out, double *work);
static inline double lesser(double a, double b) { return b < a ? b : a; }
static inline double greater(double a, double b) { return b > a ? b : a; }
"""


@dataclasses.dataclass(frozen=True)
class Kind:
    """Type of an expression: double, int64_t, bool, a struct, or an array of `dims` dimensions."""

    base: str
    dims: int = 0


REAL, WHOLE, TRUTH = Kind("double"), Kind("int64_t"), Kind("bool")


class SubsetError(Exception):
    """The engine source leaves the subset."""


@dataclasses.dataclass(frozen=True)
class Text:
    """C text of an expression, its type, and the row lengths where it is an array."""

    c: str
    kind: Kind
    lengths: tuple[str, ...] = ()


def _kind(annotation: ast.expr | None, records: Mapping[str, object]) -> Kind:
    name = annotation.id if isinstance(annotation, ast.Name) else ""
    if name in DIMENSIONS:
        return Kind(*DIMENSIONS[name])
    if name in records:
        return Kind(name)
    plain = {"float": REAL, "int": WHOLE, "Kernel": Kind("Kernel")}
    if name not in plain:
        raise SubsetError(f"Unknown annotation '{ast.unparse(annotation) if annotation else None}'.")
    return plain[name]


class Translator:
    """Module texts in, one C translation unit out.

    Parameters
    ----------
    fixed
        Entries of integer fields that are known when the text is made, by record and field, such as
        {("Model", "size"): {0: 6}}: they become literals, so that the compiler unrolls loops and drops dead branches.
    kernels
        C names of the kernels by field of Model, where they stand in the same translation unit; otherwise they are
        called through the struct.
    lengths
        Row lengths of fields that are known when the text is made, by record and field.
    """

    def __init__(self, fixed: Mapping[tuple[str, str], Mapping[int, int]] | None = None,
                 kernels: Mapping[str, str] | None = None,
                 lengths: Mapping[tuple[str, str], Sequence[int]] | None = None) -> None:
        self.fixed, self.kernels, self.lengths = dict(fixed or {}), dict(kernels or {}), dict(lengths or {})
        self.constants: dict[str, Text] = {}
        self.values: dict[str, int] = {}
        self.records: dict[str, dict[str, Kind]] = {}
        self.functions: dict[str, ast.FunctionDef] = {}
        self.results: dict[str, Kind] = {}
        self.out: list[str] = []

    def translate(self, sources: Sequence[str], entries: Sequence[str]) -> str:
        """The whole translation unit; each of `entries` also gets a wrapper `NAME_packed(int64_t *slots)`."""
        self.gather(sources)
        bodies = [FunctionWriter(self, f).write() for f in self.functions.values()]
        heads = [FunctionWriter(self, f).head() + ";" for f in self.functions.values()]
        return "\n".join([HEADER, *self.out, *heads, *bodies, *(self._packed(e) for e in entries)]) + "\n"

    def gather(self, sources: Sequence[str]) -> None:
        """Take in constants, records and functions."""
        trees = [ast.parse(s) for s in sources]
        for node in (n for tree in trees for n in tree.body):
            if isinstance(node, ast.Assign):
                self._constant(node)
            elif isinstance(node, ast.ClassDef):
                self._record(node)
            elif isinstance(node, ast.FunctionDef):
                self.functions[node.name] = node
                self.results[node.name] = self.kind(node.returns)

    def kind(self, annotation: ast.expr | None) -> Kind:
        """Type that an annotation names."""
        return _kind(annotation, self.records)

    def _constant(self, node: ast.Assign) -> None:
        target = node.targets[0]
        if isinstance(target, ast.Tuple) and isinstance(node.value, ast.Tuple):
            pairs = list(zip(target.elts, node.value.elts, strict=True))
        else:
            pairs = [(target, node.value)]
        for name, value in pairs:
            if not isinstance(name, ast.Name):
                raise SubsetError(f"Line {node.lineno}: a constant must have a name.")
            try:
                number = ast.literal_eval(value)
            except ValueError:
                continue  # an alias of a type
            self._number(name.id, number)

    def _number(self, name: str, number: object) -> None:
        if isinstance(number, int):
            self.values[name] = number
        elif isinstance(number, float):
            self.constants[name] = Text(self.real_text(number), REAL)
        elif isinstance(number, tuple):
            flat = not isinstance(number[0], tuple)
            self.table(name, (number,) if flat else number, flat)

    def real_text(self, value: float) -> str:
        """A real constant."""
        return repr(value)

    def table(self, name: str, rows: tuple[tuple[float, ...], ...], flat: bool) -> None:
        """A table of numbers is a constant array."""
        text = ", ".join("{" + ", ".join(repr(v) for v in row) + "}" for row in rows)
        if flat:
            self.out.append(f"static const double {name}[{len(rows[0])}] = {text};")
            self.constants[name] = Text(name, Kind("double", 1))
        else:
            self.out.append(f"static const double {name}[{len(rows)}][{len(rows[0])}] = {{{text}}};")
            self.constants[name] = Text(f"&{name}[0][0]", Kind("double", 2), (f"INT64_C({len(rows[0])})",))

    def _record(self, node: ast.ClassDef) -> None:
        fields = {}
        slots = []
        for item in node.body:
            if isinstance(item, ast.AnnAssign) and isinstance(item.target, ast.Name):
                kind = _kind(item.annotation, self.records)
                fields[item.target.id] = kind
                slots += declare(kind, item.target.id)
        self.records[node.name] = fields
        self.record(node.name, slots)

    def record(self, name: str, slots: Sequence[str]) -> None:
        """A record is a struct."""
        self.out.append(f"typedef struct {{ {' '.join(s + ';' for s in slots)} }} {name};")

    def _packed(self, name: str) -> str:
        """Wrapper that takes every argument from an array of 8-byte slots: pointers and lengths, integers; no reals."""
        arguments, at = [], 0
        for a in self.functions[name].args.args:
            kind = _kind(a.annotation, self.records)
            if kind.base in self.records:
                arguments.append(f"(const {kind.base} *)(s + {at})")
                at += sum(max(1, k.dims) for k in self.records[kind.base].values())
            elif kind.dims:
                arguments.append(f"({kind.base} *)(intptr_t)s[{at}]")
                arguments += [f"s[{at + 1 + i}]" for i in range(kind.dims - 1)]
                at += kind.dims
            else:
                arguments.append(f"s[{at}]")
                at += 1
        return f"int64_t {name}_packed(int64_t *s) {{ return {name}({', '.join(arguments)}); }}"


def declare(kind: Kind, name: str) -> list[str]:
    """Declarations of one value: a pointer and its row lengths, a struct pointer, or a scalar."""
    if kind.base == "Kernel":
        return [f"Kernel {name}"]
    if kind.dims:
        return [f"{kind.base} *{name}", *(f"int64_t {name}_{i}" for i in range(1, kind.dims))]
    return [f"{'int64_t' if kind == TRUTH else kind.base} {name}"]


class FunctionWriter:
    """One function: infers the types of its locals, then writes its statements."""

    def __init__(self, unit: Translator, node: ast.FunctionDef) -> None:
        self.unit, self.node = unit, node
        self.locals: dict[str, Kind] = {a.arg: _kind(a.annotation, unit.records) for a in node.args.args}
        self.parameters = set(self.locals)
        self.lines: list[str] = []
        self.slots: list[str] = []  # further storage, for languages that name it at the top
        self.loops = 0
        self.around: list[tuple[str, str]] = []  # where `continue` and `break` lead, for languages with labels

    def head(self) -> str:
        """Signature."""
        words = []
        for a in self.node.args.args:
            kind = self.locals[a.arg]
            declared = [f"const {kind.base} *{a.arg}"] if kind.base in self.unit.records else declare(kind, a.arg)
            # Arrays handed to a function never overlap.
            words += [d.replace("*", "*restrict ") if kind.dims else d for d in declared]
        return f"static {self.unit.results[self.node.name].base} {self.node.name}({', '.join(words)})"

    def write(self) -> str:
        """Definition; a local gets its type from its first assignment, a whole number assigned a real becomes real."""
        body = self.node.body[1:] if ast.get_docstring(self.node) else self.node.body
        for _ in range(8):
            before = dict(self.locals)
            self.lines, self.slots, self.loops = [], [], 0
            self.block(body, 1)
            if self.locals == before:
                break
        return self.assembled()

    def assembled(self) -> str:
        """The whole function."""
        names = [f"    {d};" for n, k in self.locals.items() if n not in self.parameters for d in declare(k, n)]
        return "\n".join([self.head() + " {", *names, *self.lines, "}"])

    def fail(self, node: ast.AST, what: str) -> SubsetError:
        return SubsetError(f"{self.node.name}, line {getattr(node, 'lineno', '?')}: {what}.")

    def put(self, depth: int, text: str) -> None:
        self.lines.append("    " * depth + text)

    def block(self, body: Sequence[ast.stmt], depth: int) -> None:
        for statement in body:
            method = getattr(self, "do_" + type(statement).__name__.lower(), None)
            if method is None:
                raise self.fail(statement, f"{type(statement).__name__} is outside the subset")
            method(statement, depth)

    def do_pass(self, node: ast.Pass, depth: int) -> None:
        self.put(depth, ";")

    def do_break(self, node: ast.Break, depth: int) -> None:
        self.put(depth, "break;")

    def do_continue(self, node: ast.Continue, depth: int) -> None:
        self.put(depth, "continue;")

    def do_return(self, node: ast.Return, depth: int) -> None:
        if node.value is None:
            raise self.fail(node, "return without a value")
        self.put(depth, f"return {self.value(node.value).c};")

    def do_expr(self, node: ast.Expr, depth: int) -> None:
        self.put(depth, self.value(node.value).c + ";")

    def do_assign(self, node: ast.Assign, depth: int) -> None:
        if len(node.targets) != 1:
            raise self.fail(node, "chained assignment")
        value, target = self.value(node.value), node.targets[0]
        if isinstance(target, ast.Subscript):
            self.put(depth, f"{self.value(target).c} = {value.c};")
            return
        if not isinstance(target, ast.Name):
            raise self.fail(node, "only names and elements are assigned to")
        self.take(target.id, value, node)
        self.put(depth, f"{target.id} = {value.c};")
        for i, length in enumerate(value.lengths, 1):
            self.put(depth, f"{target.id}_{i} = {length};")

    def take(self, name: str, value: Text, node: ast.AST) -> None:
        new = WHOLE if value.kind == TRUTH else value.kind
        old = self.locals.setdefault(name, new)
        if old != new:
            if {old, new} != {REAL, WHOLE}:
                raise self.fail(node, f"'{name}' is both {old} and {new}")
            self.locals[name] = REAL

    def do_augassign(self, node: ast.AugAssign, depth: int) -> None:
        self.put(depth, f"{self.value(node.target).c} {operator(node.op)}= {self.value(node.value).c};")

    def do_if(self, node: ast.If, depth: int) -> None:
        self.put(depth, f"if ({self.value(node.test).c}) {{")
        self.block(node.body, depth + 1)
        if node.orelse:
            self.put(depth, "} else {")
            self.block(node.orelse, depth + 1)
        self.put(depth, "}")

    def do_while(self, node: ast.While, depth: int) -> None:
        if node.orelse:
            raise self.fail(node, "while-else")
        self.put(depth, f"while ({self.value(node.test).c}) {{")
        self.block(node.body, depth + 1)
        self.put(depth, "}")

    def do_for(self, node: ast.For, depth: int) -> None:
        name, arguments = self.counted(node)
        first = "0" if len(arguments) == 1 else self.value(arguments[0]).c
        self.loops += 1
        self.put(depth, f"const int64_t end_{self.loops} = {self.value(arguments[-1]).c};")
        if independent(node.body, name):
            self.put(0, "#pragma GCC ivdep")
        self.put(depth, f"for ({name} = {first}; {name} < end_{self.loops}; {name}++) {{")
        self.block(node.body, depth + 1)
        self.put(depth, "}")

    def counted(self, node: ast.For) -> tuple[str, list[ast.expr]]:
        """Name and bounds of a counting loop."""
        call = node.iter
        if not (isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == "range"
                and isinstance(node.target, ast.Name) and not node.orelse and len(call.args) < 3):
            raise self.fail(node, "only `for name in range(stop)` or `range(start, stop)`")
        self.take(node.target.id, Text("", WHOLE), node)
        return node.target.id, call.args

    def value(self, node: ast.expr) -> Text:
        """C text of an expression."""
        method = getattr(self, "of_" + type(node).__name__.lower(), None)
        if method is None:
            raise self.fail(node, f"{type(node).__name__} is outside the subset")
        text: Text = method(node)
        return text

    def of_constant(self, node: ast.Constant) -> Text:
        if isinstance(node.value, bool):
            return Text(str(int(node.value)), TRUTH)
        if isinstance(node.value, int):
            return Text(f"INT64_C({node.value})", WHOLE)
        if isinstance(node.value, float):
            return Text(repr(node.value), REAL)
        raise self.fail(node, f"the constant {node.value!r}")

    def of_name(self, node: ast.Name) -> Text:
        if node.id in self.locals:
            kind = self.locals[node.id]
            return Text(node.id, kind, tuple(f"{node.id}_{i}" for i in range(1, kind.dims)))
        if node.id in self.unit.values:
            return Text(f"INT64_C({self.unit.values[node.id]})", WHOLE)
        if node.id in self.unit.constants:
            return self.unit.constants[node.id]
        raise self.fail(node, f"'{node.id}' has no value yet")

    def of_attribute(self, node: ast.Attribute) -> Text:
        record = self.value(node.value)
        kind = self.unit.records[record.kind.base][node.attr]
        known = self.unit.lengths.get((record.kind.base, node.attr))
        lengths = tuple(f"INT64_C({n})" for n in known) if known else \
            tuple(f"{record.c}->{node.attr}_{i}" for i in range(1, kind.dims))
        return Text(f"{record.c}->{node.attr}", kind, lengths)

    def of_subscript(self, node: ast.Subscript) -> Text:
        known = self.known(node)
        if known is not None:
            return Text(f"INT64_C({known})", WHOLE)
        array, index = self.value(node.value), self.value(node.slice)
        if not array.kind.dims or index.kind != WHOLE:
            raise self.fail(node, f"index {ast.unparse(node)}")
        if array.kind.dims == 1:
            return Text(f"{atom(array.c)}[{index.c}]", Kind(array.kind.base))
        row = f"({array.c} + ({index.c}) * {' * '.join(array.lengths)})"
        return Text(row, Kind(array.kind.base, array.kind.dims - 1), array.lengths[1:])

    def known(self, node: ast.Subscript) -> int | None:
        """Value of an entry such as `m.size[NAME]` where it is fixed."""
        if not (isinstance(node.value, ast.Attribute) and isinstance(node.slice, ast.Name)
                and isinstance(node.value.value, ast.Name) and node.value.value.id in self.locals):
            return None
        values = self.unit.fixed.get((self.locals[node.value.value.id].base, node.value.attr), {})
        return values.get(self.unit.values.get(node.slice.id, -1))

    def of_binop(self, node: ast.BinOp) -> Text:
        left, right = self.value(node.left), self.value(node.right)
        if isinstance(node.op, ast.Pow):
            return Text(f"pow({left.c}, {right.c})", REAL)
        if isinstance(node.op, ast.Div):
            return Text(f"((double)({left.c}) / (double)({right.c}))", REAL)
        kind = WHOLE if left.kind == right.kind == WHOLE else REAL
        return Text(f"({left.c} {operator(node.op)} {right.c})", kind)

    def of_unaryop(self, node: ast.UnaryOp) -> Text:
        inner = self.value(node.operand)
        if isinstance(node.op, ast.Not):
            return Text(f"(!({inner.c}))", TRUTH)
        if isinstance(node.op, ast.USub):
            return Text(f"(-{inner.c})", inner.kind)
        raise self.fail(node, "this sign")

    def of_boolop(self, node: ast.BoolOp) -> Text:
        sign = " && " if isinstance(node.op, ast.And) else " || "
        return Text("(" + sign.join(self.value(v).c for v in node.values) + ")", TRUTH)

    def of_compare(self, node: ast.Compare) -> Text:
        signs = {ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=", ast.Eq: "==", ast.NotEq: "!="}
        if len(node.ops) != 1:
            raise self.fail(node, "a chained comparison")
        left, right = self.value(node.left), self.value(node.comparators[0])
        return Text(f"({left.c} {signs[type(node.ops[0])]} {right.c})", TRUTH)

    def of_ifexp(self, node: ast.IfExp) -> Text:
        yes, no = self.value(node.body), self.value(node.orelse)
        kind = REAL if REAL in (yes.kind, no.kind) else yes.kind
        return Text(f"({self.value(node.test).c} ? {yes.c} : {no.c})", kind)

    def of_call(self, node: ast.Call) -> Text:
        arguments = [self.value(a) for a in node.args]
        if isinstance(node.func, ast.Attribute):
            kernel = self.unit.kernels.get(node.func.attr) or self.value(node.func).c
            return Text(f"{kernel}({', '.join(a.c for a in arguments)})", Kind("void"))
        name = node.func.id if isinstance(node.func, ast.Name) else ""
        words = ", ".join(w for a in arguments for w in (a.c, *a.lengths))
        if name in self.unit.functions:
            return Text(f"{name}({words})", self.unit.results[name])
        if name in WORDS and len(arguments) < 3:
            return Text(f"({WORDS[name]}({words}))", REAL)
        raise self.fail(node, f"call of '{ast.unparse(node.func)}'")


def operator(op: ast.operator) -> str:
    """C spelling of an arithmetic operator."""
    signs = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.FloorDiv: "/", ast.Mod: "%"}
    return signs[type(op)]


def atom(text: str) -> str:
    """Text that can be indexed."""
    return text if text.replace("_", "").replace("->", "").isalnum() or text.startswith("(") else f"({text})"


def independent(body: list[ast.stmt], name: str) -> bool:
    """True where no pass of a loop over `name` can depend on another: each only touches the elements [..., name].

    Rows of one matrix never overlap in part, so two names for rows are no danger.
    """
    for statement in body:
        if not isinstance(statement, ast.Assign | ast.AugAssign):
            return False
        targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
        if not all(isinstance(t, ast.Subscript) for t in targets):
            return False
        inner = {id(n.value) for n in ast.walk(statement) if isinstance(n, ast.Subscript)}
        for n in ast.walk(statement):
            if isinstance(n, ast.Call):
                return False
            if isinstance(n, ast.Subscript):
                last = isinstance(n.slice, ast.Name) and n.slice.id == name
                outer = id(n) in inner  # a[k] of a[k][name]
                if not (last or outer) or (outer and name in {m.id for m in ast.walk(n.slice) if isinstance(m, ast.Name)}):
                    return False
    return True
