package server_test

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/bedrock"
	"github.com/aws/aws-sdk-go-v2/service/bedrockruntime"

	"outcrop.dev/outcrop"
	"outcrop.dev/outcrop/data/store/sqlite"
	"outcrop.dev/outcrop/internal/tinymodel"
	"outcrop.dev/outcrop/server"
)

// TestMovedDataDirectory: nothing in a data directory says where it lies, so that a tuned model
// is served from wherever the directory is moved or restored to.
func TestMovedDataDirectory(t *testing.T) {
	t.Parallel()
	before, after := filepath.Join(t.TempDir(), "before"), filepath.Join(t.TempDir(), "after")
	arn := tuned(t, before)
	if err := os.Rename(before, after); err != nil {
		t.Fatal(err)
	}
	s := startIn(t, after)
	cfg := config(s, s.RootKey(), http1())
	th, err := bedrock.NewFromConfig(cfg).CreateProvisionedModelThroughput(t.Context(), &bedrock.CreateProvisionedModelThroughputInput{
		ModelId: aws.String(string(arn)), ModelUnits: aws.Int32(1), ProvisionedModelName: aws.String("moved"),
	})
	if err != nil {
		t.Fatal(err)
	}
	out, err := bedrockruntime.NewFromConfig(cfg).InvokeModel(t.Context(), &bedrockruntime.InvokeModelInput{
		ModelId: th.ProvisionedModelArn, Body: []byte(`{"inputText":"Hello","textGenerationConfig":{"maxTokenCount":2}}`),
	})
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(out.Body, []byte(`"tokenCount"`)) {
		t.Errorf("answer %s", out.Body)
	}
}

// tuned makes a data directory with a tuned model, as a completed job leaves it, and returns
// the model's ARN.
func tuned(t *testing.T, dir string) outcrop.ARN {
	t.Helper()
	const id = tinyID
	files := filepath.Join(dir, "models", id)
	if err := os.MkdirAll(files, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := tinymodel.Write(files); err != nil {
		t.Fatal(err)
	}
	rows, err := sqlite.Open(t.Context(), filepath.Join(dir, "outcrop.db"), time.Now)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	scope := outcrop.Scope{Account: server.DefaultAccount, Region: "eu-west-3"}
	m := &outcrop.CustomModel{
		Meta: outcrop.Meta{
			Kind: outcrop.KindCustomModel, Scope: scope, ID: id, Name: "tiny", Status: outcrop.ModelActive,
			ARN: scope.ARN(outcrop.KindCustomModel, "outcrop.pebble-v1/"+id),
		},
		BaseModelID: "outcrop.pebble-v1", BaseModelARN: scope.ARN(outcrop.KindFoundationModel, "outcrop.pebble-v1"), CustomizationType: "FINE_TUNING",
	}
	if err := rows.Apply(t.Context(), outcrop.Change{Op: outcrop.OpCreate, Record: m.Record()}); err != nil {
		t.Fatal(err)
	}
	return m.ARN
}
