package amxemu

import (
	"errors"
	"fmt"
	"os/exec"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"
)

// Run starts cmd, performs the tile instructions that it executes, and waits for it. It
// returns how many there were, and an error if the program did not exit with status 0 or if
// one of its tile instructions is wrong (no configuration, tiles that do not fit, bad memory).
//
// cmd must not have been started. It gets a process group of its own.
func Run(cmd *exec.Cmd) (performed int, err error) {
	runtime.LockOSThread() // ptrace binds a tracee to the thread that traces it
	defer runtime.UnlockOSThread()
	cmd.SysProcAttr = &syscall.SysProcAttr{Ptrace: true, Setpgid: true}
	if err := cmd.Start(); err != nil {
		return 0, err
	}
	t := &tracer{pid: cmd.Process.Pid, threads: map[int]*state{}}
	err = t.trace()
	if err != nil {
		err = errors.Join(err, unix.Kill(-t.pid, unix.SIGKILL))
	}
	return t.performed, errors.Join(err, reap(cmd))
}

// reap lets package exec finish its copying goroutines; the process itself has been waited for.
func reap(cmd *exec.Cmd) error {
	var gone *exec.ExitError
	if err := cmd.Wait(); err != nil && !errors.As(err, &gone) && !errors.Is(err, syscall.ECHILD) {
		return err
	}
	return nil
}

type tracer struct {
	pid       int
	threads   map[int]*state
	performed int
}

// trace runs the program from its first stop, at exec, to its end.
func (t *tracer) trace() error {
	var ws unix.WaitStatus
	if _, err := unix.Wait4(t.pid, &ws, unix.WALL, nil); err != nil {
		return err
	}
	if err := unix.PtraceSetOptions(t.pid, unix.PTRACE_O_TRACECLONE|unix.PTRACE_O_EXITKILL); err != nil {
		return fmt.Errorf("ptrace: %w", err)
	}
	tid := t.pid
	for signal := 0; ; {
		if err := unix.PtraceCont(tid, signal); err != nil && !errors.Is(err, unix.ESRCH) {
			return fmt.Errorf("ptrace: continue thread %d: %w", tid, err)
		}
		for { // threads end without a stop; the first one's end is the program's
			var err error
			if tid, err = wait(-t.pid, &ws); err != nil {
				return err
			}
			if ws.Stopped() {
				break
			}
			delete(t.threads, tid)
			if tid == t.pid {
				return exitError(ws)
			}
		}
		var err error
		if signal, err = t.stopped(tid, ws); err != nil {
			return err
		}
	}
}

func wait(pid int, ws *unix.WaitStatus) (int, error) {
	for {
		tid, err := unix.Wait4(pid, ws, unix.WALL, nil)
		if !errors.Is(err, unix.EINTR) {
			return tid, err
		}
	}
}

func exitError(ws unix.WaitStatus) error {
	if ws.Exited() && ws.ExitStatus() == 0 {
		return nil
	}
	return fmt.Errorf("the program ended with status %d, signal %d", ws.ExitStatus(), ws.Signal())
}

// stopped handles one stop of a thread and returns the signal to deliver to it, 0 for none.
func (t *tracer) stopped(tid int, ws unix.WaitStatus) (signal int, err error) {
	s, known := t.threads[tid]
	if !known {
		s = &state{}
		t.threads[tid] = s
	}
	switch sig := ws.StopSignal(); {
	case sig == unix.SIGTRAP, sig == unix.SIGSTOP && !known: // a clone, or the new thread's first stop
		return 0, nil
	case sig == unix.SIGILL:
		return t.illegal(tid, s)
	default:
		return int(sig), nil
	}
}

// illegal performs the instruction at which a thread faulted, if it is one of ours.
func (t *tracer) illegal(tid int, s *state) (signal int, err error) {
	var regs unix.PtraceRegs
	if err := unix.PtraceGetRegs(tid, &regs); err != nil {
		return 0, err
	}
	code := make([]byte, instructionMax)
	n, err := t.read(regs.Rip, code)
	if err != nil {
		return 0, err
	}
	in, err := decode(code[:n])
	if err != nil {
		return int(unix.SIGILL), nil
	}
	if err := t.perform(s, in, &regs); err != nil {
		return 0, fmt.Errorf("at %#x: %w", regs.Rip, err)
	}
	t.performed++
	regs.Rip += uint64(in.size)
	return 0, unix.PtraceSetRegs(tid, &regs)
}

func (t *tracer) perform(s *state, in instruction, regs *unix.PtraceRegs) error {
	if !s.on && in.op != opLoadConfig && in.op != opRelease {
		return errors.New("a tile instruction without a tile configuration")
	}
	switch in.op {
	case opLoadConfig:
		cfg := make([]byte, cfgBytes)
		if err := t.readFull(in.mem.address(regs), cfg); err != nil {
			return err
		}
		return s.configure(cfg)
	case opRelease:
		*s = state{}
	case opZero:
		s.tile[in.dst] = tile{}
	case opLoad:
		return t.load(s, in, regs)
	case opStore:
		return t.store(s, in, regs)
	case opDotBF16:
		return s.dotBF16(in.dst, in.a, in.b)
	}
	return nil
}

func (t *tracer) load(s *state, in instruction, regs *unix.PtraceRegs) error {
	s.tile[in.dst] = tile{}
	for r := range s.rows[in.dst] {
		if err := t.readFull(in.mem.row(regs, r), s.tile[in.dst][r][:s.cols[in.dst]]); err != nil {
			return err
		}
	}
	return nil
}

func (t *tracer) store(s *state, in instruction, regs *unix.PtraceRegs) error {
	for r := range s.rows[in.dst] {
		row := s.tile[in.dst][r][:s.cols[in.dst]]
		remote := []unix.RemoteIovec{{Base: uintptr(in.mem.row(regs, r)), Len: len(row)}}
		if n, err := unix.ProcessVMWritev(t.pid, iovec(row), remote, 0); err != nil || n != len(row) {
			return fmt.Errorf("store tile row at %#x: %d bytes, %w", remote[0].Base, n, err)
		}
	}
	return nil
}

func (t *tracer) read(address uint64, b []byte) (int, error) {
	remote := []unix.RemoteIovec{{Base: uintptr(address), Len: len(b)}}
	return unix.ProcessVMReadv(t.pid, iovec(b), remote, 0)
}

func (t *tracer) readFull(address uint64, b []byte) error {
	if n, err := t.read(address, b); err != nil || n != len(b) {
		return fmt.Errorf("load from %#x: %d of %d bytes, %w", address, n, len(b), err)
	}
	return nil
}

func iovec(b []byte) []unix.Iovec {
	v := unix.Iovec{Base: &b[0]}
	v.SetLen(len(b))
	return []unix.Iovec{v}
}

// address is that of an operand without an index.
func (m memory) address(regs *unix.PtraceRegs) uint64 {
	return register(regs, m.base) + uint64(m.disp)
}

// row is the address of a tile's row: the index register is the stride in bytes.
func (m memory) row(regs *unix.PtraceRegs, r int) uint64 {
	return m.address(regs) + uint64(r)*(register(regs, m.index)<<m.scale)
}

// register returns a general register by its number in an instruction; 0 for -1, none.
func register(r *unix.PtraceRegs, n int) uint64 {
	if n < 0 {
		return 0
	}
	return [...]uint64{
		r.Rax, r.Rcx, r.Rdx, r.Rbx, r.Rsp, r.Rbp, r.Rsi, r.Rdi,
		r.R8, r.R9, r.R10, r.R11, r.R12, r.R13, r.R14, r.R15,
	}[n]
}
