package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"outcrop.dev/outcrop/engine/tensor"
	"outcrop.dev/outcrop/engine/tensor/gemm"
	"outcrop.dev/outcrop/server"
)

// finding is one line of the doctor's report.
type finding struct {
	What   string
	OK     bool `json:"ok"`
	Detail string
}

func (a *app) doctorCommand() *cobra.Command {
	var repair bool
	c := &cobra.Command{
		Use:   "doctor",
		Short: "Look at this machine: CPU and kernels, memory, disk, data directory, base model",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			dir, err := a.dataDir()
			if err != nil {
				return err
			}
			if repair {
				return a.repair(c.Context(), dir)
			}
			return a.report(a.examine(c.Context(), dir))
		},
	}
	c.Flags().BoolVar(&repair, "repair", false, "make s3/index.db anew from what lies beside the objects, if it is missing, older than they are, or unreadable; no server may run")
	return c
}

func (a *app) repair(ctx context.Context, dir string) error {
	r, err := server.Repair(ctx, dir, time.Now, a.logger(false))
	switch {
	case err != nil:
		return err
	case r.Good:
		a.note("The index of the objects is good: nothing to repair.")
		return nil
	}
	a.note("The index has %d buckets and %d objects again. %d files belong to no object: the next start moves them to lost+found.", r.Buckets, r.Objects, r.Unnamed)
	a.note("Uploads that were not completed are forgotten. What was of the old index is in lost+found: outcrop lost")
	return nil
}

func (a *app) report(findings []finding) error {
	sick := 0
	for _, f := range findings {
		if !f.OK {
			sick++
		}
	}
	if a.output == outputJSON {
		if err := a.printJSON(findings); err != nil {
			return err
		}
	} else {
		rows := make([][]any, len(findings))
		for i, f := range findings {
			rows[i] = []any{map[bool]string{true: "ok", false: "PROBLEM"}[f.OK], f.What, f.Detail}
		}
		a.printRows([]string{"", "what", "found"}, rows)
	}
	if sick > 0 {
		return fmt.Errorf("%d of %d checks found a problem", sick, len(findings))
	}
	return nil
}

func (a *app) examine(ctx context.Context, dir string) []finding {
	v := readVersion()
	return []finding{
		{"build", true, v.Version + " " + v.Go + " " + v.Platform},
		{"cpu", true, fmt.Sprintf("%s, %d cores, %s", cpuName(), runtime.GOMAXPROCS(0), tensor.HostCPU())},
		a.examineKernel(),
		examineMemory(),
		examineDataDir(dir),
		examineServer(dir),
		a.examineProxy(),
		examineCatalog(dir),
		a.examineModel(ctx),
	}
}

// examineProxy warns of a proxy that would see what other programs send to this server.
func (a *app) examineProxy() finding {
	f := finding{What: "proxy", OK: true, Detail: "none is set"}
	for _, name := range []string{"http_proxy", "HTTP_PROXY"} {
		if a.getenv(name) == "" {
			continue
		}
		f.Detail = name + " is set; NO_PROXY excepts this machine"
		if spared := a.getenv("no_proxy") + "," + a.getenv("NO_PROXY"); !strings.Contains(spared, "127.0.0.1") {
			f.Detail = name + " is set: boto3 and other SDKs send to it even what is for 127.0.0.1, prompts and all. The NO_PROXY that `outcrop env` prints stops that"
		}
		break
	}
	return f
}

