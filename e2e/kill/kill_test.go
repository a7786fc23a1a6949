//go:build long

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
)

var (
	kills = flag.Int("kills", 20, "how many times to kill something")
	seed  = flag.Uint64("seed", 0, "seed of the moments and the victims; 0 draws one")
)

var bin string

func TestMain(m *testing.M) { harness.Main(m, &bin) }

// tunings are jobs long enough to be hit in every phase, some seconds each on two cores: one of
// the plainest kind, and one with all that could make a difference to one which goes on.
var tunings = map[string]harness.Tuning{
	"plain": {
		Base: "outcrop.pebble-v1", Rows: 600, Validation: 24, Epochs: 2, Batch: 8, LearningRate: "0.0005",
	},
	"everything": {
		Base: "outcrop.pebble-v1", Rows: 600, Validation: 24, Epochs: 2, Batch: 8, LearningRate: "0.002",
		More: map[string]string{
			"method": "lora", "loraDropout": "0.1", "schedule": "cosine", "keepCheckpoints": "1", "evaluationInterval": "20",
			"bestCheckpoint": "validationLoss", "earlyStoppingPatience": "2", "activationCheckpointing": "true",
		},
	},
}

const (
	jobTimeout = 5 * time.Minute
	// pauseMax bounds the time between two kills: a job is then hit several times.
	pauseMax = 6 * time.Second
)

// What the job leaves must not depend on what was killed while it ran.
func TestKilledJobsEndAsUndisturbedOnes(t *testing.T) {
	if *seed == 0 {
		*seed = rand.Uint64()
	}
	t.Logf("to repeat: -seed %d", *seed)
	for kind, tuning := range tunings { // one after the other: each is to have the machine
		t.Run(kind, func(t *testing.T) { killAndCompare(t, tuning) })
	}
}

// killAndCompare runs jobs like tuning, until so much as is asked for has been killed.
func killAndCompare(t *testing.T, tuning harness.Tuning) {
	s := harness.Start(t, bin, t.TempDir())
	want := undisturbed(t, s, tuning)
	k := &killer{t: t, s: s, rand: rand.New(rand.NewPCG(*seed, 0))}
	for n := 1; k.done < *kills; n++ {
		name := "killed-" + strconv.Itoa(n)
		before := k.done
		k.during(start(t, s, tuning, name))
		compare(t, name, want, resultOf(t, s, name))
		t.Logf("%s: killed %d times, %d in all", name, k.done-before, k.done)
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
	t    *testing.T
	s    *harness.Server
	rand *rand.Rand
	done int
}

// during kills until the job has ended or enough has been killed, then lets it end.
func (k *killer) during(arn string) {
	k.t.Helper()
	for k.done < *kills {
		time.Sleep(time.Duration(k.rand.Int64N(int64(pauseMax))))
		job, err := bedrock.NewFromConfig(k.s.Config()).GetModelCustomizationJob(k.t.Context(),
			&bedrock.GetModelCustomizationJobInput{JobIdentifier: aws.String(arn)})
		if err != nil {
			k.t.Fatal(err)
		}
		if job.Status != types.ModelCustomizationJobStatusInProgress {
			break
		}
		k.kill()
	}
	job, err := harness.AwaitJob(k.t.Context(), k.s, arn, jobTimeout)
	if err != nil || job.Status != types.ModelCustomizationJobStatusCompleted {
		k.t.Fatalf("a killed job: %v\n%+v", err, job)
	}
}

func (k *killer) kill() {
	victims := k.rand.IntN(3)
	if victims != 0 { // workers, or both
		k.s.KillWorkers()
	}
	if victims != 1 { // the server, or both
		k.s.Kill()
		// A worker alone must be able to go on, and to end, without a server.
		time.Sleep(time.Duration(k.rand.Int64N(int64(time.Second))))
		k.s.Restart()
	}
	k.done++
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
var namesTheJob = []string{"README.md", "manifest.json"}

func hashTree(t *testing.T, root string, into map[string][]byte) {
	t.Helper()
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || slices.Contains(namesTheJob, d.Name()) {
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
