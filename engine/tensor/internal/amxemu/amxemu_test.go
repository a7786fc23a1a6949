//go:build linux && amd64

package amxemu

import (
	"encoding/binary"
	"errors"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// The bytes are what GNU as makes of the instruction beside them.
func TestDecode(t *testing.T) {
	t.Parallel()
	const (
		cx, dx, bx, si, r8, r9 = 1, 2, 3, 6, 8, 9
		none                   = -1
	)
	for _, c := range []struct {
		text string
		code []byte
		want instruction
	}{
		{"ldtilecfg [rsi]", []byte{0xC4, 0xE2, 0x78, 0x49, 0x06}, instruction{op: opLoadConfig, a: 6, size: 5, mem: memory{base: si, index: none}}},
		{"ldtilecfg [r8+16]", []byte{0xC4, 0xC2, 0x78, 0x49, 0x40, 0x10}, instruction{op: opLoadConfig, size: 6, mem: memory{base: r8, index: none, disp: 16}}},
		{"tilerelease", []byte{0xC4, 0xE2, 0x78, 0x49, 0xC0}, instruction{op: opRelease, size: 5}},
		{"tilezero tmm3", []byte{0xC4, 0xE2, 0x7B, 0x49, 0xD8}, instruction{op: opZero, dst: 3, size: 5}},
		{"tileloadd tmm4, [rcx+rdx*1]", []byte{0xC4, 0xE2, 0x7B, 0x4B, 0x24, 0x11}, instruction{op: opLoad, dst: 4, a: 4, size: 6, mem: memory{base: cx, index: dx}}},
		{"tileloadd tmm7, [rcx+rdx*1+0x400]", []byte{0xC4, 0xE2, 0x7B, 0x4B, 0xBC, 0x11, 0, 4, 0, 0}, instruction{op: opLoad, dst: 7, a: 4, size: 10, mem: memory{base: cx, index: dx, disp: 1024}}},
		{"tileloaddt1 tmm1, [r8+r9*2]", []byte{0xC4, 0x82, 0x79, 0x4B, 0x0C, 0x48}, instruction{op: opLoad, dst: 1, a: 4, size: 6, mem: memory{base: r8, index: r9, scale: 1}}},
		{"tilestored [rbx+rdx*1-64], tmm2", []byte{0xC4, 0xE2, 0x7A, 0x4B, 0x54, 0x13, 0xC0}, instruction{op: opStore, dst: 2, a: 4, size: 7, mem: memory{base: bx, index: dx, disp: -64}}},
		{"tdpbf16ps tmm0, tmm4, tmm6", []byte{0xC4, 0xE2, 0x4A, 0x5C, 0xC4}, instruction{op: opDotBF16, dst: 0, a: 4, b: 6, size: 5}},
	} {
		c.want.b = int(^c.code[2] >> 3 & 15)
		got, err := decode(append(c.code, 0x90, 0x90))
		if err != nil || got != c.want {
			t.Errorf("%s: got %+v, %v\nwant %+v", c.text, got, err, c.want)
		}
	}
}

func TestDecodeRefusesOtherInstructions(t *testing.T) {
	t.Parallel()
	for text, code := range map[string][]byte{
		"ud2":                  {0x0F, 0x0B, 0x90, 0x90, 0x90, 0x90},
		"nothing":              {},
		"cut short":            {0xC4, 0xE2, 0x7B, 0x4B, 0x24},
		"cut short in disp32":  {0xC4, 0xE2, 0x7B, 0x4B, 0xBC, 0x11, 0, 4},
		"sttilecfg":            {0xC4, 0xE2, 0x79, 0x49, 0x06},
		"tdpbssd (int8)":       {0xC4, 0xE2, 0x4B, 0x5E, 0xC4},
		"tileloadd, no base":   {0xC4, 0xE2, 0x7B, 0x4B, 0x24, 0x15, 0, 0, 0, 0},
		"vfmadd132ps":          {0xC4, 0xE2, 0x71, 0x98, 0xC2},
		"two-byte VEX vaddps ": {0xC5, 0xF0, 0x58, 0xC2, 0x90},
	} {
		if in, err := decode(code); !errors.Is(err, errNotTile) {
			t.Errorf("%s: decoded as %+v, %v", text, in, err)
		}
	}
}

// full is the configuration of eight tiles of 16 rows of 64 bytes.
func full() []byte {
	cfg := make([]byte, cfgBytes)
	cfg[0] = palette1
	for i := range tiles {
		binary.LittleEndian.PutUint16(cfg[16+2*i:], rowBytes)
		cfg[48+i] = rowsMax
	}
	return cfg
}

func TestConfigureChecks(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func([]byte){
		"palette 2":         func(c []byte) { c[0] = 2 },
		"row of 65 bytes":   func(c []byte) { c[16] = 65 },
		"17 rows":           func(c []byte) { c[48] = 17 },
		"restart at row 3 ": func(c []byte) { c[1] = 3 },
	} {
		cfg := full()
		if err := new(state).configure(cfg); err != nil {
			t.Fatal(err)
		}
		spoil(cfg)
		if err := new(state).configure(cfg); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

// The product is that of the matrices whose pairs of rows of B are interleaved.
func TestDotBF16(t *testing.T) {
	t.Parallel()
	s := new(state)
	if err := s.configure(full()); err != nil {
		t.Fatal(err)
	}
	const n, k = 16, 32
	var a [n][k]float32
	var b [k][n]float32
	var want [n][n]float64
	for i := range n {
		for j := range k {
			a[i][j], b[j][i] = rand.Float32()-0.5, rand.Float32()-0.5
			a[i][j], b[j][i] = put(s.tile[1][i][2*j:], a[i][j]), put(s.tile[2][j/2][4*i+2*(j%2):], b[j][i])
		}
	}
	for i := range n {
		for j := range n {
			want[i][j] = 1
			binary.LittleEndian.PutUint32(s.tile[0][i][4*j:], math.Float32bits(1))
			for l := range k {
				want[i][j] += float64(a[i][l]) * float64(b[l][j])
			}
		}
	}
	if err := s.dotBF16(0, 1, 2); err != nil {
		t.Fatal(err)
	}
	for i := range n {
		for j := range n {
			if got := float64(f32(s.tile[0][i][4*j:])); math.Abs(got-want[i][j]) > 1e-5 {
				t.Fatalf("c[%d][%d] = %v, want %v", i, j, got, want[i][j])
			}
		}
	}
	s.rows[2] = 8
	if err := s.dotBF16(0, 1, 2); err == nil {
		t.Error("tiles that do not fit: accepted")
	}
}

// put stores x truncated to bfloat16 and returns what it stored.
func put(p []byte, x float32) float32 {
	bits := math.Float32bits(x) >> 16
	binary.LittleEndian.PutUint16(p, uint16(bits))
	return math.Float32frombits(bits << 16)
}

func TestRunPassesOutputAndStatus(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	cmd := exec.Command(os.Args[0], "-test.run=^TestDecode$", "-test.v")
	cmd.Stdout = &out
	if n, err := Run(cmd); err != nil || n != 0 {
		t.Fatalf("performed %d, %v\n%s", n, err, out.String())
	}
	if !strings.Contains(out.String(), "--- PASS: TestDecode") {
		t.Errorf("output %q", out.String())
	}
	if _, err := Run(exec.Command(os.Args[0], "-no.such.flag")); err == nil {
		t.Error("a program that fails: no error")
	}
}
