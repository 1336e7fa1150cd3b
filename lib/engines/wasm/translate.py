"""From Numba's LLVM text, optimized for this machine, to an object file for WebAssembly.

Two traps.  `llvm.fma` on vectors would become four calls of `fmaf`, so it is replaced by a
product and a sum; were that done before Numba has optimized, LLVM would fold the rounding
trick `(x + magic) - magic` of `vectors.exp` to x, and the network would train, wrongly.  For
the same reason `reassoc` is stripped first.

The text has offsets into structures with pointers of eight bytes, and the code generator lays
structures out with four.  So everything but the large products is inlined while the data
layout still says eight; after that no structure is in memory, and `object_code` makes sure.
"""

import re

from llvmlite import binding

FEATURES = "+simd128,+bulk-memory,+nontrapping-fptoint"
RELAXED = "+relaxed-simd"

MATH = ("cos", "exp", "log", "log1p", "pow", "sin")
"""Functions that the module imports; `Math` has all of them."""

_LAYOUT = "e-m:e-p:32:64-p10:8:8-p20:8:8-i64:64-i128:128-n32:64-S128-ni:1:10:20"
"""wasm32's, but pointers take eight bytes in memory, as in Numba's text."""

_STRUCTURES = re.compile(r"alloca .*\{|(load|store) \{|getelementptr [^,]*\{|@llvm\.memcpy")
"""What would depend on how the code generator lays structures out."""

_MULTIPLY_ADD = """
define internal <4 x float> @multiply_add(<4 x float> %x, <4 x float> %y, <4 x float> %z) #900 {
  %product = fmul contract <4 x float> %x, %y
  %sum = fadd contract <4 x float> %product, %z
  ret <4 x float> %sum
}
attributes #900 = { alwaysinline nounwind }
"""

_RESHAPE = """
define internal i32 @numba_attempt_nocopy_reshape(i64 %n, ptr %dims, ptr %strides, i64 %new_n, \
ptr %new_dims, ptr %new_strides, i64 %size, i32 %order) {
  %last = getelementptr i64, ptr %new_strides, i64 1
  store i64 %size, ptr %last
  %at = getelementptr i64, ptr %new_dims, i64 1
  %columns = load i64, ptr %at
  %row = mul i64 %columns, %size
  store i64 %row, ptr %new_strides
  ret i32 1
}
"""
"""For what the engine asks of it: a contiguous array as one of two dimensions."""


def linked(entries) -> str:
    """One LLVM text of all entry points, under their own names."""
    whole = None
    for name, function in entries.items():
        text = function._library.get_llvm_str()
        module = binding.parse_assembly(text.replace(f"@{function.native_name}", f"@{name}"))
        if whole is None:
            whole = module
        else:
            whole.link_in(module)
    return str(whole)


def portable(text: str, exports) -> str:
    """The text for WebAssembly: nothing of the host, nothing that only Python needs."""
    text = re.sub(r"target triple = .*", 'target triple = "wasm32-unknown-unknown"', text)
    text = re.sub(r"target datalayout = .*", f'target datalayout = "{_LAYOUT}"', text)
    text = text.replace(" reassoc", "")
    text = re.sub(r"declare .*@llvm\.fma\.v4f32.*", _MULTIPLY_ADD, text)
    text = text.replace("@llvm.fma.v4f32", "@multiply_add")
    text = re.sub(r"^declare .*@(?:sqrt|llvm\.sqrt\.f64)\(.*\n", "", text, flags=re.M)
    text = re.sub(r"@sqrt\b", "@llvm.sqrt.f64", text) + "\ndeclare double @llvm.sqrt.f64(double)\n"
    text = re.sub(r"declare .*@numba_attempt_nocopy_reshape.*", lambda _: _RESHAPE, text)
    text = _without_python(text)
    public = "|".join(exports)
    hidden = rf"^define (?:linkonce_odr |internal )?(?!.*@(?:{public})\()"
    text = _inlined(re.sub(hidden, "define internal ", text, flags=re.M))
    return re.sub(r"= common ((?:local_)?unnamed_addr )?global", r"= internal \1global", text)


def _inlined(text: str) -> str:
    """With everything to be inlined but what Numba's text says to keep (`stay_a_call`)."""
    kept = re.findall(r"^attributes (#\d+) = \{[^}]*\bnoinline\b", text, re.M)
    stay = tuple(f" {group} {{" for group in kept)

    def inline(found):
        return found[0] if found[0].endswith(stay) else f"{found[1]} alwaysinline{found[2]}"

    return re.sub(r"^(define internal .*?)((?: #\d+)? \{)$", inline, text, flags=re.M)


def _without_python(text: str) -> str:
    """Nothing is counted, since nothing is allocated; whatever raises stops the module.

    What would be raised is a pickle that names files of the machine that builds: it goes.
    """
    text = re.sub(r"^@\.const\.pickle(?:data|buf)\..*\n", "", text, flags=re.M)
    text = re.sub(r"@\.const\.picklebuf\.[\w.]+", "null", text)
    for name in ("NRT_incref", "NRT_decref"):
        stub = f"define internal void @{name}(ptr %x) {{\n  ret void\n}}"
        text = re.sub(rf"define [^\n]*@{name}\(.*?\n}}", stub, text, flags=re.S)
    text = re.sub(r"declare .*@llvm\.x86\..*", "", text)
    known = "|".join(("llvm\\.", *(rf"{name}\b" for name in MATH)))
    others = rf"^declare (?:noalias )?(.+? @(?!{known})[\w.]+\(.*?\)).*$"
    trap = r"define internal \1 {\n  call void @llvm.trap()\n  unreachable\n}"
    text = re.sub(others, trap, text, flags=re.M)
    return text if "declare void @llvm.trap()" in text else text + "\ndeclare void @llvm.trap()\n"


def object_code(text: str, *features: str) -> bytes:
    """An object file for wasm32 from LLVM text, optimized; `features` beside `FEATURES`."""
    binding.initialize_all_targets()
    binding.initialize_all_asmprinters()
    target = binding.Target.from_triple("wasm32-unknown-unknown")
    wanted = ",".join((FEATURES, *features))
    machine = target.create_target_machine(features=wanted, opt=3, reloc="static")
    module = binding.parse_assembly(text)
    module.verify()
    options = binding.create_pipeline_tuning_options(speed_level=3)
    options.loop_vectorization = options.slp_vectorization = True
    passes = binding.create_pass_builder(machine, options)
    passes.getModulePassManager().run(module, passes)
    if found := next(filter(_STRUCTURES.search, str(module).splitlines()), None):
        raise RuntimeError(f"a structure is left in memory: {found.strip()}")
    return machine.emit_object(module)
