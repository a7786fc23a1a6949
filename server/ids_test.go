package server

import (
	"regexp"
	"testing"
)

func TestIDForms(t *testing.T) {
	t.Parallel()
	for form, make := range map[string]func() string{
		`^[a-z0-9]{12}$`: newID,
		`^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`: newRequestID,
	} {
		seen := map[string]bool{}
		for range 1000 {
			id := make()
			if !regexp.MustCompile(form).MatchString(id) || seen[id] {
				t.Fatalf("%q is not of the form %s, or came twice", id, form)
			}
			seen[id] = true
		}
	}
	if first := newSeed(); first == newSeed() {
		t.Error("two seeds are the same")
	}
}
