package models_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	sdk "github.com/aws/aws-sdk-go-v2/service/bedrock"
	sdktypes "github.com/aws/aws-sdk-go-v2/service/bedrock/types"
	runtime "github.com/aws/aws-sdk-go-v2/service/bedrockruntime"
	runtimetypes "github.com/aws/aws-sdk-go-v2/service/bedrockruntime/types"
	"github.com/aws/smithy-go"

	"outcrop.dev/outcrop"
	"outcrop.dev/outcrop/data/store/memory"
	"outcrop.dev/outcrop/invoke"
	"outcrop.dev/outcrop/models"
	"outcrop.dev/outcrop/models/catalog"
	"outcrop.dev/outcrop/service/bedrock"
	"outcrop.dev/outcrop/service/bedrockruntime"
	"outcrop.dev/outcrop/wire/restjson"
)

// Who asks, and what there is besides the embedded model and an alias of it: a custom model, another
// that is adapters of it and is served, and one that nothing needs.
var (
	home       = outcrop.Scope{Account: "123456789012", Region: "us-east-1"}
	wholeARN   = home.ARN(outcrop.KindCustomModel, pebbleID+"/wholewhole01")
	loraARN    = home.ARN(outcrop.KindCustomModel, pebbleID+"/loraloralora")
	servingARN = home.ARN(outcrop.KindThroughput, "serveserve01")
	pebble     = home.ARN(outcrop.KindFoundationModel, pebbleID)
)

const (
	pebbleID = catalog.PebbleID
	alias    = "acme.alias-v1"
	inHome   = "arn:aws:bedrock:us-east-1:123456789012:"
)

// What an operation answers that is no model.
const (
	absent   = "ResourceNotFoundException"
	refused  = "ValidationException"
	conflict = "ConflictException"
)

// TestIdentifiers asks every operation that takes an identifier for every form of one. A model is
// told by the last part of its ARN; where files matter, by theirs.
func TestIdentifiers(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	foundation, err := catalog.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := catalog.AddAliases(dir, pebbleID, []string{alias}); err != nil {
		t.Fatal(err)
	}
	for _, row := range identifiers {
		for _, op := range []struct {
			name string
			call func(*world, string) (string, error)
			want string
		}{
			{"GetFoundationModel", (*world).getFoundationModel, row.foundation},
			{"CreateModelCustomizationJob", (*world).createJob, row.base},
			{"CreateProvisionedModelThroughput", (*world).createThroughput, row.reserved},
			{"UpdateProvisionedModelThroughput's desired model", (*world).updateTo, row.desired},
			{"UpdateProvisionedModelThroughput", (*world).update, row.throughput},
			{"GetCustomModel", (*world).getCustomModel, row.custom},
			{"DeleteCustomModel", (*world).deleteCustomModel, row.deleted},
			{"InvokeModel", (*world).invokeModel, row.invoked},
			{"Converse", (*world).converse, row.invoked},
			{"CountTokens", (*world).countTokens, row.counted},
		} {
			got, err := op.call(newWorld(t, foundation), row.identifier)
			if err != nil {
				got = codeOf(err)
			}
			if got != op.want {
				t.Errorf("%s (%s): %s answers %s, want %s (%v)", row.form, row.identifier, op.name, got, op.want, err)
			}
		}
	}
}

func codeOf(err error) string {
	var api smithy.APIError
	if errors.As(err, &api) {
		return api.ErrorCode()
	}
	return err.Error()
}

// identifier is a form of identifier, and what each operation makes of it. What a pattern of the
// service model refuses is a ValidationException before anybody is asked; CountTokens has the most
// lenient pattern.
type identifier struct {
	form, identifier                              string
	foundation, base, reserved, desired           string
	throughput, custom, deleted, invoked, counted string
}

