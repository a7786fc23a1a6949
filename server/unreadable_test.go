package server_test

import (
	"bytes"
	"database/sql"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/bedrock"
	bedrocktypes "github.com/aws/aws-sdk-go-v2/service/bedrock/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"outcrop.dev/outcrop/data/meter"
	"outcrop.dev/outcrop/internal/sqlitedb"
	"outcrop.dev/outcrop/server"
)

// alter runs statements on a database as another program would.
func alter(t *testing.T, path string, statements ...string) {
	t.Helper()
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for _, s := range statements {
		if _, err := db.Exec(s); err != nil {
			t.Fatal(err)
		}
	}
}

// One row that cannot be read keeps nothing else from being served: lists leave it out, who asks for it
// is told, and it can be deleted.
func TestUnreadableRow(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	model, spare := tuned(t, dir), throughputRow(t, dir)
	for name, spoil := range map[string]string{
		"body":    `UPDATE resources SET body = '{' WHERE name = 'broken'`,
		"another": `UPDATE resources SET body = '[1]' WHERE name = 'broken'`,
		"empty":   `UPDATE resources SET body = '' WHERE name = 'broken'`,
	} {
		alter(t, filepath.Join(dir, "outcrop.db"), `DELETE FROM resources WHERE name = 'broken'`,
			`INSERT INTO resources SELECT arn || 'x', kind, account, region, id || 'x', 'broken', status, parent, token, tags, body, created + 1, updated, deleted, version, lease_owner, lease_until, fence
			FROM resources WHERE kind IN ('custom-model', 'provisioned-model') AND arn NOT LIKE '%x'`, spoil) // both kinds have a name of their own
		var log lines
		c, stop := serveFull(t, dir, &log)
		for range 3 {
			if list, err := c.bedrock.ListCustomModels(t.Context(), &bedrock.ListCustomModelsInput{MaxResults: aws.Int32(1)}); err != nil || list.NextToken == nil || len(list.ModelSummaries) != 0 {
				t.Errorf("%s: the first page: %+v, %v", name, list, err)
			} else if list, err = c.bedrock.ListCustomModels(t.Context(), &bedrock.ListCustomModelsInput{NextToken: list.NextToken}); err != nil || len(list.ModelSummaries) != 1 || *list.ModelSummaries[0].ModelArn != string(model) {
				t.Errorf("%s: the second page: %+v, %v", name, list, err)
			}
			if list, err := c.bedrock.ListProvisionedModelThroughputs(t.Context(), &bedrock.ListProvisionedModelThroughputsInput{}); err != nil || len(list.ProvisionedModelSummaries) != 1 || *list.ProvisionedModelSummaries[0].ProvisionedModelArn != string(spare) {
				t.Errorf("%s: throughput: %+v, %v", name, list, err)
			}
		}
		_, err := c.bedrock.GetCustomModel(t.Context(), &bedrock.GetCustomModelInput{ModelIdentifier: aws.String("broken")})
		var told *bedrocktypes.InternalServerException
		if !errors.As(err, &told) || !strings.Contains(told.ErrorMessage(), "cannot be read") {
			t.Errorf("%s: GetCustomModel: %v", name, err)
		}
		if n := strings.Count(log.String(), "a list leaves out"); n != 2 {
			t.Errorf("%s: %d lines, want one for each of two rows:\n%s", name, n, log.String())
		}
		if _, err := c.bedrock.DeleteCustomModel(t.Context(), &bedrock.DeleteCustomModelInput{ModelIdentifier: aws.String("broken")}); err != nil {
			t.Errorf("%s: DeleteCustomModel: %v", name, err)
		}
		stop()
	}
}

// An object whose row cannot be read is an error by its name, can be replaced and deleted, and lists go on.
func TestUnreadableObject(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	c, stop := serveFull(t, dir, &lines{})
	storeSome(t, c)
	stop()
	alter(t, filepath.Join(dir, "s3", "index.db"), `UPDATE objects SET attributes = '{' WHERE key IN (x'31', x'32')`) // 1, 2
	c, stop = serveFull(t, dir, &lines{})
	defer stop()
	_, err := c.objects.GetObject(t.Context(), &s3.GetObjectInput{Bucket: aws.String("kept"), Key: aws.String("1")})
	if status, said := statusOf(err); status != http.StatusInternalServerError || !strings.Contains(said, "damaged") {
		t.Errorf("GetObject: %d %s", status, said)
	}
	if list, err := c.objects.ListObjectsV2(t.Context(), &s3.ListObjectsV2Input{Bucket: aws.String("kept")}); err != nil || len(list.Contents) != storedObjects {
		t.Errorf("%+v, %v", list, err)
	}
	if _, err := c.objects.PutObject(t.Context(), put("kept", "1", "body")); err != nil {
		t.Error(err)
	}
	if _, err := c.objects.DeleteObject(t.Context(), &s3.DeleteObjectInput{Bucket: aws.String("kept"), Key: aws.String("2")}); err != nil {
		t.Error(err)
	}
}

