package bedrock_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	sdk "github.com/aws/aws-sdk-go-v2/service/bedrock"
	"github.com/aws/smithy-go"

	"outcrop.dev/outcrop"
	"outcrop.dev/outcrop/data/store/memory"
	"outcrop.dev/outcrop/engine/recipe"
	"outcrop.dev/outcrop/models"
	"outcrop.dev/outcrop/service/bedrock"
	"outcrop.dev/outcrop/wire/restjson"
)

// Two ids that name the same foundation model, and where the tests' resources live.
const (
	pebble = "outcrop.pebble-v1"
	titan  = "amazon.titan-text-express-v1"
	role   = "arn:aws:iam::123456789012:role/BedrockFineTuningRole"
)

var home = outcrop.Scope{Account: "123456789012", Region: "us-east-1"}

// env is a service over memory, driven through HTTP by the AWS SDK for Go.
type env struct {
	testing.TB
	*sdk.Client
	service *bedrock.Service
	handler http.Handler
	store   outcrop.Store
	objects *objects
	checker *checker
	url     string
	log     *slog.Logger

	mu  sync.Mutex
	now time.Time
	ids int
}

func newEnv(t *testing.T) *env { return newEnvWith(t, bedrock.DefaultQuotas()) }

func newEnvWith(t testing.TB, quotas bedrock.Quotas) *env {
	e := &env{TB: t, log: slog.New(slog.DiscardHandler), now: time.Date(2025, 6, 1, 12, 0, 0, 0, time.UTC)}
	e.store, e.checker = memory.New(e.clock), &checker{}
	e.objects = &objects{data: map[string]string{
		"data/train.jsonl": `{"prompt":"a","completion":"b"}`, "data/v1.jsonl": "{}", "data/v2.jsonl": "{}", "out/": "",
	}}
	e.service = e.over(e.store, quotas)
	r := restjson.NewRouter(e.newID, e.log)
	bedrock.Register(r, e.service)
	e.handler = authenticated(onlyModelled(t, r), home)
	e.Client = e.client(home)
	return e
}

// over returns a service over some store, with all else of e.
func (e *env) over(s outcrop.Store, quotas bedrock.Quotas) *bedrock.Service {
	return bedrock.New(s, e.objects, catalog{}, models.New(catalog{}, s, modelsDir), e.checker, e.clock, e.newID, quotas, e.log)
}

func (e *env) newID() string {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.ids++
	return fmt.Sprintf("id%010d", e.ids)
}

// client returns an SDK client of another account or region of the same service.
func (e *env) client(sc outcrop.Scope) *sdk.Client {
	srv := httptest.NewServer(authenticated(e.handler, sc))
	e.Cleanup(srv.Close)
	e.url = srv.URL
	return sdk.New(sdk.Options{
		BaseEndpoint: aws.String(srv.URL), Region: sc.Region, RetryMaxAttempts: 1,
		Credentials: credentials.NewStaticCredentialsProvider("AKIDEXAMPLE", "secret", ""),
	})
}

// modelled returns the exceptions that each operation's model lists, as api_gen.go has them.
var modelled = sync.OnceValue(func() map[string]string {
	src, err := os.ReadFile("api_gen.go")
	if err != nil {
		panic(err)
	}
	errs := map[string]string{}
	for _, m := range regexp.MustCompile(`Operation\{Name: "(\w+)".*Errors: \[\]outcrop\.Code\{(.*)\}\}`).FindAllStringSubmatch(string(src), -1) {
		errs[m[1]] = m[2]
	}
	return errs
})

// onlyModelled watches that no operation answers an exception that its model does not list:
// typed clients have no class for it. SerializationException is of the protocol, and so is the
// ValidationException for a broken constraint, which the model of CreateModelCopyJob forgets.
func onlyModelled(t testing.TB, r *restjson.Router) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		r.ServeHTTP(w, req)
		op, code := r.Operation(req), w.Header().Get("X-Amzn-ErrorType")
		if op != "" && code != "" && code != string(restjson.CodeSerialization) && op != "CreateModelCopyJob" && !strings.Contains(modelled()[op], strconv.Quote(code)) {
			t.Errorf("%s answered %s, and its model lists %s", op, code, modelled()[op])
		}
	})
}

// authenticated stands for the server's signature check; the outermost one counts.
func authenticated(h http.Handler, sc outcrop.Scope) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, err := outcrop.CallerOf(r.Context()); err != nil {
			r = r.WithContext(outcrop.WithCaller(r.Context(), outcrop.Caller{Account: sc.Account, Region: sc.Region, AccessKeyID: "AKIDEXAMPLE"}))
		}
		h.ServeHTTP(w, r)
	})
}

