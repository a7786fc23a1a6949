package disk

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"outcrop.dev/outcrop/data/blob"
	"outcrop.dev/outcrop/internal/lost"
	"outcrop.dev/outcrop/internal/sqlitedb"
	"outcrop.dev/outcrop/internal/trials"
)

// The crash tests run this test binary again as a child that writes to a store and prints
// each acknowledgement, kill it, and open the directory anew.
const (
	crashDirEnv  = "OUTCROP_TEST_CRASH_DIR"
	crashStepEnv = "OUTCROP_TEST_CRASH_STEP" // name:count: die at the count-th time
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(crashDirEnv); dir != "" {
		crashChild(dir, os.Getenv(crashStepEnv))
	}
	os.Exit(m.Run())
}

// crashBody is the body that key holds in its generation: of any size up to 700 kB.
func crashBody(key string, generation int) string {
	r := rand.New(rand.NewPCG(uint64(generation), uint64(len(key))))
	n := r.IntN(1000)
	if r.IntN(3) == 0 {
		n = r.IntN(700_000)
	}
	return strings.Repeat(fmt.Sprintf("%s.%d;", key, generation), n/8)
}

func crashChild(dir, step string) {
	s, err := Open(ctx, dir, testOptions())
	if err != nil {
		fmt.Println("fail", err)
		os.Exit(1)
	}
	if name, count, ok := strings.Cut(step, ":"); ok {
		left, _ := strconv.Atoi(count)
		var mu sync.Mutex
		s.step = func(at string) {
			mu.Lock()
			defer mu.Unlock()
			if at == name {
				if left--; left == 0 {
					os.Exit(9)
				}
			}
		}
	}
	if err := s.CreateBucket(ctx, "b", nil); err != nil && !errors.Is(err, blob.ErrBucketExists) {
		fmt.Println("fail", err)
		os.Exit(1)
	}
	for w := range 3 {
		go func() {
			for g := 1; ; g++ {
				key := fmt.Sprintf("w%d/k%d", w, g%5)
				if err := crashWrite(s, key, g); err != nil {
					fmt.Println("fail", err)
					os.Exit(1)
				}
			}
		}()
	}
	select {}
}

// crashWrite writes a generation of a key one way or the other, and says so before and after.
func crashWrite(s *Store, key string, g int) error {
	body := crashBody(key, g)
	fmt.Println("begin", key, g)
	switch g % 3 {
	case 0:
		up, err := s.CreateUpload(ctx, blob.Upload{Bucket: "b", Key: key})
		if err != nil {
			return err
		}
		half := len(body) / 2
		for i, b := range []string{body[:half], body[half:]} {
			if _, err := s.UploadPart(ctx, "b", key, up.ID, i+1, blob.PutInput{Body: strings.NewReader(b)}); err != nil {
				return err
			}
		}
		if _, err := s.CompleteUpload(ctx, "b", key, up.ID, completeAll(body[:half], body[half:])); err != nil {
			return err
		}
	case 1:
		if _, err := s.Put(ctx, "b", key, blob.PutInput{Body: strings.NewReader(body)}); err != nil {
			return err
		}
	case 2:
		fmt.Println("begin", key, 0)
		if err := s.Delete(ctx, "b", key, blob.Condition{}); err != nil {
			return err
		}
		g = 0 // nothing
	}
	fmt.Println("done", key, g)
	return nil
}

// crashState is what may be found under a key: what was acknowledged last, or anything that
// was begun since.
type crashState map[string][]int

func (c crashState) line(t *testing.T, line string) {
	f := strings.Fields(line)
	if len(f) != 3 || f[0] == "fail" {
		t.Fatalf("the child says %q", line)
	}
	g, _ := strconv.Atoi(f[2])
	if c[f[1]] == nil {
		c[f[1]] = []int{0}
	}
	if f[0] == "done" {
		c[f[1]] = nil
	}
	c[f[1]] = append(c[f[1]], g)
}

// crash runs a child, kills it after a while unless it dies by itself, and returns what may
// be found afterwards, and how much the child acknowledged.
func crash(t *testing.T, dir, step string, after time.Duration, state crashState) (acknowledged int) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), crashDirEnv+"="+dir, crashStepEnv+"="+step)
	var out bytes.Buffer
	cmd.Stdout = &out
	must(t, cmd.Start())
	timer := time.AfterFunc(after, func() { cmd.Process.Kill() })
	err := cmd.Wait()
	died := !timer.Stop()
	if step != "" && (died || cmd.ProcessState.ExitCode() != 9) {
		t.Errorf("the child did not reach step %s: %v\n%s", step, err, tail(out.String()))
	}
	lines := bufio.NewScanner(&out)
	for lines.Scan() {
		if line := lines.Text(); len(strings.Fields(line)) >= 3 || strings.HasPrefix(line, "fail") {
			state.line(t, line)
			if strings.HasPrefix(line, "done") {
				acknowledged++
			}
		}
	}
	return acknowledged
}

func tail(s string) string { return s[max(0, len(s)-500):] }

