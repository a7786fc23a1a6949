package cli

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"runtime"
	"strconv"
	"strings"

	"github.com/dustin/go-humanize"

	"outcrop.dev/outcrop/engine/nn"
	"outcrop.dev/outcrop/engine/tensor"
	"outcrop.dev/outcrop/engine/tensor/gemm"
)

// kernelVariable names the matrix kernel to use instead of the fastest: for tests and for
// machines on which the fastest is not.
const kernelVariable = "OUTCROP_KERNEL"

// kernel returns the kernel that kernelVariable names, else the fastest of this CPU.
func (a *app) kernel() (*gemm.Kernel, error) {
	name := a.getenv(kernelVariable)
	if name == "" {
		return gemm.Best(), nil
	}
	k, err := gemm.ByName(name)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", kernelVariable, err)
	}
	return k, nil
}

// exec returns what models run on. The caller closes the pool.
func (a *app) exec(threads int) (nn.Exec, error) {
	k, err := a.kernel()
	if err != nil {
		return nn.Exec{}, err
	}
	return nn.Exec{Pool: tensor.NewPool(threads), Kernel: k}, nil
}

// threadsFlag is a number of threads as a flag; 0 is one for each core.
type threadsFlag int

func (t threadsFlag) count() int {
	if t == 0 {
		return runtime.GOMAXPROCS(0)
	}
	return int(t)
}

// threadsMax is the most that --threads takes: more than any machine that this runs on has
// cores.
const threadsMax = 1024

func (t *threadsFlag) Set(s string) error {
	n, err := strconv.Atoi(strings.TrimSpace(s))
	if err != nil || n < 0 || n > threadsMax {
		return fmt.Errorf("a number from 0 to %d", threadsMax)
	}
	*t = threadsFlag(n)
	return nil
}

func (t *threadsFlag) String() string { return strconv.Itoa(int(*t)) }

// Type is what a flag's help shows for its value.
func (t *threadsFlag) Type() string { return "number" }

// sizeFlag is a number of bytes as a flag; 0 leaves it to the program.
type sizeFlag uint64

// or returns the size, or size if the flag is 0.
func (s sizeFlag) or(size uint64) int64 { return int64(min(cmp.Or(uint64(s), size), math.MaxInt64)) }

// sizeLeast is the least that a sizeFlag takes: who writes 12 means gibibytes, not bytes.
const sizeLeast = 1 << 20

func (s *sizeFlag) Set(text string) error {
	n, err := humanize.ParseBytes(text)
	if err != nil || n < sizeLeast && text != "0" {
		return errors.New("a size such as 512MiB or 12GiB")
	}
	*s = sizeFlag(n)
	return nil
}

func (s *sizeFlag) String() string {
	if *s == 0 {
		return "0"
	}
	return humanize.IBytes(uint64(*s))
}

// Type is what a flag's help shows for its value.
func (s *sizeFlag) Type() string { return "size" }

// weightsFlag is how serving keeps the weights of matrices.
type weightsFlag string

const (
	weightsBF16  = "bf16"
	weightsInt8  = "int8"
	weightsUsage = "weights of matrices in memory: bf16 (as the kernel multiplies them) or int8 (half the memory, faster answers, not quite the same)"
)

func (w *weightsFlag) int8() bool { return *w == weightsInt8 }

func (w *weightsFlag) Set(s string) error {
	if s != weightsBF16 && s != weightsInt8 {
		return fmt.Errorf("%s or %s", weightsBF16, weightsInt8)
	}
	*w = weightsFlag(s)
	return nil
}

func (w *weightsFlag) String() string { return string(*w) }

// Type is what a flag's help shows for its value.
func (w *weightsFlag) Type() string { return "kind" }
