package bedrock_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"outcrop.dev/outcrop"
	"outcrop.dev/outcrop/data/store/sqlite"
	"outcrop.dev/outcrop/service/bedrock"
)

// servers are two services on the same records, each over a handle of its own, as two processes
// have one.
type servers struct {
	*env
	services [2]*bedrock.Service
	start    *rendezvous
	scope    outcrop.Scope // of the round
}

// newServers returns two servers on an SQLite file, or on one store in memory.
func newServers(t *testing.T, onDisk bool, quotas bedrock.Quotas) *servers {
	s := &servers{env: newEnvWith(t, quotas), start: &rendezvous{}, scope: home}
	handles := [2]outcrop.Store{s.store, s.store}
	if onDisk {
		path := filepath.Join(t.TempDir(), "outcrop.db")
		for i := range handles {
			rows, err := sqlite.Open(t.Context(), path, s.clock)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { rows.Close() })
			handles[i] = rows
		}
	}
	s.store = handles[0]
	for i, rows := range handles {
		s.services[i] = s.over(&startingStore{rows, s.start}, quotas)
	}
	return s
}

// rendezvous lets changes through when as many as are expected are about to be made: by then every
// call has read what it goes by, and none has written.
type rendezvous struct {
	mu      sync.Mutex
	waiting int // for so many more
	open    chan struct{}
}

func (r *rendezvous) wait() {
	r.mu.Lock()
	r.waiting--
	if r.waiting == 0 {
		close(r.open)
	}
	r.mu.Unlock()
	<-r.open
}

// startingStore is a server's handle on the records.
type startingStore struct {
	outcrop.Store
	start *rendezvous
}

func (s *startingStore) Apply(ctx context.Context, changes ...outcrop.Change) error {
	s.start.wait()
	return s.Store.Apply(ctx, changes...)
}

// call is a request to one of the servers. It returns the ARN of what it has created, if anything.
type call func(context.Context, *bedrock.Service) (arn string, err error)

// race makes all calls at once, to the two servers in turn. It returns the ARNs, and how many calls
// ended in which way: "" stands for those that succeeded.
func (s *servers) race(calls []call) (arns map[string]int, ended map[outcrop.Code]int) {
	s.start.waiting, s.start.open = len(calls), make(chan struct{})
	arns, ended = map[string]int{}, map[outcrop.Code]int{}
	ctx := outcrop.WithCaller(s.Context(), outcrop.Caller{Account: s.scope.Account, Region: s.scope.Region})
	var mu sync.Mutex
	var wg sync.WaitGroup
	for i, call := range calls {
		wg.Go(func() {
			arn, err := call(ctx, s.services[i%len(s.services)])
			mu.Lock()
			defer mu.Unlock()
			ended[outcrop.CodeOf(err)]++
			if err == nil {
				arns[arn]++
			}
		})
	}
	wg.Wait()
	return arns, ended
}

// nextRound moves on to a region in which there is nothing but a custom model, and returns its ARN.
func (s *servers) nextRound(round int) string {
	s.scope = outcrop.Scope{Account: home.Account, Region: fmt.Sprintf("us-east-%d", round)}
	id := fmt.Sprintf("model%07d", round)
	m := &outcrop.CustomModel{
		Meta: outcrop.Meta{
			Kind: outcrop.KindCustomModel, Scope: s.scope, ID: id, ARN: s.scope.ARN(outcrop.KindCustomModel, titan+"/"+id), Name: "base", Status: outcrop.ModelActive,
		},
		BaseModelARN: s.scope.ARN(outcrop.KindFoundationModel, titan),
	}
	if err := s.store.Apply(s.Context(), outcrop.Change{Op: outcrop.OpCreate, Record: m.Record()}); err != nil {
		s.Fatal(err)
	}
	return string(m.ARN)
}

func createJob(name, model, base, token string) call {
	in := direct(jobRequest(name))
	in.CustomModelName, in.BaseModelIdentifier, in.ClientRequestToken = model, base, token
	return func(ctx context.Context, s *bedrock.Service) (string, error) {
		out, err := s.CreateModelCustomizationJob(ctx, in)
		if err != nil {
			return "", err
		}
		return out.JobArn, nil
	}
}

func serve(name, model, token string) call {
	in := &bedrock.CreateProvisionedModelThroughputInput{ProvisionedModelName: name, ModelId: model, ModelUnits: 2, ClientRequestToken: token}
	return func(ctx context.Context, s *bedrock.Service) (string, error) {
		out, err := s.CreateProvisionedModelThroughput(ctx, in)
		if err != nil {
			return "", err
		}
		return out.ProvisionedModelArn, nil
	}
}

// eachKind runs a test on two handles of one SQLite file, and on one store in memory.
func eachKind(t *testing.T, quotas bedrock.Quotas, test func(s *servers)) {
	for name, onDisk := range map[string]bool{"SQLite": true, "memory": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(newServers(t, onDisk, quotas))
		})
	}
}

// The creates of each test below are 200.
const (
	rounds = 10
	calls  = 20
)

