package server

import (
	"path/filepath"
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
