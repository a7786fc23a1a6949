package cli

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"outcrop.dev/outcrop/data/iam"
	"outcrop.dev/outcrop/server"
)

// newTestApp returns an app whose environment is env alone.
func newTestApp(env map[string]string) (*app, *strings.Builder) {
	var out strings.Builder
	return &app{in: strings.NewReader(""), out: &out, err: &out, getenv: func(k string) string { return env[k] }, output: outputTable}, &out
}

// dataDirOfServer makes a data directory as a running server leaves it.
func dataDirOfServer(t *testing.T, url string) (string, iam.Key) {
	t.Helper()
	dir := t.TempDir()
	key, err := iam.LoadRoot(dir, iam.Key{})
	if err != nil {
		t.Fatal(err)
	}
	text := fmt.Sprintf(`{"pid":1,"url":%q}`, url)
	if err := os.WriteFile(filepath.Join(dir, server.InfoFile), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return dir, key
}

func TestTargetPrecedence(t *testing.T) {
	t.Parallel()
	dir, stored := dataDirOfServer(t, "http://127.0.0.1:1")
	environment := map[string]string{
		"AWS_ENDPOINT_URL": "http://127.0.0.1:2/", "AWS_ACCESS_KEY_ID": "E", "AWS_SECRET_ACCESS_KEY": "secret", "OUTCROP_DATA": dir,
	}
	with := func(changes ...string) map[string]string {
		env := map[string]string{}
		for k, v := range environment {
			env[k] = v
		}
		for i := 0; i < len(changes); i += 2 {
			env[changes[i]] = changes[i+1]
		}
		return env
	}
	for _, c := range []struct {
		name           string
		env            map[string]string
		dataFlag       string
		url, id, where string
	}{
		{"the environment, when it names an endpoint", environment, "", "http://127.0.0.1:2", "E", server.DefaultRegion},
		{"--data beats the environment", environment, dir, "http://127.0.0.1:1", stored.AccessKeyID, server.DefaultRegion},
		{"AWS keys without an endpoint are not ours", with("AWS_ENDPOINT_URL", ""), "", "http://127.0.0.1:1", stored.AccessKeyID, server.DefaultRegion},
		{"an endpoint without keys takes the stored key", with("AWS_ACCESS_KEY_ID", ""), "", "http://127.0.0.1:2", stored.AccessKeyID, server.DefaultRegion},
		{"the server's own key from the environment", with("AWS_ENDPOINT_URL", "", "OUTCROP_ROOT_ACCESS_KEY_ID", "R"), "", "http://127.0.0.1:1", "R", server.DefaultRegion},
		{"AWS_REGION before AWS_DEFAULT_REGION", with("AWS_REGION", "eu-west-1", "AWS_DEFAULT_REGION", "eu-west-2"), "", "http://127.0.0.1:2", "E", "eu-west-1"},
	} {
		a, _ := newTestApp(c.env)
		a.dataFlag = c.dataFlag
		got, err := a.target()
		if err != nil || got.url != c.url || got.key.AccessKeyID != c.id || got.region != c.where {
			t.Errorf("%s: %s with key %s in %s, %v; want %s, %s, %s", c.name, got.url, got.key.AccessKeyID, got.region, err, c.url, c.id, c.where)
		}
	}
}

func TestDataDir(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, flag string
		env        map[string]string
		want       string
	}{
		{"the flag", "/f", map[string]string{"OUTCROP_DATA": "/o", "HOME": "/h"}, "/f"},
		{"OUTCROP_DATA", "", map[string]string{"OUTCROP_DATA": "/o", "XDG_DATA_HOME": "/x"}, "/o"},
		{"XDG", "", map[string]string{"XDG_DATA_HOME": "/x", "HOME": "/h"}, "/x/outcrop"},
		{"a relative XDG is ignored", "", map[string]string{"XDG_DATA_HOME": "x", "HOME": "/h"}, "/h/.local/share/outcrop"},
		{"home", "", map[string]string{"HOME": "/h"}, "/h/.local/share/outcrop"},
	} {
		a, _ := newTestApp(c.env)
		a.dataFlag = c.flag
		if got, err := a.dataDir(); err != nil || got != c.want {
			t.Errorf("%s: %q, %v, want %q", c.name, got, err, c.want)
		}
	}
	a, _ := newTestApp(nil)
	if _, err := a.dataDir(); exitCode(err) != exitUsage {
		t.Errorf("without a home: %v, want a usage error", err)
	}
}

func TestTargetSaysWhatItTried(t *testing.T) {
	t.Parallel()
	empty := t.TempDir()
	for _, c := range []struct {
		name string
		env  map[string]string
		want []string
	}{
		{"no server", map[string]string{"OUTCROP_DATA": empty}, []string{empty, "AWS_ENDPOINT_URL is not set", "outcrop serve"}},
		{"no key", map[string]string{"OUTCROP_DATA": empty, "AWS_ENDPOINT_URL": "http://127.0.0.1:1"}, []string{"AWS_ACCESS_KEY_ID", "OUTCROP_ROOT_ACCESS_KEY_ID", empty}},
	} {
		a, _ := newTestApp(c.env)
		_, err := a.target()
		for _, want := range c.want {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v does not say %q", c.name, err, want)
			}
		}
	}
}

func TestShellQuote(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"a/b-c.d:1": "a/b-c.d:1", "": "''", "a b": "'a b'", "it's": `'it'\''s'`, "$x": "'$x'", "AK+/=": "AK+/=",
	} {
		if got := shellQuote(in); got != want {
			t.Errorf("shellQuote(%q) = %s, want %s", in, got, want)
		}
	}
}
