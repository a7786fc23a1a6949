package amxemu

import (
	"encoding/binary"
	"fmt"
	"math"
)

// The shape of palette 1, the only one that exists: 8 tiles of at most 16 rows of 64 bytes.
const (
	tiles    = 8
	rowsMax  = 16
	rowBytes = 64
	cfgBytes = 64
	palette1 = 1
)

type tile [rowsMax][rowBytes]byte

// state is the tile state of one thread.
type state struct {
	on   bool // a configuration is loaded
	rows [tiles]int
	cols [tiles]int // in bytes
	tile [tiles]tile
}

// configure loads a 64-byte tile configuration: palette in byte 0, bytes per row as 16-bit
// words from byte 16, rows from byte 48.
func (s *state) configure(cfg []byte) error {
	if cfg[0] != palette1 || cfg[1] != 0 {
		return fmt.Errorf("tile configuration: palette %d, start row %d", cfg[0], cfg[1])
	}
	*s = state{on: true}
	for t := range tiles {
		s.cols[t] = int(binary.LittleEndian.Uint16(cfg[16+2*t:]))
		s.rows[t] = int(cfg[48+t])
		if s.cols[t] > rowBytes || s.rows[t] > rowsMax {
			return fmt.Errorf("tile configuration: tile %d of %d rows of %d bytes", t, s.rows[t], s.cols[t])
		}
	}
	return nil
}

// dotBF16 is TDPBF16PS: dst[m][n] += sum over k of a[m][2k]·b[k][2n] + a[m][2k+1]·b[k][2n+1].
// Even and odd products are summed apart and joined at the end; subnormal numbers are zero.
func (s *state) dotBF16(dst, a, b int) error {
	if s.rows[b] != s.cols[a]/4 || s.cols[dst] != s.cols[b] || s.rows[dst] != s.rows[a] {
		return fmt.Errorf("TDPBF16PS: tiles of %dx%d, %dx%d and %dx%d do not fit",
			s.rows[dst], s.cols[dst], s.rows[a], s.cols[a], s.rows[b], s.cols[b])
	}
	for m := range s.rows[dst] {
		for n := range s.cols[dst] / 4 {
			var even, odd float32
			for k := range s.cols[a] / 4 {
				even = fma(bf16(s.tile[a][m][4*k:]), bf16(s.tile[b][k][4*n:]), even)
				odd = fma(bf16(s.tile[a][m][4*k+2:]), bf16(s.tile[b][k][4*n+2:]), odd)
			}
			p := s.tile[dst][m][4*n:]
			sum := flush(f32(p)) + flush(even+odd)
			binary.LittleEndian.PutUint32(p, math.Float32bits(flush(sum)))
		}
	}
	return nil
}

func bf16(p []byte) float32 {
	return flush(math.Float32frombits(uint32(binary.LittleEndian.Uint16(p)) << 16))
}

func f32(p []byte) float32 { return math.Float32frombits(binary.LittleEndian.Uint32(p)) }

// fma returns x·y+z rounded once: the product of two bfloat16 is exact in float64.
func fma(x, y, z float32) float32 { return flush(float32(float64(x)*float64(y) + float64(z))) }

// flush turns a subnormal number into zero of its sign, as the tile unit does.
func flush(x float32) float32 {
	if math.Float32bits(x)&0x7F800000 == 0 {
		return math.Float32frombits(math.Float32bits(x) & 0x80000000)
	}
	return x
}