var identifiers = []identifier{
	{"foundation model", pebbleID,
		pebbleID, pebbleID, pebbleID, pebbleID, refused, absent, absent, pebbleID, pebbleID},
	{"with a version", "outcrop.pebble-v1:0",
		"outcrop.pebble-v1:0", pebbleID, "outcrop.pebble-v1:0", refused, refused, absent, absent, pebbleID, pebbleID},
	{"with a version and a context", "outcrop.pebble-v1:0:8k",
		"outcrop.pebble-v1:0:8k", pebbleID, "outcrop.pebble-v1:0:8k", refused, refused, absent, absent, pebbleID, pebbleID},
	{"alias", alias,
		"acme.alias-v1", pebbleID, "acme.alias-v1", refused, refused, absent, absent, pebbleID, pebbleID},
	{"model of the same files", "amazon.titan-text-express-v1",
		"amazon.titan-text-express-v1", pebbleID, "amazon.titan-text-express-v1", refused, refused, absent, absent, pebbleID, pebbleID},
	{"alias with a context", "amazon.titan-text-express-v1:0:8k",
		"amazon.titan-text-express-v1:0:8k", pebbleID, "amazon.titan-text-express-v1:0:8k", refused, refused, absent, absent, pebbleID, pebbleID},
	{"foundation model's ARN", "arn:aws:bedrock:us-east-1::foundation-model/outcrop.pebble-v1",
		pebbleID, pebbleID, pebbleID, pebbleID, refused, absent, absent, pebbleID, pebbleID},
	{"alias's ARN", "arn:aws:bedrock:us-east-1::foundation-model/acme.alias-v1",
		"acme.alias-v1", pebbleID, "acme.alias-v1", refused, refused, absent, absent, pebbleID, pebbleID},
	{"ARN with a suffix", "arn:aws:bedrock:us-east-1::foundation-model/outcrop.pebble-v1:0:8k",
		"outcrop.pebble-v1:0:8k", pebbleID, "outcrop.pebble-v1:0:8k", refused, refused, absent, absent, refused, pebbleID},
	{"ARN of another region", "arn:aws:bedrock:eu-west-1::foundation-model/outcrop.pebble-v1",
		absent, absent, absent, absent, refused, absent, absent, absent, absent},
	{"ARN of another partition", "arn:aws-cn:bedrock:us-east-1::foundation-model/outcrop.pebble-v1",
		absent, absent, absent, absent, refused, absent, absent, absent, absent},
	{"foundation model's ARN with the account", inHome + "foundation-model/outcrop.pebble-v1",
		refused, refused, refused, refused, refused, refused, refused, refused, refused},
	{"foundation model's ARN with another account", "arn:aws:bedrock:us-east-1:999999999999:foundation-model/outcrop.pebble-v1",
		refused, refused, refused, refused, refused, refused, refused, refused, refused},
	{"ARN of an unknown model", "arn:aws:bedrock:us-east-1::foundation-model/acme.none-v1",
		absent, absent, absent, absent, refused, absent, absent, absent, absent},
	{"custom model's name", "whole",
		refused, "wholewhole01", "wholewhole01", "wholewhole01", absent, "wholewhole01", conflict, refused, refused},
	{"custom model's id", "wholewhole01",
		refused, "wholewhole01", "wholewhole01", "wholewhole01", absent, "wholewhole01", conflict, refused, refused},
	{"custom model's ARN", inHome + "custom-model/outcrop.pebble-v1/wholewhole01",
		refused, "wholewhole01", "wholewhole01", "wholewhole01", refused, "wholewhole01", conflict, refused, refused},
	{"custom model's ARN with its name", inHome + "custom-model/whole",
		refused, "wholewhole01", "wholewhole01", "wholewhole01", refused, "wholewhole01", conflict, refused, refused},
	{"custom model's ARN with another base", inHome + "custom-model/acme.none-v1/wholewhole01",
		refused, absent, absent, absent, refused, absent, absent, absent, absent},
	{"custom model's ARN of another account", "arn:aws:bedrock:us-east-1:999999999999:custom-model/outcrop.pebble-v1/wholewhole01",
		refused, absent, absent, absent, refused, absent, absent, absent, absent},
	{"custom model's ARN of another region", "arn:aws:bedrock:eu-west-1:123456789012:custom-model/outcrop.pebble-v1/wholewhole01",
		refused, absent, absent, absent, refused, absent, absent, absent, absent},
	{"custom model that nothing needs", "spare",
		refused, "sparespare01", "sparespare01", "sparespare01", absent, "sparespare01", "deleted", refused, refused},
	{"custom model that is being trained", "coming",
		refused, refused, refused, refused, absent, absent, absent, refused, refused},
	{"adapters' name", "lora",
		refused, "loraloralora+wholewhole01", "loraloralora", "loraloralora", absent, "loraloralora", conflict, refused, refused},
	{"adapters' ARN", inHome + "custom-model/outcrop.pebble-v1/loraloralora",
		refused, "loraloralora+wholewhole01", "loraloralora", "loraloralora", refused, "loraloralora", conflict, refused, refused},
	{"throughput's name", "serving",
		refused, absent, absent, absent, "renamed", absent, absent, "loraloralora+wholewhole01", "loraloralora+wholewhole01"},
	{"throughput's id", "serveserve01",
		refused, absent, absent, absent, "renamed", absent, absent, "loraloralora+wholewhole01", "loraloralora+wholewhole01"},
	{"throughput's ARN", inHome + "provisioned-model/serveserve01",
		refused, refused, refused, refused, "renamed", refused, refused, "loraloralora+wholewhole01", "loraloralora+wholewhole01"},
	{"throughput's ARN with its name", inHome + "provisioned-model/serving",
		refused, refused, refused, refused, refused, refused, refused, refused, "loraloralora+wholewhole01"},
	{"throughput's ARN of another account", "arn:aws:bedrock:us-east-1:999999999999:provisioned-model/serveserve01",
		refused, refused, refused, refused, absent, refused, refused, absent, absent},
	{"throughput's ARN of another region", "arn:aws:bedrock:eu-west-1:123456789012:provisioned-model/serveserve01",
		refused, refused, refused, refused, absent, refused, refused, absent, absent},
	{"unknown throughput's ARN", inHome + "provisioned-model/nonenonenone",
		refused, refused, refused, refused, absent, refused, refused, absent, absent},
	{"ARN of a kind that there is not", inHome + "imported-model/abcdefghijkl",
		refused, refused, refused, refused, refused, refused, refused, refused, refused},
	{"unknown id", "acme.none-v1",
		absent, absent, absent, absent, refused, absent, absent, refused, refused},
	{"unknown name", "none",
		refused, absent, absent, absent, absent, absent, absent, refused, refused},
	{"garbage", "no id!",
		refused, refused, refused, refused, refused, refused, refused, refused, refused},
}

