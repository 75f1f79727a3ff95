"""Checks of a pickle before it is loaded: that loading it takes little memory, stack and time.

What an unpickler may make of a pickle is one question, which `find_class` answers. Another is what
the pickle does to the unpickler itself: an index of its memo takes memory up to that index, and the
hash of a tuple in tuples goes as deep in the stack of C, which ends the process.
"""

import pickletools

# What PyTorch's protocol 2 writes, and the same of protocol 4.
_NAMES = (
    "PROTO FRAME MARK STOP GLOBAL STACK_GLOBAL REDUCE NEWOBJ BUILD BINPERSID "
    "NONE NEWTRUE NEWFALSE BININT BININT1 BININT2 LONG1 BINFLOAT BINUNICODE SHORT_BINUNICODE "
    "EMPTY_TUPLE TUPLE TUPLE1 TUPLE2 TUPLE3 EMPTY_LIST APPEND APPENDS EMPTY_DICT SETITEM SETITEMS "
    "BINPUT LONG_BINPUT MEMOIZE BINGET LONG_BINGET"
)
_OPCODES = frozenset(_NAMES.split())
_DEEPEST = 32  # a state dict has 7
_MARK = object()


class Refused(Exception):
    """A pickle asks for something that it may not have."""


def check(stream):
    """Reads one pickle from a stream without loading it.

    Each value that the pickle would put on the stack is known by its depth alone: 0 for what holds
    nothing, such as a string. A list that grows after it was put into the memo keeps its depth
    there. That does no harm: it cannot be part of a key.

    Raises:
        Refused: it has other opcodes than a state dict, values nested more than 32 deep, or keys
            that hold something.
        ValueError, IndexError, KeyError, TypeError: it is damaged.
    """
    stack, memo = [], {}
    for count, (opcode, argument, _) in enumerate(pickletools.genops(stream)):
        if opcode.name not in _OPCODES:
            raise Refused(f"the pickle opcode {opcode.name}")
        if opcode.name in ("BINPUT", "LONG_BINPUT", "MEMOIZE"):
            index = len(memo) if argument is None else argument
            if index > count:
                raise ValueError("an index of the memo above all that came before")
            memo[index] = stack[-1]
        elif opcode.name in ("BINGET", "LONG_BINGET"):
            stack.append(memo[argument])
        elif opcode.name == "MARK":
            stack.append(_MARK)
        else:
            taken = _taken(stack, opcode)
            if opcode.stack_after:
                stack.append(_depth(opcode.name, taken))


def _taken(stack, opcode):
    """What an opcode takes from the stack, the lowest first."""
    taken = []
    expected = opcode.stack_before
    if pickletools.stackslice in expected:
        while (value := stack.pop()) is not _MARK:
            taken.append(value)
        taken.reverse()
        expected = expected[: expected.index(pickletools.markobject)]
    return [stack.pop() for _ in expected][::-1] + taken


def _depth(name, taken):
    """The depth of what an opcode makes of the values that it takes."""
    if _MARK in taken:
        raise ValueError("a mark in place of a value")
    if not taken:
        return 0
    if name in ("SETITEM", "SETITEMS", "APPEND", "APPENDS", "BUILD"):
        container, *added = taken
        if name.startswith("SETITEM") and any(added[::2]):
            raise Refused("a key that is made of other values")
        depth = max([container, *(1 + each for each in added)])
    else:
        depth = 0 if name == "STACK_GLOBAL" else 1 + max(taken)
    if depth > _DEEPEST:
        raise Refused(f"values nested more than {_DEEPEST} deep")
    return depth