// cpuName is the processor's own name, as Linux shows it.
func cpuName() string {
	f, err := os.Open("/proc/cpuinfo")
	if err != nil {
		return runtime.GOARCH
	}
	defer f.Close()
	for s := bufio.NewScanner(f); s.Scan(); {
		if name, value, ok := strings.Cut(s.Text(), ":"); ok && strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return runtime.GOARCH
}

// examineKernel says which kernel is used, and has it multiply.
func (a *app) examineKernel() finding {
	f := finding{What: "kernels"}
	k, err := a.kernel()
	if err != nil {
		f.Detail = err.Error()
		return f
	}
	var names []string
	for _, usable := range gemm.Kernels() {
		names = append(names, usable.Name())
	}
	f.Detail = k.Name() + " is used; this CPU can do " + strings.Join(names, ", ")
	if f.OK = multiplies(k); !f.OK {
		f.Detail += "; it multiplies WRONGLY: set " + kernelVariable + "=ref-bf16 and report this CPU"
	}
	return f
}

// multiplies compares a product of small whole numbers, which every kernel computes exactly,
// with the right one. 37 is no multiple of any tile.
func multiplies(k *gemm.Kernel) bool {
	const n = 37
	pool := tensor.NewPool(runtime.GOMAXPROCS(0))
	defer pool.Close()
	a, b, c := make([]float32, n*n), make([]float32, n*n), make([]float32, n*n)
	for i := range n * n {
		a[i], b[i] = float32(i%7-3), float32(i%5-2)
	}
	square := func(x []float32) gemm.Matrix { return gemm.Matrix{Rows: n, Cols: n, Stride: n, F32: x} }
	gemm.Mul(pool, k, c, n, square(a), square(b), false)
	for i := range n {
		for j := range n {
			var want float32
			for l := range n {
				want += a[i*n+l] * b[l*n+j]
			}
			if c[i*n+j] != want {
				return false
			}
		}
	}
	return true
}

// memoryMin is what serving and tuning the embedded model need with room to spare.
const memoryMin = 1 << 30

func examineMemory() finding {
	f := finding{What: "memory"}
	var info unix.Sysinfo_t
	if err := unix.Sysinfo(&info); err != nil {
		f.Detail = err.Error()
		return f
	}
	total := info.Totalram * uint64(info.Unit)
	f.OK = total >= memoryMin
	f.Detail = humanize.IBytes(total) + " in all"
	if available := availableMemory(); available > 0 {
		f.OK = f.OK && available >= memoryMin
		f.Detail += ", " + humanize.IBytes(available) + " available"
	}
	if !f.OK {
		f.Detail += "; at least " + humanize.IBytes(memoryMin) + " are needed"
	}
	return f
}

// diskMin is room for some jobs: data, checkpoints and models of the embedded size.
const diskMin = 2 << 30

// examineDataDir writes a file into the data directory, or looks at where it would be made.
func examineDataDir(dir string) finding {
	f := finding{What: "data directory", Detail: dir}
	existing := dir
	for {
		if _, err := os.Stat(existing); !errors.Is(err, fs.ErrNotExist) || existing == filepath.Dir(existing) {
			break
		}
		existing = filepath.Dir(existing)
	}
	if existing != dir {
		f.Detail += " (not there yet)"
	}
	if err := unix.Access(existing, unix.W_OK); err != nil {
		f.Detail += fmt.Sprintf("; %s cannot be written: %v", existing, err)
		return f
	}
	var disk unix.Statfs_t
	if err := unix.Statfs(existing, &disk); err != nil {
		f.Detail += "; " + err.Error()
		return f
	}
	free := disk.Bavail * uint64(disk.Bsize)
	f.OK = free >= diskMin
	f.Detail += ", " + humanize.IBytes(free) + " free"
	if !f.OK {
		f.Detail += "; at least " + humanize.IBytes(diskMin) + " should be"
	}
	return f
}

// alive reports whether there is a process of that id, also one of another user.
func alive(pid int) bool {
	err := unix.Kill(pid, 0)
	return err == nil || errors.Is(err, unix.EPERM)
}

// examineServer says whether a server runs here; that none does is no illness.
func examineServer(dir string) finding {
	f := finding{What: "server", OK: true, Detail: "none runs with this data directory"}
	info, err := readServerInfo(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		f.OK, f.Detail = false, err.Error()
	case alive(info.PID):
		f.Detail = fmt.Sprintf("%s, process %d", info.URL, info.PID)
	default:
		f.Detail = fmt.Sprintf("process %d has died without a farewell; the next start tidies up", info.PID)
	}
	return f
}
