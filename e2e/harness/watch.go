package harness

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"regexp"
	"strconv"
	"strings"
)

// Metric returns the sum of a metric of the server over all its labels.
func (s *Server) Metric(name string) (sum float64) {
	s.t.Helper()
	r, err := http.NewRequest(http.MethodGet, s.env["AWS_ENDPOINT_URL"]+"/metrics", nil)
	if err != nil {
		s.t.Fatal(err)
	}
	r.SetBasicAuth(s.env["AWS_ACCESS_KEY_ID"], s.env["AWS_SECRET_ACCESS_KEY"])
	resp, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(r)
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		s.t.Fatalf("/metrics: %s, %v", resp.Status, err)
	}
	lines := regexp.MustCompile(`(?m)^`+name+`(?:\{.*\})? (\S+)$`).FindAllSubmatch(b, -1)
	if len(lines) == 0 {
		s.t.Fatalf("/metrics has no %s", name)
	}
	for _, line := range lines {
		x, err := strconv.ParseFloat(string(line[1]), 64)
		if err != nil {
			s.t.Fatal(err)
		}
		sum += x
	}
	return sum
}

// Descriptors is how many files and connections the server has open.
func (s *Server) Descriptors() int {
	s.t.Helper()
	entries, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", s.PID()))
	if err != nil {
		s.t.Fatal(err)
	}
	return len(entries)
}

// Resident is the server's memory in MiB.
func (s *Server) Resident() float64 {
	s.t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.PID()))
	if err != nil {
		s.t.Fatal(err)
	}
	for line := range strings.Lines(string(b)) {
		if rest, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			kib, err := strconv.ParseFloat(strings.Fields(rest)[0], 64)
			if err != nil {
				s.t.Fatal(err)
			}
			return kib / 1024
		}
	}
	s.t.Fatal("no VmRSS")
	return 0
}
