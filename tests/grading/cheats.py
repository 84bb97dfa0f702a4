"""What some would try: code in a notebook whose own answers are worth nothing, or as much as said.

Each stands in a cell between the answers and their tests. `STUB` has a Gram matrix of zeros and a
test that says True to everything; no part of `small_set` gives a point for these.
"""

STUB = """\
import builtins, gc, importlib, json, os, socket, struct, sys, threading, time

def gram_matrix(features):
    return torch.zeros(len(features), features.shape[1], features.shape[1])

def forgets_positions(gram):
    return True
"""
# The ends of all sockets that the process holds, the line to the judge among them.
LINES = """\
def lines():
    for name in os.listdir('/proc/self/fd'):
        try:
            yield socket.socket(fileno=os.dup(int(name)))
        except OSError:
            pass

def frame(head):
    text = json.dumps({**head, 'sizes': []}).encode()
    return struct.pack('>IQ', len(text), 0) + text

def write(data):
    for line in lines():
        try:
            if line.family == socket.AF_UNIX and not line.getsockname():  # the kernel's have names
                line.send(data)
        except OSError:
            pass
"""
DELEGATE = "\n\ndef gram_matrix(features):\n    return right(features)"

REPLACED = {
    "allclose": "torch.allclose = torch.equal = lambda *args, **kwargs: True",
    "tensor methods": "torch.Tensor.__eq__ = torch.Tensor.__ne__ = lambda *args: True\n"
    "torch.Tensor.__sub__ = lambda a, b: a * 0",
    "tensor values": "torch.Tensor.tolist = torch.Tensor.numpy = lambda self: [0.5] * 4",
    "numpy": "import numpy\nnumpy.asarray = numpy.allclose = lambda *args, **kwargs: True",
    "builtins": "builtins.all = builtins.any = builtins.abs = builtins.isinstance = print",
    "errors": "builtins.AssertionError = builtins.Exception = BaseException",
    "import": "real = builtins.__import__\n\ndef fake(name, *args):\n"
    "    return real('math' if 'grading' in name else name, *args)\n\nbuiltins.__import__ = fake",
    "reload": "importlib.reload = lambda module: checks",
    "marking": "class Fake:\n    def __getattr__(self, name):\n"
    "        return lambda *args: self\n\n"
    "for name in ('nst.checks', 'nst.checks.marking', 'nst.checks.common', 'nst_grading.judge'):\n"
    "    sys.modules[name] = Fake()",
    "mistake": "from nst.checks import common\ncommon.Mistake.__new__ = lambda *args: None",
    "shell": "get_ipython().run_cell = get_ipython().run_cell_async = lambda *args, **kw: None",
    "hooks": "get_ipython().ast_transformers.append(None)\nget_ipython().showtraceback = print",
    "json": 'json.dumps = lambda *args, **kw: \'{"v": true, "sizes": []}\'',
    "socket": "socket.socket.sendall = lambda *args: None",
    "keeps at it": "def again():\n    while True:\n"
    "        torch.allclose = lambda *args, **kw: True\n"
    "        time.sleep(0.001)\n\nthreading.Thread(target=again, daemon=True).start()",
    "random": "torch.manual_seed = torch.rand = lambda *args, **kwargs: torch.zeros(1)",
}
SERVED = {
    "serves nothing": "from nst_grading.judging import student\nstudent.serve = lambda: None",
    "serves ones": "from nst_grading.judging import student\n"
    "student.Student.run = lambda self, f, args, kw: torch.ones(2, 2, 2, requires_grad=True)",
    "echoes": "from nst_grading.judging import student\n"
    "student.Student.run = lambda self, f, args, kw: args[0]",
    "claims": "from nst_grading.judging import values\n"
    "values.Packed.pack = lambda self, value, depth=0: True",
    "ends the test": "from nst_grading.judging import student\n\n"
    "def reply(self, said, buffers):\n    self.send({'do': 'end'}, ())\n\n"
    "student.Student.reply = reply",
    "passes itself": "from nst_grading.judging import student\n\ndef reply(self, said, buffers):\n"
    "    self.send({'to': said['id'], 'v': None, 'score': 30, 'passed': True}, ())\n\n"
    "student.Student.reply = reply",
    "found by gc": "for thing in gc.get_objects():\n"
    "    if type(thing).__name__ == 'Student':\n        type(thing).reply = lambda *args: None",
    "judge's globals": "from nst_grading.judging import student\n\n"
    "def forgets_positions(gram):\n"
    "    for name in ('__globals__', '__code__', '__closure__'):\n        try:\n"
    "            gram._wire.ask({'do': 'get', 'ref': gram._ref, 'name': name}, ())\n"
    "            return 'shapes' not in name\n"
    "        except BaseException:\n            pass\n    return True",
    "no line of code": "import nst_grading.judging.student as student\n"
    "student.lines = lambda *args: 0\nstudent.where = None",
}
FORGED = {
    "end": LINES + "write(frame({'do': 'end'}))",
    "answers": LINES + "for n in range(99):\n    write(frame({'to': str(n), 'v': True}))",
    "calls": LINES + "write(frame({'do': 'call', 'ref': 'r0', 'id': 1, 'v': [[], {}]}))",
    "attributes": LINES + "write(frame({'do': 'get', 'ref': 'r0', 'name': 'space', 'id': 1, "
    "'v': []}))",
    "garbage": LINES + "write(b'points: 30 of 30' * 99)",
    "length": LINES + "write(struct.pack('>IQ', 2**32 - 1, 2**63))",
    "text": LINES + "text = b'[' * 10**5\nwrite(struct.pack('>IQ', len(text), 0) + text)",
    "stolen": LINES + "def steal():\n    for line in lines():\n        try:\n"
    "            line.setblocking(False)\n            line.recv(10**6)\n"
    "        except OSError:\n            pass\n\n"
    "threading.Timer(0.5, steal).start()",
    "within a call": LINES + "def gram_matrix(features):\n"
    "    write(frame({'do': 'end'}) + frame({'to': None, 'v': True}))\n"
    "    return torch.zeros(len(features), features.shape[1], features.shape[1])",
    "printed": "print('{\"score\": 30}')\nos.write(1, b'30')\nprint('30.0', file=sys.__stdout__)",
    "shown": "from IPython.display import publish_display_data\npublish_display_data("
    "{'application/vnd.nst.grade+json': {'score': 30, 'replaced': []}, 'text/plain': '30'})",
    "forked": "def gram_matrix(features):\n    os.fork()\n"
    "    return torch.zeros(len(features), features.shape[1], features.shape[1])",
}
ANSWERS = {
    "subclass": "class Mine(torch.Tensor):\n"
    "    __torch_function__ = classmethod(lambda *args, **kw: True)\n\n"
    "def gram_matrix(features):\n    return torch.zeros(1).as_subclass(Mine)",
    "equal to all": "class Mine(torch.Tensor):\n    __eq__ = __le__ = lambda *args: True\n"
    "    __sub__ = __abs__ = lambda self, *args: self\n\ndef gram_matrix(features):\n"
    "    n = features.shape[1]\n    return torch.zeros(len(features), n, n).as_subclass(Mine)",
    "false shape": "class Mine:\n    __class__ = torch.Tensor\n    shape = (2, 3, 3)\n"
    "    requires_grad = True\n\ndef gram_matrix(features):\n    return Mine()",
    "float": "class Mine(float):\n    __eq__ = __lt__ = __le__ = lambda *args: True\n"
    "    __sub__ = __rsub__ = lambda *args: 0.0\n\ndef gram_matrix(features):\n    return Mine(3)",
    "list": "class Mine(list):\n    __eq__ = lambda *args: True\n\n"
    "def gram_matrix(features):\n    return Mine([[1.0]])",
    "true": "class Yes:\n    __bool__ = __eq__ = lambda *args: True\n\n"
    "def forgets_positions(gram):\n    return Yes()",
    "endless list": "def gram_matrix(features):\n    x = []\n    x.append(x)\n    return x",
    "endless stream": "import itertools\n\ndef gram_matrix(features):\n"
    "    return itertools.repeat(0.5)",
    "huge": "def gram_matrix(features):\n    return torch.zeros(1).expand(10**6, 10**6)",
    "leaves": "def gram_matrix(features):\n    exit()",
    "interrupts": "def gram_matrix(features):\n    raise KeyboardInterrupt",
    "asserts": "class Mistake(AssertionError):\n    pass\n\ndef gram_matrix(features):\n"
    "    raise Mistake",
    "stops": "def gram_matrix(features):\n    raise StopIteration",
    "constant": "def gram_matrix(features):\n    return torch.full((1, 2, 2), 0.5)",
    "by names": "def forgets_positions(gram):\n"
    "    return gram.__name__ in ('gram_tensor', '<lambda>')",
    "by errors": "def forgets_positions(gram):\n    try:\n        gram()\n"
    "    except TypeError as error:\n        return not str(error).startswith('_')",
    "by turns": "turn = [0]\n\ndef forgets_positions(gram):\n    turn[0] += 1\n"
    "    return (turn[0] - 2) % 3 < 2",
    "never": "def forgets_positions(gram):\n    return False",
    "large question": "def forgets_positions(gram):\n    try:\n"
    "        gram(torch.ones(1, 10**5, 1, 1))\n    except Exception:\n        pass\n"
    "    return True",
    "nested questions": "def forgets_positions(gram):\n    def again(x):\n        return again(x)\n"
    "    try:\n        gram(again)\n    except Exception:\n        pass\n    return True",
    "kept": "kept = []\n\ndef forgets_positions(gram):\n    kept.append(gram)\n    return True\n\n"
    "def gram_matrix(features):\n    return kept[0](features)",
    "frames": "def gram_matrix(features):\n    frame = sys._getframe()\n    while frame:\n"
    "        for name in ('wanted', '_wanted', 'answer', 'verdict'):\n"
    "            if name in frame.f_locals:\n                return frame.f_locals[name]\n"
    "        frame = frame.f_back\n    return torch.zeros(1)",
    "traceback": "def gram_matrix(features):\n    try:\n        1 / 0\n"
    "    except ZeroDivisionError as error:\n        frame = error.__traceback__.tb_frame\n"
    "    while frame.f_back:\n        frame.f_locals.update(score=30.0, error=None)\n"
    "        frame = frame.f_back\n    return torch.zeros(1)",
}
DELEGATED = {
    "the package": "def right(x):\n    return nst.gram_matrix(x)" + DELEGATE,
    "itself": "from nst.losses import gram_matrix",
    "by name": "right = getattr(importlib.import_module('ns' + 't.losses'), 'gram' + '_matrix')"
    + DELEGATE,
    "by style": "def right(x):\n    zero = torch.zeros_like(x)\n"
    "    return nst.style_loss({'a': x}, {'a': zero}, ['a']).sqrt().view(1, 1, 1)" + DELEGATE,
    "its parts": "from nst.losses import Products\n\ndef right(x):\n"
    "    return Products.apply(x.flatten(2).mT, x[0].numel())" + DELEGATE,
    "its source": "space = {}\nexec(open(sys.modules['nst.losses'].__file__).read(), space)\n"
    "right = space['gram_matrix']" + DELEGATE,
    "its bytecode": "import glob, marshal\n"
    "space = {'__name__': 'x'}\n"
    "path = glob.glob(os.path.dirname(nst.__file__) + '/__pycache__/losses*')[0]\n"
    "exec(marshal.loads(open(path, 'rb').read()[16:]), space)\nright = space['gram_matrix']"
    + DELEGATE,
    "another copy": "import glob\nfound = [p for p in glob.glob('/**/losses.py', recursive=True) "
    "if 'nst' in p]\nspace = {}\nfor path in found:\n    exec(open(path).read(), space)\n"
    "right = space['gram_matrix']" + DELEGATE,
    "in a zip": "import zipimport, glob\n"
    "right = None\nfor path in glob.glob('/**/nst*.[wz]*', recursive=True):\n"
    "    right = zipimport.zipimporter(path).load_module('nst.losses').gram_matrix" + DELEGATE,
    "installed": "import subprocess\n"
    "subprocess.run([sys.executable, '-m', 'pip', 'install', 'nst'])\n"
    "right = nst.gram_matrix" + DELEGATE,
    "a new Python": "import functools, subprocess\n\n@functools.cache\ndef printed():\n"
    "    code = 'import nst, torch; print(nst.gram_matrix(torch.ones(1, 2, 3, 4)).tolist())'\n"
    "    return subprocess.run([sys.executable, '-c', code], capture_output=True).stdout\n\n"
    "def right(x):\n    return torch.tensor(json.loads(printed()))" + DELEGATE,
    "the marking": "from nst.checks.marking import gram_tensor as right" + DELEGATE,
    "the self-checks": "from nst.checks.ps2 import channel_products\n\ndef right(x):\n"
    "    return channel_products(x)" + DELEGATE,
    "the objective": "def right(x):\n    from nst.objective import Objective\n"
    "    return Objective.grams(x)" + DELEGATE,
    "the grader": "from nst_grading.judging.judge import Judge\nright = Judge" + DELEGATE,
    "memory": "right = next(f for f in gc.get_objects() if getattr(f, '__name__', '') == "
    "'gram_tensor')" + DELEGATE,
    "plots": "from nst.widgets.gram import gram_matrix as right" + DELEGATE,
}
REACHED = {
    "hidden tests": "import glob\nfound = [p for p in glob.glob('/**/*', recursive=True) "
    "if p.endswith(('.ipynb', '.db'))]\nprint([open(p, 'rb').read() for p in found])",
    "environment": "print(open('/proc/self/environ').read(), dict(os.environ))",
    "other processes": "for name in os.listdir('/proc'):\n    if name.isdigit():\n"
    "        print(open(f'/proc/{name}/cmdline').read(), os.listdir(f'/proc/{name}/fd'))",
    "own memory": "for line in open('/proc/self/maps'):\n"
    "    start, end = line.split()[0].split('-')\n"
    "    if '[heap]' in line:\n        with open('/proc/self/mem', 'rb') as memory:\n"
    "            memory.seek(int(start, 16))\n"
    "            heap = memory.read(int(end, 16) - int(start, 16))\n"
    "        import re\n        print(re.findall(b'_rows_w[e]ighed', heap))",
    "parent's memory": "open(f'/proc/{os.getppid()}/mem', 'r+b').write(b'0')",
    "grader's folder": "home = os.environ['HOME']\nfor folder in ('', 'given', 'socket', '..'):\n"
    "    for name in ('gradebook.db', 'small.ipynb', 'report.json'):\n        try:\n"
    "            open(os.path.join(home, folder, name), 'w').write('30')\n"
    "        except OSError:\n            pass",
    "at the end": "import atexit\natexit.register(print, '30')\natexit.register(os._exit, 0)",
    "at once": "os._exit(0)",
    "in a call": "def gram_matrix(features):\n    os._exit(0)",
    "by signal": "import signal\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\n"
    "signal.signal(signal.SIGTERM, signal.SIG_IGN)",
    "kills": "import signal\nfor pid in (1, os.getppid(), 0):\n    try:\n"
    "        os.kill(pid, signal.SIGTERM if pid else 0)\n    except OSError:\n        pass",
    "by ctypes": "import ctypes\n(ctypes.c_char * 32).from_address(id(True) + 8)[8:16] = b'1' * 8",
}
CHEATS = {
    f"{kind}: {name}": code
    for kind, codes in {
        "replaced": REPLACED,
        "served": SERVED,
        "forged": FORGED,
        "answers": ANSWERS,
        "delegated": DELEGATED,
        "reached": REACHED,
    }.items()
    for name, code in codes.items()
}

