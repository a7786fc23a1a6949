package infer

import (
	"testing"

	"outcrop.dev/outcrop"
	"outcrop.dev/outcrop/format/chattemplate"
)

// TestRoles: requests and templates name the roles alike, so that messages go from one to the
// other as they are.
func TestRoles(t *testing.T) {
	t.Parallel()
	if outcrop.RoleSystem != chattemplate.System || outcrop.RoleUser != chattemplate.User || outcrop.RoleAssistant != chattemplate.Assistant {
		t.Error("requests and templates name the roles differently")
	}
}
