package dataset

import (
	"testing"

	"outcrop.dev/outcrop/format/chattemplate"
)

// TestRoles: rows and templates name the roles alike, so that messages go from one to the other
// as they are.
func TestRoles(t *testing.T) {
	t.Parallel()
	if system != chattemplate.System || user != chattemplate.User || assistant != chattemplate.Assistant {
		t.Errorf("the roles are %q, %q, %q here and %q, %q, %q in templates", system, user, assistant, chattemplate.System, chattemplate.User, chattemplate.Assistant)
	}
}
