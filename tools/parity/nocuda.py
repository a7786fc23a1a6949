"""Lets PyTorch's wheel for Linux run without the CUDA libraries that it links.

    python nocuda.py SITE_PACKAGES

The package registry's wheel can do without a GPU, but not without 3 GB of NVIDIA's libraries:
the dynamic loader wants each file, each symbol and each version of a symbol that torch names.
This writes libraries of that description a few kilobytes long. Their functions do nothing and
return 0, but for cudaGetDeviceCount, which returns cudaErrorNoDevice: PyTorch then sees a
machine without a GPU, and asks no more of them. A library that is there stays as it is. ELF: https://gabi.xinuos.com; versions: Linux Standard Base 5, 10.7.
"""
import mmap
import platform
import struct
import sys
from pathlib import Path

# mov eax, VALUE; ret
NOTHING, NO_DEVICE = (bytes([0xB8, value, 0, 0, 0, 0xC3]).ljust(8, b"\0") for value in (0, 100))
PAGE = 4096
SHT_STRTAB, SHT_DYNAMIC, SHT_DYNSYM, SHT_VERNEED, SHT_VERSYM = 3, 6, 11, 0x6FFFFFFE, 0x6FFFFFFF
DT_NEEDED, DT_HASH, DT_STRTAB, DT_SYMTAB, DT_STRSZ, DT_SYMENT, DT_SONAME = 1, 4, 5, 6, 10, 11, 14
DT_VERSYM, DT_VERDEF, DT_VERDEFNUM = 0x6FFFFFF0, 0x6FFFFFFC, 0x6FFFFFFD

# Where torch's wheel looks for each; the folders are those of NVIDIA's packages.
FOLDERS = {
    "libcudnn": "cudnn", "libnccl": "nccl", "libcusparseLt": "cusparselt", "libnvshmem_host": "nvshmem",
    "libcudart": "cu13", "libcupti": "cu13", "libnvrtc": "cu13", "libcufile": "cu13", "libcublas": "cu13",
    "libcublasLt": "cu13", "libcufft": "cu13", "libcusparse": "cu13", "libcusolver": "cu13",
}


class Library:
    """What one shared library needs, defines and leaves undefined."""

    def __init__(self, path):
        with open(path, "rb") as f:
            self.b = mmap.mmap(f.fileno(), 0, access=mmap.ACCESS_READ)
        at, size, n = *struct.unpack_from("<Q", self.b, 40), *struct.unpack_from("<HH", self.b, 58)
        # type, offset, size, link
        self.sections = [struct.unpack_from("<4xI16xQQI", self.b, at + i * size) for i in range(n)]
        self.needed = {self.string(SHT_DYNAMIC, v) for tag, v in self.records(SHT_DYNAMIC, "<QQ") if tag == DT_NEEDED}
        self.defined, self.undefined = set(), set()  # undefined: (symbol, library or None, version or None)
        versions = self.versions()
        numbers = [v for v, in self.records(SHT_VERSYM, "<H")]
        for i, (name, _, _, section, _, _) in enumerate(self.records(SHT_DYNSYM, "<IBBHQQ")):
            if section:
                self.defined.add(self.string(SHT_DYNSYM, name))
            elif name:
                self.undefined.add((self.string(SHT_DYNSYM, name), *versions.get(numbers[i] if numbers else 0, (None, None))))

    def section(self, kind):
        return next((s for s in self.sections if s[0] == kind), (kind, 0, 0, 0))

    def records(self, kind, layout):
        _, at, size, _ = self.section(kind)
        return struct.iter_unpack(layout, self.b[at : at + size])

    def string(self, kind, offset):
        """Returns the string at offset of the table that goes with a section."""
        at = self.sections[self.section(kind)[3]][1] + offset
        return self.b[at : self.b.find(b"\0", at)].decode()

    def versions(self):
        """Returns (library, version) by the number that stands for it in the symbols' versions."""
        out, (_, at, size, _) = {}, self.section(SHT_VERNEED)
        while size:
            _, n, library, aux, following = struct.unpack_from("<HHIII", self.b, at)
            entry = at + aux
            for _ in range(n):
                _, _, number, version, step = struct.unpack_from("<IHHII", self.b, entry)
                out[number] = self.string(SHT_VERNEED, library), self.string(SHT_VERNEED, version)
                entry += step
            at += following
            if not following:
                break
        return out