// world is both services over one store.
type world struct {
	*testing.T
	store   *memory.Store
	files   outcrop.ModelFiles // that were last asked for
	control *sdk.Client
	data    *runtime.Client
}

func newWorld(t *testing.T, foundation *catalog.Catalog) *world {
	t.Helper()
	w := &world{T: t, store: memory.New(time.Now)}
	w.seed()
	all := models.New(foundation, w.store, "/models")
	n := 0
	newID := func() string { n++; return fmt.Sprintf("new%09d", n) }
	router := restjson.NewRouter(newID, slog.New(slog.DiscardHandler))
	bedrock.Register(router, bedrock.New(w.store, objects{}, foundation, all, w, time.Now, newID, bedrock.DefaultQuotas(), slog.New(slog.DiscardHandler)))
	bedrockruntime.Register(router, bedrockruntime.New(all, invoke.New(w.store, engine{w: w}, meter{}, invoke.Options{Now: time.Now, After: time.After})))
	keys := credentials.NewStaticCredentialsProvider("AKIDEXAMPLE", "secret", "")
	w.control = sdk.New(sdk.Options{Region: home.Region, RetryMaxAttempts: 1, Credentials: keys, HTTPClient: direct{router}})
	w.data = runtime.New(runtime.Options{Region: home.Region, RetryMaxAttempts: 1, Credentials: keys, HTTPClient: direct{router}})
	return w
}

// seed writes the rows that there are.
func (w *world) seed() {
	w.custom(wholeARN, "whole", "")
	w.custom(loraARN, "lora", string(wholeARN))
	w.custom(home.ARN(outcrop.KindCustomModel, pebbleID+"/sparespare01"), "spare", "")
	w.write((&outcrop.Throughput{
		Meta:       meta(servingARN, "serving", outcrop.ThroughputInService),
		ModelUnits: 1, ModelARN: loraARN, DesiredModelARN: loraARN, FoundationModelARN: pebble,
	}).Record())
	w.write((&outcrop.Job{
		Meta:            meta(home.ARN(outcrop.KindJob, pebbleID+"/jobjobjobjob"), "job", outcrop.JobInProgress),
		CustomModelName: "coming", CustomModelID: "comingcoming",
	}).Record())
}

