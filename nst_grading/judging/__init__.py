"""How tests run where a student's code cannot reach them.

Two processes. The *student's process* is the notebook's kernel, shut in (`nst_grading.sandbox`); it
was forked before this package's functions were loaded, and holds no test. The *judge* is the
grader's own process. It runs the source of each test cell at the cell's place, with proxies for
the notebook's functions, and it alone says whether a test has passed: by having come to its end.

The two talk through a socket, by `wire`: a head in JSON, then raw buffers; no pickles. While a test
runs the kernel answers questions (`student.serve`), one after the other, each afresh:

    judge → {"do": "call", "ref": "r0", "v": [[{"k": "tensor", …}], {}]}  + the tensor's numbers
    student → {"to": "…1", "v": {"k": "out", "i": 0}, "out": [{…}], "changed": …}  + numbers

- Numbers, texts, lists, dicts, arrays and tensors go by value, a subclass as what it is a subclass
  of: an answer cannot say by itself what it equals. Functions stay where they are and go as
  references for the time of one test, the tests' own without their names. So a test can hand over
  a loss or a network that it counts the calls of, and a notebook's function may return a function.
- What a notebook holds under the names that a test mentions comes when the test begins, each by
  itself; what is large, has no values or would be used up by reading stays, as a reference.
- Several threads of a notebook may ask; they take turns.
- Gradients go as values: each process keeps the graph of its own half of a computation, and asks
  the other for the product with its Jacobian. Where a test asks only that one flows, differences
  of the judge's own inputs must agree with it (`Part.gradient`).
- What a call does to its arguments (a tensor that changes, a hook that is left) comes back with the
  answer, and is done to the test's own.
- That nothing loops over pixels is counted in lines, there, and in seconds of the processor, here.
- What the exercises of a set ask for is not in the student's process: it imports a copy of the kit
  in which these functions only raise, and whose self-checks do nothing (`withheld`).

So whatever a notebook does to its process, to torch, to `serve` or to the socket, it decides no
more than what it answers to questions it does not know; to give right answers it must compute
them. What remains: that a call has left its arguments alone, and how many lines it ran, is what
the process says of itself; an answer that lies there has to be right otherwise. And what a figure
shows is what that process reads from it. Names that no exercise needs are listed for a person.
"""