// clock gives every call a time of its own, so that orders are certain.
func (e *env) clock() time.Time {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.now = e.now.Add(time.Millisecond)
	return e.now
}

func (e *env) advance(d time.Duration) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.now = e.now.Add(d)
}

// ctx is a caller's context, for direct calls of the service.
func (e *env) ctx() context.Context {
	return outcrop.WithCaller(e.Context(), outcrop.Caller{Account: home.Account, Region: home.Region})
}

// fails checks that err is the AWS error that it should be.
func fails(t testing.TB, err error, code, text string) {
	t.Helper()
	var api smithy.APIError
	if !errors.As(err, &api) {
		t.Fatalf("%v, want %s %q", err, code, text)
	}
	if api.ErrorCode() != code || !strings.Contains(api.ErrorMessage(), text) {
		t.Fatalf("%s: %s\nwant %s: %s", api.ErrorCode(), api.ErrorMessage(), code, text)
	}
}

// must returns v of a call that may not fail.
func must[T any](v T, err error) func(t testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// conforms checks an answer against the constraints that the service model has for it.
func conforms[Out any](t testing.TB, out *Out, err error) *Out {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	data, err := restjson.Marshal(bedrock.API, out)
	if err != nil {
		t.Fatal(err)
	}
	if err := restjson.Unmarshal(bedrock.API, data, new(Out)); err != nil {
		t.Errorf("the answer breaks the service model: %v\n%s", err, data)
	}
	return out
}

// update changes a record as the rooms that work on it do.
func update[N interface{ Record() outcrop.Record }](e *env, arn string, of func(outcrop.Record) (N, error), f func(N)) {
	e.Helper()
	rec, err := e.store.Get(e.Context(), outcrop.Key{ARN: outcrop.ARN(arn)})
	if err != nil {
		e.Fatal(err)
	}
	noun, err := of(rec)
	if err != nil {
		e.Fatal(err)
	}
	f(noun)
	if err := e.store.Apply(e.Context(), outcrop.Change{Op: outcrop.OpUpdate, Record: noun.Record()}); err != nil {
		e.Fatal(err)
	}
}

// complete publishes a job's model as the reconciler does, and returns the model's ARN.
func (e *env) complete(jobARN string) string {
	e.Helper()
	loss := 0.5
	var model *outcrop.CustomModel
	update(e, jobARN, outcrop.JobOf, func(j *outcrop.Job) {
		p, _ := outcrop.ParseARN(string(j.BaseModelARN))
		arn := j.Scope.ARN(outcrop.KindCustomModel, p.Resource+"/"+j.CustomModelID)
		j.Status, j.OutputModelARN, j.EndTime = outcrop.JobCompleted, arn, e.clock()
		j.Progress.TrainingLoss, j.Progress.ValidationLosses = &loss, make([]float64, len(j.ValidationURIs))
		model = &outcrop.CustomModel{
			Meta: outcrop.Meta{Kind: outcrop.KindCustomModel, Scope: j.Scope, ID: j.CustomModelID, ARN: arn, Name: j.CustomModelName,
				Status: outcrop.ModelActive, Parent: j.Parent, Tags: j.CustomModelTags},
			JobName: j.Name, JobARN: j.ARN, BaseModelID: j.BaseModelID, BaseModelARN: j.BaseModelARN, CustomizationType: j.CustomizationType,
			HyperParameters: j.HyperParameters, TrainingURI: j.TrainingURI, ValidationURIs: j.ValidationURIs, OutputURI: j.OutputURI,
			TrainingLoss: &loss, ValidationLosses: j.Progress.ValidationLosses, KMSKeyID: j.KMSKeyID,
		}
	})
	if err := e.store.Apply(e.Context(), outcrop.Change{Op: outcrop.OpCreate, Record: model.Record()}); err != nil {
		e.Fatal(err)
	}
	return string(model.ARN)
}

const modelsDir = "/models"

// catalog has one model, under two ids.
type catalog struct{}

func (catalog) List() []outcrop.FoundationModel {
	return []outcrop.FoundationModel{{
		ID: pebble, FilesID: pebble, Aliases: []string{titan}, Name: "Pebble v1", Provider: "Outcrop", Customizations: []string{outcrop.FineTuning, outcrop.ContinuedPreTraining},
		Dir: "/models/pebble", ContextLength: 512, Defaults: outcrop.TrainDefaults{Epochs: 2, BatchSize: 4, LearningRate: 1e-3},
	}}
}

func (c catalog) Lookup(id string) (outcrop.FoundationModel, bool) {
	f := c.List()[0]
	if p, ok := outcrop.ParseARN(id); ok {
		id = p.Resource
	}
	name, _, _ := strings.Cut(id, ":")
	return f, name == f.ID || slices.Contains(f.Aliases, name)
}

// checker answers what a test wants and remembers what it was asked.
type checker struct {
	bad    error
	err    error
	during func() // called while the data are read

	mu    sync.Mutex // holds what the last one asked
	asked []string
	model outcrop.ModelFiles
	count int // of the checks
}

func (c *checker) PlanJob(ctx context.Context, job *outcrop.Job, base outcrop.ModelFiles, o outcrop.Objects) (spec outcrop.TrainSpec, report []byte, err error) {
	if c.during != nil {
		c.during()
	}
	asked := []string{base.Dir, fmt.Sprint(base.ContextLength), job.CustomizationType}
	for _, uri := range append([]string{job.TrainingURI}, job.ValidationURIs...) {
		bucket, key, _ := outcrop.ParseS3URI(uri)
		r, _, err := o.Get(ctx, bucket, key)
		if err != nil {
			return spec, nil, err
		}
		data, err := io.ReadAll(r)
		if err != nil {
			return spec, nil, err
		}
		asked = append(asked, uri, string(data))
		_ = r.Close()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.model, c.asked = base, asked
	c.count++
	if c.bad != nil {
		return spec, []byte(`{"rows":1}`), c.bad
	}
	return recipe.Resolve(job.Train, recipe.Facts{Rows: 100}), nil, c.err
}

func sumOf(data string) string { return fmt.Sprintf("%x", sha256.Sum256([]byte(data))) }

// objects is S3 in memory. A bucket exists if any key begins with its name.
type objects struct {
	mu     sync.Mutex
	data   map[string]string
	size   int64 // of every object, if not 0
	broken error

	written []string // every key, also of what was deleted again
}

func (o *objects) HeadBucket(_ context.Context, bucket string) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	for key := range o.data {
		if strings.HasPrefix(key, bucket+"/") {
			return nil
		}
	}
	return outcrop.Errorf(outcrop.CodeNotFound, "no bucket %s", bucket)
}

func (o *objects) Head(_ context.Context, bucket, key string) (outcrop.ObjectInfo, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	data, ok := o.data[bucket+"/"+key]
	if !ok {
		return outcrop.ObjectInfo{}, outcrop.Errorf(outcrop.CodeNotFound, "no key %s", key)
	}
	return outcrop.ObjectInfo{Bucket: bucket, Key: key, Size: max(o.size, int64(len(data)))}, o.broken
}

func (o *objects) Get(ctx context.Context, bucket, key string) (io.ReadCloser, outcrop.ObjectInfo, error) {
	info, err := o.Head(ctx, bucket, key)
	if err != nil {
		return nil, info, err
	}
	return io.NopCloser(strings.NewReader(o.object(bucket + "/" + key))), info, nil
}

func (o *objects) Put(ctx context.Context, bucket, key, _ string, r io.Reader) (outcrop.ObjectInfo, error) {
	if err := o.HeadBucket(ctx, bucket); err != nil {
		return outcrop.ObjectInfo{}, err
	}
	data, err := io.ReadAll(r)
	o.mu.Lock()
	defer o.mu.Unlock()
	o.data[bucket+"/"+key] = string(data)
	o.written = append(o.written, bucket+"/"+key)
	return outcrop.ObjectInfo{}, err
}

func (o *objects) Copy(ctx context.Context, fromBucket, fromKey, bucket, key string) (outcrop.ObjectInfo, error) {
	info, err := o.Head(ctx, fromBucket, fromKey)
	if err != nil {
		return info, err
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.data[bucket+"/"+key] = o.data[fromBucket+"/"+fromKey]
	return outcrop.ObjectInfo{Bucket: bucket, Key: key, Size: info.Size}, nil
}

func (o *objects) Delete(_ context.Context, bucket, key string) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	delete(o.data, bucket+"/"+key)
	return nil
}

func (o *objects) List(context.Context, string, string, string, int) ([]outcrop.ObjectInfo, error) {
	panic("the control plane lists no objects")
}

func (o *objects) object(path string) string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.data[path]
}

func (o *objects) keys() []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.Sorted(maps.Keys(o.data))
}