func meta(arn outcrop.ARN, name string, status outcrop.Status) outcrop.Meta {
	p, _ := outcrop.ParseARN(string(arn))
	return outcrop.Meta{Kind: p.Kind, Scope: p.Scope, ARN: arn, ID: p.Last(), Name: name, Status: status}
}

// custom writes a custom model of the foundation model that its ARN says.
func (w *world) custom(arn outcrop.ARN, name, adapterOf string) {
	w.Helper()
	p, _ := outcrop.ParseARN(string(arn))
	base, _, _ := strings.Cut(p.Resource, "/")
	w.write((&outcrop.CustomModel{
		Meta: meta(arn, name, outcrop.ModelActive), BaseModelID: base, BaseModelARN: p.Scope.ARN(outcrop.KindFoundationModel, base), AdapterOf: adapterOf,
	}).Record())
}

func (w *world) write(rec outcrop.Record) {
	w.Helper()
	if err := w.store.Apply(w.Context(), outcrop.Change{Op: outcrop.OpCreate, Record: rec}); err != nil {
		w.Fatal(err)
	}
}

// last is the last part of an ARN.
func last(arn string) string { return arn[strings.LastIndexByte(arn, '/')+1:] }

// asked tells the files that were last asked for: MODEL, or ADAPTERS+MODEL.
func (w *world) asked() string {
	if w.files.BaseID != "" {
		return last(string(w.files.ID)) + "+" + last(string(w.files.BaseID))
	}
	return last(string(w.files.ID))
}

func (w *world) getFoundationModel(id string) (string, error) {
	out, err := w.control.GetFoundationModel(w.Context(), &sdk.GetFoundationModelInput{ModelIdentifier: &id})
	if err != nil {
		return "", err
	}
	return last(*out.ModelDetails.ModelArn), nil
}

func (w *world) createJob(id string) (string, error) {
	_, err := w.control.CreateModelCustomizationJob(w.Context(), &sdk.CreateModelCustomizationJobInput{
		JobName: aws.String("new"), CustomModelName: aws.String("new"), BaseModelIdentifier: &id, RoleArn: aws.String("arn:aws:iam::123456789012:role/Any"),
		TrainingDataConfig: &sdktypes.TrainingDataConfig{S3Uri: aws.String("s3://data/train.jsonl")}, OutputDataConfig: &sdktypes.OutputDataConfig{S3Uri: aws.String("s3://data/")},
	})
	return w.asked(), err
}

func (w *world) createThroughput(id string) (string, error) {
	out, err := w.control.CreateProvisionedModelThroughput(w.Context(), &sdk.CreateProvisionedModelThroughputInput{
		ModelId: &id, ModelUnits: aws.Int32(1), ProvisionedModelName: aws.String("new")})
	if err != nil {
		return "", err
	}
	return last(string(w.throughput(*out.ProvisionedModelArn).ModelARN)), nil
}

func (w *world) updateTo(id string) (string, error) {
	arn := string(servingARN)
	_, err := w.control.UpdateProvisionedModelThroughput(w.Context(), &sdk.UpdateProvisionedModelThroughputInput{ProvisionedModelId: &arn, DesiredModelId: &id})
	return last(string(w.throughput(arn).DesiredModelARN)), err
}

func (w *world) update(id string) (string, error) {
	_, err := w.control.UpdateProvisionedModelThroughput(w.Context(), &sdk.UpdateProvisionedModelThroughputInput{ProvisionedModelId: &id, DesiredProvisionedModelName: aws.String("renamed")})
	return w.throughput(string(servingARN)).Name, err
}

func (w *world) throughput(arn string) *outcrop.Throughput {
	w.Helper()
	rec, err := w.store.Get(w.Context(), outcrop.Key{ARN: outcrop.ARN(arn)})
	if err != nil {
		w.Fatal(err)
	}
	th, err := outcrop.ThroughputOf(rec)
	if err != nil {
		w.Fatal(err)
	}
	return th
}

