package datacheck

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"testing"
	"testing/synctest"

	"outcrop.dev/outcrop/format/chat"
	"outcrop.dev/outcrop/format/chattemplate"
	"outcrop.dev/outcrop/format/dataset"
)

// TestPanicIsOneRows: rows are rendered in goroutines of the server, which must outlive a bug there.
func TestPanicIsOneRows(t *testing.T) {
	t.Parallel()
	broken := &scanner{} // without a template
	for _, row := range []dataset.Row{
		{Line: 3, Format: dataset.Documents, Text: "text"},
		{Line: 3, Format: dataset.Completions, Messages: []chat.Message{chat.Text(chat.User, "a"), chat.Text(chat.Assistant, "b")}},
	} {
		if out := broken.measureRow(row); out.line != 3 || out.bad == nil || !strings.Contains(out.bad.Error(), "fault of Outcrop") {
			t.Errorf("got %+v", out)
		}
	}
}

// TestRowWithoutTokens: a tokenizer may drop all that a text has.
func TestRowWithoutTokens(t *testing.T) {
	t.Parallel()
	f := fileCheck{context: 8, own: newSeen(), keep: true}
	end := chattemplate.Example{Tokens: []int32{2}, Trained: []bool{false}}
	f.add(scanned{line: 1, format: dataset.Documents, example: end})
	if f.bad != 1 || f.NoLabel != 1 || len(f.examples) != 0 {
		t.Errorf("only the end of a text: %+v", f)
	}
	f.add(scanned{line: 2, format: dataset.Documents, example: chattemplate.Example{Tokens: []int32{7, 2}, Trained: []bool{false, true}}})
	if f.bad != 1 || f.packer.Rows != 1 || len(f.examples) != 1 {
		t.Errorf("one token and the end: %+v", f)
	}
}

// TestTurns: checkers with the same turns tokenize no more at a time than there are, and all of them
// end.
func TestTurns(t *testing.T) {
	t.Parallel()
	rows := strings.Repeat(`{"prompt":"a","completion":"b"}`+"\n", 3*blockRows)
	synctest.Test(t, func(t *testing.T) {
		turns := make(Turns, 2)
		turns <- struct{}{}
		turns <- struct{}{} // others have them
		ended := make(chan error, 3)
		for range cap(ended) {
			go func() {
				_, err := (&Checker{Workers: 2, Turns: turns}).Check(t.Context(), pebbleDir, 64, text("train.jsonl", rows), nil)
				ended <- err
			}()
		}
		synctest.Wait()
		if len(ended) > 0 {
			t.Error("a check has ended without a turn")
		}
		<-turns
		for range cap(ended) {
			if err := <-ended; err != nil {
				t.Error(err)
			}
		}
		if len(turns) != 1 {
			t.Errorf("%d turns are taken, want the other's", len(turns))
		}
	})
}

// TestSum: a file that is good has the digest of all its bytes, a bad one has none.
func TestSum(t *testing.T) {
	t.Parallel()
	good := `{"prompt":"a","completion":"b"}` + "\n"
	sum := sha256.Sum256([]byte(good))
	for data, want := range map[string]string{good: hex.EncodeToString(sum[:]), good + "no JSON": ""} {
		r, err := (&Checker{}).Check(t.Context(), pebbleDir, 64, text("train.jsonl", data), nil)
		if err != nil || r.Files[0].SHA256 != want {
			t.Errorf("%q: %q, %v; want %q", data, r.Files[0].SHA256, err, want)
		}
	}
}
