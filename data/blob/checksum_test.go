package blob

import (
	"encoding/hex"
	"math/rand/v2"
	"strings"
	"testing"
)

// Check values: "123456789" in the catalogue of parametrised CRC algorithms, FIPS 180-4
// and RFC 1321, and what the Python package xxhash computes.
func TestAlgorithms(t *testing.T) {
	t.Parallel()
	for a, want := range map[Algorithm]string{
		CRC32:     "cbf43926",
		CRC32C:    "e3069283",
		CRC64NVME: "ae8b14860a799888",
		SHA1:      "f7c3bc1d808e04732adf679965ccc34ca7ae3441",
		SHA256:    "15e2b0d3c33891ebb0f1ef609ec419420c20e320ce94c65fbc8c3312448eb225",
		SHA512:    "d9e6762dd1c8eaf6d61b3c6192fc408d4d6d5f1176d0c29169bc24e71c3f274ad27fcd5811b313d681f7e55ec02d73d499c95455b6b5bb503acf574fba8ffe85",
		XXHASH64:  "8cb841db40e6ae83",
		XXHASH3:   "72dcb18b67a17dff",
		XXHASH128: "33119477ede5dcd5e9716427681d5860",
		MD5:       "25f9e794323b453885f5181f1b624d0b",
	} {
		h := a.New()
		h.Write([]byte("123456789"))
		if got := hex.EncodeToString(h.Sum(nil)); got != want {
			t.Errorf("%s = %s, want %s", a, got, want)
		}
		want = Encode(h.Sum(nil))
		if b, ok := a.Decode(want); !ok || len(b) != a.Size() {
			t.Errorf("%s does not decode", a)
		}
		for _, bad := range []string{"", "AAA", want + "A", strings.TrimRight(want, "=") + "!", "AAAA"} {
			if _, ok := a.Decode(bad); ok {
				t.Errorf("%s decoded %q", a, bad)
			}
		}
	}
}

func TestJoinChecksums(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 2))
	for _, a := range []Algorithm{CRC32, CRC32C, CRC64NVME} {
		whole := a.New()
		var parts []Part
		for i, n := range []int{1, 0, 5000, 3, 65537, 8} {
			b := make([]byte, n)
			for j := range b {
				b[j] = byte(r.Uint32())
			}
			whole.Write(b)
			h := a.New()
			h.Write(b)
			parts = append(parts, Part{Number: i + 1, Size: int64(n), Checksum: Checksum{Algorithm: a, Value: Encode(h.Sum(nil))}})
		}
		got, ok := JoinChecksums(Checksum{Algorithm: a, Type: FullObject}, parts)
		if want := Encode(whole.Sum(nil)); !ok || got.Value != want {
			t.Errorf("%s of the whole is %v %v, want %s", a, got, ok, want)
		}
		parts[2].Checksum.Value = ""
		if _, ok := JoinChecksums(Checksum{Algorithm: a, Type: FullObject}, parts); ok {
			t.Errorf("%s: joined although a part has none", a)
		}
	}
	if _, ok := JoinChecksums(Checksum{Algorithm: SHA1, Type: FullObject}, []Part{{Checksum: Checksum{Algorithm: SHA1, Value: "98O8HYCOBHMq32eZZczDTKeuNEE="}}}); ok {
		t.Error("SHA1 of a whole object was made of its parts")
	}
}

func TestJoinComposite(t *testing.T) {
	t.Parallel()
	sum := func(s string) Part {
		h := SHA256.New()
		h.Write([]byte(s))
		return Part{Checksum: Checksum{Algorithm: SHA256, Value: Encode(h.Sum(nil))}}
	}
	got, ok := JoinChecksums(Checksum{Algorithm: SHA256, Type: Composite}, []Part{sum("a"), sum("b")})
	h := SHA256.New()
	ha, hb := SHA256.New(), SHA256.New()
	ha.Write([]byte("a"))
	hb.Write([]byte("b"))
	h.Write(ha.Sum(nil))
	h.Write(hb.Sum(nil))
	if want := Encode(h.Sum(nil)) + "-2"; !ok || got.Value != want {
		t.Errorf("%v, want %s", got, want)
	}
}

func TestJoinETags(t *testing.T) {
	t.Parallel()
	// printf a | md5sum | xxd -r -p | md5sum
	got, err := JoinETags([]Part{{Number: 1, ETag: "0cc175b9c0f1b6a831c399e269772661"}})
	if err != nil || got != "b6ff9a06b7e20bcb2858c5b8ff744aea-1" {
		t.Errorf("%s %v", got, err)
	}
	if _, err := JoinETags([]Part{{Number: 1, ETag: "x"}}); err == nil {
		t.Error("joined nonsense")
	}
}