// TestServersShareWhatThereIsOneOf: of many who want one name, or the last place of a quota, one
// gets it, whichever of two servers they ask.
func TestServersShareWhatThereIsOneOf(t *testing.T) {
	t.Parallel()
	n := func(name string, i int) string { return fmt.Sprintf("%s-%d", name, i) }
	for name, test := range map[string]struct {
		quotas  bedrock.Quotas
		call    func(i int) call
		refused outcrop.Code
	}{
		"job's name":        {bedrock.DefaultQuotas(), func(i int) call { return createJob("one", n("m", i), titan, "") }, outcrop.CodeValidation},
		"model's name":      {bedrock.DefaultQuotas(), func(i int) call { return createJob(n("j", i), "one", titan, "") }, outcrop.CodeValidation},
		"throughput's name": {bedrock.DefaultQuotas(), func(int) call { return serve("one", titan, "") }, outcrop.CodeValidation},
		"jobs": {bedrock.Quotas{JobsInProgress: 1, CustomModels: 1000},
			func(i int) call { return createJob(n("j", i), n("m", i), titan, "") }, outcrop.CodeQuotaExceeded},
		"models": {bedrock.Quotas{JobsInProgress: 1000, CustomModels: 2}, // one is there
			func(i int) call { return createJob(n("j", i), n("m", i), titan, "") }, outcrop.CodeQuotaExceeded},
		"throughputs": {bedrock.Quotas{Throughputs: 1, ModelUnits: 1000}, func(i int) call { return serve(n("t", i), titan, "") }, outcrop.CodeQuotaExceeded},
		"model units": {bedrock.Quotas{Throughputs: 1000, ModelUnits: 3}, func(i int) call { return serve(n("t", i), titan, "") }, outcrop.CodeQuotaExceeded},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			eachKind(t, test.quotas, func(s *servers) {
				for round := range rounds {
					s.nextRound(round)
					all := make([]call, calls)
					for i := range all {
						all[i] = test.call(i)
					}
					if _, ended := s.race(all); ended[""] != 1 || ended[test.refused] != calls-1 {
						s.Fatalf("round %d: %v, want one that succeeds and the others refused with %s", round, ended, test.refused)
					}
				}
			})
		})
	}
}

// withTokens are the operations that take a clientRequestToken, each with an example.
var withTokens = map[string]call{
	"CreateModelCustomizationJob":      createJob("one", "one", titan, "token-1"),
	"CreateProvisionedModelThroughput": serve("one", titan, "token-1"),
}

// TestServersShareTokens: equal requests, sent to two servers at once, create one thing, and every
// one is told its ARN.
func TestServersShareTokens(t *testing.T) {
	t.Parallel()
	shareTokens(t, rounds)
}

func shareTokens(t *testing.T, rounds int) {
	const calls = 40
	for name, request := range withTokens {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			eachKind(t, bedrock.Quotas{JobsInProgress: 1, CustomModels: 2, Throughputs: 1, ModelUnits: 2}, func(s *servers) {
				for round := range rounds {
					s.nextRound(round)
					if arns, ended := s.race(slices.Repeat([]call{request}, calls)); len(arns) != 1 || ended[""] != calls {
						s.Fatalf("round %d: %v, %v; want one ARN for all", round, arns, ended)
					}
				}
			})
		})
	}
}

// TestEveryTokenIsTested: an operation with a clientRequestToken is among withTokens once it is there.
func TestEveryTokenIsTested(t *testing.T) {
	t.Parallel()
	api, err := os.ReadFile("api_gen.go")
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, m := range regexp.MustCompile(`(?m)^type (\w+)Input struct \{\n((?:\t.*\n)*)`).FindAllSubmatch(api, -1) {
		if !bytes.Contains(m[2], []byte("ClientRequestToken ")) {
			continue
		}
		file := regexp.MustCompile(`[A-Z]`).ReplaceAllStringFunc(string(m[1]), func(c string) string { return "_" + strings.ToLower(c) })
		if _, err := os.Stat(file[1:] + ".go"); err == nil {
			if found++; withTokens[string(m[1])] == nil {
				t.Errorf("%s has a token, and no test sends one twice", m[1])
			}
		}
	}
	if found != len(withTokens) {
		t.Errorf("%d operations with a token are there, and %d are tested", found, len(withTokens))
	}
}

// TestServersDoNotDeleteWhatIsTaken: of a delete of a model and a use of it, one succeeds.
func TestServersDoNotDeleteWhatIsTaken(t *testing.T) {
	t.Parallel()
	remove := func(ctx context.Context, s *bedrock.Service) (string, error) {
		_, err := s.DeleteCustomModel(ctx, &bedrock.DeleteCustomModelInput{ModelIdentifier: "base"})
		return "", err
	}
	move := func(ctx context.Context, s *bedrock.Service) (string, error) {
		_, err := s.UpdateProvisionedModelThroughput(ctx, &bedrock.UpdateProvisionedModelThroughputInput{ProvisionedModelId: "there", DesiredModelId: "base"})
		return "", err
	}
	for name, use := range map[string]call{"job": createJob("one", "one", "base", ""), "throughput": serve("one", "base", ""), "update": move} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			eachKind(t, bedrock.DefaultQuotas(), func(s *servers) {
				for round := range rounds {
					s.addThroughput(s.nextRound(round))
					_, ended := s.race([]call{remove, use})
					if ended[""] != 1 || ended[outcrop.CodeConflict]+ended[outcrop.CodeNotFound] != 1 {
						s.Fatalf("round %d: %v, want one that succeeds and one that comes too late", round, ended)
					}
				}
			})
		})
	}
}

// addThroughput writes a throughput in service of another model with the same foundation model.
func (s *servers) addThroughput(model string) {
	s.Helper()
	th := &outcrop.Throughput{
		Meta: outcrop.Meta{
			Kind: outcrop.KindThroughput, Scope: s.scope, ID: "throughput01", ARN: s.scope.ARN(outcrop.KindThroughput, "throughput01"), Name: "there",
			Status: outcrop.ThroughputInService,
		},
		ModelARN: outcrop.ARN(model + "x"), DesiredModelARN: outcrop.ARN(model + "x"), FoundationModelARN: s.scope.ARN(outcrop.KindFoundationModel, titan),
	}
	if err := s.store.Apply(s.Context(), outcrop.Change{Op: outcrop.OpCreate, Record: th.Record()}); err != nil {
		s.Fatal(err)
	}
}
