package server

import (
	"path/filepath"
	"slices"
	"testing"
)

func TestConfigDefaults(t *testing.T) {
	t.Parallel()
	c, err := Config{DataDir: "rel"}.withDefaults()
	if err != nil {
		t.Fatal(err)
	}
	if c.Listen != "127.0.0.1:4510" || c.Account != "123456789012" || !filepath.IsAbs(c.DataDir) || c.Log == nil || c.Clock == nil {
		t.Errorf("defaults are %+v", c)
	}
}

func TestConfigRefuses(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]Config{
		"no directory":      {},
		"short account":     {DataDir: "d", Account: "12345678901"},
		"long account":      {DataDir: "d", Account: "1234567890123"},
		"letter in account": {DataDir: "d", Account: "12345678901a"},
	} {
		if _, err := c.withDefaults(); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func TestWorkersSeeNoSecrets(t *testing.T) {
	t.Parallel()
	env := []string{"PATH=/bin", "AWS_SECRET_ACCESS_KEY=x", "OUTCROP_ROOT_SECRET_ACCESS_KEY=x", "OUTCROP_KERNEL=ref-f32"}
	if got, want := withoutSecrets(env), []string{"PATH=/bin", "OUTCROP_KERNEL=ref-f32"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if env[1] != "AWS_SECRET_ACCESS_KEY=x" {
		t.Error("the server's own environment was changed")
	}
}
