package main

import (
	"encoding/json"
	"io"
)

// dump prints the model as JSON, with field names as in this package's structs, for
// tools/conform/botocore_diff.py to compare with botocore's.
func (s *service) dump(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", " ")
	return e.Encode(s)
}
