package kill

import (
	"bytes"
	"crypto/sha256"
	"flag"
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/bedrock"
	"github.com/aws/aws-sdk-go-v2/service/bedrock/types"

	"outcrop.dev/outcrop/e2e/harness"
	"outcrop.dev/outcrop/internal/durable"
	"outcrop.dev/outcrop/internal/trials"
)

var (
	kills = flag.Int("kills", trials.N(25, 100), "how many times to kill something, in all")
	from  = flag.Int("from", 0, "the number of the first kill: pieces of one seed add up")
	seed  = flag.Uint64("seed", 0, "seed of the moments and the victims; 0 draws one")
)

var bin string

func TestMain(m *testing.M) { harness.Main(m, &bin) }

// tunings are jobs long enough to be hit in every phase, some seconds each on two cores: one of
// the plainest kind, and one with all that could make a difference to one which goes on.
var tunings = map[string]harness.Tuning{
	"plain": {
		Base: "outcrop.pebble-v1", Rows: trials.N(100, 600), Validation: 16, Epochs: trials.N(1, 2), Batch: 8, LearningRate: "0.0005",
	},
	"everything": {
		Base: "outcrop.pebble-v1", Rows: trials.N(100, 600), Validation: 16, Epochs: trials.N(1, 2), Batch: 8, LearningRate: "0.002",
		More: map[string]string{
			"method": "lora", "loraDropout": "0.1", "schedule": "cosine", "keepCheckpoints": "1", "evaluationInterval": "5",
			"bestCheckpoint": "validationLoss", "earlyStoppingPatience": "2", "activationCheckpointing": "true",
		},
	},
}

const (
	jobTimeout = 5 * time.Minute
	// pauseMax bounds the time between two kills: a job is then hit several times.
	pauseMax = 4 * time.Second
	// perJobMax is how many kills one job is to bear: it waits longer after each.
	perJobMax = 9
	// depthMax is how many more times the server is killed while it recovers from a kill, and
	// recoveryMax when: it needs 0.3 s to answer.
	depthMax    = 3
	recoveryMax = 400 * time.Millisecond
)

// What the job leaves must not depend on what was killed while it ran.
func TestKilledJobsEndAsUndisturbedOnes(t *testing.T) {
	if *seed == 0 {
		*seed = rand.Uint64()
	}
	t.Logf("to repeat: -seed %d -from %d -kills %d", *seed, *from, *kills)
	kinds := []string{"everything", "plain"}[:trials.N(1, 2)]
	for i, kind := range kinds { // one after the other: each is to have the machine
		first, last := *from+*kills*i/len(kinds), *from+*kills*(i+1)/len(kinds)
		t.Run(kind, func(t *testing.T) { killAndCompare(t, tunings[kind], first, last) })
	}
}

// killAndCompare runs jobs like tuning, until the kills from first to last have been done.
func killAndCompare(t *testing.T, tuning harness.Tuning, first, last int) {
	s := harness.Start(t, bin, t.TempDir())
	want := undisturbed(t, s, tuning)
	k := &killer{t: t, s: s, next: first, last: last}
	for n := 1; k.next < k.last; n++ {
		name := "killed-" + strconv.Itoa(n)
		before := k.next
		k.during(start(t, s, tuning, name))
		compare(t, name, want, resultOf(t, s, name))
		t.Logf("%s: kills %d to %d, %d processes ended so far", name, before, k.next-1, k.ended)
	}
}

func start(t *testing.T, s *harness.Server, tuning harness.Tuning, name string) string {
	tuning.Name = name
	return tuning.Create(t, s)
}

func undisturbed(t *testing.T, s *harness.Server, tuning harness.Tuning) map[string][]byte {
	began := time.Now()
	job, err := harness.AwaitJob(t.Context(), s, start(t, s, tuning, "undisturbed"), jobTimeout)
	if err != nil || job.Status != types.ModelCustomizationJobStatusCompleted {
		t.Fatalf("the undisturbed job: %+v, %v", job, err)
	}
	t.Logf("the undisturbed job took %s", time.Since(began).Round(time.Second))
	return resultOf(t, s, "undisturbed")
}

// A killer kills the server, its workers, or both.
type killer struct {
	t          *testing.T
	s          *harness.Server
	next, last int // kills by their number, which decides their moments and victims
	ended      int // processes
}

