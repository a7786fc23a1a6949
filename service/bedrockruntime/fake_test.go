package bedrockruntime

import (
	"cmp"
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	sdk "github.com/aws/aws-sdk-go-v2/service/bedrockruntime"
	"github.com/aws/smithy-go"

	"outcrop.dev/outcrop"
	way "outcrop.dev/outcrop/invoke"
	"outcrop.dev/outcrop/models"
	"outcrop.dev/outcrop/wire/restjson"
)

var (
	scope    = outcrop.Scope{Account: "123456789012", Region: "us-east-1"}
	titanID  = "amazon.titan-text-express-v1"
	pebbleID = "outcrop.pebble-v1"
	modelARN = scope.ARN(outcrop.KindCustomModel, pebbleID+"/modelmodel12")
	readyARN = scope.ARN(outcrop.KindThroughput, "readyready12")
	tenant   = "123456789012/us-east-1"
	baseARN  = scope.ARN(outcrop.KindFoundationModel, pebbleID)
)

// fakeCatalog has one model and one alias.
type fakeCatalog struct{}

func (fakeCatalog) Lookup(id string) (outcrop.FoundationModel, bool) {
	if p, ok := outcrop.ParseARN(id); ok {
		id = p.Resource
	}
	id = strings.TrimSuffix(id, ":0:8k")
	return outcrop.FoundationModel{ID: pebbleID, FilesID: outcrop.ModelID(pebbleID), Dialect: "titan", Dir: "/pebble"}, id == pebbleID || id == titanID
}

// fakeStore holds a few records. onGet, if not nil, may change them before each Get.
type fakeStore struct {
	outcrop.Store
	mu    sync.Mutex
	recs  []outcrop.Record
	onGet func(recs []outcrop.Record)
	gets  int
}

func (s *fakeStore) Get(_ context.Context, key outcrop.Key) (outcrop.Record, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.gets++
	if s.onGet != nil {
		s.onGet(s.recs)
	}
	for _, r := range s.recs {
		if r.ARN == key.ARN || r.Kind == key.Kind && r.Scope == key.Scope && (r.ID == key.Ref || r.Name == key.Ref) {
			return r, nil
		}
	}
	return outcrop.Record{}, outcrop.Errorf(outcrop.CodeNotFound, "There is no %s %s.", key.Kind, key.Ref)
}

func (s *fakeStore) List(_ context.Context, q outcrop.Query) ([]outcrop.Record, string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var page []outcrop.Record
	for _, r := range s.recs {
		if r.Kind == q.Kind && r.Scope == q.Scope && r.Parent == q.Parent {
			page = append(page, r)
		}
	}
	return page, "", nil
}

// put adds a throughput of the custom model in a state.
func (s *fakeStore) put(id, name string, status outcrop.Status, change func(*outcrop.Throughput)) outcrop.ARN {
	th := &outcrop.Throughput{
		Meta:       outcrop.Meta{Kind: outcrop.KindThroughput, Scope: scope, ID: id, ARN: scope.ARN(outcrop.KindThroughput, id), Name: name, Status: status, Parent: string(modelARN)},
		ModelUnits: 1, ModelARN: modelARN, FoundationModelARN: baseARN,
	}
	if change != nil {
		change(th)
	}
	s.recs = append(s.recs, th.Record())
	return th.ARN
}

func (s *fakeStore) setStatus(name string, status outcrop.Status) {
	for i := range s.recs {
		if s.recs[i].Name == name {
			s.recs[i].Status = status
		}
	}
}

// fakeEngine says words, counts tokens as words, and remembers what it was asked.
type fakeEngine struct {
	outcrop.Engine
	words  []string
	reason string
	err    error                   // after the words
	logs   []outcrop.TokenLogprobs // if the request asks for them
	begun  chan bool               // if not nil, gets a value when a generation begins
	block  chan bool               // if not nil, generation waits for it after the first word
	gone   chan error              // if not nil, gets the error with which a generation ended whose client has gone
	mu     sync.Mutex
	asked  []outcrop.GenerateRequest
}

func (e *fakeEngine) Generate(ctx context.Context, req outcrop.GenerateRequest, emit func(string) error) (outcrop.GenerateResult, error) {
	e.mu.Lock()
	e.asked = append(e.asked, req)
	e.mu.Unlock()
	if e.begun != nil {
		e.begun <- true
	}
	res := outcrop.GenerateResult{InputTokens: 5, StopReason: cmp.Or(e.reason, outcrop.StopEndOfText)}
	if req.Logprobs > 0 {
		res.Logprobs = e.logs
	}
	for i, w := range e.words {
		if i == 1 && e.block != nil {
			select {
			case <-e.block:
			case <-ctx.Done():
				e.gone <- ctx.Err()
				return res, ctx.Err()
			}
		}
		res.Text += w
		res.OutputTokens++
		if err := emit(w); err != nil {
			if e.gone != nil { // the client has hung up before the first word was written
				<-ctx.Done()
				e.gone <- ctx.Err()
			}
			return res, err
		}
	}
	return res, e.err
}

