# SPDX-License-Identifier: MIT
"""What a handle of safer-ring stands for: commands for gdb.

    (gdb) source tools/gdb/safer_ring.py
    (gdb) sfr conn            the struct behind a handle; or why there is none
    (gdb) print *$sfr(conn)   the same as a value

For programs with the library's symbols and debugging information, running or as a core.
"""
import gdb

TYPES = ["conn", "server", "batch"]  # by kind, as in lib/base/handle.h


def constant(name):
    return int(gdb.parse_and_eval("(int)SFR__HANDLE_" + name))


def bits(value, shift, count):
    return value >> shift & ((1 << count) - 1)


def element(array, index):
    """As sfr__array_place() finds it: four extents of each length, the first of 1024 elements."""
    at = index + (4 << 10)
    shift = at.bit_length() - 3
    extent = 4 * (shift - 10) + (at >> shift) - 4
    base = int(array["extents"][extent])
    return base + (at & ((1 << shift) - 1)) * int(array["size"]) if base else 0


def resolve(handle):
    """A pointer to the struct and None, or None and the reason."""
    value = int(handle.cast(gdb.lookup_type("unsigned long")))
    index = bits(value, 0, constant("INDEX_BITS"))
    number = bits(value, constant("INDEX_BITS"), constant("SEAT_BITS"))
    kind = bits(value, constant("KIND_SHIFT"), 2)
    marked = value >> 62 == 1 and bits(value, 55, 2) == 3
    if constant("GENERATION_BITS") > 10 and not marked or kind >= len(TYPES):
        return None, "no handle"
    seat = gdb.parse_and_eval("sfr__seats")[number]
    if not int(seat["loop"]):
        return None, "its loop is gone"
    objects = seat["objects"][kind]
    if index >= int(objects["made"]):
        return None, "no such object"
    pointer = gdb.Value(element(objects["array"], index)).cast(
        gdb.lookup_type("struct sfr__" + TYPES[kind]).pointer())
    now = int(pointer["object"]["handle"])
    if now != value:
        return None, "stale: index %d of loop %d has the handle 0x%x now" % (index, number, now)
    return pointer, None


class Show(gdb.Command):
    """sfr HANDLE: what a connection, server or batch is, by its handle."""

    def __init__(self):
        super().__init__("sfr", gdb.COMMAND_DATA, gdb.COMPLETE_EXPRESSION)

    def invoke(self, text, _from_tty):
        pointer, why = resolve(gdb.parse_and_eval(text))
        if pointer is None:
            gdb.write("%s: %s\n" % (text, why))
        else:
            gdb.write("(%s) 0x%x = %s\n" % (pointer.type, int(pointer), pointer.dereference()))


class Value(gdb.Function):
    """$sfr(HANDLE): a pointer to the struct behind a handle."""

    def __init__(self):
        super().__init__("sfr")

    def invoke(self, handle):
        pointer, why = resolve(handle)
        if pointer is None:
            raise gdb.GdbError(why)
        return pointer


Show()
Value()
