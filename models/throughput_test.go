package models

import (
	"strings"
	"testing"

	"outcrop.dev/outcrop"
)

// Each state of a throughput says whether requests wait, pass, or are told why not.
func TestThroughputServes(t *testing.T) {
	t.Parallel()
	for status, want := range map[outcrop.Status]struct {
		code outcrop.Code
		says string
	}{
		outcrop.ThroughputCreating:  {outcrop.CodeModelNotReady, "mine is still Creating"},
		outcrop.ThroughputInService: {},
		outcrop.ThroughputUpdating:  {},
		outcrop.ThroughputFailed:    {outcrop.CodeModelError, "mine has failed, and is not tried again by itself: The weights are not on disk."},
		"Strange":                   {outcrop.CodeInternal, "Strange"},
	} {
		th := &outcrop.Throughput{Meta: outcrop.Meta{Kind: outcrop.KindThroughput, Name: "mine", Status: status}, FailureMessage: "The weights are not on disk."}
		err := checkThroughputServes(th.Record())
		if outcrop.CodeOf(err) != want.code || err != nil && !strings.Contains(err.Error(), want.says) {
			t.Errorf("%s: %v", status, err)
		}
	}
}