func (e *fakeEngine) CountTokens(_ context.Context, files outcrop.ModelFiles, ms []outcrop.Message) (int, error) {
	n := len(files.Dir)
	for _, m := range ms {
		n += len(m.Text())
	}
	return n, e.err
}

// last returns the only request that the engine was asked since.
func (e *fakeEngine) last(t *testing.T) outcrop.GenerateRequest {
	t.Helper()
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.asked) == 0 {
		t.Fatal("the engine was not asked")
	}
	return e.asked[len(e.asked)-1]
}

type fakeMeter struct {
	mu   sync.Mutex
	used []outcrop.Usage
}

func (m *fakeMeter) Record(_ context.Context, u outcrop.Usage) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.used = append(m.used, u)
}

func (m *fakeMeter) all() []outcrop.Usage {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.used)
}

// fakeClock goes on by 10 ms with every look, and by d with every After.
type fakeClock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *fakeClock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(10 * time.Millisecond)
	return c.now
}

func (c *fakeClock) After(d time.Duration) <-chan time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
	ch := make(chan time.Time, 1)
	ch <- c.now
	return ch
}

// rig is a service over fakes, behind a server.
type rig struct {
	store  *fakeStore
	engine *fakeEngine
	meter  *fakeMeter
	svc    *Service
	srv    *httptest.Server
}

func newRig(t testing.TB) *rig {
	t.Helper()
	r := &rig{store: &fakeStore{}, engine: &fakeEngine{words: []string{"Banded", " grey", " gneiss."}}, meter: &fakeMeter{}}
	m := &outcrop.CustomModel{
		Meta:        outcrop.Meta{Kind: outcrop.KindCustomModel, Scope: scope, ID: "modelmodel12", ARN: modelARN, Name: "my-model", Status: outcrop.ModelActive},
		BaseModelID: titanID, BaseModelARN: baseARN,
	}
	r.store.recs = append(r.store.recs, m.Record())
	r.store.put("readyready12", "my-throughput", outcrop.ThroughputInService, nil)
	clock := &fakeClock{now: time.Unix(1_700_000_000, 0)}
	r.svc = New(models.New(fakeCatalog{}, r.store, "/custom"), way.New(r.store, r.engine, r.meter, way.Options{Now: clock.Now, After: clock.After}))
	router := restjson.NewRouter(func() string { return "request-1" }, slog.New(slog.NewTextHandler(io.Discard, nil)))
	Register(router, r.svc)
	r.srv = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		caller := outcrop.Caller{Account: scope.Account, Region: scope.Region}
		router.ServeHTTP(w, req.WithContext(outcrop.WithCaller(req.Context(), caller)))
	}))
	r.srv.Config.Protocols = new(http.Protocols)
	r.srv.Config.Protocols.SetHTTP1(true)
	r.srv.Config.Protocols.SetUnencryptedHTTP2(true)
	r.srv.Start()
	t.Cleanup(r.srv.Close)
	return r
}

// client returns the SDK's client, which does not retry, over HTTP/1.1 or clear-text HTTP/2.
func (r *rig) client(h2c bool) *sdk.Client {
	tr := &http.Transport{}
	if h2c {
		tr.Protocols = new(http.Protocols)
		tr.Protocols.SetUnencryptedHTTP2(true)
	}
	return sdk.New(sdk.Options{
		BaseEndpoint: aws.String(r.srv.URL), Region: scope.Region, HTTPClient: &http.Client{Transport: tr},
		Credentials: credentials.NewStaticCredentialsProvider("AKIDTEST", "secret", ""), RetryMaxAttempts: 1,
	})
}

// bothProtocols runs f with a client for HTTP/1.1 and one for clear-text HTTP/2.
func bothProtocols(t *testing.T, f func(t *testing.T, r *rig, c *sdk.Client)) {
	for name, h2c := range map[string]bool{"HTTP/1.1": false, "h2c": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			f(t, r, r.client(h2c))
		})
	}
}

func invoke(r *rig, modelID, body string) (*sdk.InvokeModelOutput, error) {
	return r.client(false).InvokeModel(context.Background(), &sdk.InvokeModelInput{ModelId: &modelID, Body: []byte(body)})
}

const hi = `{"inputText":"hi"}`

func wantAPIError(t *testing.T, err error, code outcrop.Code, parts ...string) {
	t.Helper()
	var api smithy.APIError
	if !errors.As(err, &api) || api.ErrorCode() != string(code) {
		t.Fatalf("got %v, want %s", err, code)
	}
	for _, p := range parts {
		if !strings.Contains(api.ErrorMessage(), p) {
			t.Errorf("%q does not say %q", api.ErrorMessage(), p)
		}
	}
}