// Usage that cannot be read is put aside, whatever is wrong with it, and begins anew.
func TestUsageBeginsAnew(t *testing.T) {
	t.Parallel()
	garbage := bytes.Repeat([]byte("garbage "), 1024)
	for name, spoil := range map[string]func(path string) error{
		"garbage": func(path string) error { return os.WriteFile(path, garbage, 0o600) },
		"a page flipped": func(path string) error {
			f, err := os.OpenFile(path, os.O_WRONLY, 0)
			if err != nil {
				return err
			}
			_, err = f.WriteAt(garbage, 4096)
			return errors.Join(err, f.Close())
		},
		"a directory": func(path string) error { return errors.Join(os.Remove(path), os.Mkdir(path, 0o700)) },
		"a table missing": func(path string) error {
			alter(t, path, "DROP TABLE goose_db_version")
			return nil
		},
	} {
		dir := t.TempDir()
		path := filepath.Join(dir, "usage.db")
		m, err := meter.Open(t.Context(), path, nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(m.Close(), spoil(path)); err != nil {
			t.Fatal(err)
		}
		before, _ := os.ReadFile(path)
		var log lines
		_, stop := serveFull(t, dir, &log)
		stop()
		after, err := os.ReadFile(path + ".damaged-1")
		if (name == "garbage" || name == "a page flipped") && (err != nil || !bytes.Equal(before, after)) {
			t.Errorf("%s: what was there is not beside it: %v", name, err)
		}
		if !strings.Contains(log.String(), "usage begins anew") || !strings.Contains(log.String(), "usage.db.damaged-1") {
			t.Errorf("%s: the log says\n%s", name, log.String())
		}
	}
}

// A database that others lock: writes are refused within five seconds, reads go on, /readyz says why.
func TestLockedDatabases(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	model := tuned(t, dir)
	c, stop := serveFull(t, dir, &lines{})
	defer stop()
	storeSome(t, c)
	for _, path := range []string{filepath.Join(dir, "outcrop.db"), filepath.Join(dir, "s3", "index.db")} {
		db, err := sql.Open("sqlite", path+"?_txlock=exclusive")
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		tx, err := db.Begin()
		if err != nil {
			t.Fatal(err)
		}
		defer tx.Rollback()
	}
	c.reads(t)
	begun := time.Now()
	_, err := c.bedrock.TagResource(t.Context(), &bedrock.TagResourceInput{ResourceARN: aws.String(string(model)), Tags: []bedrocktypes.Tag{{Key: aws.String("k"), Value: aws.String("v")}}})
	if status, said := statusOf(err); status != http.StatusServiceUnavailable || !strings.HasPrefix(said, "ServiceUnavailableException: Another program") {
		t.Errorf("TagResource: %d %s", status, said)
	}
	t.Logf("TagResource: refused after %v", time.Since(begun))
	begun = time.Now()
	_, err = c.objects.DeleteObject(t.Context(), &s3.DeleteObjectInput{Bucket: aws.String("kept"), Key: aws.String("1")})
	if status, said := statusOf(err); status != http.StatusServiceUnavailable || !strings.HasPrefix(said, "ServiceUnavailable: Another program") {
		t.Errorf("DeleteObject: %d %s", status, said)
	}
	t.Logf("DeleteObject: refused after %v", time.Since(begun))
	if status, said := ready(t, c.s); status != http.StatusServiceUnavailable || !strings.Contains(said, "locked") {
		t.Errorf("readyz: %d %s", status, said)
	}
}

// A page of a database that is needed: the server does not start, and says which and what to do.
func TestDamagedDatabase(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"outcrop.db", filepath.Join("s3", "index.db")} {
		dir := t.TempDir()
		c, stop := serveFull(t, dir, &lines{})
		storeSome(t, c)
		stop()
		f, err := os.OpenFile(filepath.Join(dir, name), os.O_WRONLY, 0)
		if err != nil {
			t.Fatal(err)
		}
		_, err = f.WriteAt(bytes.Repeat([]byte{0x55}, 4096), 4096)
		if err := errors.Join(err, f.Close()); err != nil {
			t.Fatal(err)
		}
		_, err = server.New(t.Context(), server.Config{DataDir: dir, Listen: "127.0.0.1:0", Threads: 1})
		if !errors.Is(err, sqlitedb.ErrDamaged) || !strings.Contains(err.Error(), filepath.Join(dir, name)) || !strings.Contains(err.Error(), "from a backup") {
			t.Errorf("%s: %v", name, err)
		}
		t.Log(err)
	}
}