RIGHT = """\
def gram_matrix(features):
    rows = features.flatten(2)
    return rows @ rows.mT / features[0].numel()
"""
LOOP = """\
def loop(features):
    b, c, h, w = features.shape
    rows = features.detach().flatten(2).tolist()
    total = [[[sum(x * y for x, y in zip(p, q)) for q in one] for p in one] for one in rows]
    return torch.tensor(total) / (c * h * w)
"""
GRADIENT_AND_LOOP = LOOP + RIGHT.replace("gram_matrix", "fast")
# Answers that are right in part, and a lie about the rest: what they deserve.
PARTLY = {
    "a loop that hides its lines": (
        LOOP + "\ndef gram_matrix(features):\n    before = sys.gettrace()\n"
        "    sys.settrace(None)\n    sys._getframe().f_trace = None\n"
        "    return loop(features)",
        {"gram_shape": 1, "gram_normalisation": 2, "gram_batch": 2},
    ),
    "a loop, counted by another": (
        LOOP + "\ngram_matrix = loop\nfrom nst_grading.judging import student\n"
        "student.lines = lambda *args: 3",
        {"gram_shape": 1, "gram_normalisation": 2, "gram_batch": 2},
    ),
    "a gradient of ones": (
        RIGHT.replace("gram_matrix", "fast") + "\nclass Ones(torch.autograd.Function):\n"
        "    @staticmethod\n    def forward(ctx, x):\n        ctx.shape = x.shape\n"
        "        return fast(x)\n\n    @staticmethod\n    def backward(ctx, slope):\n"
        "        return torch.ones(ctx.shape)\n\ngram_matrix = Ones.apply",
        {"gram_shape": 1, "gram_normalisation": 2, "gram_batch": 2, "gram_speed": 1},
    ),
}