def elf_hash(name):
    h = 0
    for c in name.encode():
        h = (h << 4) + c
        g = h & 0xF0000000
        h = (h ^ g >> 24) & ~g & 0xFFFFFFFF
    return h


def library(name, symbols):
    """Returns a shared library with that name and symbols, {(symbol, version or None)}."""
    strings = bytearray(b"\0")

    def string(s):
        strings.extend(s.encode() + b"\0")
        return len(strings) - len(s.encode()) - 1

    soname = string(name)
    versions = [None, *sorted({v for _, v in symbols if v})]  # the first is the file itself
    verdef = b""
    for i, v in enumerate(versions):
        step = 28 if i + 1 < len(versions) else 0
        verdef += struct.pack("<HHHHIII", 1, 0 if v else 1, i + 1, 1, elf_hash(v or name), 20, step)
        verdef += struct.pack("<II", string(v) if v else soname, 0)
    symbols = sorted(symbols, key=str)
    code = 64 + 4 * 56  # after the headers
    symtab, versym = bytes(24), struct.pack("<H", 0)
    for s, v in symbols:
        at = code + (len(NOTHING) if s == "cudaGetDeviceCount" else 0)
        symtab += struct.pack("<IBBHQQ", string(s), 0x12, 0, 1, at, 8)  # a global function
        versym += struct.pack("<H", versions.index(v) + 1)
    # One chain of all symbols: these libraries are too small for more to matter.
    n = len(symbols) + 1
    hashes = struct.pack(f"<III{n}I", 1, n, 1 if symbols else 0, 0, *[i + 1 if i + 1 < n else 0 for i in range(1, n)])
    body, tags = bytearray(NOTHING + NO_DEVICE), [(DT_SONAME, soname)]
    for tag, part in ((DT_SYMTAB, symtab), (DT_HASH, hashes), (DT_VERSYM, versym), (DT_VERDEF, verdef), (DT_STRTAB, bytes(strings))):
        tags.append((tag, code + len(body)))
        body += part.ljust(-(-len(part) // 8) * 8, b"\0")
    tags += [(DT_STRSZ, len(strings)), (DT_SYMENT, 24), (DT_VERDEFNUM, len(versions)), (0, 0)]
    dynamic = b"".join(struct.pack("<QQ", *t) for t in tags)
    return elf(bytes(body), dynamic)


def elf(body, dynamic):
    """Returns a file of two segments: body, which may be executed, and dynamic, which is written."""
    text = 64 + 4 * 56 + len(body)
    at = -(-text // PAGE) * PAGE
    segment = lambda kind, flags, at, n, align: struct.pack("<IIQQQQQQ", kind, flags, at, at, at, n, n, align)
    headers = b"\x7fELF\2\1\1".ljust(16, b"\0") + struct.pack("<HHIQQQIHHHHHH", 3, 62, 1, 0, 64, 0, 0, 64, 56, 4, 64, 0, 0)
    headers += segment(1, 5, 0, text, PAGE) + segment(1, 6, at, len(dynamic), PAGE)
    headers += segment(2, 6, at, len(dynamic), 8) + segment(0x6474E551, 6, 0, 0, 16)  # no executable stack
    return (headers + body).ljust(at, b"\0") + dynamic


def main(site):
    if (sys.platform, platform.machine()) != ("linux", "x86_64"):
        return  # other wheels link no CUDA
    libraries = [Library(p) for p in [*(site / "torch/lib").glob("*.so*"), *(site / "torch").glob("_C.*.so")]]
    defined = set().union(*(l.defined for l in libraries))
    undefined = set().union(*(l.undefined for l in libraries))
    needed = set().union(*(l.needed for l in libraries))
    for name in sorted(n for n in needed if n.split(".")[0] in FOLDERS):
        path = site / "nvidia" / FOLDERS[name.split(".")[0]] / "lib" / name
        if path.exists():
            continue
        symbols = {(s, v) for s, library, v in undefined if library == name}
        if name.startswith("libcudart."):  # symbols without a version may be anywhere
            symbols |= {(s, None) for s, library, _ in undefined if library is None and s not in defined and s.startswith(("cu", "nv", "nccl"))}
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(library(name, symbols))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