// during kills until the job has ended or enough has been killed, then lets it end.
func (k *killer) during(arn string) {
	k.t.Helper()
	for first := k.next; k.next < min(k.last, first+perJobMax); {
		r := rand.New(rand.NewPCG(*seed, uint64(k.next)))
		time.Sleep(time.Duration(r.Int64N(int64(pauseMax))))
		job, err := bedrock.NewFromConfig(k.s.Config()).GetModelCustomizationJob(k.t.Context(),
			&bedrock.GetModelCustomizationJobInput{JobIdentifier: aws.String(arn)})
		if err != nil {
			k.t.Fatal(err)
		}
		if job.Status != types.ModelCustomizationJobStatusInProgress {
			break
		}
		k.kill(r)
		k.next++
	}
	job, err := harness.AwaitJob(k.t.Context(), k.s, arn, jobTimeout)
	if err != nil || job.Status != types.ModelCustomizationJobStatusCompleted {
		k.t.Fatalf("a killed job: %v\n%+v", err, job)
	}
}

// kill ends the workers, the server or both, and the server as often as not some times more while it
// recovers.
func (k *killer) kill(r *rand.Rand) {
	victims := r.IntN(3)
	if victims != 0 { // workers, or both
		k.ended += k.s.KillWorkers()
	}
	if victims == 1 {
		return
	}
	k.s.Kill()
	k.ended++
	// A worker alone must be able to go on, and to end, without a server.
	time.Sleep(time.Duration(r.Int64N(int64(time.Second))))
	for range r.IntN(2) * (1 + r.IntN(depthMax)) {
		k.s.RestartAndKill(time.Duration(r.Int64N(int64(recoveryMax))))
		k.ended++
		if r.IntN(2) == 0 {
			k.ended += k.s.KillWorkers()
		}
	}
	k.s.Restart()
}

// resultOf returns the job's loss files and a hash of each file of its model.
func resultOf(t *testing.T, s *harness.Server, name string) map[string][]byte {
	t.Helper()
	job, err := bedrock.NewFromConfig(s.Config()).GetModelCustomizationJob(t.Context(), &bedrock.GetModelCustomizationJobInput{JobIdentifier: aws.String(name)})
	if err != nil {
		t.Fatal(err)
	}
	jobARN, modelARN := aws.ToString(job.JobArn), aws.ToString(job.OutputModelArn)
	folder := name + "/output/model-customization-job-" + lastPart(jobARN)
	result := map[string][]byte{}
	for _, key := range []string{
		"/training_artifacts/step_wise_training_metrics.csv",
		"/validation_artifacts/post_fine_tuning_validation/validation_metrics.csv",
		"/parity.json",
	} {
		result[key] = harness.Object(t, s, folder+key)
	}
	hashTree(t, filepath.Join(s.Dir, "models", lastPart(modelARN)), result)
	return result
}

func lastPart(arn string) string { return arn[strings.LastIndexByte(arn, '/')+1:] }

// namesTheJob are the files of a model that differ between two jobs, because they name the
// job and its data, or hold the checksum of one that does.
var namesTheJob = []string{"README.md", "manifest.json", "checksums.json"}

func hashTree(t *testing.T, root string, into map[string][]byte) {
	t.Helper()
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		// The server writes the model's checksums when the job has ended, through a temporary file.
		if err != nil || d.IsDir() || slices.Contains(namesTheJob, d.Name()) || strings.HasSuffix(d.Name(), durable.TempSuffix) {
			return err
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		name, err := filepath.Rel(root, path)
		into[name] = fmt.Appendf(nil, "sha256 %x of %d bytes", sha256.Sum256(b), len(b))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if into["model.safetensors"] == nil && into["adapter_model.safetensors"] == nil {
		t.Fatalf("%s holds no weights", root)
	}
}

func compare(t *testing.T, name string, want, got map[string][]byte) {
	t.Helper()
	if !slices.Equal(slices.Sorted(maps.Keys(want)), slices.Sorted(maps.Keys(got))) {
		t.Errorf("%s left %v, the undisturbed job %v", name, slices.Sorted(maps.Keys(got)), slices.Sorted(maps.Keys(want)))
	}
	for file, w := range want {
		if !bytes.Equal(got[file], w) {
			t.Errorf("%s: %s differs:\n%s\nundisturbed:\n%s", name, file, got[file], w)
		}
	}
}
