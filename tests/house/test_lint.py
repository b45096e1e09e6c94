"""tests/lint.py, shown one breach of each rule: every one must be found, and a clean file must pass."""
import os
import pathlib
import shutil
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]

HEAD = "/*\n * x: a thing.\n */\n"
MAIN = HEAD + "int turn(void);\nint main(void)\n{\n\treturn turn();\n}\n"
TURN = HEAD + "int ring(void);\nint turn(void);\nint turn(void)\n{\n\treturn ring();\n}\n"
RING = HEAD + "int ring(void);\nint ring(void)\n{\n\treturn 1;\n}\n"
CIRCLE = HEAD + "int ring(void);\nint turn(void);\nint ring(void)\n{\n\treturn turn();\n}\n"
ENUM = HEAD + """#ifndef TPC_BASE_COLOR_H
#define TPC_BASE_COLOR_H
enum color { RED, GREEN };
int color_of(enum color color);
#endif
"""
SWITCH = HEAD + """#include "base/color.h"
int color_of(enum color color)
{
	switch (color) {
	case RED:
		return 1;
	default:
		return 0;
	}
}
"""
# The rule that must find it, the file, its text.
BREACHES = (
	("include directions", "compiler/base/a.c", HEAD + '#include "emit/emit.h"\n'),
	("include directions", "compiler/base/a.c", HEAD + "#include <yaml.h>\n"),
	("include directions", "compiler/emit/a.c", HEAD + "#include <libmnl/libmnl.h>\n"),
	("include directions", "compiler/lang/a.c", HEAD + "#include <maxminddb.h>\n"),
	("include directions", "compiler/emit/a.c", HEAD + '#include "lang/ast/ast.h"\n'),
	("include directions", "compiler/emit/a.c", HEAD + '#include "nosuch.h"\n'),
	("include directions", "compiler/new/a.c", HEAD + '#include "emit/emit.h"\n'),
	("the length of files", "compiler/base/a.c", HEAD + "\n" * 600),
	("the length of functions", "compiler/base/a.c",
		HEAD + "static int long_one(int a,\n\t\t    int b)\n{\n" + "\ta++;\n" * 80 + "}\n"),
	("no default over our enums", "compiler/base/color.c", SWITCH),
	("no typedef of a struct", "compiler/base/a.c", HEAD + "typedef struct a b;\n"),
	("files say what they do", "compiler/base/a.c", "int a;\n"),
	("include guards", "compiler/base/a.h", HEAD + "#ifndef A_H\n#define A_H\n#endif\n"),
	("every code is reported somewhere", "compiler/base/codes.def",
		'DIAG_CODE(lost, SEVERITY_ERROR, "x")\n'),
	("nothing unfinished", "compiler/base/a.c", HEAD + "/* TO" "DO: more */\n"),
	("nothing unfinished", "README.md", "# x\nThis is a place" "holder.\n"),
	("white space", "README.md", "# x \n"),
	("white space", "README.md", "# x"),
	("no circle of folders", "compiler/base/ring.c", CIRCLE),
	("no circle of files", "compiler/base/ring.c", CIRCLE),
	("no state outside functions", "compiler/base/a.c", HEAD + "int a_count;\n"),
	("no state outside functions", "compiler/base/a.c",
		HEAD + "int *a(void);\nint *a(void)\n{\n\tstatic int n = 3;\n\treturn &n;\n}\n"),
	("no unused public symbol", "compiler/base/a.c",
		HEAD + "int a(void);\nint a(void)\n{\n\treturn 1;\n}\n"),
	("no unused public symbol", "compiler/base/a.c",
		HEAD + "int nft_a(void);\nint nft_a(void)\n{\n\treturn 1;\n}\n"),
	("Python", "tests/a.py", "def a():\n\treturn undefined\n"),
	("shell scripts", "tests/a.sh", "#!/bin/sh\necho $undefined[0]; cd $(foo) `\n"),
	("the C style", "compiler/base/a.c", HEAD + "int  a (void) ;\n"),
)


def project(folder):
	"""The smallest project that breaks no rule."""
	root = pathlib.Path(folder)
	for path, text in (("compiler/main.c", MAIN), ("compiler/emit/turn.c", TURN), ("compiler/base/ring.c", RING),
			("compiler/base/color.h", ENUM),
			("compiler/emit/emit.h", HEAD + "#ifndef TPC_EMIT_EMIT_H\n#define TPC_EMIT_EMIT_H\n#endif\n"),
			("compiler/base/codes.def", ""), ("tests/a.sh", "#!/bin/sh\ntrue\n"), ("README.md", "# x\n")):
		(root / path).parent.mkdir(parents=True, exist_ok=True)
		(root / path).write_text(text, encoding="utf-8")
	for name in ("tests/lint.py", ".clang-format"):
		shutil.copy(ROOT / name, root / name)
	return root


def lint(root):
	"""Builds what can be built, and lints: the exit status, and what was said."""
	for source in sorted((root / "compiler").rglob("*.c")):
		target = root / "build" / "obj" / source.relative_to(root).with_suffix(".o")
		target.parent.mkdir(parents=True, exist_ok=True)
		subprocess.run(["cc", "-fPIE", "-Icompiler", "-c", "-o", target, source], cwd=root,
			capture_output=True, check=False)
	done = subprocess.run([sys.executable, root / "tests" / "lint.py"], cwd=root, text=True,
		env=dict(os.environ, BUILD=str(root / "build")), capture_output=True, check=False)
	return done.returncode, done.stdout + done.stderr


def test_clean(tmp_path):
	"""a project that breaks no rule passes"""
	status, said = lint(project(tmp_path))
	assert status == 0, said


@pytest.mark.parametrize("rule, path, text", BREACHES)
def test_breach(rule, path, text, tmp_path):
	"""a breach is found: {rule}, in {path}"""
	root = project(tmp_path)
	(root / path).parent.mkdir(parents=True, exist_ok=True)
	(root / path).write_text(text, encoding="utf-8")
	status, said = lint(root)
	if f"{rule}: skipped: " in said:
		pytest.skip("that rule is skipped here")
	assert status == 1 and f"{rule}: " in said, said