// check opens the directory as after a crash and compares.
func (c crashState) check(t *testing.T, dir string) {
	t.Helper()
	s := openStore(t, dir)
	defer s.Close()
	objects := 0
	for key, generations := range c {
		_, err := s.Head(ctx, "b", key)
		got := ""
		if err == nil {
			objects++
			got = get(t, s, "b", key)
		} else if !errors.Is(err, blob.ErrNoSuchKey) {
			t.Fatal(err)
		}
		found := -1
		for _, g := range generations {
			if g == 0 && err != nil || g > 0 && err == nil && got == crashBody(key, g) {
				found = g
			}
		}
		if found < 0 {
			t.Errorf("%s holds %d bytes (%v), expected one of the generations %v", key, len(got), err, generations)
		}
		c[key] = []int{max(found, 0)}
	}
	page, err := s.ListUploads(ctx, "b", blob.UploadQuery{Max: 1000})
	must(t, err)
	for _, u := range page.Uploads {
		must(t, s.AbortUpload(ctx, "b", u.Key, u.ID))
	}
	if n := contentFiles(t, s); n > 2*objects {
		t.Errorf("%d files for %d objects of at most two parts", n, objects)
	}
}

func TestKilledAtRandom(t *testing.T) {
	t.Parallel()
	dir, state := t.TempDir(), crashState{}
	r := rand.New(rand.NewPCG(uint64(time.Now().UnixNano()), 1))
	acknowledged := 0
	for range trials.N(10, 200) {
		acknowledged += crash(t, dir, "", time.Duration(50+r.IntN(400))*time.Millisecond, state)
		if len(state) > 0 {
			state.check(t, dir)
		}
	}
	if len(state) == 0 {
		t.Error("no child got as far as to write")
	}
	t.Logf("%d acknowledged writes and deletions", acknowledged)
}

func TestKilledAtEachStep(t *testing.T) {
	t.Parallel()
	for _, step := range []string{"written", "synced", "renamed", "named", "committed"} {
		t.Run(step, func(t *testing.T) {
			t.Parallel()
			dir, state := t.TempDir(), crashState{}
			for _, count := range []int{2, 5, 11} {
				crash(t, dir, fmt.Sprintf("%s:%d", step, count), 30*time.Second, state)
				state.check(t, dir)
			}
		})
	}
}

// A content file that was damaged or lost is an error of the read, never a short object.
func TestDamagedContent(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	put(t, s, "k", "hello world")
	var file string
	must(t, s.db.Reader.QueryRow("SELECT file FROM segments").Scan(&file))
	must(t, os.Truncate(s.path(file), 5))
	_, r, err := s.Open(ctx, "b", "k")
	must(t, err)
	defer r.Close()
	b := make([]byte, 100)
	if n, err := bufio.NewReader(r).Read(b); n > 5 || err == nil && n == 0 {
		t.Errorf("%d %v", n, err)
	}
	r.Range(0, 11)
	var got bytes.Buffer
	if _, err := got.ReadFrom(r); err == nil {
		t.Errorf("read %q without an error", got.String())
	}
	must(t, os.Remove(s.path(file)))
	r.Range(0, 11)
	if _, err := r.Read(b); err == nil {
		t.Error("read a file that is not there")
	}
}

// What a crash left over is kept; an index that is gone, or an older one, is not opened, so that
// no object is.
func TestNothingIsDeletedForWantOfARow(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := openStore(t, dir)
	must(t, s.CreateBucket(ctx, "b", nil))
	put(t, s, "k", "hello")
	must(t, s.Close())
	index := filepath.Join(dir, "index.db")
	older, err := os.ReadFile(index)
	must(t, err)
	s = openStore(t, dir)
	put(t, s, "k2", "world")
	must(t, s.Close())
	newest, err := os.ReadFile(index)
	must(t, err)

	must(t, os.Remove(index))
	if _, err := Open(ctx, dir, testOptions()); !errors.Is(err, sqlitedb.ErrMissing) {
		t.Errorf("opened without an index: %v", err)
	}
	must(t, os.WriteFile(index, nil, 0o600))
	if _, err := Open(ctx, dir, testOptions()); !errors.Is(err, sqlitedb.ErrMissing) {
		t.Errorf("opened with an empty index: %v", err)
	}
	must(t, os.WriteFile(index, older, 0o600))
	if _, err := Open(ctx, dir, testOptions()); !errors.Is(err, sqlitedb.ErrOlder) {
		t.Errorf("opened with an older index: %v", err)
	}
	must(t, os.Remove(index+sqlitedb.MarkSuffix)) // as whoever restores a backup does
	s = openStore(t, dir)
	if contentFiles(t, s) != 1 || get(t, s, "b", "k") != "hello" {
		t.Error("the older index lost its object")
	}
	must(t, s.Close())
	items, err := lost.List(filepath.Join(dir, lost.Name))
	if err != nil || len(items) != 1 {
		t.Fatalf("lost+found has %v, %v", items, err)
	}

	_, file, _ := strings.Cut(filepath.Base(items[0].Path), "-")
	must(t, os.Rename(items[0].Path, filepath.Join(dir, "data", file[:2], file)))
	must(t, os.WriteFile(index, newest, 0o600))
	must(t, os.Remove(index+sqlitedb.MarkSuffix))
	s = openStore(t, dir)
	defer s.Close()
	if get(t, s, "b", "k2") != "world" {
		t.Error("what was found is not what was lost")
	}
}
