//go:build amd64 && linux && !purego

package gemm

import (
	"debug/elf"
	"debug/gosym"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// handEncoded finds the instructions that encode_amd64.h spells out in bytes, in assembly
// source and in what objdump prints.
var handEncoded = regexp.MustCompile(`(?i)^(vdpbf16ps|vcvtne2ps2bf16|tdpbf16ps|tile\w+|ldtilecfg)`)

// TestEncodings disassembles every function of the package with GNU objdump and compares
// the instructions that are encoded by hand, and their operands, with the source.
func TestEncodings(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("objdump"); err != nil {
		if os.Getenv("OUTCROP_REQUIRE") != "" {
			t.Fatal("OUTCROP_REQUIRE is set and objdump is missing")
		}
		t.Skip("NOT TESTED: objdump (binutils) is missing, so the hand-encoded instructions are not checked")
	}
	bodies := functionBodies(t)
	for name, want := range sourceInstructions(t) {
		if len(want) == 0 {
			continue
		}
		got := disassemble(t, bodies[name])
		if g, w := strings.Join(got, "\n"), strings.Join(want, "\n"); g != w {
			t.Errorf("%s is assembled to\n%s\nwant\n%s", name, g, w)
		}
	}
}

// sourceInstructions returns the hand-encoded instructions of every TEXT, as objdump writes
// them.
func sourceInstructions(t *testing.T) map[string][]string {
	files, err := filepath.Glob("*_amd64.s")
	if err != nil || len(files) == 0 {
		t.Fatalf("no assembly found: %v", err)
	}
	all, total := map[string][]string{}, 0
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		name := ""
		for line := range strings.SplitSeq(string(text), "\n") {
			line = strings.TrimSpace(line)
			if rest, ok := strings.CutPrefix(line, "TEXT ·"); ok {
				name, _, _ = strings.Cut(rest, "(")
			}
			if handEncoded.MatchString(line) {
				all[name] = append(all[name], gnuSyntax(t, line))
				total++
			}
		}
	}
	if total < 300 {
		t.Fatalf("only %d hand-encoded instructions found: the test does not see the source", total)
	}
	return all
}

// gnuSyntax translates a macro call to the syntax of objdump.
func gnuSyntax(t *testing.T, line string) string {
	op, rest, _ := strings.Cut(line, "(")
	x := strings.Split(strings.TrimSuffix(strings.ReplaceAll(rest, " ", ""), ")"), ",")
	register := map[string]string{"AX_": "%rax", "CX_": "%rcx", "DX_": "%rdx", "BX_": "%rbx", "SI_": "%rsi", "DI_": "%rdi"}
	switch op {
	case "VDPBF16PS", "VCVTNE2PS2BF16":
		return fmt.Sprintf("%s %%zmm%s,%%zmm%s,%%zmm%s", strings.ToLower(op), x[0], x[1], x[2])
	case "TDPBF16PS":
		return fmt.Sprintf("tdpbf16ps %%tmm%s,%%tmm%s,%%tmm%s", x[0], x[1], x[2])
	case "TILEZERO":
		return "tilezero %tmm" + x[0]
	case "TILERELEASE":
		return "tilerelease"
	case "LDTILECFG_SI":
		return "ldtilecfg (%rsi)"
	case "TILELOADD", "TILESTORED":
		disp, err := strconv.Atoi(x[2])
		if err != nil {
			t.Fatal(err)
		}
		memory := fmt.Sprintf("0x%x(%s,%s,1)", disp, register[x[0]], register[x[1]])
		if op == "TILELOADD" {
			return "tileloadd " + memory + ",%tmm" + x[3]
		}
		return "tilestored %tmm" + x[3] + "," + memory
	}
	t.Fatalf("the test does not know %s", line)
	return ""
}

// functionBodies returns, by name, the address ranges of this package's functions in the
// test binary: the assembly body and the wrapper that Go makes for it.
func functionBodies(t *testing.T) map[string][]*gosym.Func {
	path, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	exe, err := elf.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer exe.Close()
	lines, err := exe.Section(".gopclntab").Data()
	if err != nil {
		t.Fatal(err)
	}
	table, err := gosym.NewTable(nil, gosym.NewLineTable(lines, exe.Section(".text").Addr))
	if err != nil {
		t.Fatal(err)
	}
	bodies := map[string][]*gosym.Func{}
	for i := range table.Funcs {
		f := &table.Funcs[i]
		name := strings.TrimSuffix(f.Name[strings.LastIndex(f.Name, ".")+1:], ".abi0")
		if strings.Contains(f.Name, "engine/tensor/gemm.") {
			bodies[name] = append(bodies[name], f)
		}
	}
	return bodies
}

// disassemble returns the hand-encoded instructions in the ranges.
func disassemble(t *testing.T, ranges []*gosym.Func) []string {
	path, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, f := range ranges {
		out, err := exec.Command("objdump", "-d", "--no-show-raw-insn",
			fmt.Sprintf("--start-address=%#x", f.Entry), fmt.Sprintf("--stop-address=%#x", f.End), path).Output()
		if err != nil {
			t.Fatalf("objdump: %v", err)
		}
		for line := range strings.SplitSeq(string(out), "\n") {
			_, text, _ := strings.Cut(line, ":\t")
			if handEncoded.MatchString(text) {
				found = append(found, strings.Join(strings.Fields(text), " "))
			}
		}
	}
	return found
}