func (w *world) getCustomModel(id string) (string, error) {
	out, err := w.control.GetCustomModel(w.Context(), &sdk.GetCustomModelInput{ModelIdentifier: &id})
	if err != nil {
		return "", err
	}
	return last(*out.ModelArn), nil
}

func (w *world) deleteCustomModel(id string) (string, error) {
	_, err := w.control.DeleteCustomModel(w.Context(), &sdk.DeleteCustomModelInput{ModelIdentifier: &id})
	return "deleted", err
}

const body = `{"inputText":"hi"}`

func (w *world) invokeModel(id string) (string, error) {
	_, err := w.data.InvokeModel(w.Context(), &runtime.InvokeModelInput{ModelId: &id, Body: []byte(body)})
	return w.asked(), err
}

func (w *world) converse(id string) (string, error) {
	_, err := w.data.Converse(w.Context(), &runtime.ConverseInput{ModelId: &id, Messages: []runtimetypes.Message{
		{Role: runtimetypes.ConversationRoleUser, Content: []runtimetypes.ContentBlock{&runtimetypes.ContentBlockMemberText{Value: "hi"}}}}})
	return w.asked(), err
}

func (w *world) countTokens(id string) (string, error) {
	_, err := w.data.CountTokens(w.Context(), &runtime.CountTokensInput{ModelId: &id, Input: &runtimetypes.CountTokensInputMemberInvokeModel{
		Value: runtimetypes.InvokeModelTokensRequest{Body: []byte(body)}}})
	return w.asked(), err
}

// PlanJob makes a world a bedrock.Planner: all data are good.
func (w *world) PlanJob(ctx context.Context, job *outcrop.Job, base outcrop.ModelFiles, o outcrop.Objects) (outcrop.TrainSpec, []byte, error) {
	w.files = base
	bucket, key, _ := outcrop.ParseS3URI(job.TrainingURI)
	r, _, err := o.Get(ctx, bucket, key)
	if err == nil {
		_, err = io.Copy(io.Discard, r)
	}
	return job.Train, nil, err
}

// engine remembers which files it was asked to run.
type engine struct {
	outcrop.Engine
	w *world
}

func (e engine) Generate(_ context.Context, req outcrop.GenerateRequest, _ func(string) error) (outcrop.GenerateResult, error) {
	e.w.files = req.Model
	return outcrop.GenerateResult{Text: "ho", StopReason: outcrop.StopEndOfText, InputTokens: 1, OutputTokens: 1}, nil
}

func (e engine) CountTokens(_ context.Context, m outcrop.ModelFiles, _ []outcrop.Message) (int, error) {
	e.w.files = m
	return 1, nil
}

type meter struct{}

func (meter) Record(context.Context, outcrop.Usage) {}

// objects has every object. They change all the time, so that every check of data is another one.
type objects struct{ outcrop.Objects }

func (objects) Head(context.Context, string, string) (outcrop.ObjectInfo, error) {
	return outcrop.ObjectInfo{Size: 1, ETag: rand.Text()}, nil
}

func (objects) Get(context.Context, string, string) (io.ReadCloser, outcrop.ObjectInfo, error) {
	return io.NopCloser(strings.NewReader("x")), outcrop.ObjectInfo{Size: 1}, nil
}

func (objects) Copy(context.Context, string, string, string, string) (outcrop.ObjectInfo, error) {
	return outcrop.ObjectInfo{Size: 1}, nil
}

func (objects) Put(context.Context, string, string, string, io.Reader) (outcrop.ObjectInfo, error) {
	return outcrop.ObjectInfo{}, nil
}

func (objects) Delete(context.Context, string, string) error { return nil }

// direct calls a handler for home, without a network.
type direct struct{ http.Handler }

func (d direct) Do(req *http.Request) (*http.Response, error) {
	answer := httptest.NewRecorder()
	if req.Body == nil {
		req.Body = http.NoBody
	}
	d.ServeHTTP(answer, req.WithContext(outcrop.WithCaller(req.Context(), outcrop.Caller{Account: home.Account, Region: home.Region})))
	return answer.Result(), nil
}
